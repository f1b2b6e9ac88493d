//! Bounded zstd decompression.
//!
//! Several frames in a row are one stream, and frames to be skipped are skipped,
//! as RFC 8878 has it. Dictionaries are not read. A window of more than 128 MiB is
//! refused by the decoder, so that a header alone cannot take more than that.

use std::error::Error;
use std::io::{self, ErrorKind, Read};

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};

use crate::DecodeError;

/// Decompresses `bytes` to at most `limit` bytes.
pub(crate) fn unzstd(mut bytes: &[u8], limit: usize) -> Result<Vec<u8>, DecodeError> {
    let mut plain = Vec::new();
    let mut decoder = FrameDecoder::new();
    while !bytes.is_empty() {
        let mut frame = match StreamingDecoder::new_with_decoder(&mut bytes, &mut decoder) {
            Ok(frame) => frame,
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length,
                ..
            })) => {
                let skipped = bytes.get(length as usize..);
                bytes = skipped.ok_or(DecodeError::ZstdTruncated)?;
                continue;
            }
            Err(error) => return Err(unread(&error)),
        };
        // One byte more than allowed tells "full" from "too large".
        let left = (limit - plain.len()).saturating_add(1);
        let mut bounded = (&mut frame).take(left as u64);
        bounded
            .read_to_end(&mut plain)
            .map_err(|error| unread(&error))?;
        if plain.len() > limit {
            return Err(DecodeError::TooLarge {
                what: "the decompressed profile",
                limit,
            });
        }
        let said = decoder.get_checksum_from_data();
        if said.is_some() && said != decoder.get_calculated_checksum() {
            return Err(DecodeError::ZstdDamaged {
                why: "its checksum is not that of its content".to_owned(),
            });
        }
    }
    Ok(plain)
}

/// The decoder's error: an end of input at its root is a cut download.
fn unread(error: &(dyn Error + 'static)) -> DecodeError {
    let mut root = error;
    loop {
        let io = root.downcast_ref::<io::Error>();
        if io.is_some_and(|e| e.kind() == ErrorKind::UnexpectedEof) {
            return DecodeError::ZstdTruncated;
        }
        // An io::Error names what is below the error it carries, not that error itself.
        let carried = io.and_then(io::Error::get_ref);
        let below = match carried {
            Some(carried) => Some(carried as &(dyn Error + 'static)),
            None => root.source(),
        };
        match below {
            Some(below) => root = below,
            None => {
                return DecodeError::ZstdDamaged {
                    why: root.to_string(),
                };
            }
        }
    }
}

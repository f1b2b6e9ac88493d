//! Bounded gzip decompression.
//!
//! Several gzip members in a row are one stream, as RFC 1952 has it.

use std::io::{ErrorKind, Read};

use flate2::bufread::MultiGzDecoder;

use crate::DecodeError;

/// Deflate cannot do better than 1032:1; a larger size in the trailer is a lie.
const BEST_RATIO: usize = 1032;

/// Decompresses `bytes` to at most `limit` bytes.
pub(crate) fn gunzip(bytes: &[u8], limit: usize) -> Result<Vec<u8>, DecodeError> {
    let possible = bytes.len().saturating_mul(BEST_RATIO).min(limit);
    let said = bytes
        .last_chunk::<4>()
        .map_or(0, |size| u32::from_le_bytes(*size) as usize);
    let mut plain = Vec::new();
    // One byte more than said: the last read then finds the end without growing.
    if plain.try_reserve_exact(said.min(possible) + 1).is_err() {
        return too_large(limit);
    }
    let bound = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    match MultiGzDecoder::new(bytes)
        .take(bound)
        .read_to_end(&mut plain)
    {
        Ok(_) if plain.len() > limit => too_large(limit),
        Ok(_) => Ok(plain),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Err(DecodeError::GzipTruncated),
        Err(error) => Err(DecodeError::GzipDamaged {
            why: error.to_string(),
        }),
    }
}

fn too_large(limit: usize) -> Result<Vec<u8>, DecodeError> {
    Err(DecodeError::TooLarge {
        what: "the decompressed profile",
        limit,
    })
}

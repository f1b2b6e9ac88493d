//! Bounded gzip decompression, and compression.
//!
//! Several gzip members in a row are one stream, as RFC 1952 has it.

use std::io::{ErrorKind, Read};

use flate2::bufread::MultiGzDecoder;

use crate::DecodeError;

/// Deflate cannot do better than 1032:1; a larger size in the trailer is a lie.
const BEST_RATIO: usize = 1032;

/// Profiles are packed to a tenth; beyond this the general decoder takes memory as it goes.
#[cfg(feature = "libdeflate")]
const USUAL_RATIO: usize = 64;

/// How hard [`gzip`] tries, of 12.
#[cfg(feature = "libdeflate")]
const LEVEL: i32 = 3;

/// Decompresses `bytes` to at most `limit` bytes.
pub(crate) fn gunzip(bytes: &[u8], limit: usize) -> Result<Vec<u8>, DecodeError> {
    let possible = bytes.len().saturating_mul(BEST_RATIO).min(limit);
    let said = bytes
        .last_chunk::<4>()
        .map_or(0, |size| u32::from_le_bytes(*size) as usize);
    #[cfg(feature = "libdeflate")]
    if let Some(plain) = one_member(bytes, said, possible) {
        return Ok(plain);
    }
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

/// Decompresses a file of one member, which is what Go writes; `None` is for the
/// general decoder to do, or to explain.
#[cfg(feature = "libdeflate")]
fn one_member(bytes: &[u8], said: usize, possible: usize) -> Option<Vec<u8>> {
    // Memory is taken for what the trailer says: only where a profile can have that ratio.
    if said == 0 || said > possible || said / bytes.len() > USUAL_RATIO {
        return None;
    }
    // libdeflate stops at the end of the first member without telling where that was. It is
    // the last one if its checksum and size stand at the end of the file and nowhere before.
    let (before, trailer) = bytes.split_last_chunk::<8>()?;
    if memchr::memmem::find(before, trailer).is_some() {
        return None;
    }
    let mut plain = vec![0; said];
    let mut decoder = libdeflater::Decompressor::new();
    let got = decoder.gzip_decompress(bytes, &mut plain).ok()?;
    let sum = u32::from_le_bytes(*trailer.first_chunk()?);
    (got == said && libdeflater::crc32(&plain) == sum).then_some(plain)
}

/// Packs what [`Profile::encode`](crate::Profile::encode) gives, as Go serves and saves it.
#[cfg(feature = "libdeflate")]
pub fn gzip(plain: &[u8]) -> Vec<u8> {
    // Within 4 % of what Go writes, in a quarter of the time.
    let level = libdeflater::CompressionLvl::new(LEVEL).unwrap_or_default();
    let mut encoder = libdeflater::Compressor::new(level);
    let mut packed = vec![0; encoder.gzip_compress_bound(plain.len())];
    let written = encoder.gzip_compress(plain, &mut packed);
    packed.truncate(written.expect("the bound holds for every input"));
    packed
}

/// Packs what [`Profile::encode`](crate::Profile::encode) gives, as Go serves and saves it.
#[cfg(not(feature = "libdeflate"))]
pub fn gzip(plain: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    let written = encoder.write_all(plain).and_then(|()| encoder.finish());
    written.expect("a vector takes everything")
}

fn too_large(limit: usize) -> Result<Vec<u8>, DecodeError> {
    Err(DecodeError::TooLarge {
        what: "the decompressed profile",
        limit,
    })
}

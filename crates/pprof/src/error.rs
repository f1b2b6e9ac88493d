//! Why input could not be decoded.

use crate::Came;

/// Why input could not be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Not a single byte came.
    #[error("nothing came: the input is empty")]
    Empty,
    /// Something else came.
    #[error("this is not {wanted} but {came}")]
    Unexpected {
        /// What was asked for: "a pprof profile", "a goroutine dump".
        wanted: &'static str,
        /// What the bytes look like.
        came: Came,
    },
    /// The input is gzip and this build has no feature `gunzip`.
    #[error("the profile is compressed with gzip, which this build does not read")]
    Compressed,
    /// The gzip stream is damaged; `why` is the decompressor's word.
    #[error("the gzip stream is damaged: {why}")]
    GzipDamaged {
        /// The decompressor's word.
        why: String,
    },
    /// The gzip stream ends early: a download was cut.
    #[error("the gzip stream ends early: the profile was cut on its way")]
    GzipTruncated,
    /// The input is zstd and this build has no feature `zstd`.
    #[error("the profile is compressed with zstd, which this build does not read")]
    CompressedZstd,
    /// The zstd stream is damaged; `why` is the decompressor's word.
    #[error("the zstd stream is damaged: {why}")]
    ZstdDamaged {
        /// The decompressor's word.
        why: String,
    },
    /// The zstd stream ends early: a download was cut.
    #[error("the zstd stream ends early: the profile was cut on its way")]
    ZstdTruncated,
    /// The input passes a bound of [`crate::Limits`].
    #[error("{what} takes more than {limit} bytes")]
    TooLarge {
        /// Which bound was hit.
        what: &'static str,
        /// The bound, in bytes.
        limit: usize,
    },
    /// Inlined calls make stacks longer than [`crate::Limits::frames`] has it.
    #[error("stacks of more than {limit} frames, inlined calls written out")]
    TooManyFrames {
        /// The bound.
        limit: usize,
    },
    /// A message runs past the end of the input: it was cut, or a length lies.
    #[error("the profile ends early: what begins at byte {at} is not complete")]
    Truncated {
        /// Byte offset after decompression.
        at: usize,
    },
    /// Two profiles stand one after the other, as after `cat a b`.
    #[error("two profiles stand one after the other; merge them instead")]
    Concatenated,
    /// The bytes contradict the format.
    #[error("malformed profile at byte {at}: {what}")]
    Malformed {
        /// Byte offset after decompression.
        at: usize,
        /// What is wrong there.
        what: &'static str,
    },
}

//! Bounds on the memory that one decode may take.

use crate::DecodeError;

/// Bounds on what a decoder may take, for input that nobody vouches for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the profile after decompression, and of an uncompressed input.
    /// Default: 256 MiB; the largest profiles of the field are near 100 MB.
    pub inflated_bytes: usize,
    /// Bytes of the decoded tables, estimated from the sizes of their rows.
    /// Default: 1 GiB. Vectors grow by doubling, so a peak may be twice this.
    pub decoded_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            inflated_bytes: 256 << 20,
            decoded_bytes: 1 << 30,
        }
    }
}

impl Limits {
    /// Refuses input that is longer than [`Limits::inflated_bytes`].
    pub(crate) fn admit(&self, input: &[u8]) -> Result<(), DecodeError> {
        if input.len() > self.inflated_bytes {
            return Err(DecodeError::TooLarge {
                what: "the input",
                limit: self.inflated_bytes,
            });
        }
        Ok(())
    }

    /// Starts the account that a decoder charges for every row it keeps.
    pub(crate) fn budget(&self) -> Budget {
        Budget {
            left: self.decoded_bytes,
            limit: self.decoded_bytes,
        }
    }
}

/// What is left of [`Limits::decoded_bytes`].
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    left: usize,
    limit: usize,
}

impl Budget {
    /// Takes the room of `count` rows of type `T`.
    #[inline]
    pub(crate) fn rows<T>(&mut self, count: usize) -> Result<(), DecodeError> {
        self.bytes(count.saturating_mul(size_of::<T>()))
    }

    /// Takes `bytes`.
    #[inline]
    pub(crate) fn bytes(&mut self, bytes: usize) -> Result<(), DecodeError> {
        match self.left.checked_sub(bytes) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(DecodeError::TooLarge {
                what: "the decoded input",
                limit: self.limit,
            }),
        }
    }
}

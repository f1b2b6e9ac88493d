//! Bounds on the memory that one decode may take.

use crate::{Columns, DecodeError, Location, Profile};

/// Inlined calls that each location may have, on average of all stacks, whatever the limit is.
const INLINED: usize = 16;

/// Bounds on what a decoder may take, for input that nobody vouches for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the profile after decompression, and of an uncompressed input.
    /// Default: 256 MiB; the largest profiles of the field are near 100 MB.
    pub inflated_bytes: usize,
    /// Bytes of the decoded tables, estimated from the sizes of their rows.
    /// Default: 1 GiB. Vectors grow by doubling, so a peak may be twice this.
    pub decoded_bytes: usize,
    /// Frames of all stacks with inlined calls written out, or sixteen for each location of a
    /// stack where that is more. A location has one line for each inlined call and takes a byte
    /// of each stack, so a file can stand for the product of its stacks and its lines, and
    /// reports of whole stacks take memory for all of that. Default: 4 Mi.
    pub frames: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            inflated_bytes: 256 << 20,
            decoded_bytes: 1 << 30,
            frames: 4 << 20,
        }
    }
}

impl Profile {
    /// Refuses stacks that inlining makes many times as long as they stand in the file.
    pub(crate) fn check_frames(&self, limits: &Limits) -> Result<(), DecodeError> {
        let lines = |location: &Location| location.lines.len();
        let deepest = self.locations().iter().map(lines).max().unwrap_or(0);
        let named = self.samples.locations();
        let limit = limits.frames.max(named.saturating_mul(INLINED));
        // Nearly always plain to see, without a look at the stacks.
        if named.saturating_mul(deepest) <= limit {
            return Ok(());
        }
        let mut frames = 0_usize;
        self.each_sample(Columns::STACKS, |sample| {
            let locations = sample.locations.iter();
            let locations = locations.filter_map(|id| self.locations().get(id.index()));
            frames = locations.fold(frames, |sum, location| sum.saturating_add(lines(location)));
        });
        match frames <= limit {
            true => Ok(()),
            false => Err(DecodeError::TooManyFrames { limit }),
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

//! Samples of a merged profile, findable by stack and labels.
//!
//! The key of a sample is the sample itself, in the columns: a copy beside them
//! would be most of what merging takes.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher};

use crate::hash::Quick;
use crate::profile::row;
use crate::samples::Samples;
use crate::{Label, LocationId};

/// No sample.
const NONE: u32 = u32::MAX;

/// Places of samples by the hash of their stack and labels.
#[derive(Default)]
pub(crate) struct Stacks {
    /// The last sample of each hash.
    last: HashMap<u64, u32, Quick>,
    /// For each sample the one before it with the same hash.
    before: Vec<u32>,
}

impl Stacks {
    /// The sample of this stack and labels; if there is none, the next one to be
    /// appended to `samples` is taken to be it.
    pub(crate) fn find(
        &mut self,
        samples: &Samples,
        stack: &[LocationId],
        labels: &[Label],
    ) -> Option<usize> {
        let mut hasher = Quick::default().build_hasher();
        stack.hash(&mut hasher);
        labels.hash(&mut hasher);
        let next = row(self.before.len());
        let last = self.last.entry(hasher.finish()).or_insert(NONE);
        let mut place = *last;
        while let Some(&before) = self.before.get(place as usize) {
            if is_at(samples, place as usize, stack, labels) {
                return Some(place as usize);
            }
            place = before;
        }
        self.before.push(std::mem::replace(last, next));
        None
    }
}

/// True if the sample at `place` has this stack and labels.
fn is_at(samples: &Samples, place: usize, stack: &[LocationId], labels: &[Label]) -> bool {
    let ends = &samples.ends;
    let from = match place.checked_sub(1) {
        Some(before) => ends.get(before).copied().unwrap_or_default(),
        None => (0, 0),
    };
    let to = ends.get(place).copied().unwrap_or_default();
    samples.locations.get(from.0..to.0) == Some(stack)
        && samples.labels.get(from.1..to.1) == Some(labels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Profile;

    #[test]
    fn equal_stacks_are_found_and_others_are_not() {
        let mut profile = Profile::new(&[("samples", "count")]);
        let mut stacks = Stacks::default();
        let ids = [0, 1].map(LocationId::at);
        let cases: [&[LocationId]; 4] = [&ids, &[], &ids[..1], &ids[1..]];
        for (place, stack) in cases.iter().enumerate() {
            assert_eq!(stacks.find(&profile.samples, stack, &[]), None, "{place}");
            profile.push_sample(stack, &[1], &[]);
        }
        for (place, stack) in cases.iter().enumerate() {
            assert_eq!(stacks.find(&profile.samples, stack, &[]), Some(place));
        }
    }
}

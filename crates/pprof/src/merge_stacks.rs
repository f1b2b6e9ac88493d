//! Samples of a merged profile, findable by stack and labels.
//!
//! Most of what merging takes is waiting for memory: whether a stack is there
//! already stands in four tables that no cache holds. So samples are looked up by
//! the batch, one table after the other: the loads of different samples do not
//! depend on each other, and the processor has many of them under way at once.

use std::hash::{Hash, Hasher};

use crate::hash::hasher;
use crate::places::Places;
use crate::samples::Samples;
use crate::{Label, LocationId, Sample};

/// Samples of a batch: enough to keep loads under way, and few enough for the
/// first cache to hold.
const BATCH: usize = 128;

/// Merged samples, and the batch that is to be merged into them.
pub(crate) struct Stacks {
    /// Values of each sample.
    width: usize,
    merged: Samples,
    /// Merged samples by stack and labels.
    places: Places,
    batch: Samples,
    /// Of the stack and labels of each in the batch.
    hashes: Vec<u32>,
    /// The merged sample that is equal to each in the batch, as far as it was there before.
    known: Vec<Option<usize>>,
}

impl Stacks {
    /// No samples, of `width` values each.
    pub(crate) fn new(width: usize) -> Self {
        Stacks {
            width,
            merged: Samples::default(),
            places: Places::default(),
            batch: Samples::default(),
            hashes: Vec::new(),
            known: Vec::new(),
        }
    }

    /// Adds a sample whose stack and labels `fill` appends to those that it is given.
    #[inline]
    pub(crate) fn add(
        &mut self,
        values: &[i64],
        fill: impl FnOnce(&mut Vec<LocationId>, &mut Vec<Label>),
    ) {
        let batch = &mut self.batch;
        let from = (batch.locations.len(), batch.labels.len());
        fill(&mut batch.locations, &mut batch.labels);
        let given = values.iter().copied().chain(std::iter::repeat(0));
        batch.values.extend(given.take(self.width));
        batch.ends.push((batch.locations.len(), batch.labels.len()));
        let stack = batch.locations.get(from.0..).unwrap_or(&[]);
        let labels = batch.labels.get(from.1..).unwrap_or(&[]);
        self.hashes.push(hash(stack, labels));
        if self.hashes.len() == BATCH {
            self.merge_batch();
        }
    }

    /// All samples, in the order in which their stacks first came.
    pub(crate) fn finish(mut self) -> Samples {
        self.merge_batch();
        self.merged
    }

    fn merge_batch(&mut self) {
        let width = self.width;
        let likely = self.hashes.iter().map(|&hash| self.places.likely(hash));
        self.known.clear();
        self.known.extend(likely);
        // The first frame tells nothing new, but is there when the others are compared.
        for (sample, known) in self.batch.iter(width).zip(&mut self.known) {
            let first = |place| self.merged.locations.get(start(&self.merged, place).0);
            let frame = sample.locations.first();
            *known = known.filter(|&place| frame.is_none() || first(place) == frame);
        }
        for (sample, known) in self.batch.iter(width).zip(&mut self.known) {
            *known = known.filter(|&place| is_at(&self.merged, place, &sample));
            if let Some(place) = *known {
                self.merged.add_values(place, sample.values);
            }
        }
        let found = self.hashes.iter().zip(&self.known);
        for (sample, (&hash, known)) in self.batch.iter(width).zip(found) {
            if known.is_some() {
                continue;
            }
            // It may have come with this batch, or behind another of its hash.
            let is = |place| is_at(&self.merged, place, &sample);
            match self.places.find(hash, is) {
                Some(place) => self.merged.add_values(place, sample.values),
                None => {
                    self.places.insert(hash, self.merged.ends.len());
                    self.merged.push(&sample);
                }
            }
        }
        self.batch.clear();
        self.hashes.clear();
    }
}

fn hash(stack: &[LocationId], labels: &[Label]) -> u32 {
    let mut hasher = hasher();
    // Two ids at a time: each step waits for the one before it.
    let (pairs, rest) = stack.as_chunks::<2>();
    for [one, other] in pairs {
        hasher.write_u64((one.index() as u64) << 32 | other.index() as u64);
    }
    rest.hash(&mut hasher);
    labels.hash(&mut hasher);
    hasher.finish() as u32
}

/// Where the stack and the labels of the sample at `place` begin.
#[inline]
fn start(samples: &Samples, place: usize) -> (usize, usize) {
    let before = place.checked_sub(1).and_then(|b| samples.ends.get(b));
    before.copied().unwrap_or_default()
}

/// True if the sample at `place` has the stack and labels of `sample`.
#[inline]
fn is_at(samples: &Samples, place: usize, sample: &Sample<'_>) -> bool {
    let from = start(samples, place);
    let to = samples.ends.get(place).copied().unwrap_or_default();
    samples.locations.get(from.0..to.0) == Some(sample.locations)
        && samples.labels.get(from.1..to.1) == Some(sample.labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(given: &[(&[LocationId], i64)]) -> Vec<(Vec<LocationId>, i64)> {
        let mut stacks = Stacks::new(1);
        for &(stack, value) in given {
            stacks.add(&[value], |locations, _| locations.extend_from_slice(stack));
        }
        let samples = stacks.finish();
        let all = samples.iter(1).map(|s| (s.locations.to_vec(), s.values[0]));
        all.collect()
    }

    #[test]
    fn equal_stacks_are_found_and_others_are_not() {
        let ids = [0, 1].map(LocationId::at);
        let cases: [&[LocationId]; 4] = [&ids, &[], &ids[..1], &ids[1..]];
        let twice: Vec<_> = cases.iter().chain(&cases).map(|&s| (s, 1)).collect();
        let once: Vec<_> = cases.iter().map(|s| (s.to_vec(), 2)).collect();
        assert_eq!(merged(&twice), once);
    }

    #[test]
    fn a_stack_is_found_in_its_own_batch_and_in_a_later_one() {
        let ids: Vec<LocationId> = (0..3 * BATCH).map(LocationId::at).collect();
        // Each stack at once again, and all of them again in later batches.
        let round = || ids.chunks(1).flat_map(|stack| [(stack, 1), (stack, 10)]);
        let given: Vec<_> = round().chain(round()).collect();
        let once: Vec<_> = ids.iter().map(|&id| (vec![id], 22)).collect();
        assert_eq!(merged(&given), once);
    }

    #[test]
    fn a_stack_that_ends_where_labels_begin_is_another() {
        let id = LocationId::at(1);
        let label = Label {
            key: crate::StringId::at(1),
            value: crate::LabelValue::Text(crate::StringId::at(2)),
        };
        let mut stacks = Stacks::new(0);
        for labels in [&[][..], &[label], &[label, label], &[label]] {
            stacks.add(&[], |locations, all| {
                locations.push(id);
                all.extend_from_slice(labels);
            });
        }
        assert_eq!(stacks.finish().ends, [(1, 0), (2, 1), (3, 3)]);
    }
}

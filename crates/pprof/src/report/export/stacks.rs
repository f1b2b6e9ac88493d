//! Distinct stacks with their values, root first.

use std::collections::BTreeMap;

use crate::report::Report;
use crate::report::graph::{Frames, Sum};
use crate::{Columns, Profile};

/// Stacks of frame numbers, and what the numbers stand for.
pub(super) struct Stacks<'p> {
    pub(super) frames: Frames<'p>,
    /// In the order of their frames' numbers; values of zero are left out.
    pub(super) values: BTreeMap<Vec<u32>, i64>,
}

impl Report<'_> {
    pub(super) fn stacks<'p>(&self, profile: &'p Profile) -> Stacks<'p> {
        let frames = self.frames(profile);
        let mut sums: BTreeMap<Vec<u32>, Sum> = BTreeMap::new();
        profile.each_sample(Columns::STACKS, |sample| {
            let weight = self.weights.of(sample);
            let locations = sample.locations.iter().rev();
            let stack: Vec<u32> = locations
                .flat_map(|&l| frames.at(l).iter().rev().copied())
                .collect();
            if !stack.is_empty() {
                sums.entry(stack).or_default().add(weight);
            }
        });
        let shown = sums
            .into_iter()
            .map(|(stack, sum)| (stack, self.scaled(sum.shown())));
        Stacks {
            values: shown.filter(|(_, value)| *value != 0).collect(),
            frames,
        }
    }
}

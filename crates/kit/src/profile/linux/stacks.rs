//! Stacks and how often each was seen.

use std::collections::HashMap;

use super::encode::{Encoder, Value};
use crate::labels;

/// Different stacks of one profile. A busy service shows some thousands in 30 s; what is over is
/// counted without its stack.
const STACKS_MAX: usize = 64 * 1024;

/// Values by stack and labels.
#[derive(Debug, Default)]
pub(crate) struct Stacks {
    by_stack: HashMap<Key, [i64; 2]>,
    over: [i64; 2],
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    /// Leaf first; empty where the stack is not known.
    addresses: Box<[u64]>,
    labels: u64,
}

impl Stacks {
    pub(crate) fn add(&mut self, addresses: &[u64], labels: u64, values: [i64; 2]) {
        let key = Key {
            addresses: addresses.into(),
            labels,
        };
        let is_full = self.by_stack.len() >= STACKS_MAX;
        let sum = match self.by_stack.get_mut(&key) {
            Some(sum) => sum,
            None if is_full => &mut self.over,
            None => self.by_stack.entry(key).or_default(),
        };
        sum[0] = sum[0].saturating_add(values[0]);
        sum[1] = sum[1].saturating_add(values[1]);
    }

    pub(crate) fn write(&self, encoder: &mut Encoder<'_>) {
        // A table in the order of its content, so that the same stacks give the same profile.
        let mut all: Vec<_> = self.by_stack.iter().collect();
        all.sort_by(|(a, _), (b, _)| (&a.addresses, a.labels).cmp(&(&b.addresses, b.labels)));
        for (key, values) in all {
            let labels = match key.labels {
                0 => Vec::new(),
                id => labels::of(id),
            };
            let labels: Vec<(&str, Value<'_>)> = labels
                .iter()
                .map(|(name, value)| (name.as_str(), Value::Text(value)))
                .collect();
            if key.addresses.is_empty() {
                encoder.unknown("[stack not readable]", values, &labels);
            } else {
                encoder.sample(&key.addresses, values, &labels);
            }
        }
        if self.over != [0, 0] {
            encoder.unknown("[more stacks than the profile keeps]", &self.over, &[]);
        }
    }
}

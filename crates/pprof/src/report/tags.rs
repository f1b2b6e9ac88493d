//! `-tags`: labels and the values of their samples.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use super::Report;
use super::graph::{Sum, Tag, sort_tags};
use super::measurement::{percentage, scaled_label};
use super::tabs::align;
use super::units::is_set;
use crate::hash::Quick;
use crate::{Columns, Label, LabelValue, Profile};

/// Sums of one key's values, and of all of them.
#[derive(Default)]
struct Key {
    values: HashMap<String, i64>,
    total: i64,
}

impl Report<'_> {
    pub(super) fn tags(&self, profile: &Profile) -> String {
        let mut out = String::new();
        for (key, sums) in self.keys(profile) {
            let total = self.total;
            let _ = write!(
                out,
                "{key}:\t Total {} of {}",
                self.value(sums.total),
                self.value(total)
            );
            if total > 0 {
                let _ = write!(out, " ({})", percentage(sums.total, total));
            }
            out.push('\n');
            let tag = |(name, value)| Tag {
                name,
                flat: Sum { value, divisor: 0 },
                ..Tag::default()
            };
            let mut tags: Vec<Tag> = sums.values.into_iter().map(tag).collect();
            sort_tags(&mut tags, true);
            for tag in tags {
                let value = tag.flat.value;
                let _ = write!(out, " \t{}", self.value(value));
                if total > 0 {
                    let _ = write!(out, " ({})", percentage(value, total));
                }
                let _ = writeln!(out, ":\t {}", tag.name);
            }
            out.push('\n');
        }
        align(&out)
    }

    fn keys<'p>(&self, profile: &'p Profile) -> BTreeMap<&'p str, Key> {
        // First by label as it stands in the file: samples repeat them.
        let mut by_label: HashMap<Label, i64, Quick> = HashMap::default();
        profile.each_sample(Columns::LABELS, |sample| {
            let (value, _) = self.weights.of(sample);
            for label in sample.labels.iter().filter(|l| is_set(l)) {
                let sum = by_label.entry(*label).or_default();
                *sum = sum.wrapping_add(value);
            }
        });
        let mut keys: BTreeMap<&str, Key> = BTreeMap::new();
        for (label, value) in by_label {
            let name = profile.text(label.key);
            let text = match label.value {
                LabelValue::Text(text) => profile.text(text).to_owned(),
                LabelValue::Number { value, .. } => {
                    scaled_label(value, self.units.of_key(name), &self.options.unit)
                }
            };
            let key = keys.entry(name).or_default();
            let sum = key.values.entry(text).or_default();
            *sum = sum.wrapping_add(value);
            key.total = key.total.wrapping_add(value);
        }
        keys
    }
}

//! Labels of nodes, for drawings: each node's share of each label's value.
//!
//! Source: google/pprof, internal/graph/graph.go `addSample`, `SortTags`.

use std::collections::HashMap;

use super::trim::TagUnits;
use super::{Graph, Quick, Sum, Weights};
use crate::report::measurement::scaled_label;
use crate::report::units::is_set;
use crate::{Columns, Label, LabelValue, Profile, Sample};

/// At most so many labels are drawn at a node.
pub(in crate::report) const MOST: usize = 4;

/// A label, or several, at a node.
#[derive(Debug, Clone, Default)]
pub(in crate::report) struct Tag {
    pub(in crate::report) name: String,
    /// Unit and value of a numeric label.
    pub(in crate::report) unit: String,
    pub(in crate::report) value: i64,
    pub(in crate::report) flat: Sum,
    pub(in crate::report) cum: Sum,
}

/// Labels by name.
pub(in crate::report) type TagMap = HashMap<String, Tag, Quick>;

/// The labels of one node: texts, and numbers by the texts they came with.
#[derive(Debug, Default)]
pub(in crate::report) struct Tags {
    pub(in crate::report) texts: TagMap,
    pub(in crate::report) numbers: HashMap<String, TagMap, Quick>,
}

/// Heaviest first, then by name.
pub(in crate::report) fn sort_tags(tags: &mut [Tag], flat: bool) {
    let key = |tag: &Tag| {
        let cum = tag.cum.value.wrapping_abs();
        let flat_value = tag.flat.value.wrapping_abs();
        (if flat { 0 } else { cum }, flat_value)
    };
    tags.sort_by(|a, b| key(b).cmp(&key(a)).then_with(|| a.name.cmp(&b.name)));
}

/// What of a sample's labels is drawn: small numbers, so that nodes count without texts.
pub(super) struct Drawn<'p> {
    profile: &'p Profile,
    /// Joined texts of samples; the first is "none".
    texts: Vec<String>,
    /// Numeric labels: the text they came with, and the number as it is shown.
    numbers: Vec<(u32, String)>,
    /// Of each sample its text, and its numbers with their values.
    samples: Vec<(u32, Vec<(u32, i64)>)>,
    unit: String,
}

/// Of a node and a label: the first value seen, for numbers, and the sums.
#[derive(Clone, Copy, Default)]
struct Share {
    value: i64,
    flat: Sum,
    cum: Sum,
}

/// Marks the ids of numbers where they share a key with texts.
const NUMBER: u32 = 1 << 31;

impl<'p> Drawn<'p> {
    pub(super) fn of(profile: &'p Profile, units: &TagUnits<'_>) -> Self {
        let mut drawn = Drawn {
            profile,
            texts: vec![String::new()],
            numbers: Vec::new(),
            samples: Vec::with_capacity(profile.samples.len()),
            unit: units.bytes.to_owned(),
        };
        let mut texts: HashMap<String, u32, Quick> = HashMap::default();
        texts.insert(String::new(), 0);
        // By value first: scaling a number to a text is slower than finding it again.
        let mut values: HashMap<(u32, i64), u32, Quick> = HashMap::default();
        let mut numbers: HashMap<(u32, String), u32, Quick> = HashMap::default();
        profile.each_sample(Columns::LABELS, |sample| {
            if sample.labels.is_empty() {
                drawn.samples.push((0, Vec::new()));
                return;
            }
            let next = crate::profile::row(drawn.texts.len());
            let text = *texts
                .entry(joined(profile, sample))
                .or_insert_with_key(|text| {
                    drawn.texts.push(text.clone());
                    next
                });
            let mut of_sample = Vec::new();
            for value in bytes(profile, sample) {
                let id = *values.entry((text, value)).or_insert_with(|| {
                    let name = scaled_label(value, units.bytes, units.shown);
                    let next = crate::profile::row(drawn.numbers.len());
                    *numbers.entry((text, name)).or_insert_with_key(|key| {
                        drawn.numbers.push(key.clone());
                        next
                    })
                });
                of_sample.push((id, value));
            }
            drawn.samples.push((text, of_sample));
        });
        drawn
    }

    /// Labels of the nodes that `wanted` flags, without those below `cutoff`. `path`
    /// appends a sample's nodes and gives its leaf.
    pub(super) fn at_nodes(
        &self,
        wanted: &[bool],
        weights: Weights,
        cutoff: i64,
        path: impl Fn(&Sample<'_>, &mut Vec<u32>) -> Option<u32>,
    ) -> Vec<Tags> {
        let mut shares: HashMap<(u32, u32), Share, Quick> = HashMap::default();
        let mut nodes = Vec::new();
        let mut drawn = self.samples.iter();
        self.profile.each_sample(Columns::STACKS, |sample| {
            let Some((text, numbers)) = drawn.next() else {
                return;
            };
            let weight = weights.of(sample);
            if weight == (0, 0) || *text == 0 && numbers.is_empty() {
                return;
            }
            nodes.clear();
            let leaf = path(sample, &mut nodes);
            let is_wanted = |n: &u32| wanted.get(*n as usize).copied().unwrap_or(false);
            for node in nodes.iter().copied().filter(is_wanted) {
                let mut count = |label: u32, value: i64| {
                    let share = shares.entry((node, label)).or_insert(Share {
                        value,
                        ..Share::default()
                    });
                    share.cum.add(weight);
                    if leaf == Some(node) {
                        share.flat.add(weight);
                    }
                };
                if *text != 0 {
                    count(*text, 0);
                }
                for (number, value) in numbers {
                    count(NUMBER | number, *value);
                }
            }
        });
        let mut all: Vec<Tags> = std::iter::repeat_with(Tags::default)
            .take(wanted.len())
            .collect();
        for ((node, label), share) in shares {
            let heavy = |sum: Sum| sum.value.wrapping_abs() >= cutoff;
            if let Some(tags) = all.get_mut(node as usize)
                && (heavy(share.flat) || heavy(share.cum))
            {
                self.tag(tags, label, share);
            }
        }
        all
    }

    fn tag(&self, tags: &mut Tags, label: u32, share: Share) {
        let (of_text, name, unit) = if label & NUMBER == 0 {
            let name = self.texts.get(label as usize).cloned().unwrap_or_default();
            (&mut tags.texts, name, String::new())
        } else {
            let number = self.numbers.get((label & !NUMBER) as usize).cloned();
            let (text, name) = number.unwrap_or_default();
            let text = self.texts.get(text as usize).cloned().unwrap_or_default();
            (
                tags.numbers.entry(text).or_default(),
                name,
                self.unit.clone(),
            )
        };
        let tag = Tag {
            name: name.clone(),
            unit,
            value: share.value,
            flat: share.flat,
            cum: share.cum,
        };
        of_text.insert(name, tag);
    }
}

/// All text labels of a sample as one, but for the mark of a base.
fn joined(profile: &Profile, sample: &Sample<'_>) -> String {
    let text = |label: &Label| match label.value {
        LabelValue::Text(value) => {
            let key = profile.text(label.key);
            (key != "pprof::base").then(|| format!("{key}:{}", profile.text(value)))
        }
        LabelValue::Number { .. } => None,
    };
    let mut texts: Vec<String> = sample.labels.iter().filter_map(text).collect();
    texts.sort();
    texts.join(r"\n")
}

/// The numbers under `bytes`; other numeric labels are not drawn.
fn bytes(profile: &Profile, sample: &Sample<'_>) -> Vec<i64> {
    let number = |label: &Label| match label.value {
        LabelValue::Number { value, .. } => {
            (is_set(label) && profile.text(label.key) == "bytes").then_some(value)
        }
        LabelValue::Text(_) => None,
    };
    sample.labels.iter().filter_map(number).collect()
}

/// How many nodes fit into `most` boxes, where labels take boxes too.
pub(super) fn nodes_that_fit(graph: &Graph<'_>, most: usize) -> usize {
    let mut boxes = 0;
    for (i, &id) in graph.order.iter().enumerate() {
        let labels = graph.tags.get(id as usize).map_or(0, |tags| {
            let flat = |tags: &TagMap| tags.values().filter(|t| t.flat.value != 0).count();
            flat(&tags.texts) + tags.numbers.values().map(flat).sum::<usize>()
        });
        boxes += labels.min(MOST) + 1;
        if boxes >= most {
            return i + 1;
        }
    }
    most
}

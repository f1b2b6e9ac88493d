//! Labels of nodes, for drawings: each node's share of each label's value.
//!
//! Source: google/pprof, internal/graph/graph.go `addSample`, `SortTags`.

use std::collections::HashMap;

use super::trim::TagUnits;
use super::{Graph, Quick, Sum, Weights};
use crate::report::measurement::scaled_label;
use crate::report::units::is_set;
use crate::{Label, LabelValue, Profile, Sample};

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

/// Labels of all nodes. `path` appends a sample's nodes and gives its leaf.
pub(super) fn build(
    profile: &Profile,
    count: usize,
    weights: Weights,
    units: &TagUnits<'_>,
    path: impl Fn(&Sample<'_>, &mut Vec<u32>) -> Option<u32>,
) -> Vec<Tags> {
    let mut all: Vec<Tags> = std::iter::repeat_with(Tags::default).take(count).collect();
    let mut nodes = Vec::new();
    for sample in profile.samples() {
        let weight = weights.of(&sample);
        if weight == (0, 0) || sample.labels.is_empty() {
            continue;
        }
        let (text, numbers) = (joined(profile, &sample), bytes(profile, &sample));
        if text.is_empty() && numbers.is_empty() {
            continue;
        }
        let named = |value| (value, scaled_label(value, units.bytes, units.shown));
        let numbers: Vec<(i64, String)> = numbers.into_iter().map(named).collect();
        nodes.clear();
        let leaf = path(&sample, &mut nodes);
        for (node, flat) in nodes
            .iter()
            .map(|&n| (n, false))
            .chain(leaf.map(|n| (n, true)))
        {
            let Some(tags) = all.get_mut(node as usize) else {
                continue;
            };
            let add = |tag: &mut Tag| match flat {
                true => tag.flat.add(weight),
                false => tag.cum.add(weight),
            };
            if !text.is_empty() {
                change(&mut tags.texts, &text, ("", 0), add);
            }
            for (value, name) in &numbers {
                if !tags.numbers.contains_key(&text) {
                    tags.numbers.insert(text.clone(), TagMap::default());
                }
                if let Some(of_text) = tags.numbers.get_mut(&text) {
                    change(of_text, name, (units.bytes, *value), add);
                }
            }
        }
    }
    all
}

/// Changes a tag, which is made where there is none; a key is copied only then.
fn change(tags: &mut TagMap, name: &str, (unit, value): (&str, i64), add: impl Fn(&mut Tag)) {
    if let Some(tag) = tags.get_mut(name) {
        return add(tag);
    }
    let mut tag = Tag {
        name: name.to_owned(),
        unit: unit.to_owned(),
        value,
        ..Tag::default()
    };
    add(&mut tag);
    tags.insert(name.to_owned(), tag);
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

/// Drops labels below `cutoff` from the shown nodes.
pub(super) fn trim(graph: &mut Graph<'_>, cutoff: i64) {
    let heavy = |_: &String, tag: &mut Tag| {
        tag.flat.value.wrapping_abs() >= cutoff || tag.cum.value.wrapping_abs() >= cutoff
    };
    for &id in &graph.order {
        if let Some(tags) = graph.tags.get_mut(id as usize) {
            tags.texts.retain(heavy);
            for numbers in tags.numbers.values_mut() {
                numbers.retain(heavy);
            }
        }
    }
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

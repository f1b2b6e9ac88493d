//! Labels in a drawing: small boxes at their nodes.
//!
//! Source: google/pprof, internal/graph/dotgraph.go `addNodelets`, `collapsedTags`.

use std::fmt::Write as _;

use super::Report;
use super::gofmt::to_int;
use super::graph::{Graph, Sum, Tag, TagMap, sort_tags};
use super::measurement::{label, scale};

/// At most so many boxes of one kind.
const MOST: usize = 4;

impl Report<'_> {
    /// The boxes of a node and the edges to them; empty where it has no labels.
    pub(super) fn nodelets(&self, graph: &Graph<'_>, id: u32, number: usize) -> String {
        let mut out = String::new();
        let Some(tags) = graph.tags.get(id as usize) else {
            return out;
        };
        // A leaf also stands for what it called and is not drawn.
        let flat = graph.edges.leading_from(id).next().is_some();
        let mut texts: Vec<Tag> = tags.texts.values().cloned().collect();
        sort_tags(&mut texts, flat);
        for (i, tag) in texts.iter().take(MOST).enumerate() {
            let weight = if flat { tag.flat } else { tag.cum }.shown();
            if weight == 0 {
                continue;
            }
            let node = format!("N{number}");
            self.nodelet(
                &node,
                &format!("{node}_{i}"),
                &tag.name,
                weight,
                "",
                &mut out,
            );
            if let Some(numbers) = tags.numbers.get(&tag.name) {
                self.numbers(numbers, flat, &format!("N{number}_{i}"), &mut out);
            }
        }
        if let Some(numbers) = tags.numbers.get("") {
            self.numbers(numbers, flat, &format!("N{number}"), &mut out);
        }
        out
    }

    fn nodelet(
        &self,
        from: &str,
        id: &str,
        name: &str,
        weight: i64,
        style: &str,
        out: &mut String,
    ) {
        let weight = self.value(weight);
        let _ = writeln!(
            out,
            "{id} [label = \"{name}\" id=\"{id}\" fontsize=8 shape=box3d tooltip=\"{weight}\"]"
        );
        let _ = writeln!(
            out,
            "{from} -> {id} [label=\" {weight}\" weight=100 tooltip=\"{weight}\" \
             labeltooltip=\"{weight}\"{style}]"
        );
    }

    fn numbers(&self, tags: &TagMap, flat: bool, from: &str, out: &mut String) {
        for (i, tag) in collapsed(tags, flat).iter().enumerate() {
            let whole = flat || tag.flat.shown() == tag.cum.shown();
            let (weight, style) = match whole {
                true => (tag.flat.shown(), ""),
                false => (tag.cum.shown(), " style=\"dotted\""),
            };
            if weight != 0 {
                let id = format!("N{from}_{i}");
                self.nodelet(from, &id, &tag.name, weight, style, out);
            }
        }
    }
}

/// The numbers as at most [`MOST`] groups of neighbours: `1MB..2MB`.
fn collapsed(tags: &TagMap, flat: bool) -> Vec<Tag> {
    let mut tags: Vec<Tag> = tags.values().cloned().collect();
    sort_tags(&mut tags, flat);
    if tags.len() <= MOST {
        return tags;
    }
    let rest = tags.split_off(MOST);
    let mut groups: Vec<Vec<Tag>> = tags.into_iter().map(|t| vec![t]).collect();
    for tag in rest {
        let mut nearest: Option<(usize, f64)> = None;
        for (i, group) in groups.iter().enumerate() {
            let distance = group.first().map_or(f64::INFINITY, |g| distance(&tag, g));
            if nearest.is_none_or(|(_, least)| distance < least) {
                nearest = Some((i, distance));
            }
        }
        if let Some(group) = nearest.and_then(|(i, _)| groups.get_mut(i)) {
            group.push(tag);
        }
    }
    let mut merged: Vec<Tag> = groups.iter().filter_map(|g| merge(g)).collect();
    sort_tags(&mut merged, flat);
    merged
}

fn distance(tag: &Tag, other: &Tag) -> f64 {
    let (value, _) = scale(other.value, &other.unit, &tag.unit);
    (value - tag.value as f64).abs()
}

fn merge(group: &[Tag]) -> Option<Tag> {
    let (first, rest) = group.split_first()?;
    let plain = |value| Sum { value, divisor: 0 };
    if rest.is_empty() {
        return Some(Tag {
            name: label(first.value, &first.unit),
            flat: plain(first.flat.shown()),
            cum: plain(first.cum.shown()),
            ..Tag::default()
        });
    }
    let (mut least, mut most) = (first, first);
    let (mut flat, mut cum) = (first.flat, first.cum);
    for tag in rest {
        let in_unit_of = |other: &Tag| to_int(scale(tag.value, &tag.unit, &other.unit).0);
        if in_unit_of(least) < least.value {
            least = tag;
        }
        if in_unit_of(most) > most.value {
            most = tag;
        }
        flat.add((tag.flat.value, tag.flat.divisor));
        cum.add((tag.cum.value, tag.cum.divisor));
    }
    let ends = |tag: &Tag| label(tag.value, &tag.unit);
    Some(Tag {
        name: format!("{}..{}", ends(least), ends(most)),
        flat: plain(flat.shown()),
        cum: plain(cum.shown()),
        ..Tag::default()
    })
}

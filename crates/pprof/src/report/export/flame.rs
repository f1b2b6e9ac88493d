//! `-flame`: a flame graph in one HTML file that needs nothing else.
//!
//! The page draws a tree of frames, root on top. A box is as wide as the absolute
//! values below it; in a difference, red grew and blue shrank. Boxes that no
//! screen could show are left out of the file.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::quote;
use crate::Profile;
use crate::report::Report;

/// The page; the data takes the place of [`PLACE`].
const PAGE: &str = include_str!("flame.html");
const PLACE: &str = "/*DATA*/null";

/// A box narrower than this part of the whole is left out: half a pixel of a wide
/// screen.
const NARROWEST: f64 = 1.0 / 4096.0;

/// A frame below another.
struct Node {
    /// Its frame; `None` is the root of all.
    frame: Option<u32>,
    parent: usize,
    value: i64,
    /// The sum of absolute values.
    width: u64,
}

impl Report<'_> {
    pub(in crate::report) fn flame(&self, profile: &Profile) -> String {
        let stacks = self.stacks(profile);
        let mut nodes = vec![Node {
            frame: None,
            parent: 0,
            value: 0,
            width: 0,
        }];
        let mut known: HashMap<(usize, u32), usize> = HashMap::new();
        for (stack, &value) in &stacks.values {
            let mut place = 0;
            for frame in std::iter::once(None).chain(stack.iter().copied().map(Some)) {
                if let Some(frame) = frame {
                    place = *known.entry((place, frame)).or_insert_with(|| {
                        nodes.push(Node {
                            frame: Some(frame),
                            parent: place,
                            value: 0,
                            width: 0,
                        });
                        nodes.len() - 1
                    });
                }
                if let Some(node) = nodes.get_mut(place) {
                    node.value = node.value.wrapping_add(value);
                    node.width = node.width.saturating_add(value.unsigned_abs());
                }
            }
        }
        let names = stacks.frames.infos.iter().map(|i| i.printable());
        let names: Vec<String> = std::iter::once("all".to_owned()).chain(names).collect();
        let difference = stacks.values.values().any(|value| *value < 0);
        PAGE.replacen(PLACE, &self.flame_data(&nodes, &names, difference), 1)
    }

    fn flame_data(&self, nodes: &[Node], names: &[String], difference: bool) -> String {
        let title = match self.title.as_str() {
            "" => self.kind.clone(),
            title => format!("{title}: {}", self.kind),
        };
        let mut out = String::from("{\"title\":");
        quote(&title, &mut out);
        out.push_str(",\"unit\":");
        quote(&self.unit, &mut out);
        let total = self.scaled(self.total).max(1);
        let _ = write!(
            out,
            ",\"total\":{total},\"difference\":{difference},\"nodes\":["
        );
        let whole = nodes.first().map_or(0, |n| n.width) as f64;
        // New places of the nodes that stay, and of the names they use. A child is
        // never wider than its parent.
        let mut places = vec![0usize; nodes.len()];
        let mut used: Vec<usize> = Vec::new();
        let mut name_places = vec![None; names.len()];
        let mut kept = 0;
        for (i, node) in nodes.iter().enumerate() {
            if i > 0 && (node.width as f64) < whole * NARROWEST {
                continue;
            }
            let parent = places.get(node.parent).copied().unwrap_or(0);
            let name = node.frame.map_or(0, |f| f as usize + 1);
            let Some(place) = name_places.get_mut(name) else {
                continue;
            };
            let frame = *place.get_or_insert_with(|| {
                used.push(name);
                used.len() - 1
            });
            let comma = if kept == 0 { "" } else { "," };
            let _ = write!(
                out,
                "{comma}[{frame},{parent},{},{}]",
                node.value, node.width
            );
            if let Some(place) = places.get_mut(i) {
                *place = kept;
            }
            kept += 1;
        }
        out.push_str("],\"frames\":[");
        for (i, &name) in used.iter().enumerate() {
            out.push_str(if i == 0 { "" } else { "," });
            quote(names.get(name).map_or("", String::as_str), &mut out);
        }
        out.push_str("]}");
        // Nothing in a name may end the script.
        out.replace('<', "\\u003c")
    }
}

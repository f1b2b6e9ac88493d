//! `-folded`: a line for each stack, `root;…;leaf value`.
//!
//! Source: Brendan Gregg, FlameGraph, stackcollapse.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::Profile;
use crate::report::Report;

impl Report<'_> {
    pub(in crate::report) fn folded(&self, profile: &Profile) -> String {
        let stacks = self.stacks(profile);
        // Frames end at a semicolon and lines at their end, so neither may be in a name.
        let name = |text: String| text.replace(';', ":").replace(['\n', '\r'], " ");
        let infos = stacks.frames.infos.iter();
        let names: Vec<String> = infos.map(|i| name(i.printable())).collect();
        let mut lines: BTreeMap<String, i64> = BTreeMap::new();
        for (stack, value) in &stacks.values {
            let frames = stack.iter().filter_map(|&f| names.get(f as usize));
            let frames: Vec<&str> = frames.map(String::as_str).collect();
            let sum = lines.entry(frames.join(";")).or_default();
            *sum = sum.wrapping_add(*value);
        }
        let mut out = String::new();
        // What cancels out is no stack.
        for (stack, value) in lines.into_iter().filter(|(_, value)| *value != 0) {
            let _ = writeln!(out, "{stack} {value}");
        }
        out
    }
}

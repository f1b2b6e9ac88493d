//! `-list`: source lines with their values.
//!
//! Source: google/pprof, internal/report/source.go `printSource`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::graph::{Graph, Sum, all_nodes};
use super::measurement::percentage;
use super::source::Reader;
use super::{Report, ReportError};
use crate::Profile;

/// Lines shown before the first and after the last with a value.
const MARGIN: i64 = 5;

/// Nodes of one function in one file.
type Files = BTreeMap<String, Vec<u32>>;

impl Report<'_> {
    pub(super) fn list(
        &self,
        profile: &Profile,
        reader: &mut Reader<'_>,
    ) -> Result<String, ReportError> {
        let frames = self.frames(profile);
        let graph = all_nodes(profile, frames, self.weights, self.options.drop_negative);
        let pattern = self.symbol.as_ref();
        let matches = |name: &str| pattern.is_some_and(|p| p.is_match(name));
        let mut functions: BTreeMap<String, Files> = BTreeMap::new();
        for &id in &graph.order {
            let info = graph.info(id);
            if matches(info.name) {
                let files = functions.entry(info.name.to_owned()).or_default();
                if !info.file.is_empty() {
                    files.entry(info.file.into_owned()).or_default().push(id);
                }
            }
        }
        if functions.is_empty() {
            return Err(ReportError::NoMatch {
                pattern: pattern.map_or_else(String::new, |p| p.as_str().to_owned()),
            });
        }
        let mut out = format!("Total: {}\n", self.value(self.total));
        for (name, files) in functions {
            if files.is_empty() {
                let _ = writeln!(out, "No source information for {name}");
            }
            for (file, mut nodes) in files {
                nodes.sort_by_key(|&id| (graph.info(id).line, id));
                self.routine(&graph, &name, &file, &nodes, reader, &mut out);
            }
        }
        Ok(out)
    }

    fn routine(
        &self,
        graph: &Graph<'_>,
        name: &str,
        file: &str,
        nodes: &[u32],
        reader: &mut Reader<'_>,
        out: &mut String,
    ) {
        let (flat, cum) = sums(graph, nodes.iter());
        let _ = writeln!(out, "ROUTINE ======================== {name} in {file}");
        let _ = writeln!(
            out,
            "{:>10} {:>10} (flat, cum) {} of Total",
            self.value(flat),
            self.value(cum),
            percentage(cum, self.total)
        );
        let (first, last) = span(graph, nodes);
        let lines = match first <= last {
            true => reader.lines(file),
            // A call inlined from another file is said to lie before its function begins:
            // there is no line to show, and the file is not asked for.
            false => reader.known_lines(file),
        };
        let lines = match lines {
            Ok(lines) => lines,
            Err(why) => {
                let _ = writeln!(out, " Error: {why}");
                return;
            }
        };
        let mut by_line: BTreeMap<i64, Vec<u32>> = BTreeMap::new();
        for &id in nodes {
            by_line.entry(graph.info(id).line).or_default().push(id);
        }
        let numbered = (1i64..).zip(lines);
        let shown = numbered.skip_while(|(n, _)| *n < first);
        for (number, line) in shown.take_while(|(n, _)| *n <= last) {
            let here = by_line.get(&number).map_or(&[][..], Vec::as_slice);
            let (flat, cum) = sums(graph, here.iter());
            let _ = writeln!(
                out,
                "{:>10} {:>10} {number:>6}:{line}",
                self.value_or_dot(flat),
                self.value_or_dot(cum)
            );
        }
    }

    pub(super) fn value_or_dot(&self, value: i64) -> String {
        match value {
            0 => ".".to_owned(),
            value => self.value(value),
        }
    }
}

/// First and last line to show for nodes sorted by line.
fn span(graph: &Graph<'_>, nodes: &[u32]) -> (i64, i64) {
    let (mut first, mut last) = (i64::MAX, i64::MIN);
    for &id in nodes {
        let info = graph.info(id);
        let start = match info.start {
            0 => info.line.saturating_sub(MARGIN),
            start => start,
        };
        first = first.min(start);
        last = last.max(info.line.saturating_add(MARGIN));
    }
    (first.max(1), last)
}

/// Flat and cumulative sums of nodes, not divided.
fn sums<'n>(graph: &Graph<'_>, nodes: impl Iterator<Item = &'n u32>) -> (i64, i64) {
    let (mut flat, mut cum) = (Sum::default(), Sum::default());
    for &id in nodes {
        let node = graph.node(id);
        flat.add((node.flat.value, 0));
        cum.add((node.cum.value, 0));
    }
    (flat.value, cum.value)
}

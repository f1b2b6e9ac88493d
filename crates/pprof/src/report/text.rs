//! `-top`: nodes with the most value.

use std::fmt::Write as _;

use super::graph::{Graph, Need};
use super::measurement::percentage;
use super::{Report, header};
use crate::Profile;

impl Report<'_> {
    pub(super) fn top(&mut self, profile: &Profile) -> String {
        let trimmed = self.graph(profile, Need::InlineMarks);
        let graph = &trimmed.graph;
        let mut out = header::lines(self, profile, &trimmed, false).join("\n");
        let _ = writeln!(
            out,
            "\n{:>10} {:>5}% {:>5}% {:>10} {:>5}%",
            "flat", "flat", "sum", "cum", "cum"
        );
        let mut sum = 0i64;
        for &id in &graph.order {
            let node = graph.node(id);
            let (flat, cum) = (node.flat.shown(), node.cum.shown());
            sum = sum.wrapping_add(flat);
            let _ = writeln!(
                out,
                "{:>10} {} {} {:>10} {}  {}{}",
                self.value(flat),
                percentage(flat, self.total),
                percentage(sum, self.total),
                self.value(cum),
                percentage(cum, self.total),
                graph.name(id),
                inline_mark(graph, id)
            );
        }
        out
    }
}

/// Whether calls of a node were inlined: all, some or none.
fn inline_mark(graph: &Graph<'_>, id: u32) -> &'static str {
    let (mut inline, mut called) = (false, false);
    for (_, edge) in graph.edges.leading_to(id) {
        inline |= edge.inline;
        called |= !edge.inline;
    }
    match (inline, called) {
        (true, true) => " (partial-inline)",
        (true, false) => " (inline)",
        _ => "",
    }
}

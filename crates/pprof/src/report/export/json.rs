//! `-json`: the nodes of `-top` as JSON, values as plain numbers.

use std::fmt::Write as _;

use super::quote;
use crate::Profile;
use crate::report::Report;
use crate::report::graph::Need;

impl Report<'_> {
    pub(in crate::report) fn json(&mut self, profile: &Profile) -> String {
        let trimmed = self.graph(profile, Need::Nodes);
        let graph = &trimmed.graph;
        let mut out = String::from("{\"type\":");
        quote(&self.kind, &mut out);
        out.push_str(",\"unit\":");
        quote(&self.unit, &mut out);
        let _ = write!(
            out,
            ",\"total\":{},\"dropped_nodes\":{},\"nodes\":[",
            self.scaled(self.total),
            trimmed.dropped_nodes
        );
        for (i, &id) in graph.order.iter().enumerate() {
            let (node, info) = (graph.node(id), graph.info(id));
            out.push_str(if i == 0 {
                "\n{\"name\":"
            } else {
                ",\n{\"name\":"
            });
            quote(&graph.name(id), &mut out);
            out.push_str(",\"function\":");
            quote(info.name, &mut out);
            if !info.file.is_empty() {
                out.push_str(",\"file\":");
                quote(&info.file, &mut out);
            }
            if info.line != 0 {
                let _ = write!(out, ",\"line\":{}", info.line);
            }
            let flat = self.scaled(node.flat.shown());
            let cum = self.scaled(node.cum.shown());
            let _ = write!(out, ",\"flat\":{flat},\"cum\":{cum}}}");
        }
        out.push_str("\n]}\n");
        out
    }
}

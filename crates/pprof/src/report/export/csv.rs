//! `-csv`: the nodes of `-top` as comma-separated values (RFC 4180).

use std::fmt::Write as _;

use crate::Profile;
use crate::report::Report;
use crate::report::graph::Need;

impl Report<'_> {
    pub(in crate::report) fn csv(&mut self, profile: &Profile) -> String {
        let trimmed = self.graph(profile, Need::Nodes);
        let graph = &trimmed.graph;
        let unit = &self.unit;
        let head = [
            "name".to_owned(),
            format!("flat ({unit})"),
            format!("cum ({unit})"),
        ];
        let mut out = head.map(|cell| field(&cell)).join(",");
        out.push_str("\r\n");
        for &id in &graph.order {
            let node = graph.node(id);
            let _ = write!(
                out,
                "{},{},{}\r\n",
                field(&graph.name(id)),
                self.scaled(node.flat.shown()),
                self.scaled(node.cum.shown())
            );
        }
        out
    }
}

/// A field, quoted where it must be. One that a spreadsheet would take for a
/// formula is quoted like any other: the file says what the profile says.
fn field(text: &str) -> String {
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn commas_and_quotes_are_quoted() {
        assert_eq!(super::field("f<a, b>"), "\"f<a, b>\"");
        assert_eq!(super::field("say \"x\""), "\"say \"\"x\"\"\"");
        assert_eq!(super::field("main.run"), "main.run");
    }
}

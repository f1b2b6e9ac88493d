//! `-dot`: a graph for Graphviz.
//!
//! Source: google/pprof, internal/graph/dotgraph.go.

use std::fmt::Write as _;

use super::gofmt::to_int;
use super::graph::{Edge, Graph, Info, Need};
use super::measurement::percentage;
use super::{Report, header};
use crate::paths::base;
use crate::{Profile, short_name};

impl Report<'_> {
    pub(super) fn dot(&mut self, profile: &Profile) -> String {
        let trimmed = self.graph(profile, Need::Drawing);
        let graph = &trimmed.graph;
        let lines = header::lines(self, profile, &trimmed, true);
        let mut out = self.dot_head(&lines);
        let mut heaviest = 0.0f64;
        // Number of each node in the drawing; 0 is not drawn.
        let mut numbers = vec![0usize; graph.nodes.len()];
        for (number, &id) in (1..).zip(&graph.order) {
            let flat = graph.node(id).flat.shown().wrapping_abs() as f64;
            heaviest = heaviest.max(flat);
            if let Some(place) = numbers.get_mut(id as usize) {
                *place = number;
            }
        }
        let mut labelled = vec![false; graph.nodes.len()];
        let mut edges: Vec<(u32, &Edge)> = Vec::new();
        for (number, &id) in (1..).zip(&graph.order) {
            self.dot_node(graph, id, number, heaviest, &mut out);
            let nodelets = self.nodelets(graph, id, number);
            if let Some(flag) = labelled.get_mut(id as usize) {
                *flag = !nodelets.is_empty();
            }
            out.push_str(&nodelets);
            edges.extend(graph.edges.leading_from(id));
        }
        let edges = graph.edges.sorted(edges.into_iter(), |e| graph.names(e));
        for edge in &edges {
            let number = |id: u32| numbers.get(id as usize).copied().unwrap_or(0);
            let spread = labelled.get(edge.from as usize) == Some(&true);
            let ends = (number(edge.from), number(edge.to));
            self.dot_edge(graph, edge, ends, spread, &mut out);
        }
        out.push_str("}\n");
        out
    }

    fn dot_head(&self, lines: &[String]) -> String {
        let name = match self.title.as_str() {
            "" => "unnamed",
            title => title,
        };
        let mut out = format!("digraph \"{name}\" {{\nnode [style=filled fillcolor=\"#f8f8f8\"]\n");
        let escaped: Vec<String> = lines.iter().map(|l| escape(l)).collect();
        let first = escaped.first().map_or("", String::as_str);
        let legend = escaped.join(r"\l");
        let _ = write!(
            out,
            "subgraph cluster_L {{ \"{first}\" [shape=box fontsize=16 label=\"{legend}\\l\""
        );
        if !self.title.is_empty() {
            let _ = write!(out, " tooltip=\"{}\"", self.title);
        }
        out.push_str("] }\n");
        out
    }

    fn dot_node(&self, graph: &Graph<'_>, id: u32, number: usize, heaviest: f64, out: &mut String) {
        let node = graph.node(id);
        let (flat, cum) = (node.flat.shown(), node.cum.shown());
        let share = |value: i64| percentage(value, self.total).trim().to_owned();
        let flat_text = self.value(flat);
        let mut label = several_lines(&graph.info(id));
        match flat {
            0 => label.push('0'),
            flat => {
                let _ = write!(label, "{flat_text} ({})", share(flat));
            }
        }
        let mut cum_text = flat_text;
        if cum != flat {
            label.push_str(if flat == 0 { " " } else { r"\n" });
            cum_text = self.value(cum);
            let _ = write!(label, "of {cum_text} ({})", share(cum));
        }
        let weight = flat.wrapping_abs() as f64;
        let mut font = 8;
        if heaviest != 0.0 && flat != 0 && weight <= heaviest {
            // From 8 to 24, growing fast for small values.
            font += to_int((16.0 * (weight / heaviest).sqrt()).ceil());
        }
        let score = cum as f64 / self.total.wrapping_abs() as f64;
        let _ = writeln!(
            out,
            "N{number} [label=\"{label}\" id=\"node{number}\" fontsize={font} shape=box \
             tooltip=\"{} ({cum_text})\" color=\"{}\" fillcolor=\"{}\"]",
            escape(&graph.name(id)),
            color(score, false),
            color(score, true)
        );
    }

    fn dot_edge(
        &self,
        graph: &Graph<'_>,
        edge: &Edge,
        (from, to): (usize, usize),
        spread: bool,
        out: &mut String,
    ) {
        let weight = edge.weight.shown();
        let text = self.value(weight);
        let inline = if edge.inline { r"\n (inline)" } else { "" };
        let mut attributes = format!("label=\" {text}{inline}\"");
        if self.total != 0 {
            // A difference may have edges heavier than its total.
            let scaled = |most: i64| {
                let share = weight.wrapping_mul(most).wrapping_div(self.total);
                1 + share.wrapping_abs().min(most)
            };
            if scaled(100) > 1 {
                let _ = write!(attributes, " weight={}", scaled(100));
            }
            if scaled(5) > 1 {
                let _ = write!(attributes, " penwidth={}", scaled(5));
            }
            let score = weight as f64 / self.total.wrapping_abs() as f64;
            let _ = write!(attributes, " color=\"{}\"", color(score, false));
        }
        let arrow = if edge.residual { "..." } else { "->" };
        let (caller, callee) = graph.names(edge);
        let tooltip = format!(
            "\"{} {arrow} {} ({text})\"",
            escape(&caller),
            escape(&callee)
        );
        let _ = write!(attributes, " tooltip={tooltip} labeltooltip={tooltip}");
        if edge.residual {
            attributes.push_str(" style=\"dotted\"");
        }
        if spread {
            attributes.push_str(" minlen=2");
        }
        let _ = writeln!(out, "N{from} -> N{to} [{attributes}]");
    }
}

/// Quotes and backslashes escaped; line ends become left-aligned breaks.
fn escape(text: &str) -> String {
    text.replace('\\', r"\\")
        .replace('"', "\\\"")
        .replace('\n', r"\l")
}

/// A node's name over several lines.
fn several_lines(info: &Info<'_>) -> String {
    let name = escape(&short_name(info.name));
    // Go writes type parameters as `[...]`; their dots are no separators.
    let name = name.replace("::", r"\n").replace("[...]", "[…]");
    let name = name.replace('.', r"\n");
    let file = match &*info.file {
        "" => "",
        file => base(file),
    };
    info.parts(&name, file).join(r"\n") + r"\n"
}

/// Red for much, green for negative, grey for little.
fn color(score: f64, background: bool) -> String {
    // How far colours are moved away from grey, and both kinds' saturation and value.
    const SHIFT: f64 = 0.7;
    let (saturation, value) = if background { (0.1, 0.93) } else { (1.0, 0.7) };
    let score = match score.is_nan() {
        true => score,
        false => score.clamp(-1.0, 1.0),
    };
    let saturation = match score.abs() < 0.2 {
        true => saturation * (score.abs() / 0.2),
        false => saturation,
    };
    let shifted = if score > 0.0 {
        score.powf(1.0 - SHIFT)
    } else if score < 0.0 {
        -(-score).powf(1.0 - SHIFT)
    } else {
        score
    };
    let (red, green) = if shifted < 0.0 {
        (value * (1.0 + saturation * shifted), value)
    } else {
        (value, value * (1.0 - saturation * shifted))
    };
    let blue = value * (1.0 - saturation);
    let byte = |part: f64| (part * 255.0) as u8;
    format!("#{:02x}{:02x}{:02x}", byte(red), byte(green), byte(blue))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_run_from_green_over_grey_to_red() {
        assert_eq!(color(1.0, false), "#b20000");
        assert_eq!(color(-1.0, false), "#00b200");
        assert_eq!(color(0.0, true), "#ededed");
        assert_eq!(color(f64::NAN, false).len(), 7);
    }

    #[test]
    fn names_break_at_their_separators() {
        let info = Info {
            name: "a/b.(*T[...]).f",
            ..Info::default()
        };
        assert_eq!(several_lines(&info), r"b\n(*T[…])\nf\n");
    }
}

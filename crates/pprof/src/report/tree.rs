//! `-tree` and `-peek`: nodes with their callers and callees.

use std::fmt::Write as _;

use super::graph::Need;
use super::measurement::percentage;
use super::{Report, ReportError, header};
use crate::Profile;

const SEPARATOR: &str = "----------------------------------------------------------+-------------";
const LEGEND: &str = "      flat  flat%   sum%        cum   cum%   calls calls% + context \t \t ";

impl Report<'_> {
    pub(super) fn tree(&mut self, profile: &Profile) -> Result<String, ReportError> {
        let trimmed = self.graph(profile, Need::Edges);
        let graph = &trimmed.graph;
        let mut out = header::lines(self, profile, &trimmed, false).join("\n");
        let _ = writeln!(out, "\n{SEPARATOR}\n{LEGEND}");
        let (mut sum, mut matched) = (0i64, false);
        for &id in &graph.order {
            let name = graph.name(id);
            if self.symbol.as_ref().is_some_and(|s| !s.is_match(&name)) {
                continue;
            }
            matched = true;
            let node = graph.node(id);
            let (flat, cum) = (node.flat.shown(), node.cum.shown());
            let edge = |out: &mut String, weight: i64, name: String, inline: bool| {
                let mark = if inline { " (inline)" } else { "" };
                let value = self.value(weight);
                let share = percentage(weight, cum);
                let _ = writeln!(out, "{value:>50} {share} |   {name}{mark}");
            };
            let _ = writeln!(out, "{SEPARATOR}");
            for caller in graph.callers(id) {
                let name = graph.name(caller.from);
                edge(&mut out, caller.weight.value, name, caller.inline);
            }
            sum = sum.wrapping_add(flat);
            let _ = writeln!(
                out,
                "{:>10} {} {} {:>10} {}                | {name}",
                self.value(flat),
                percentage(flat, self.total),
                percentage(sum, self.total),
                self.value(cum),
                percentage(cum, self.total),
            );
            for callee in graph.callees(id) {
                let name = graph.name(callee.to);
                edge(&mut out, callee.weight.value, name, callee.inline);
            }
        }
        if !graph.order.is_empty() {
            let _ = writeln!(out, "{SEPARATOR}");
        }
        match &self.symbol {
            Some(symbol) if !matched => Err(ReportError::NoMatch {
                pattern: symbol.as_str().to_owned(),
            }),
            _ => Ok(out),
        }
    }
}

//! The end of the text: how to prove what is open, and where to read on.

use shakedown_findings::RunReport;

use crate::ink::{Ink, Line};
use crate::remedy::remedies;
use crate::sheet::Sheet;
use crate::standing::left_open;

/// Column of a flag that would prove a rule.
const FLAG: usize = 15;

/// Lines of one such flag with its explanation.
const FLAG_LINES: usize = 4;

/// Adds the flag or line that would prove each open rule, required rules first.
pub(super) fn to_prove(sheet: &mut Sheet, report: &RunReport) {
    let remedies = remedies(report);
    if remedies.is_empty() {
        return;
    }
    sheet.flow(
        &Line::new(),
        2,
        &Line::of(Ink::Strong, "To prove the rest"),
        1,
    );
    for rules in remedies {
        let first = rules[0];
        let remedy = first.to_prove.as_deref().map_or("", str::trim);
        let remedy = if remedy.is_empty() {
            Line::plain(&first.reason)
        } else {
            Line::of(Ink::Code, remedy)
        };
        let names: Vec<_> = rules.iter().map(|rule| rule.name.as_str()).collect();
        let optional = if first.required { "" } else { ", optional" };
        let names = format!("  ({}{optional})", names.join(", "));
        let lead = Line::plain(&format!("    {}", first.item.name()));
        sheet.flow(&lead, FLAG, &remedy.and(Ink::Faint, &names), FLAG_LINES);
    }
}

/// Adds where to read on and where the evidence lies.
pub(super) fn hints(sheet: &mut Sheet, report: &RunReport) {
    let mut codes: Vec<&str> = Vec::new();
    let found = report.findings.iter().map(|finding| &finding.code);
    for code in found.chain(left_open(report).map(|rule| &rule.code)) {
        if !codes.contains(&code.as_str()) {
            codes.push(code);
        }
    }
    if let [first, others @ ..] = codes.as_slice() {
        let mut line = Line::of(Ink::Code, &format!("shakedown explain {first}"));
        if !others.is_empty() {
            line = line.and(Ink::Faint, &format!("   (or {})", others.join(", ")));
        }
        sheet.flow(&Line::of(Ink::Faint, "  more"), 9, &line, 2);
    }
    if let Some(bundle) = &report.bundle {
        let again = Line::of(Ink::Faint, "shakedown replay DIR");
        let path = Line::of(Ink::Faint, "bundle ").and(Ink::Plain, bundle);
        let fits = path.width(sheet.style()) + again.width(sheet.style()) + 6;
        let again = if fits <= sheet.room(0) {
            again
        } else {
            Line::new()
        };
        sheet.spread(2, &path, &again);
    }
}

//! The findings: what, where, how sure, the evidence, and what to do.

use shakedown_findings::{Finding, RunReport, Severity};

use super::exhibit;
use crate::caption;
use crate::ink::{Ink, Line};
use crate::sentences::{first_sentence, paragraphs};
use crate::sheet::Sheet;

/// Findings that are shown in full; more are listed in a line each.
const IN_FULL: usize = 10;

/// Lines of a message; the JSON report has the rest.
const MESSAGE_LINES: usize = 8;

/// Lines of a fix.
const FIX_LINES: usize = 12;

/// Column of the text of a finding.
const TEXT: usize = 4;

/// Column behind the labels `Fix` and `Repeat`.
const LABELLED: usize = 12;

/// Adds every finding, most severe first as the report has them.
pub(super) fn put(sheet: &mut Sheet, report: &RunReport) {
    let module = report.target.module.as_deref();
    for finding in report.findings.iter().take(IN_FULL) {
        sheet.blank();
        heading(sheet, finding, module);
        body(sheet, finding, module);
    }
    sheet.blank();
    for finding in report.findings.iter().skip(IN_FULL) {
        heading(sheet, finding, module);
        sheet.clipped(TEXT, &Line::plain(first_sentence(&finding.message)));
    }
}

fn heading(sheet: &mut Sheet, finding: &Finding, module: Option<&str>) {
    let ink = match finding.severity {
        Severity::Error => Ink::Bad,
        Severity::Warning => Ink::Doubt,
        Severity::Info => Ink::Faint,
    };
    let line = Line::of(ink, &finding.code)
        .and(Ink::Strong, &format!(" {}", finding.rule))
        .and(Ink::Plain, &format!("   {}", finding.severity.name()))
        .and(
            Ink::Plain,
            &format!(", {}", caption::certainty(finding.certainty)),
        );
    let place = Line::of(
        Ink::Code,
        &caption::place(finding, module).unwrap_or_default(),
    );
    sheet.spread(2, &line, &place);
}

fn body(sheet: &mut Sheet, finding: &Finding, module: Option<&str>) {
    let none = Line::new();
    for paragraph in paragraphs(&finding.message).take(MESSAGE_LINES) {
        sheet.flow(&none, TEXT, &Line::plain(paragraph), MESSAGE_LINES);
    }
    exhibit::put(sheet, finding, module);
    let mut label = "    Fix";
    for paragraph in paragraphs(&finding.fix).take(FIX_LINES) {
        sheet.flow(
            &Line::of(Ink::Strong, label),
            LABELLED,
            &indented(paragraph),
            FIX_LINES,
        );
        label = "";
    }
    if !finding.repeat.trim().is_empty() {
        sheet.command(
            &Line::of(Ink::Strong, "    Repeat"),
            LABELLED,
            &finding.repeat,
        );
    }
    if !finding.because_of.is_empty() {
        let explained = finding.because_of.iter().map(caption::because);
        let line = Line::of(Ink::Strong, "Because of it: ").join(Line::list(explained, " · "));
        sheet.flow(&none, TEXT, &line, MESSAGE_LINES);
    }
}

/// Keeps the indent of code in a fix.
fn indented(line: &str) -> Line {
    let code = line.trim_start();
    let indent = line[..line.len() - code.len()].replace(' ', "\u{a0}");
    Line::plain(&indent).and(Ink::Plain, code)
}

//! The findings: each folds open to its evidence, what to change and how to see it again.

use shakedown_findings::{Finding, Item, RunReport, Severity};

use super::exhibit;
use super::markup::Markup;
use crate::sentences::{first_sentence, paragraphs};
use crate::{caption, standing, summary};

/// Findings that are shown with their evidence; the others take a line each.
const IN_FULL: usize = 100;

/// Paragraphs of a message or of a fix.
const PARAGRAPHS: usize = 40;

/// The name of a finding's place on the page.
pub(super) fn anchor(number: usize) -> String {
    format!("finding-{number}")
}

/// The number of an item's first finding on the page.
pub(super) fn first_of(report: &RunReport, item: Item) -> Option<usize> {
    let first = standing::findings(report, item).next()?;
    let same = |finding: &Finding| std::ptr::eq(finding, first);
    let position = report.findings.iter().position(same)?;
    (position < IN_FULL).then_some(position + 1)
}

/// Adds every finding, most severe first as the report has them. The first stands open.
pub(super) fn put(page: &mut Markup, report: &RunReport) {
    if report.findings.is_empty() {
        return;
    }
    page.element("section", &[("aria-labelledby", "findings")], |page| {
        let count = summary::counted(report.findings.len(), "finding", "findings");
        page.leaf("h2", &[("id", "findings")], &count);
        let module = report.target.module.as_deref();
        for (position, finding) in report.findings.iter().take(IN_FULL).enumerate() {
            folded(page, finding, module, position + 1);
        }
        let others = report.findings.iter().skip(IN_FULL);
        if others.len() > 0 {
            page.element("ul", &[("class", "others")], |page| {
                for finding in others {
                    let first = first_sentence(&finding.message);
                    page.leaf("li", &[], &format!("{}: {first}", finding.rule));
                }
            });
        }
    });
}

fn folded(page: &mut Markup, finding: &Finding, module: Option<&str>, number: usize) {
    let class = match finding.severity {
        Severity::Error => "finding bad",
        Severity::Warning => "finding doubt",
        Severity::Info => "finding none",
    };
    let id = anchor(number);
    let attributes = [("class", class), ("id", &id), ("open", "")];
    let attributes = if number == 1 {
        &attributes[..]
    } else {
        &attributes[..2]
    };
    page.element("details", attributes, |page| {
        page.element("summary", &[], |page| heading(page, finding, module));
        body(page, finding, module);
    });
}

/// What stays visible when the finding is folded.
fn heading(page: &mut Markup, finding: &Finding, module: Option<&str>) {
    page.element("h3", &[], |page| {
        let severity = finding.severity.name();
        page.leaf("span", &[("class", "severity")], severity);
        page.text(" ");
        page.leaf("span", &[("class", "rule")], &finding.rule);
        page.text(" ");
        let beside = format!(
            "{}, {}",
            finding.code,
            caption::certainty(finding.certainty)
        );
        page.leaf("span", &[("class", "faint")], &beside);
        if let Some(place) = caption::place(finding, module) {
            page.text(" ");
            page.leaf("code", &[("class", "place")], &place);
        }
    });
    let first = paragraphs(&finding.message).next().unwrap_or_default();
    page.leaf("p", &[], first);
}

fn body(page: &mut Markup, finding: &Finding, module: Option<&str>) {
    page.element("div", &[("class", "body")], |page| {
        for paragraph in paragraphs(&finding.message).skip(1).take(PARAGRAPHS) {
            page.leaf("p", &[], paragraph);
        }
        exhibit::put(page, finding, module);
        page.element("dl", &[("class", "do")], |page| advice(page, finding));
    });
}

/// What to change, how to see it again, what it explains, where to read on.
fn advice(page: &mut Markup, finding: &Finding) {
    row(page, "Fix", |page| {
        for paragraph in paragraphs(&finding.fix).take(PARAGRAPHS) {
            page.leaf("p", &[("class", "fix")], paragraph);
        }
    });
    if !finding.repeat.trim().is_empty() {
        row(page, "Repeat", |page| command(page, &finding.repeat));
    }
    if !finding.because_of.is_empty() {
        row(page, "Because of it", |page| {
            for explained in &finding.because_of {
                page.element("p", &[], |page| page.line(&caption::because(explained)));
            }
        });
    }
    row(page, "Read on", |page| {
        command(page, &format!("shakedown explain {}", finding.rule));
    });
}

fn row(page: &mut Markup, name: &str, fill: impl FnOnce(&mut Markup)) {
    page.element("div", &[], |page| {
        page.leaf("dt", &[], name);
        page.element("dd", &[], fill);
    });
}

/// A command that can be copied.
fn command(page: &mut Markup, command: &str) {
    page.element("pre", &[("class", "command")], |page| {
        for (position, line) in command.lines().enumerate() {
            if position > 0 {
                page.line_end();
            }
            page.leaf("code", &[], line);
        }
    });
}

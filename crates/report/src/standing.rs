//! How the four items stand: the word for each, and the sentence that proves it.
//!
//! Nothing is judged here; outcomes are counted as the report has them, and worded once for
//! every format that people read.

use shakedown_findings::{Finding, Item, RuleRow, RunReport, Severity};

use crate::ink::{Ink, Line};
use crate::sentences::first_sentence;

/// How an item stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Proven,
    Refuted(Severity),
    Open,
    OutOfScope,
}

impl Standing {
    pub(crate) fn of(report: &RunReport, item: Item) -> Self {
        let rules = || rules(report, item);
        let any = |outcome: &str| rules().any(|rule| rule.outcome == outcome);
        if any("failed") {
            let worst = findings(report, item).map(|finding| finding.severity).max();
            Self::Refuted(worst.unwrap_or(Severity::Error))
        } else if rules().any(|rule| rule.required && is_open(rule)) {
            Self::Open
        } else if any("passed") {
            Self::Proven
        } else if any("not applicable") && rules().all(|rule| rule.outcome == "not applicable") {
            Self::OutOfScope
        } else {
            Self::Open
        }
    }
}

/// Whether nothing was learned about the rule.
pub(crate) fn is_open(rule: &RuleRow) -> bool {
    matches!(rule.outcome.as_str(), "inconclusive" | "not exercised")
}

/// What proves or refutes an item, in one sentence with figures.
pub(crate) fn sentence(report: &RunReport, item: Item, standing: Standing) -> Line {
    let reasons = |outcome: &str| {
        let rules = rules(report, item).filter(|rule| rule.outcome == outcome);
        distinct(rules.map(|rule| rule.reason.as_str()))
    };
    match standing {
        Standing::Refuted(severity) => refuted(report, item, severity),
        Standing::Open => open(report, item, &reasons("passed"), &reasons("waived")),
        Standing::OutOfScope => listed(&reasons("not applicable"), ""),
        Standing::Proven => {
            let parts = [
                listed(&reasons("passed"), ""),
                listed(&reasons("not applicable"), ""),
                listed(&reasons("waived"), "waived: "),
            ];
            Line::list(parts.into_iter().filter(|part| !part.is_empty()), " · ")
        }
    }
}

/// The first finding in short, and how many more there are.
fn refuted(report: &RunReport, item: Item, severity: Severity) -> Line {
    let mut findings = findings(report, item);
    let failed = || rules(report, item).filter(|rule| rule.outcome == "failed");
    let Some(first) = findings.next() else {
        let reasons = listed(&distinct(failed().map(|rule| rule.reason.as_str())), "");
        let deeper = failed().find_map(|rule| deeper(report, rule));
        let note = deeper.map(|deeper| format!(" (because of {})", deeper.rule));
        return reasons.and(Ink::Faint, &note.unwrap_or_default());
    };
    let mut line = Line::new();
    if severity < Severity::Error {
        line = line.and(Ink::Doubt, &format!("{}: ", severity.name()));
    }
    line = line.and(Ink::Plain, first_sentence(&first.message));
    match findings.count() {
        0 => line,
        more => line.and(Ink::Faint, &format!(" (and {more} more)")),
    }
}

/// The finding that the rule's own are attached to.
fn deeper<'a>(report: &'a RunReport, rule: &RuleRow) -> Option<&'a Finding> {
    let explains = |finding: &&Finding| {
        let mut explained = finding.because_of.iter();
        explained.any(|explained| explained.code == rule.code)
    };
    report.findings.iter().find(explains)
}

/// Why the item is not proven, and what is proven all the same.
fn open(report: &RunReport, item: Item, passed: &[&str], waived: &[&str]) -> Line {
    let required = rules(report, item).filter(|rule| rule.required && is_open(rule));
    let mut reasons = distinct(required.map(|rule| rule.reason.as_str()));
    if reasons.is_empty() {
        let optional = rules(report, item).filter(|rule| is_open(rule));
        reasons = distinct(optional.map(|rule| rule.reason.as_str()));
    }
    if reasons.is_empty() && waived.is_empty() {
        reasons.push("not looked at in this run");
    }
    let parts = [
        listed(&reasons, ""),
        listed(passed, "proven: "),
        listed(waived, "waived: "),
    ];
    Line::list(parts.into_iter().filter(|part| !part.is_empty()), " · ")
}

fn rules(report: &RunReport, item: Item) -> impl Iterator<Item = &RuleRow> {
    report.rules.iter().filter(move |rule| rule.item == item)
}

/// The findings of an item, most severe first.
pub(crate) fn findings(report: &RunReport, item: Item) -> impl Iterator<Item = &Finding> {
    let of_item =
        move |finding: &&Finding| rules(report, item).any(|rule| rule.code == finding.code);
    report.findings.iter().filter(of_item)
}

/// Two rules often have the same reason to be open; it is said once.
fn distinct<'a>(reasons: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut distinct = Vec::new();
    for reason in reasons.map(|reason| reason.trim().trim_end_matches('.')) {
        if !reason.is_empty() && !distinct.contains(&reason) {
            distinct.push(reason);
        }
    }
    distinct
}

fn listed(reasons: &[&str], before: &str) -> Line {
    if reasons.is_empty() {
        return Line::new();
    }
    let list = Line::list(reasons.iter().map(|reason| Line::plain(reason)), " · ");
    Line::of(Ink::Faint, before).join(list)
}

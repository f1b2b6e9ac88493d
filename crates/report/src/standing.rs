//! How the four items stand: the word for each, and the sentences that prove it.
//!
//! Nothing is judged here; outcomes are counted as the report has them, and worded once for
//! every format that people read.

use shakedown_findings::{Finding, Item, RuleRow, RunReport, Severity, Verdict};

use crate::ink::{Ink, Line};
use crate::sentences::first_sentence;

/// Between proofs in one line.
pub(crate) const SEPARATOR: &str = " · ";

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
        let worst = findings(report, item).map(|finding| finding.severity).max();
        // A note refutes nothing.
        if any("failed") && worst != Some(Severity::Info) {
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

/// The rules of which nothing was learned, as far as that matters: of a service that is READY the
/// optional ones do not, as those that only a flag asks for.
pub(crate) fn left_open(report: &RunReport) -> impl Iterator<Item = &RuleRow> {
    let matters = |rule: &&RuleRow| rule.required || report.verdict != Verdict::Ready;
    report
        .rules
        .iter()
        .filter(|rule| is_open(rule))
        .filter(matters)
}

/// What proves or refutes an item, with figures; what the verdict rests on comes first.
pub(crate) fn proofs(report: &RunReport, item: Item, standing: Standing) -> Vec<Line> {
    if let Standing::Refuted(severity) = standing {
        return vec![refuted(report, item, severity)];
    }
    let reasons = |outcome: &str| {
        let rules = || rules(report, item).filter(|rule| rule.outcome == outcome);
        let required = rules().filter(|rule| rule.required);
        let all = required.chain(rules().filter(|rule| !rule.required));
        distinct(all.map(|rule| rule.reason.as_str()))
    };
    let notes = findings(report, item).filter(|finding| finding.severity == Severity::Info);
    let notes: Vec<&str> = notes.map(|note| first_sentence(&note.message)).collect();
    let (passed, waived) = (reasons("passed"), reasons("waived"));
    let parts = match standing {
        Standing::Open => [
            listed(&open(report, item, &waived), ""),
            listed(&notes, "note: "),
            listed(&passed, "proven: "),
            listed(&waived, "waived: "),
        ],
        _ => [
            listed(&passed, ""),
            listed(&reasons("not applicable"), ""),
            listed(&waived, "waived: "),
            listed(&notes, "note: "),
        ],
    };
    parts.into_iter().flatten().collect()
}

/// The first finding in short, and how many more there are.
fn refuted(report: &RunReport, item: Item, severity: Severity) -> Line {
    let mut findings = findings(report, item);
    let failed = || rules(report, item).filter(|rule| rule.outcome == "failed");
    let Some(first) = findings.next() else {
        let reasons = distinct(failed().map(|rule| rule.reason.as_str()));
        let reasons = Line::list(listed(&reasons, ""), SEPARATOR);
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

/// Why the item is not proven.
fn open<'a>(report: &'a RunReport, item: Item, waived: &[&str]) -> Vec<&'a str> {
    let required = rules(report, item).filter(|rule| rule.required && is_open(rule));
    let mut reasons = distinct(required.map(|rule| rule.reason.as_str()));
    if reasons.is_empty() {
        let optional = rules(report, item).filter(|rule| is_open(rule));
        reasons = distinct(optional.map(|rule| rule.reason.as_str()));
    }
    if reasons.is_empty() && waived.is_empty() {
        reasons.push("not looked at in this run");
    }
    reasons
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

/// A line each, the first behind a word.
fn listed(reasons: &[&str], before: &str) -> Vec<Line> {
    let mut before = before;
    let line = |reason: &&str| {
        let before = std::mem::take(&mut before);
        Line::of(Ink::Faint, before).and(Ink::Plain, reason)
    };
    reasons.iter().map(line).collect()
}

//! The run in a few words: the service, its build, and what the verdict rests on.

use shakedown_findings::{Item, RunReport, Severity, TargetRow, Verdict};

use crate::standing::is_open;

/// What the service is called.
pub(crate) fn service(target: &TargetRow) -> &str {
    match target.name.as_str() {
        "" => target.command.first().map_or("service", String::as_str),
        name => name,
    }
}

/// `go1.26.8`, however the executable says it.
pub(crate) fn go_version(go: &str) -> String {
    format!("go{}", go.trim_start_matches("go").trim())
}

/// What the verdict rests on: `4 errors, 1 warning; 2 required checks not proven`.
pub(crate) fn words(report: &RunReport) -> String {
    let mut parts = Vec::new();
    let findings = |severity| {
        let of = report.findings.iter();
        of.filter(|finding| finding.severity == severity).count()
    };
    for (severity, one, many) in [
        (Severity::Error, "error", "errors"),
        (Severity::Warning, "warning", "warnings"),
        (Severity::Info, "note", "notes"),
    ] {
        let count = findings(severity);
        if count > 0 {
            parts.push(counted(count, one, many));
        }
    }
    let waived = report.rules.iter().filter(|rule| rule.outcome == "waived");
    match waived.count() {
        0 => {}
        count => parts.push(format!("{count} waived")),
    }
    let found = parts.join(", ");
    if report.verdict == Verdict::Ready {
        return found;
    }
    let mut parts = Vec::from_iter((!found.is_empty()).then_some(found));
    if parts.is_empty() && report.verdict == Verdict::NotProven {
        let words = if report.troubles.is_empty() {
            "nothing is wrong that could be seen"
        } else {
            "the run did not go to its end as planned"
        };
        parts.push(words.to_owned());
    }
    parts.extend(unproven(report));
    parts.join("; ")
}

/// What keeps the verdict from READY besides findings.
fn unproven(report: &RunReport) -> Option<String> {
    let open = |rule: &&_| is_open(rule);
    let required = report.rules.iter().filter(|rule| rule.required);
    let count = required.filter(open).count();
    if count > 0 {
        let checks = counted(count, "required check", "required checks");
        return Some(format!("{checks} not proven"));
    }
    let unseen = Item::ALL.into_iter().filter(|item| {
        let mut rules = report.rules.iter().filter(|rule| rule.item == *item);
        rules.all(|rule| rule.outcome == "waived")
    });
    let unseen: Vec<_> = unseen.map(Item::name).collect();
    (!unseen.is_empty()).then(|| format!("nothing proves {}", unseen.join(", ")))
}

/// A count with its noun.
pub(crate) fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// The first seven digits of a revision, as git shows it, with its mark for modified source.
pub(crate) fn short_revision(revision: &str) -> String {
    let (hash, rest) = revision.split_once('+').unwrap_or((revision, ""));
    let dirty = if rest.is_empty() { "" } else { "+" };
    let hash: String = hash.chars().take(7).collect();
    format!("{hash}{dirty}{rest}")
}

//! The top of the text: what was checked, the verdict, and what the run itself suffered.

use shakedown_findings::{Item, RunReport, Severity, Verdict};

use super::is_open;
use crate::figures;
use crate::ink::{Ink, Line};
use crate::sheet::Sheet;

/// Column of the words behind the verdict.
const WORDS: usize = 15;

/// Lines of one trouble that are shown: enough for a panic message with its first frames.
const TROUBLE_LINES: usize = 14;

/// Name, process, versions and listeners.
pub(super) fn target(sheet: &mut Sheet, report: &RunReport) {
    let target = &report.target;
    let name = match target.name.as_str() {
        "" => target.command.first().map_or("service", String::as_str),
        name => name,
    };
    let mut facts = vec![Line::of(Ink::Strong, name)];
    let mut fact = |text: String| facts.push(Line::plain(&text).glued());
    if let Some(pid) = target.pid {
        fact(format!("pid {pid}"));
    }
    if let Some(go) = &target.go {
        fact(format!("go{}", go.trim_start_matches("go").trim()));
    }
    target.libraries.iter().cloned().for_each(&mut fact);
    if let Some(revision) = &target.revision {
        fact(format!("rev {}", short_revision(revision)));
    }
    let facts = Line::list(facts, "  ");
    let listeners = target
        .listeners
        .iter()
        .map(|listener| Line::plain(listener).glued());
    let listeners = Line::list(listeners, " · ");
    sheet.spread(2, &facts, &listeners);
}

/// The word, what it rests on, and the time that it took.
pub(super) fn verdict(sheet: &mut Sheet, report: &RunReport) {
    let ink = match report.verdict {
        Verdict::Ready => Ink::Good,
        Verdict::NotReady => Ink::Bad,
        Verdict::NotProven => Ink::Doubt,
    };
    let word = report.verdict.name();
    let mut line = Line::of(ink, word);
    let words = summary(report);
    if !words.is_empty() {
        let gap = (WORDS - 2).saturating_sub(word.len());
        line = line.and(Ink::Plain, &" ".repeat(gap));
        line = line.and(Ink::Plain, &words);
    }
    let took = Line::of(Ink::Faint, &figures::duration(report.took_ms));
    sheet.spread(2, &line, &took);
    if let Some(reason) = &report.not_ready_because {
        let reason = Line::plain(&format!("cannot be READY: {}", reason.trim()));
        sheet.flow(&Line::new(), WORDS, &reason, 3);
    }
}

/// What went wrong with the run itself, where nobody can overlook it.
pub(super) fn troubles(sheet: &mut Sheet, report: &RunReport) {
    if report.troubles.is_empty() {
        return;
    }
    sheet.blank();
    for trouble in &report.troubles {
        let mut lines = trouble.lines();
        let first = Line::of(Ink::Bad, lines.next().unwrap_or_default());
        sheet.flow(&Line::of(Ink::Bad, "  !"), 4, &first, 6);
        let lines: Vec<_> = lines.collect();
        // A crash says what it was first, a flood says it last: keep both ends.
        let left_out = lines.len().saturating_sub(TROUBLE_LINES);
        let head = if left_out > 0 {
            TROUBLE_LINES / 2
        } else {
            lines.len()
        };
        for line in &lines[..head] {
            quoted(sheet, line);
        }
        if left_out > 0 {
            quoted(sheet, &format!("… {left_out} lines left out"));
            for line in &lines[head + left_out..] {
                quoted(sheet, line);
            }
        }
    }
    sheet.blank();
}

fn quoted(sheet: &mut Sheet, line: &str) {
    sheet.clipped(4, &Line::of(Ink::Faint, "│ ").and(Ink::Plain, line));
}

fn summary(report: &RunReport) -> String {
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

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// The first seven digits of a revision, as git shows it, with its mark for modified source.
fn short_revision(revision: &str) -> String {
    let (hash, rest) = revision.split_once('+').unwrap_or((revision, ""));
    let dirty = if rest.is_empty() { "" } else { "+" };
    let hash: String = hash.chars().take(7).collect();
    format!("{hash}{dirty}{rest}")
}

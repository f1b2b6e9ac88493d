//! The top of the text: what was checked, the verdict, and what the run itself suffered.

use shakedown_findings::{RunReport, Verdict};

use crate::figures;
use crate::ink::{Ink, Line};
use crate::sheet::Sheet;
use crate::summary;

/// Column of the words behind the verdict.
const WORDS: usize = 15;

/// Lines of one trouble that are shown: enough for a panic message with its first frames.
const TROUBLE_LINES: usize = 14;

/// Name, process, versions and listeners.
pub(super) fn target(sheet: &mut Sheet, report: &RunReport) {
    let target = &report.target;
    let mut facts = vec![Line::of(Ink::Strong, summary::service(target))];
    let mut fact = |text: String| facts.push(Line::plain(&text).glued());
    if let Some(pid) = target.pid {
        fact(format!("pid {pid}"));
    }
    if let Some(go) = &target.go {
        fact(summary::go_version(go));
    }
    target.libraries.iter().cloned().for_each(&mut fact);
    if let Some(revision) = &target.revision {
        fact(format!("rev {}", summary::short_revision(revision)));
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
    let words = summary::words(report);
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

/// A line of the service may be cut; the remedy, which is ours, is told to its end.
fn quoted(sheet: &mut Sheet, line: &str) {
    if line.starts_with("likely remedy: ") {
        return sheet.flow(&Line::of(Ink::Faint, "    │"), 6, &Line::plain(line), 6);
    }
    sheet.clipped(4, &Line::of(Ink::Faint, "│ ").and(Ink::Plain, line));
}

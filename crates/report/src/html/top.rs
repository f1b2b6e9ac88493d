//! The top of the page: the service, the verdict in words, and what was checked and when.

use shakedown_findings::{RunReport, Verdict};

use super::date;
use super::markup::Markup;
use crate::{figures, summary};

/// Lines of one trouble that are shown: a crash with its first and its last words.
const TROUBLE_LINES: usize = 40;

/// Name, verdict, facts.
pub(super) fn put(page: &mut Markup, report: &RunReport) {
    page.leaf("p", &[("class", "kind")], "shakedown report");
    page.leaf("h1", &[], summary::service(&report.target));
    verdict(page, report);
    facts(page, report);
}

/// The word with its sign and its colour, and what it rests on.
fn verdict(page: &mut Markup, report: &RunReport) {
    let (class, sign) = match report.verdict {
        Verdict::Ready => ("verdict good", "✓"),
        Verdict::NotReady => ("verdict bad", "✗"),
        Verdict::NotProven => ("verdict doubt", "?"),
    };
    page.element("div", &[("class", class)], |page| {
        let hidden = [("class", "sign"), ("aria-hidden", "true")];
        page.leaf("span", &hidden, sign);
        page.element("div", &[], |page| {
            page.leaf("p", &[("class", "word")], report.verdict.name());
            let words = match summary::words(report) {
                words if words.is_empty() => "everything required is proven".to_owned(),
                words => words,
            };
            page.leaf("p", &[], &words);
            if let Some(reason) = &report.not_ready_because {
                let reason = format!("cannot be READY: {}", reason.trim());
                page.leaf("p", &[], &reason);
            }
        });
    });
}

fn facts(page: &mut Markup, report: &RunReport) {
    let target = &report.target;
    let mut build: Vec<String> = target.module.iter().cloned().collect();
    let revision = target.revision.as_deref().map(summary::short_revision);
    build.extend(revision.map(|revision| format!("rev {revision}")));
    build.extend(target.go.as_deref().map(summary::go_version));
    build.extend(target.libraries.iter().cloned());
    let mut run = Vec::new();
    // A report that was put together by hand may not know when it was.
    if report.started_unix_ms > 0 {
        run.push(date::readable(report.started_unix_ms));
    }
    run.push(format!("took {}", figures::duration(report.took_ms)));
    run.extend(target.pid.map(|pid| format!("process {pid}")));
    page.element("dl", &[("class", "facts")], |page| {
        fact(page, "Build", &build, None);
        fact(page, "Listens on", &target.listeners, None);
        let iso = (report.started_unix_ms > 0).then(|| date::iso(report.started_unix_ms));
        fact(page, "Run", &run, iso.as_deref());
    });
}

/// A row of facts; `moment` makes the first of them a time that machines read.
fn fact(page: &mut Markup, name: &str, values: &[String], moment: Option<&str>) {
    if values.is_empty() {
        return;
    }
    page.element("div", &[], |page| {
        page.leaf("dt", &[], name);
        page.element("dd", &[], |page| {
            for (position, value) in values.iter().enumerate() {
                if position > 0 {
                    page.text(" ");
                }
                match moment {
                    Some(iso) if position == 0 => {
                        page.leaf("time", &[("datetime", iso)], value);
                    }
                    _ => page.leaf("span", &[], value),
                }
            }
        });
    });
}

/// What went wrong with the run itself, where nobody can overlook it.
pub(super) fn troubles(page: &mut Markup, report: &RunReport) {
    if report.troubles.is_empty() {
        return;
    }
    let attributes = [("class", "troubles"), ("aria-labelledby", "troubles")];
    page.element("section", &attributes, |page| {
        page.leaf("h2", &[("id", "troubles")], "Trouble with the run");
        for trouble in &report.troubles {
            let mut lines = trouble.lines();
            page.leaf("p", &[], lines.next().unwrap_or_default());
            let lines: Vec<_> = lines.collect();
            if !lines.is_empty() {
                page.element("pre", &[], |page| last_words(page, &lines));
            }
        }
    });
}

/// A crash says what it was first, a flood says it last: both ends are kept.
fn last_words(page: &mut Markup, lines: &[&str]) {
    let left_out = lines.len().saturating_sub(TROUBLE_LINES);
    let head = if left_out > 0 {
        TROUBLE_LINES / 2
    } else {
        lines.len()
    };
    let put = |page: &mut Markup, line: &str| {
        page.element("span", &[("class", "l")], |page| {
            page.text(line);
            page.line_end();
        });
    };
    lines[..head].iter().for_each(|line| put(page, line));
    if left_out > 0 {
        put(page, &format!("… {left_out} lines left out"));
        let tail = &lines[head + left_out..];
        tail.iter().for_each(|line| put(page, line));
    }
}

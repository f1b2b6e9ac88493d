//! The log book of marks, folded, with the time that each lane of the run took.

use shakedown_findings::{MarkRow, RunReport};

use super::markup::Markup;
use crate::{figures, summary};

/// Marks that are shown; the JSON report has the rest.
const MARKS: usize = 500;

/// What the run loop puts before the name of a lane.
const LANE: &str = "lane ";

/// What comes before the first lane.
const BEFORE: &str = "start";

/// A part of the run between two marks.
pub(super) struct Lane<'a> {
    pub(super) name: &'a str,
    pub(super) took_us: u64,
    marks: Vec<&'a MarkRow>,
}

/// The lanes in their order; marks before the first one are the start.
pub(super) fn lanes(report: &RunReport) -> Vec<Lane<'_>> {
    let mut lanes = Vec::new();
    let mut current = (BEFORE, 0, Vec::new());
    let mut end = |lane: (_, u64, Vec<_>), at_us: u64| {
        let (name, since, marks) = lane;
        let took_us = at_us.saturating_sub(since);
        if took_us > 0 || !marks.is_empty() {
            lanes.push(Lane {
                name,
                took_us,
                marks,
            });
        }
    };
    for mark in &report.marks {
        match mark.name.strip_prefix(LANE) {
            Some(name) => {
                let next = (name, mark.at_us, Vec::new());
                end(std::mem::replace(&mut current, next), mark.at_us);
            }
            None => current.2.push(mark),
        }
    }
    end(current, report.took_ms.saturating_mul(1_000));
    lanes
}

/// Adds the log book.
pub(super) fn put(page: &mut Markup, report: &RunReport) {
    if report.marks.is_empty() {
        return;
    }
    page.element("details", &[("class", "fold log-book")], |page| {
        page.element("summary", &[], |page| {
            page.leaf("h2", &[], "Log book");
            page.text(" ");
            let count = summary::counted(report.marks.len(), "mark", "marks");
            page.leaf("span", &[("class", "faint")], &count);
        });
        let mut room = MARKS;
        for lane in lanes(report) {
            page.element("h3", &[], |page| {
                page.text(lane.name);
                page.text(" ");
                let took = figures::duration(lane.took_us / 1_000);
                page.leaf("span", &[("class", "faint")], &took);
            });
            let shown = lane.marks.len().min(room);
            room -= shown;
            table(page, &lane.marks[..shown]);
            super::exhibit::left_out(page, lane.marks.len() - shown, "marks");
        }
    });
}

fn table(page: &mut Markup, marks: &[&MarkRow]) {
    if marks.is_empty() {
        return;
    }
    page.element("table", &[], |page| {
        page.element("tbody", &[], |page| {
            for mark in marks {
                page.element("tr", &[], |page| {
                    page.leaf("th", &[("scope", "row")], &seconds(mark.at_us));
                    page.leaf("td", &[], &mark.name);
                });
            }
        });
    });
}

/// Seconds since the run began, to a hundredth.
fn seconds(at_us: u64) -> String {
    format!("{}.{:02}\u{a0}s", at_us / 1_000_000, at_us / 10_000 % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_to_a_hundredth() {
        assert_eq!(seconds(61_238_999).replace('\u{a0}', " "), "61.23 s");
        assert_eq!(seconds(9_999).replace('\u{a0}', " "), "0.00 s");
    }
}

//! The report for people at a terminal: the verdict, a line an item, then what to do.
//!
//! The reader is tired and decides in ten seconds, so what passed takes a line and a healthy
//! service fits one screen. What the run itself suffered stands directly under the verdict.

mod exhibit;
mod finding;
mod head;
mod hot_spots;
mod items;
mod rest;

use shakedown_findings::{RunReport, Verdict};

use crate::{Style, sheet::Sheet};

/// Lines of the smallest terminal that people still use.
const SCREEN: usize = 24;

/// Its columns; on narrower ones a report is readable, but may need two screens.
const SCREEN_WIDTH: usize = 80;

/// Renders the report.
#[must_use]
pub fn render(report: &RunReport, style: Style) -> String {
    let healthy = report.verdict == Verdict::Ready && report.findings.is_empty();
    if healthy && style.width >= SCREEN_WIDTH {
        for hot_lines in [3, 2] {
            let text = compose(report, style, hot_lines);
            if text.lines().count() <= SCREEN {
                return text;
            }
        }
        return compose(report, style, 1);
    }
    compose(report, style, 3)
}

fn compose(report: &RunReport, style: Style, hot_lines: usize) -> String {
    let mut sheet = Sheet::new(style);
    head::target(&mut sheet, report);
    sheet.blank();
    head::verdict(&mut sheet, report);
    head::troubles(&mut sheet, report);
    items::put(&mut sheet, report);
    sheet.blank();
    finding::put(&mut sheet, report);
    sheet.blank();
    hot_spots::put(&mut sheet, report, hot_lines);
    sheet.blank();
    rest::to_prove(&mut sheet, report);
    sheet.blank();
    rest::hints(&mut sheet, report);
    sheet.finish()
}

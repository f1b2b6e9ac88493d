//! One line an item: a mark, and what was proven with which figures.

use shakedown_findings::{Item, RunReport, Severity};

use crate::ink::{Ink, Line};
use crate::sheet::Sheet;
use crate::standing::{SEPARATOR, Standing, proofs};

/// Column of an item's sentence.
const SENTENCE: usize = 15;

/// Lines that an item may take before it is cut.
const LINES: usize = 2;

/// Lines of an item that is not proven, whose reasons are what the reader came for, and of any
/// item on a narrow terminal.
const MORE_LINES: usize = 4;

/// Width from which two lines hold a proof.
const WIDE: usize = 80;

/// Adds the four items.
pub(super) fn put(sheet: &mut Sheet, report: &RunReport) {
    for item in Item::ALL {
        let standing = Standing::of(report, item);
        let (ink, mark) = mark(standing, sheet.style().unicode);
        let lead = Line::of(ink, &format!("  {mark} ")).and(Ink::Strong, item.name());
        let limit = match standing {
            Standing::Open => MORE_LINES,
            _ if sheet.style().width < WIDE => MORE_LINES,
            _ => LINES,
        };
        let text = fitting(sheet, &proofs(report, item, standing), limit);
        sheet.flow(&lead, SENTENCE, &text, limit);
    }
}

/// As many whole proofs as the lines hold, and how many more there are.
fn fitting(sheet: &Sheet, proofs: &[Line], limit: usize) -> Line {
    let first = |count: usize| {
        let line = Line::list(proofs[..count].iter().cloned(), SEPARATOR);
        match proofs.len() - count {
            0 => line,
            more => line.and(Ink::Faint, &format!("{SEPARATOR}and {more} more")),
        }
    };
    let mut counts = (1..=proofs.len()).rev();
    counts
        .find(|count| sheet.lines(SENTENCE, &first(*count)) <= limit)
        .map_or_else(|| first(proofs.len().min(1)), first)
}

const fn mark(standing: Standing, unicode: bool) -> (Ink, &'static str) {
    match standing {
        Standing::Proven if unicode => (Ink::Good, "✓"),
        Standing::Proven => (Ink::Good, "+"),
        Standing::Refuted(Severity::Error) if unicode => (Ink::Bad, "✗"),
        Standing::Refuted(Severity::Error) => (Ink::Bad, "X"),
        Standing::Refuted(_) if unicode => (Ink::Doubt, "✗"),
        Standing::Refuted(_) => (Ink::Doubt, "X"),
        Standing::Open => (Ink::Doubt, "?"),
        Standing::OutOfScope if unicode => (Ink::Faint, "–"),
        Standing::OutOfScope => (Ink::Faint, "-"),
    }
}

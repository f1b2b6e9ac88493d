//! Where processor time and memory went: the first question when a service is slow.

use shakedown_findings::{HotSpot, HotSpotTable, RunReport};

use crate::figures;
use crate::ink::{Ink, Line};
use crate::place;
use crate::sheet::Sheet;

/// Rows of a table that are shown.
const ROWS: usize = 5;

/// Column of a table's title.
const TITLE: usize = 15;

/// Column of a table's rows.
const ENTRIES: usize = 37;

/// Width from which titles and rows stand beside each other.
const WIDE: usize = 72;

/// Columns of titles and rows on a narrow terminal.
const NARROW: (usize, usize) = (4, 6);

/// Adds the tables that there are, each on at most `lines` lines.
pub(super) fn put(sheet: &mut Sheet, report: &RunReport, lines: usize) {
    let spots = &report.hot_spots;
    let tables = [
        spots.cpu.as_ref().map(|table| (cpu_title(table), table)),
        spots.inuse_space.as_ref().map(|table| {
            let title = format!("inuse_space {}", figures::bytes(table.total));
            (title, table)
        }),
        spots.alloc_objects.as_ref().map(|table| {
            let title = format!("alloc_objects {}", figures::count(table.total));
            (title, table)
        }),
    ];
    let narrow = sheet.style().width < WIDE;
    let (title_column, column) = if narrow { NARROW } else { (TITLE, ENTRIES) };
    let mut heading = Line::of(Ink::Strong, "  Hot spots");
    for (title, table) in tables.into_iter().flatten() {
        if narrow && !heading.is_empty() {
            sheet.clipped(0, &std::mem::take(&mut heading));
        }
        let used = heading.width(sheet.style());
        let gap = " ".repeat(title_column.saturating_sub(used));
        let lead = std::mem::take(&mut heading)
            .and(Ink::Plain, &gap)
            .and(Ink::Plain, &title);
        let entries = entries(sheet, table, column);
        sheet.flow(&lead, column, &entries, lines);
    }
}

fn cpu_title(table: &HotSpotTable) -> String {
    let total = figures::nanoseconds(table.total);
    match table.window_ms {
        Some(window) => format!("CPU {total} of {}", figures::duration(window)),
        None => format!("CPU {total}"),
    }
}

fn entries(sheet: &Sheet, table: &HotSpotTable, column: usize) -> Line {
    if table.rows.is_empty() {
        return Line::of(Ink::Faint, figures::no_rows(table.total));
    }
    let room = sheet.room(column);
    let entries = table.rows.iter().take(ROWS).map(|row| {
        let entry = entry(row, table.total);
        if entry.width(sheet.style()) <= room {
            entry.glued()
        } else {
            entry
        }
    });
    // The separator sticks to what stands before it, so that no line begins with it.
    Line::list(entries, "\u{a0}· ")
}

fn entry(row: &HotSpot, total: i64) -> Line {
    let function = row.location.function.as_deref();
    let place = place::file_line(&row.location);
    let line = match function {
        Some(function) => Line::plain(place::short_function(function)),
        None => Line::plain("unknown"),
    };
    let line = match place {
        Some(place) if !function.is_some_and(place::is_standard) => {
            line.and(Ink::Faint, &format!(" {place}"))
        }
        _ => line,
    };
    let share = figures::percent(row.flat, total);
    line.and(Ink::Strong, &format!(" {share}"))
}

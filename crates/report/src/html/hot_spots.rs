//! Where processor time and memory went, as bars.

use shakedown_findings::{HotSpot, HotSpotTable, RunReport};

use super::chart;
use super::markup::Markup;
use crate::{figures, place};

/// Rows of a table.
const ROWS: usize = 20;

/// Adds the tables that there are.
pub(super) fn put(page: &mut Markup, report: &RunReport) {
    let spots = &report.hot_spots;
    let tables = [
        (&spots.cpu, "Processor time", figures::nanoseconds as Unit),
        (
            &spots.inuse_space,
            "Live heap (inuse_space)",
            figures::bytes,
        ),
        (
            &spots.alloc_objects,
            "Allocations since the start (alloc_objects)",
            figures::count,
        ),
    ];
    if tables.iter().all(|(table, ..)| table.is_none()) {
        return;
    }
    page.element("section", &[("aria-labelledby", "hot-spots")], |page| {
        page.leaf("h2", &[("id", "hot-spots")], "Hot spots");
        let keys = [
            ("key flat", "the place itself"),
            ("key cum", "with everything that it called"),
        ];
        chart::legend(page, &keys);
        page.element("div", &[("class", "tables")], |page| {
            for (table, name, unit) in tables {
                if let Some(table) = table {
                    page.element("div", &[], |page| self::table(page, name, table, unit));
                }
            }
        });
    });
}

/// How a value is written.
type Unit = fn(i64) -> String;

fn table(page: &mut Markup, name: &str, table: &HotSpotTable, unit: Unit) {
    page.element("h3", &[], |page| {
        page.text(name);
        page.text(" ");
        let total = unit(table.total);
        let total = match table.window_ms {
            Some(window) => format!("{total} of {}", figures::duration(window)),
            None => total,
        };
        page.leaf("span", &[("class", "faint")], &total);
    });
    if table.rows.is_empty() {
        page.leaf("p", &[("class", "small")], figures::no_rows(table.total));
        return;
    }
    page.element("ol", &[("class", "spots")], |page| {
        for row in table.rows.iter().take(ROWS) {
            page.element("li", &[], |page| spot(page, row, table.total, unit));
        }
    });
    super::exhibit::left_out(page, table.rows.len().saturating_sub(ROWS), "places");
}

fn spot(page: &mut Markup, row: &HotSpot, total: i64, unit: Unit) {
    let share = figures::percent(row.flat, total);
    page.leaf("span", &[("class", "share")], &share);
    bar(page, row, total);
    page.element("span", &[("class", "where")], |page| {
        let function = row.location.function.as_deref();
        page.leaf(
            "code",
            &[],
            function.map_or("unknown", place::short_function),
        );
        // Nobody mends the standard library there.
        let own = !function.is_some_and(place::is_standard);
        if let Some(place) = place::file_line(&row.location).filter(|_| own) {
            page.text(" ");
            page.leaf("code", &[("class", "place")], &place);
        }
        page.text(" ");
        let value = match row.cum {
            cum if cum > row.flat => {
                format!("{}, {} with what it called", unit(row.flat), unit(cum))
            }
            _ => unit(row.flat),
        };
        page.leaf("span", &[("class", "faint")], &value);
    });
}

/// The share again, for the eye: the words beside it say the same.
fn bar(page: &mut Markup, row: &HotSpot, total: i64) {
    let width = |value: i64| {
        let share = if total > 0 {
            100.0 * value as f64 / total as f64
        } else {
            0.0
        };
        chart::percent(share.clamp(0.0, 100.0))
    };
    let hidden = [("class", "bar"), ("aria-hidden", "true"), ("height", "12")];
    page.element("svg", &hidden, |page| {
        for (class, value) in [("cum", row.cum), ("flat", row.flat)] {
            let attributes = [("class", class), ("width", &width(value)), ("height", "12")];
            page.empty("rect", &attributes);
        }
    });
}

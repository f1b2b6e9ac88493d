//! The evidence of a finding, drawn in characters.

use shakedown_findings::{Exhibit, Finding, Location, Moment, Point, SourceLine};

use crate::figures;
use crate::ink::{Ink, Line};
use crate::place;
use crate::sheet::Sheet;

/// Exhibits of one finding.
const EXHIBITS: usize = 6;

/// Lines of a source excerpt.
const SOURCE_LINES: usize = 9;

/// Frames of a stack, moments of a timeline.
const ROWS: usize = 14;

/// Values of a series.
const POINTS: usize = 12;

/// Lines of a quote.
const QUOTED: usize = 5;

/// Column of an exhibit.
const INDENT: usize = 6;

/// Adds the exhibits of a finding.
pub(super) fn put(sheet: &mut Sheet, finding: &Finding, module: Option<&str>) {
    for exhibit in finding.exhibits.iter().take(EXHIBITS) {
        match exhibit {
            Exhibit::Series { title, points } => series(sheet, title, points),
            Exhibit::Timeline { title, moments } => timeline(sheet, title, moments),
            Exhibit::Stack { title, frames } => stack(sheet, title, frames),
            Exhibit::Source { file, line, lines } => {
                let here = |place: &Location| {
                    place.file.as_deref() == Some(file) && place.line == Some(*line)
                };
                if !finding.location.as_ref().is_some_and(here) {
                    let location = Location {
                        function: None,
                        file: Some(file.clone()),
                        line: Some(*line),
                    };
                    heading(sheet, &place::source(&location, module).unwrap_or_default());
                }
                source(sheet, *line, lines);
            }
            Exhibit::Quote { title, lines } => quote(sheet, title, lines),
        }
    }
    let more = finding.exhibits.len().saturating_sub(EXHIBITS);
    left_out(sheet, more, "exhibits");
}

/// `goroutines after each batch: 14 → 54 → 94   (warm-up … batch 2)`
fn series(sheet: &mut Sheet, title: &str, points: &[Point]) {
    let left_out = points.len().saturating_sub(POINTS);
    let head = if left_out > 0 {
        POINTS / 2
    } else {
        points.len()
    };
    let mut steps: Vec<_> = points[..head].iter().map(step).collect();
    if left_out > 0 {
        steps.push(Line::of(Ink::Faint, "…"));
        steps.extend(points[head + left_out..].iter().map(step));
    }
    let mut line = Line::plain(&format!("{title}: ")).join(Line::list(steps, "\u{a0}→ "));
    if let [first, .., last] = points {
        let span = format!("   ({} … {})", first.label, last.label);
        line = line.and(Ink::Faint, &span);
    }
    sheet.flow(&Line::new(), INDENT, &line, 3);
}

fn step(point: &Point) -> Line {
    Line::of(Ink::Strong, &figures::value(point.value))
}

fn timeline(sheet: &mut Sheet, title: &str, moments: &[Moment]) {
    heading(sheet, title);
    let shown = &moments[..moments.len().min(ROWS)];
    let times: Vec<_> = shown
        .iter()
        .map(|moment| figures::moment(moment.at_us))
        .collect();
    let widest = times.iter().map(String::len).max().unwrap_or_default();
    for (time, moment) in times.iter().zip(shown) {
        let lead = Line::of(Ink::Code, &format!("{:INDENT$}  {time:>widest$} ms", ""));
        sheet.flow(&lead, INDENT + widest + 7, &Line::plain(&moment.what), 2);
    }
    left_out(sheet, moments.len() - shown.len(), "moments");
}

fn stack(sheet: &mut Sheet, title: &str, frames: &[String]) {
    heading(sheet, title);
    let shown = &frames[..frames.len().min(ROWS)];
    let style = sheet.style();
    let parts: Vec<_> = shown.iter().map(|frame| named(frame)).collect();
    let widths = parts.iter().map(|(name, _)| name.width(style));
    let column = widths.max().unwrap_or_default().min(sheet.room(INDENT) / 2);
    for (name, place) in parts {
        let gap = " ".repeat(column.saturating_sub(name.width(style)));
        let line = name
            .and(Ink::Plain, &format!("{gap}  "))
            .and(Ink::Code, place);
        sheet.clipped(INDENT + 2, &line);
    }
    left_out(sheet, frames.len() - shown.len(), "frames");
}

/// The function of a frame as it is shown, and its place.
fn named(frame: &str) -> (Line, &str) {
    let (before, function, place) = place::frame(frame);
    (
        Line::of(Ink::Faint, before).and(Ink::Plain, function),
        place,
    )
}

/// The lines nearest to the one that matters, which is marked.
fn source(sheet: &mut Sheet, marked: u32, lines: &[SourceLine]) {
    let mut nearest: Vec<_> = lines.iter().collect();
    nearest.sort_by_key(|line| line.number.abs_diff(marked));
    nearest.truncate(SOURCE_LINES);
    nearest.sort_by_key(|line| line.number);
    let digits = nearest
        .iter()
        .map(|line| line.number.to_string().len())
        .max();
    let digits = digits.unwrap_or_default();
    for line in nearest {
        let (mark, ink) = if line.number == marked {
            ("▸ ", Ink::Strong)
        } else {
            ("  ", Ink::Plain)
        };
        let shown = Line::of(Ink::Bad, mark)
            .and(Ink::Faint, &format!("{:>digits$} │ ", line.number))
            .and(ink, line.text.trim_end());
        sheet.clipped(INDENT, &shown);
    }
}

fn quote(sheet: &mut Sheet, title: &str, lines: &[String]) {
    heading(sheet, title);
    for line in lines.iter().take(QUOTED) {
        let line = Line::of(Ink::Faint, "│ ").and(Ink::Plain, line.trim_end());
        sheet.clipped(INDENT, &line);
    }
    left_out(sheet, lines.len().saturating_sub(QUOTED), "lines");
}

fn heading(sheet: &mut Sheet, title: &str) {
    if !title.trim().is_empty() {
        sheet.flow(&Line::new(), INDENT, &Line::of(Ink::Faint, title), 2);
    }
}

fn left_out(sheet: &mut Sheet, count: usize, what: &str) {
    if count > 0 {
        let line = Line::of(Ink::Faint, &format!("… {count} more {what}"));
        sheet.clipped(INDENT, &line);
    }
}

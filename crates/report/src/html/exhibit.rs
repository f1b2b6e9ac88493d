//! The evidence of a finding: source, charts, stacks and quotes, each a figure with its caption.

use shakedown_findings::{Exhibit, Finding, Location, SourceLine};

use super::markup::Markup;
use super::{series, timeline};
use crate::place;

/// Exhibits of one finding.
const EXHIBITS: usize = 24;

/// Lines of a source excerpt or of a quote, frames of a stack.
const LINES: usize = 60;

/// Adds the exhibits of a finding.
pub(super) fn put(page: &mut Markup, finding: &Finding, module: Option<&str>) {
    for exhibit in finding.exhibits.iter().take(EXHIBITS) {
        match exhibit {
            Exhibit::Series { title, points } => {
                figure(page, title, |page| series::put(page, title, points));
            }
            Exhibit::Timeline { title, moments } => {
                figure(page, title, |page| timeline::put(page, moments));
            }
            Exhibit::Stack { title, frames } => {
                figure(page, title, |page| stack(page, frames, module));
            }
            Exhibit::Source { file, line, lines } => {
                let location = Location {
                    function: None,
                    file: Some(file.clone()),
                    line: Some(*line),
                };
                let here = finding.location.as_ref().filter(|place| {
                    place.file.as_deref() == Some(file) && place.line == Some(*line)
                });
                let title = place::source(here.unwrap_or(&location), module);
                let title = title.unwrap_or_default();
                // The place of the finding itself stands in its heading.
                let caption = if here.is_some() { "" } else { &title };
                figure(page, caption, |page| source(page, &title, *line, lines));
            }
            Exhibit::Quote { title, lines } => figure(page, title, |page| quote(page, lines)),
        }
    }
    let more = finding.exhibits.len().saturating_sub(EXHIBITS);
    left_out(page, more, "exhibits");
}

/// Says how much is not shown.
pub(super) fn left_out(page: &mut Markup, count: usize, what: &str) {
    if count > 0 {
        page.leaf(
            "p",
            &[("class", "small")],
            &format!("… {count} more {what}"),
        );
    }
}

fn figure(page: &mut Markup, title: &str, fill: impl FnOnce(&mut Markup)) {
    page.element("figure", &[], |page| {
        if !title.trim().is_empty() {
            page.leaf("figcaption", &[], title);
        }
        fill(page);
    });
}

/// The excerpt with the line that matters marked by a sign, weight and colour. Long lines scroll
/// within it, by keyboard too.
fn source(page: &mut Markup, title: &str, marked: u32, lines: &[SourceLine]) {
    let mut nearest: Vec<_> = lines.iter().collect();
    nearest.sort_by_key(|line| line.number.abs_diff(marked));
    nearest.truncate(LINES);
    nearest.sort_by_key(|line| line.number);
    let digits = nearest
        .iter()
        .map(|line| line.number.to_string().len())
        .max();
    let digits = digits.unwrap_or_default();
    let label = format!("source, {title}");
    let attributes = [
        ("class", "source"),
        ("tabindex", "0"),
        ("role", "region"),
        ("aria-label", label.as_str()),
    ];
    page.element("pre", &attributes, |page| {
        for line in nearest {
            let (name, sign) = if line.number == marked {
                ("mark", "▸")
            } else {
                ("span", " ")
            };
            page.element(name, &[("class", "l")], |page| {
                let number = format!("{sign} {:>digits$} ", line.number);
                page.leaf("span", &[("class", "n")], &number);
                page.leaf("code", &[], line.text.trim_end());
                page.line_end();
            });
        }
    });
    left_out(page, lines.len().saturating_sub(LINES), "lines");
}

/// Frames leaf first; the service's own stand out, those of Go itself stand back.
fn stack(page: &mut Markup, frames: &[String], module: Option<&str>) {
    page.element("ol", &[("class", "stack")], |page| {
        for frame in frames.iter().take(LINES) {
            let (before, function, place) = place::frame(frame);
            // Only the whole path tells `net/http/internal` from a folder of the service.
            let path = frame.trim().trim_start_matches(before);
            let path = path.split_whitespace().next().unwrap_or_default();
            let class = if place::is_inside(path, module) {
                "own"
            } else if place::is_standard(path) {
                "faint"
            } else {
                "other"
            };
            page.element("li", &[("class", class)], |page| {
                page.leaf("code", &[], &format!("{before}{function}"));
                page.text(" ");
                page.leaf("code", &[("class", "place")], place);
            });
        }
    });
    left_out(page, frames.len().saturating_sub(LINES), "frames");
}

fn quote(page: &mut Markup, lines: &[String]) {
    page.element("pre", &[("class", "quote")], |page| {
        for line in lines.iter().take(LINES) {
            page.element("span", &[("class", "l")], |page| {
                page.text(line.trim_end());
                page.line_end();
            });
        }
    });
    left_out(page, lines.len().saturating_sub(LINES), "lines");
}

//! What the charts share: lengths, and scales with round steps.
//!
//! Places along a chart are percent of its width and heights are pixels, so that a chart fits a
//! telephone and a sheet of paper without its text growing or shrinking.

use super::markup::Markup;

/// Left and right of a chart stay this empty, in percent: half a marker on a narrow screen.
const MARGIN: f64 = 4.0;

/// A place along the chart, from 0 (left) to 1 (right), as an attribute.
pub(super) fn along(share: f64) -> String {
    percent(MARGIN + share.clamp(0.0, 1.0) * (100.0 - 2.0 * MARGIN))
}

/// A length along the chart, from 0 to 1, as an attribute.
pub(super) fn length(share: f64) -> String {
    percent(share.clamp(0.0, 1.0) * (100.0 - 2.0 * MARGIN))
}

/// A percentage with as many digits as a screen can show.
pub(super) fn percent(value: f64) -> String {
    format!("{value:.2}%")
}

/// A height in pixels.
pub(super) fn pixels(value: f64) -> String {
    format!("{value:.1}")
}

/// Adds a chart that is one picture with one description to whoever cannot see it.
pub(super) fn put(
    page: &mut Markup,
    class: &'static str,
    height: f64,
    description: &str,
    draw: impl FnOnce(&mut Markup),
) {
    let height = format!("{height:.0}");
    let attributes = [
        ("class", class),
        ("role", "img"),
        ("aria-label", description),
        ("width", "100%"),
        ("height", &height),
    ];
    page.element("svg", &attributes, draw);
}

/// Adds a line.
pub(super) fn line(page: &mut Markup, class: &str, from: (f64, f64), to: (f64, f64)) {
    let attributes = [
        ("class", class),
        ("x1", &along(from.0)),
        ("y1", &pixels(from.1)),
        ("x2", &along(to.0)),
        ("y2", &pixels(to.1)),
    ];
    page.empty("line", &attributes);
}

/// Adds a filled box between two places, from a height downwards.
pub(super) fn area(page: &mut Markup, class: &str, from: f64, to: f64, top: f64, bottom: f64) {
    let attributes = [
        ("class", class),
        ("x", &along(from)),
        ("y", &pixels(top)),
        ("width", &length(to - from)),
        ("height", &pixels((bottom - top).max(0.0))),
    ];
    page.empty("rect", &attributes);
}

/// Adds a word at a place; near an edge it grows away from it.
pub(super) fn label(page: &mut Markup, class: &str, at: (f64, f64), text: &str) {
    let anchor = match at.0 {
        left if left < 0.02 => "start",
        right if right > 0.94 => "end",
        _ => "middle",
    };
    let attributes = [
        ("class", class),
        ("x", &along(at.0)),
        ("y", &pixels(at.1)),
        ("text-anchor", anchor),
    ];
    page.leaf("text", &attributes, text);
}

/// Adds what the colours mean, as class and words.
pub(super) fn legend(page: &mut Markup, keys: &[(&'static str, &str)]) {
    page.element("p", &[("class", "legend")], |page| {
        for (class, words) in keys {
            page.element("span", &[], |page| {
                page.empty("span", &[("class", class)]);
                page.text(words);
            });
            page.text(" ");
        }
    });
}

/// The smallest of 1, 2 and 5 times a power of ten that goes into the whole at most `most` times.
pub(super) fn step(whole: u64, most: u64) -> u64 {
    let mut power: u64 = 1;
    loop {
        for factor in [1, 2, 5] {
            let step = power.saturating_mul(factor);
            if whole / step <= most.max(1) {
                return step;
            }
        }
        power = power.saturating_mul(10);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_and_few() {
        for (whole, expected) in [
            (0, 1),
            (4, 1),
            (5, 2),
            (2_600_000, 1_000_000),
            (1_100, 500),
            (90_000, 20_000),
        ] {
            assert_eq!(step(whole, 4), expected, "{whole}");
        }
        assert!(u64::MAX / step(u64::MAX, 4) <= 4);
    }

    #[test]
    fn places_stay_within_the_chart() {
        assert_eq!(along(0.0), "4.00%");
        assert_eq!(along(1.0), "96.00%");
        assert_eq!(along(7.0), "96.00%");
        assert_eq!(length(0.5), "46.00%");
    }
}

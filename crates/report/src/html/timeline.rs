//! The moments of one call or one stop, to scale, with a numbered list of what happened.

use shakedown_findings::Moment;

use super::chart;
use super::markup::Markup;
use crate::figures;

/// Moments that are drawn and listed.
const MOMENTS: usize = 24;

/// What a handler should stop at: the word of the moment, and the words for the times before
/// and after it.
const LIMITS: &[(&str, &str, &str)] = &[
    ("deadline", "until its deadline", "after its deadline"),
    (
        "the caller left",
        "while its caller waited",
        "after its caller had left",
    ),
];

/// Heights in pixels: a row of numbers, the bar, and the scale under it.
const ROW: f64 = 22.0;
const BAR: f64 = 14.0;
const SCALE: f64 = 24.0;

/// Radius of a number's circle.
const RADIUS: f64 = 9.0;

/// Rows of numbers; moments that lie still closer to each other cover each other.
const ROWS: usize = 4;

/// Distance at which two circles of a row do not touch on the narrowest screen (360 pixels, of
/// which a chart gets some 300).
const APART: f64 = 0.075;

/// Steps of the scale.
const STEPS: u64 = 5;

/// Adds the chart and the list.
pub(super) fn put(page: &mut Markup, moments: &[Moment]) {
    let shown = &moments[..moments.len().min(MOMENTS)];
    let whole = shown.iter().map(|moment| moment.at_us).max().unwrap_or(0);
    if whole > 0 {
        draw(page, shown, whole);
    }
    page.element("ol", &[("class", "moments")], |page| {
        for moment in shown {
            page.element("li", &[], |page| {
                page.leaf("code", &[], &time(moment));
                page.text(" ");
                page.leaf("span", &[], &moment.what);
            });
        }
    });
    super::exhibit::left_out(page, moments.len() - shown.len(), "moments");
}

fn time(moment: &Moment) -> String {
    format!("{}\u{a0}ms", figures::moment(moment.at_us))
}

fn draw(page: &mut Markup, moments: &[Moment], whole: u64) {
    let share = |at_us: u64| at_us as f64 / whole as f64;
    let rows = rows(moments.iter().map(|moment| share(moment.at_us)));
    let top = (rows.iter().max().unwrap_or(&0) + 1) as f64 * ROW + 4.0;
    let limit = limit(moments, whole);
    let description = described(moments, whole);
    chart::put(page, "timeline", top + BAR + SCALE, &description, |page| {
        let end = limit.map_or(1.0, |limit| share(limit.at_us));
        chart::area(page, "within", 0.0, end, top, top + BAR);
        chart::area(page, "beyond", end, 1.0, top, top + BAR);
        scale(page, whole, top + BAR);
        let spots = moments.iter().zip(&rows).map(|(moment, row)| {
            let middle = top - 4.0 - RADIUS - *row as f64 * ROW;
            (share(moment.at_us), middle)
        });
        // All stems first, so that none runs through a number.
        for (place, middle) in spots.clone() {
            chart::line(page, "stem", (place, middle), (place, top + BAR));
        }
        for (number, (place, middle)) in spots.enumerate() {
            circle(page, place, middle, number + 1);
        }
    });
    if let Some(limit) = limit {
        legend(page, limit, whole);
    }
}

fn circle(page: &mut Markup, place: f64, middle: f64, number: usize) {
    let (x, y) = (chart::along(place), chart::pixels(middle));
    let radius = chart::pixels(RADIUS);
    page.empty("circle", &[("cx", &x), ("cy", &y), ("r", &radius)]);
    let below = chart::pixels(middle + 4.0);
    let attributes = [
        ("class", "number"),
        ("x", x.as_str()),
        ("y", &below),
        ("text-anchor", "middle"),
    ];
    page.leaf("text", &attributes, &number.to_string());
}

fn scale(page: &mut Markup, whole: u64, top: f64) {
    let step = chart::step(whole, STEPS);
    for at in (0..=whole / step).map(|count| count * step) {
        let place = at as f64 / whole as f64;
        chart::line(page, "tick", (place, top), (place, top + 5.0));
        let text = match at {
            0 => "0".to_owned(),
            _ if step < 1_000 => format!("{}\u{a0}ms", figures::moment(at)),
            _ => figures::duration(at / 1_000),
        };
        chart::label(page, "small", (place, top + 18.0), &text);
    }
}

/// What the handler should have stopped at, if that is not the last moment anyway.
#[derive(Clone, Copy)]
struct Limit {
    at_us: u64,
    before: &'static str,
    after: &'static str,
}

fn limit(moments: &[Moment], whole: u64) -> Option<Limit> {
    moments.iter().find_map(|moment| {
        let (_, before, after) = LIMITS.iter().find(|(what, ..)| moment.what == *what)?;
        (moment.at_us < whole).then_some(Limit {
            at_us: moment.at_us,
            before,
            after,
        })
    })
}

fn legend(page: &mut Markup, limit: Limit, whole: u64) {
    let ms = |us: u64| format!("{}\u{a0}ms ", figures::moment(us));
    let within = ms(limit.at_us) + limit.before;
    let beyond = ms(whole - limit.at_us) + limit.after;
    chart::legend(page, &[("key within", &within), ("key beyond", &beyond)]);
}

/// The row of each number: the lowest in which it touches no other.
fn rows(places: impl Iterator<Item = f64>) -> Vec<usize> {
    let mut last = [f64::NEG_INFINITY; ROWS];
    places
        .map(|place| {
            let free = |last: &f64| place - last >= APART;
            let row = last.iter().position(free).unwrap_or(ROWS - 1);
            last[row] = place;
            row
        })
        .collect()
}

fn described(moments: &[Moment], whole: u64) -> String {
    let parts = moments
        .iter()
        .map(|moment| format!("{} at {}", moment.what, time(moment)));
    let parts: Vec<_> = parts.collect();
    let whole = figures::moment(whole);
    format!("Timeline over {whole}\u{a0}ms: {}", parts.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(at_us: u64, what: &str) -> Moment {
        Moment {
            at_us,
            what: what.into(),
        }
    }

    #[test]
    fn numbers_that_would_touch_stand_above_each_other() {
        let places = [0.0, 0.19, 0.2, 0.21, 0.9];
        assert_eq!(rows(places.into_iter()), [0, 0, 1, 2, 0]);
        assert_eq!(rows([0.5; 9].into_iter()).iter().max(), Some(&(ROWS - 1)));
    }

    #[test]
    fn what_lies_behind_the_deadline_is_told_apart() {
        let late = [moment(0, "sent"), moment(500, "deadline"), moment(900, "x")];
        assert_eq!(limit(&late, 900).map(|limit| limit.at_us), Some(500));
        let kept = [moment(0, "sent"), moment(500, "deadline")];
        assert!(limit(&kept, 500).is_none());
        assert!(limit(&[moment(1, "deadline of something")], 2).is_none());
    }
}

//! A figure over marks as a step chart: what climbs with every batch climbs like a stair.

use shakedown_findings::Point;
use unicode_width::UnicodeWidthStr;

use super::chart;
use super::markup::Markup;
use crate::figures;
use crate::harmless::harmless;

/// Values that are drawn; of more the first ones.
const POINTS: usize = 200;

/// Values up to which each is written at its step, on the narrowest screen.
const WRITTEN: usize = 8;

/// Characters that fit under the chart on the narrowest screen; of more names an even choice.
const LINE: usize = 40;

/// Characters of a name under the chart.
const NAME: usize = 12;

/// Heights in pixels: room for the figure above the highest step, the steps, the names.
const ABOVE: f64 = 22.0;
const STEPS: f64 = 96.0;
const BELOW: f64 = 24.0;

/// Adds the chart, and the values in words where the chart cannot hold them all.
pub(super) fn put(page: &mut Markup, title: &str, points: &[Point]) {
    let shown = &points[..points.len().min(POINTS)];
    if shown.is_empty() {
        return;
    }
    let height = ABOVE + STEPS + BELOW;
    let description = described(title, shown);
    chart::put(page, "series", height, &description, |page| {
        draw(page, shown);
    });
    if shown.len() > WRITTEN {
        let values: Vec<_> = shown
            .iter()
            .map(|point| figures::value(point.value))
            .collect();
        page.leaf("p", &[("class", "small")], &values.join(" → "));
    }
    super::exhibit::left_out(page, points.len() - shown.len(), "values");
}

fn draw(page: &mut Markup, points: &[Point]) {
    let scale = Scale::of(points);
    let floor = scale.height(0.0);
    let slot = 1.0 / points.len() as f64;
    chart::line(page, "axis", (0.0, floor), (1.0, floor));
    let names: Vec<_> = points.iter().map(|point| shortened(&point.label)).collect();
    let every = every(&names);
    let mut before: Option<f64> = None;
    for (position, point) in points.iter().enumerate() {
        let (from, to) = (position as f64 * slot, (position + 1) as f64 * slot);
        let middle = from + slot / 2.0;
        if point.value.is_finite() {
            let height = scale.height(point.value);
            let (top, bottom) = (height.min(floor), height.max(floor));
            chart::area(page, "under", from, to, top, bottom);
            if let Some(before) = before {
                chart::line(page, "step", (from, before), (from, height));
            }
            chart::line(page, "step", (from, height), (to, height));
            before = Some(height);
            if points.len() <= WRITTEN {
                let text = figures::value(point.value);
                chart::label(page, "value", (middle, height - 6.0), &text);
            }
        }
        if position.is_multiple_of(every) {
            let place = (middle, ABOVE + STEPS + 17.0);
            chart::label(page, "small", place, &names[position]);
        }
    }
    if points.len() > WRITTEN {
        let top = figures::value(scale.most);
        chart::label(page, "small", (0.0, ABOVE - 6.0), &top);
    }
}

/// Heights of values; zero is always on the chart, or a small rise would look like a large one.
struct Scale {
    least: f64,
    most: f64,
}

impl Scale {
    fn of(points: &[Point]) -> Self {
        let values = || {
            points
                .iter()
                .map(|point| point.value)
                .filter(|value| value.is_finite())
        };
        Self {
            least: values().fold(0.0, f64::min),
            most: values().fold(0.0, f64::max),
        }
    }

    fn height(&self, value: f64) -> f64 {
        // Halves first: the distance between the two largest numbers is none of them.
        let whole = self.most / 2.0 - self.least / 2.0;
        if whole == 0.0 {
            return ABOVE + STEPS;
        }
        ABOVE + STEPS * (1.0 - (value / 2.0 - self.least / 2.0) / whole)
    }
}

/// Every how many values a name stands under the chart, so that no name touches the next.
fn every(names: &[String]) -> usize {
    let longest = names.iter().map(|name| name.width()).max().unwrap_or(0);
    let room = (LINE / (longest + 1)).max(1);
    names.len().div_ceil(room).max(1)
}

/// The name as it is shown, cut to a bound.
fn shortened(name: &str) -> String {
    let name = harmless(name);
    if name.chars().count() <= NAME {
        return name;
    }
    let start: String = name.chars().take(NAME - 1).collect();
    format!("{start}…")
}

fn described(title: &str, points: &[Point]) -> String {
    let parts: Vec<_> = points
        .iter()
        .map(|point| format!("{} at {}", figures::value(point.value), point.label))
        .collect();
    format!("Step chart, {title}: {}", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heights(values: &[f64]) -> Vec<f64> {
        let points: Vec<_> = values
            .iter()
            .map(|value| Point {
                label: String::new(),
                value: *value,
            })
            .collect();
        let scale = Scale::of(&points);
        values.iter().map(|value| scale.height(*value)).collect()
    }

    #[test]
    fn the_scale_begins_at_zero() {
        assert_eq!(heights(&[50.0, 100.0]), [ABOVE + STEPS / 2.0, ABOVE]);
        assert_eq!(heights(&[-10.0, 10.0]), [ABOVE + STEPS, ABOVE]);
        assert_eq!(heights(&[0.0]), [ABOVE + STEPS]);
    }

    #[test]
    fn any_value_has_a_place() {
        for height in heights(&[f64::MAX, f64::MIN, 0.0, f64::MIN_POSITIVE]) {
            assert!((ABOVE..=ABOVE + STEPS).contains(&height), "{height}");
        }
    }

    #[test]
    fn few_names_stand_under_many_values() {
        let every = |count, name: &str| every(&vec![name.to_owned(); count]);
        assert_eq!(every(5, "batch 4"), 1);
        assert_eq!(every(31, "reload 10"), 8);
        assert_eq!(every(4, "東京東京東京東京"), 2);
        assert_eq!(every(1, ""), 1);
        assert!(shortened(&"\u{202e}".repeat(9)).chars().count() <= NAME);
    }
}

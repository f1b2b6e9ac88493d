//! Values with units: scaling, labels, percentages.
//!
//! Source: google/pprof, internal/measurement.

use std::borrow::Cow;

use super::gofmt::two_digits;

/// A unit: its short name, how many of the base unit it is, and its other names.
struct Unit {
    name: &'static str,
    factor: f64,
    aliases: &'static [&'static str],
}

/// Units of one kind; a value of unknown target unit is shown in `default`.
struct Kind {
    default: (&'static str, f64),
    units: &'static [Unit],
}

const fn unit(name: &'static str, factor: f64, aliases: &'static [&'static str]) -> Unit {
    Unit {
        name,
        factor,
        aliases,
    }
}

const KINDS: [Kind; 3] = [
    Kind {
        default: ("B", 1.0),
        units: &[
            unit("B", 1.0, &["b", "byte"]),
            unit("kB", 1024.0, &["kb", "kbyte", "kilobyte"]),
            unit("MB", 1_048_576.0, &["mb", "mbyte", "megabyte"]),
            unit("GB", 1_073_741_824.0, &["gb", "gbyte", "gigabyte"]),
            unit("TB", 1_099_511_627_776.0, &["tb", "tbyte", "terabyte"]),
            unit("PB", 1_125_899_906_842_624.0, &["pb", "pbyte", "petabyte"]),
        ],
    },
    Kind {
        default: ("s", 1e9),
        units: &[
            unit("ns", 1.0, &["ns", "nanosecond"]),
            unit("us", 1e3, &["μs", "us", "microsecond"]),
            unit("ms", 1e6, &["ms", "millisecond"]),
            unit("s", 1e9, &["s", "sec", "second"]),
            unit("hrs", 3.6e12, &["hour", "hr"]),
        ],
    },
    Kind {
        default: ("GCU", 1.0),
        units: &[
            unit("n*GCU", 1e-9, &["nanogcu"]),
            unit("u*GCU", 1e-6, &["microgcu"]),
            unit("m*GCU", 1e-3, &["milligcu"]),
            unit("GCU", 1.0, &["gcu"]),
            unit("k*GCU", 1e3, &["kilogcu"]),
            unit("M*GCU", 1e6, &["megagcu"]),
            unit("G*GCU", 1e9, &["gigagcu"]),
            unit("T*GCU", 1e12, &["teragcu"]),
            unit("P*GCU", 1e15, &["petagcu"]),
        ],
    },
];

impl Kind {
    fn find(&self, name: &str) -> Option<&Unit> {
        let lower = name.to_lowercase();
        let singular = match lower.chars().count() > 2 {
            true => lower.strip_suffix('s').unwrap_or(&lower),
            false => &lower,
        };
        self.units.iter().find(|u| u.aliases.contains(&singular))
    }

    /// The largest unit of which `value` base units are at least one.
    fn natural(&self, value: f64) -> (f64, &'static str) {
        let mut best: Option<&Unit> = None;
        for unit in self.units {
            if best.is_none_or(|b| unit.factor >= b.factor) && value / unit.factor >= 1.0 {
                best = Some(unit);
            }
        }
        match best {
            Some(unit) => (value / unit.factor, unit.name),
            None => (value / self.default.1, self.default.0),
        }
    }
}

/// True if both units measure the same kind of thing.
pub(crate) fn same_kind(a: &str, b: &str) -> bool {
    KINDS
        .iter()
        .any(|kind| kind.find(a).is_some() && kind.find(b).is_some())
}

/// Converts `value` to the unit `to`, where `minimum` and `auto` choose one;
/// also gives the unit, empty where it is not worth showing.
pub(crate) fn scale<'u>(value: i64, from: &str, to: &'u str) -> (f64, Cow<'u, str>) {
    if value < 0 && value != i64::MIN {
        let (value, unit) = scale(-value, from, to);
        return (-value, unit);
    }
    for kind in &KINDS {
        let Some(from) = kind.find(from) else {
            continue;
        };
        let base = value as f64 * from.factor;
        let (value, unit) = match (to, kind.find(to)) {
            ("minimum" | "auto", _) => kind.natural(base),
            (_, Some(to)) => (base / to.factor, to.name),
            (_, None) => (base / kind.default.1, kind.default.0),
        };
        return (value, Cow::Borrowed(unit));
    }
    match to {
        "count" | "sample" | "unit" | "minimum" | "auto" => (value as f64, Cow::Borrowed("")),
        other => (value as f64, Cow::Borrowed(other)),
    }
}

/// `value` in a natural unit, with the unit: `1.50MB`.
pub(crate) fn label(value: i64, unit: &str) -> String {
    scaled_label(value, unit, "auto")
}

/// Below this every whole number is one of f64: 2^53.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// `value` in the unit `to`, with the unit.
pub(crate) fn scaled_label(value: i64, from: &str, to: &str) -> String {
    let (value, unit) = scale(value, from, to);
    // Whole numbers are most of what is shown, and need no exact arithmetic.
    if value.fract() == 0.0 && value.abs() < EXACT {
        return match value as i64 {
            0 => "0".to_owned(),
            whole => format!("{whole}{unit}"),
        };
    }
    let text = format!("{value:.2}");
    match text.strip_suffix(".00").unwrap_or(&text) {
        "0" | "-0" => "0".to_owned(),
        shown => format!("{shown}{unit}"),
    }
}

/// `value` as a share of `total`, in six columns where it fits.
pub(crate) fn percentage(value: i64, total: i64) -> String {
    let ratio = match total {
        0 => 0.0,
        total => (value as f64 / total as f64).abs() * 100.0,
    };
    if (99.95..=100.05).contains(&ratio) {
        "  100%".to_owned()
    } else if ratio >= 1.0 {
        format!("{ratio:5.2}%")
    } else {
        format!("{:>5}%", two_digits(ratio))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_chosen_and_converted() {
        let cases = [
            (1_500_000_000, "nanoseconds", "auto", "1.50s"),
            (1_048_576, "bytes", "minimum", "1MB"),
            (-2_048, "bytes", "auto", "-2kB"),
            (100, "count", "minimum", "100"),
            (5, "widgets", "widgets", "5widgets"),
            (90, "s", "min", "90s"),
            (3, "μs", "ns", "3000ns"),
            (0, "bytes", "MB", "0"),
            (1, "bytes", "MB", "0"),
        ];
        for (value, from, to, text) in cases {
            assert_eq!(scaled_label(value, from, to), text);
        }
        assert_eq!(scaled_label(i64::MIN, "count", "auto").len(), 20);
    }

    #[test]
    fn percentages_take_six_columns() {
        let cases = [
            (1, 1, "  100%"),
            (1, 3, "33.33%"),
            (1, 1000, "  0.1%"),
            (0, 7, "    0%"),
            (1, 0, "    0%"),
            (1, 30_000_000, "3.3e-06%"),
        ];
        for (value, total, text) in cases {
            assert_eq!(percentage(value, total), text);
        }
    }
}

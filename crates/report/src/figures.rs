//! Figures in units that a person reads: `2.1 s`, `41 MB`, `9.2 M`, `18 %`.
//!
//! Number and unit are held together by a no-break space, which [`crate::sheet`] never breaks
//! at and prints as an ordinary one. Memory counts in steps of 1024, as pprof does.

/// Keeps a number and its unit on one line.
const GLUE: char = '\u{a0}';

/// A length of time from milliseconds: `840 ms`, `2.1 s`, `42 s`, `3 min 20 s`, `2 h 5 min`.
pub(crate) fn duration(ms: u64) -> String {
    let seconds = ms.saturating_add(500) / 1_000;
    match ms {
        0 => format!("0{GLUE}s"),
        1..1_000 => format!("{ms}{GLUE}ms"),
        1_000..9_950 => format!("{}{GLUE}s", one_decimal(ms as f64 / 1_000.0)),
        9_950..120_000 => format!("{seconds}{GLUE}s"),
        120_000..7_200_000 => {
            format!("{}{GLUE}min{GLUE}{}{GLUE}s", seconds / 60, seconds % 60)
        }
        _ => format!(
            "{}{GLUE}h{GLUE}{}{GLUE}min",
            seconds / 3_600,
            seconds / 60 % 60
        ),
    }
}

/// Processor time from nanoseconds.
pub(crate) fn nanoseconds(ns: i64) -> String {
    let ns = ns.unsigned_abs();
    if (1..1_000_000).contains(&ns) {
        return format!("<1{GLUE}ms");
    }
    duration(ns / 1_000_000)
}

/// Memory: `512 B`, `9.2 MB`, `41 MB`.
pub(crate) fn bytes(value: i64) -> String {
    scaled(value, 1_024.0, &["B", "kB", "MB", "GB", "TB"])
}

/// A count: `812`, `9.2 M`.
pub(crate) fn count(value: i64) -> String {
    if value.unsigned_abs() < 10_000 {
        return signed(value);
    }
    scaled(value, 1_000.0, &["", "k", "M", "G", "T"])
}

/// A part of a whole: `18 %`, `<1 %`, and `–` of nothing.
pub(crate) fn percent(part: i64, whole: i64) -> String {
    if whole == 0 {
        return "–".to_owned();
    }
    let share = 100.0 * part as f64 / whole as f64;
    if share > 0.0 && share < 0.5 {
        format!("<1{GLUE}%")
    } else {
        format!("{share:.0}{GLUE}%")
    }
}

/// A value of a series: whole where it is whole.
pub(crate) fn value(value: f64) -> String {
    // Above 2^53 a float no longer holds every whole number, and nobody reads the last digits.
    if value.fract() == 0.0 && value.abs() < 9e15 {
        signed(value as i64)
    } else if value.abs() < 1e6 {
        one_decimal(value)
    } else {
        format!("{value:.1e}")
    }
}

/// A moment of a timeline, in milliseconds: `0.4`, `7.5`, `503`, `2,480`.
pub(crate) fn moment(us: u64) -> String {
    if us > 0 && us < 9_950 {
        one_decimal(us as f64 / 1_000.0)
    } else {
        grouped(us.saturating_add(500) / 1_000)
    }
}

fn scaled(value: i64, step: f64, units: &[&str]) -> String {
    let mut rest = value as f64;
    let mut unit = 0;
    while rest.abs() >= 999.5 && unit + 1 < units.len() {
        rest /= step;
        unit += 1;
    }
    let number = if unit > 0 && rest.abs() < 9.95 {
        one_decimal(rest)
    } else {
        format!("{rest:.0}")
    };
    format!("{number}{GLUE}{}", units[unit])
        .trim_end_matches(GLUE)
        .to_owned()
}

fn one_decimal(value: f64) -> String {
    format!("{value:.1}")
}

fn signed(value: i64) -> String {
    let sign = if value < 0 { "-" } else { "" };
    format!("{sign}{}", grouped(value.unsigned_abs()))
}

fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut shown = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// Why a table of hot spots has no rows.
pub(crate) const fn no_rows(total: i64) -> &'static str {
    if total == 0 {
        "no samples"
    } else {
        "too few samples to tell: more load, or a longer --window"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(figure: String, shown: &str) {
        assert_eq!(figure.replace(GLUE, " "), shown);
    }

    #[test]
    fn durations_read_well() {
        check(duration(0), "0 s");
        check(duration(840), "840 ms");
        check(duration(2_130), "2.1 s");
        check(duration(9_960), "10 s");
        check(duration(42_400), "42 s");
        check(duration(200_000), "3 min 20 s");
        check(duration(7_500_000), "2 h 5 min");
        check(nanoseconds(2_100_000_000), "2.1 s");
        check(nanoseconds(10), "<1 ms");
        duration(u64::MAX);
    }

    #[test]
    fn sizes_and_counts_read_well() {
        check(bytes(512), "512 B");
        check(bytes(41 << 20), "41 MB");
        check(bytes(9 << 30), "9.0 GB");
        check(bytes((1 << 20) - 1), "1.0 MB");
        check(count(9_213), "9,213");
        check(count(92_130), "92 k");
        check(count(9_213_000), "9.2 M");
        count(i64::MIN);
        bytes(i64::MIN);
    }

    #[test]
    fn shares_and_values_read_well() {
        check(percent(18, 100), "18 %");
        check(percent(1, 1_000), "<1 %");
        check(percent(0, 10), "0 %");
        check(percent(1, 0), "–");
        check(value(14.0), "14");
        check(value(14.25), "14.2");
        check(value(f64::NAN), "NaN");
        check(moment(2_480_400), "2,480");
        check(moment(400), "0.4");
        check(moment(u64::MAX), "18,446,744,073,709,551");
    }
}

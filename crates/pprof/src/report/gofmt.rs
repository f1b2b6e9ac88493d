//! Numbers, durations and times as Go's fmt and time packages print them.

use std::fmt::Write as _;

pub(crate) use crate::scale::to_int;

/// `%.2g`: two significant digits, without trailing zeros.
pub(crate) fn two_digits(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return "0".to_owned();
    }
    let scientific = format!("{value:.1e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (negative, mantissa) = match mantissa.strip_prefix('-') {
        Some(positive) => ("-", positive),
        None => ("", mantissa),
    };
    let digits = mantissa.replace('.', "");
    let digits = digits.trim_end_matches('0');
    let (first, second) = digits.split_at_checked(1).unwrap_or((digits, ""));
    if !(-4..2).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        let point = if second.is_empty() { "" } else { "." };
        return format!(
            "{negative}{first}{point}{second}e{sign}{:02}",
            exponent.abs()
        );
    }
    match exponent {
        1 => format!("{negative}{digits:0<2}"),
        0 if second.is_empty() => format!("{negative}{first}"),
        0 => format!("{negative}{first}.{second}"),
        below => {
            let zeros = "0".repeat(usize::try_from(-below - 1).unwrap_or(0));
            format!("{negative}0.{zeros}{digits}")
        }
    }
}

/// `time.Duration.String`.
pub(crate) fn duration(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let rest = nanos.unsigned_abs();
    if rest == 0 {
        return "0s".to_owned();
    }
    if rest < 1_000_000_000 {
        let (unit, size) = match rest {
            0..1_000 => ("ns", 1),
            1_000..1_000_000 => ("µs", 1_000),
            _ => ("ms", 1_000_000),
        };
        return format!("{sign}{}{unit}", decimal(rest, size));
    }
    let (minutes, seconds) = (rest / 60_000_000_000, rest % 60_000_000_000);
    let mut out = sign.to_owned();
    if minutes >= 60 {
        let _ = write!(out, "{}h", minutes / 60);
    }
    if minutes > 0 {
        let _ = write!(out, "{}m", minutes % 60);
    }
    out + &decimal(seconds, 1_000_000_000) + "s"
}

/// `value / size` without trailing zeros; `size` is a power of ten.
fn decimal(value: u64, size: u64) -> String {
    let width = size.ilog10() as usize;
    let fraction = format!("{:0width$}", value % size);
    match fraction.trim_end_matches('0') {
        "" => (value / size).to_string(),
        digits => format!("{}.{digits}", value / size),
    }
}

/// A time zone at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// Seconds east of Greenwich.
    pub offset_seconds: i32,
    /// Its abbreviation: `UTC`, `CET`.
    pub name: String,
}

impl Default for Zone {
    fn default() -> Self {
        Zone {
            offset_seconds: 0,
            name: "UTC".to_owned(),
        }
    }
}

impl Zone {
    /// Go's layout `2006-01-02 15:04:05 MST`.
    pub(crate) fn short(&self, nanos: i64) -> String {
        format!("{} {}", self.clock(nanos), self.name)
    }

    /// Go's `time.Time.String`: with the fraction and the offset.
    pub(crate) fn long(&self, nanos: i64) -> String {
        let fraction = nanos.rem_euclid(1_000_000_000);
        let fraction = match decimal(fraction.unsigned_abs(), 1_000_000_000).split_once('.') {
            Some((_, digits)) => format!(".{digits}"),
            None => String::new(),
        };
        let sign = if self.offset_seconds < 0 { '-' } else { '+' };
        let minutes = self.offset_seconds.unsigned_abs() / 60;
        let offset = format!("{sign}{:02}{:02}", minutes / 60, minutes % 60);
        format!("{}{fraction} {offset} {}", self.clock(nanos), self.name)
    }

    fn clock(&self, nanos: i64) -> String {
        let seconds = nanos.div_euclid(1_000_000_000) + i64::from(self.offset_seconds);
        let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let (year, month, day) = civil(days);
        let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
        format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
    }
}

/// Days since 1970 → year, month, day of the Gregorian calendar.
///
/// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let (era, day_of_era) = (z.div_euclid(146_097), z.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let mp = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_keep_two_digits() {
        let cases = [
            (0.996, "1"),
            (0.5, "0.5"),
            (0.0123, "0.012"),
            (0.000_123, "0.00012"),
            (0.000_012_3, "1.2e-05"),
            (0.000_01, "1e-05"),
            (12.0, "12"),
            (120.0, "1.2e+02"),
        ];
        for (value, text) in cases {
            assert_eq!(two_digits(value), text);
        }
    }

    #[test]
    fn durations_are_gos() {
        let cases = [
            (0, "0s"),
            (12, "12ns"),
            (1_500, "1.5µs"),
            (2_000_000, "2ms"),
            (1_500_000_000, "1.5s"),
            (378_610_000_000, "6m18.61s"),
            (-3_600_000_000_000, "-1h0m0s"),
        ];
        for (nanos, text) in cases {
            assert_eq!(duration(nanos), text);
        }
    }

    #[test]
    fn times_are_gos() {
        let at = 1_700_000_000_120_000_000;
        assert_eq!(Zone::default().short(at), "2023-11-14 22:13:20 UTC");
        let zone = Zone {
            offset_seconds: -12_600,
            name: "X".to_owned(),
        };
        assert_eq!(zone.long(at), "2023-11-14 18:43:20.12 -0330 X");
        assert_eq!(zone.long(i64::MIN).len(), zone.long(i64::MAX).len());
    }

    #[test]
    fn what_does_not_fit_is_the_smallest_number() {
        assert_eq!(to_int(-1.9), -1);
        assert_eq!(to_int(9.3e18), i64::MIN);
        assert_eq!(to_int(f64::NAN), i64::MIN);
    }
}

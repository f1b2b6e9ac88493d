//! Moments as log lines write them, in nanoseconds since the Unix epoch.
//!
//! Numbers are told apart by size. Text needs a zone: what `log` writes is local time of a zone
//! that nobody knows, and a guess would put a line into the wrong request.

/// Below this (1973) a number of seconds is rather a duration.
const EARLIEST_SECONDS: u128 = 100_000_000;

/// From 1973 to the year 5138 these bounds tell seconds, milliseconds, microseconds and
/// nanoseconds apart.
const UNITS: [(u128, u128); 3] = [
    (100_000_000_000, 1_000_000_000),
    (100_000_000_000_000, 1_000_000),
    (100_000_000_000_000_000, 1_000),
];

/// Reads a number of seconds, milliseconds, microseconds or nanoseconds, with a fraction or not.
pub(super) fn of_number(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if whole.len() > 20 || !is_digits(whole) || !(fraction.is_empty() || is_digits(fraction)) {
        let float: f64 = text.parse().ok()?;
        // Exponents are rare, and a double holds microseconds of today.
        return (text.contains(['e', 'E']) && (1e8..1e20).contains(&float))
            .then(|| of_number(&format!("{float:.6}")))?;
    }
    let whole: u128 = whole.parse().ok()?;
    if whole < EARLIEST_SECONDS {
        return None;
    }
    let by_size = UNITS.iter().find(|(bound, _)| whole < *bound);
    let scale = by_size.map_or(1, |(_, scale)| *scale);
    u64::try_from(whole * scale + u128::from(billionths(fraction)) * scale / 1_000_000_000).ok()
}

/// Reads RFC 3339 and ISO 8601 (`T` or space, point or comma, zone with or without colon), or a
/// number written as text.
pub(super) fn of_text(text: &str) -> Option<u64> {
    let text = text.trim();
    match calendar(text) {
        Some((moment, length)) if length == text.len() => moment,
        Some(_) => None,
        None => of_number(text),
    }
}

/// Reads a date with a time that a text begins with: the moment, if a zone is given, and the
/// length of what was read.
pub(super) fn calendar(text: &str) -> Option<(Option<u64>, usize)> {
    let bytes = text.as_bytes();
    let year = number(bytes, 0, 4)?;
    let separator = *bytes.get(4)?;
    if !matches!(separator, b'-' | b'/') || bytes.get(7) != Some(&separator) {
        return None;
    }
    let month = number(bytes, 5, 2)?;
    let day = number(bytes, 8, 2)?;
    if !matches!(bytes.get(10)?, b'T' | b't' | b' ') {
        return None;
    }
    let (of_day, length) = clock(text.get(11..)?)?;
    let mut at = 11 + length;
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let zone = zone(bytes.get(at..).unwrap_or_default());
    at += zone.map_or(0, |(_, length)| length);
    let moment = zone.and_then(|(offset, _)| {
        let seconds = days(year, month, day) * 86_400 - offset;
        u64::try_from(i128::from(seconds) * 1_000_000_000 + i128::from(of_day)).ok()
    });
    Some((moment, at))
}

/// Reads `15:04:05` with or without a fraction: nanoseconds of the day, and the length.
pub(super) fn clock(text: &str) -> Option<(i64, usize)> {
    let bytes = text.as_bytes();
    let (hour, minute, second) = (
        number(bytes, 0, 2)?,
        number(bytes, 3, 2)?,
        number(bytes, 6, 2)?,
    );
    if bytes[2] != b':' || bytes[5] != b':' || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let mut length = 8;
    let mut fraction = 0;
    if matches!(bytes.get(8), Some(b'.' | b',')) {
        let digits = bytes[9..].iter().take_while(|byte| byte.is_ascii_digit());
        let digits = digits.count();
        if digits > 0 {
            fraction = billionths(&text[9..9 + digits]);
            length = 9 + digits;
        }
    }
    let seconds = hour * 3600 + minute * 60 + second;
    Some((seconds * 1_000_000_000 + i64::from(fraction), length))
}

/// Reads `Z`, `+01:00`, `+0100`, `+01`, each after a space or not, or ` UTC`: seconds east, and
/// the length.
fn zone(bytes: &[u8]) -> Option<(i64, usize)> {
    if bytes.starts_with(b" UTC") {
        return Some((0, 4));
    }
    let space = usize::from(bytes.first() == Some(&b' '));
    let bytes = &bytes[space..];
    let sign = match bytes.first()? {
        b'Z' | b'z' if space == 0 => return Some((0, 1)),
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let hours = number(bytes, 1, 2)?;
    let colon = usize::from(bytes.get(3) == Some(&b':'));
    let minutes = number(bytes, 3 + colon, 2);
    let length = minutes.map_or(3, |_| 5 + colon);
    Some((
        sign * (hours * 3600 + minutes.unwrap_or(0) * 60),
        space + length,
    ))
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar (Howard Hinnant, "chrono-Compatible
/// Low-Level Date Algorithms", `days_from_civil`).
const fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn number(bytes: &[u8], from: usize, digits: usize) -> Option<i64> {
    let digits = bytes.get(from..from + digits)?;
    digits.iter().try_fold(0, |value, digit| {
        let digit = digit.is_ascii_digit().then(|| i64::from(digit - b'0'))?;
        Some(value * 10 + digit)
    })
}

/// The digits of a fraction as billionths; what is finer is cut off.
fn billionths(digits: &str) -> u32 {
    let padded = digits.bytes().chain(std::iter::repeat(b'0')).take(9);
    padded.fold(0, |value, digit| {
        value * 10 + u32::from(digit.saturating_sub(b'0').min(9))
    })
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-23 07:59:33 UTC.
    const SECONDS: u64 = 1_795_420_773;

    fn check(text: &str, nanos: u64) {
        assert_eq!(
            of_text(text),
            Some(SECONDS * 1_000_000_000 + nanos),
            "{text}"
        );
    }

    #[test]
    fn numbers_are_told_apart_by_size() {
        check("1795420773", 0);
        check("1795420773.5553243", 555_324_300);
        check("1795420773555.5784", 555_578_400);
        check("1795420773566137", 566_137_000);
        check("1795420773566138686", 566_138_686);
        check("1.795420773e9", 0);
    }

    #[test]
    fn text_with_a_zone_is_read() {
        for text in [
            "2026-11-23T07:59:33Z",
            "2026-11-23 07:59:33 UTC",
            "2026-11-23T08:59:33+0100",
            "2026-11-23T08:59:33+01:00",
            "2026-11-23T06:59:33-01",
            "2026-11-23 08:29:33 +0030",
            "2026/11/23 07:59:33Z",
            " 2026-11-23t07:59:33z ",
        ] {
            check(text, 0);
        }
        check("2026-11-23T07:59:33.566129813Z", 566_129_813);
        check("2026-11-23T07:59:33,5Z", 500_000_000);
        check("2026-11-23T07:59:33.5661298139999Z", 566_129_813);
        assert_eq!(of_text("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(
            of_text("2000-02-29T00:00:00Z"),
            Some(951_782_400_000_000_000)
        );
    }

    #[test]
    fn what_names_no_moment_is_none() {
        for text in [
            "",
            "x",
            "2026-11-23 07:59:33",
            "2026-11-23T07:59:33",
            "2026-11-23",
            "2026-13-23T07:59:33Z",
            "2026-11-23T24:59:33Z",
            "1969-12-31T23:59:59Z",
            "12.5",
            "0.000001",
            "-5",
            "1e400",
            "1e",
            "NaN",
            "inf",
            "99999999999999999999999999",
            "2026-11-23T07:59:33Zx",
            "7:59AM",
        ] {
            assert_eq!(of_text(text), None, "{text}");
        }
    }
}

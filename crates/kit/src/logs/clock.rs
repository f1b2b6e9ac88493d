//! The time of a line, as RFC 3339 in UTC with microseconds.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::time::Duration;

const DAY_S: u64 = 86_400;

thread_local! {
    /// The second that was written last, and how it is written: most lines share it.
    static LAST: RefCell<(u64, String)> = const { RefCell::new((u64::MAX, String::new())) };
}

/// Appends a time since 1970.
pub(super) fn push_time(out: &mut String, since_1970: Duration) {
    let second = since_1970.as_secs();
    LAST.with_borrow_mut(|(last, text)| {
        if *last != second {
            *last = second;
            text.clear();
            push_second(text, second);
        }
        out.push_str(text);
    });
    let mut digits = *b".000000Z";
    let mut rest = since_1970.subsec_micros();
    for digit in digits[1..7].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    out.push_str(std::str::from_utf8(&digits).expect("digits are ASCII"));
}

fn push_second(out: &mut String, second: u64) {
    let (year, month, day) = date(second / DAY_S);
    let of_day = second % DAY_S;
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    let _ = write!(
        out,
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
    );
}

/// Year, month and day of a day since 1970, by the proleptic Gregorian calendar: a year begins in
/// March here, so that the leap day is its last, and 400 years are one period of 146,097 days.
fn date(days_since_1970: u64) -> (u64, u64, u64) {
    // From 0000-03-01 to 1970-01-01.
    let days = days_since_1970 + 719_468;
    let (period, day_of_period) = (days / 146_097, days % 146_097);
    let leap_days = day_of_period / 1_460 - day_of_period / 36_524 + day_of_period / 146_096;
    let year_of_period = (day_of_period - leap_days) / 365;
    let day_of_year =
        day_of_period - (365 * year_of_period + year_of_period / 4 - year_of_period / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    (
        period * 400 + year_of_period + u64::from(month <= 2),
        month,
        day,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(seconds: u64, micros: u64) -> String {
        let mut text = String::new();
        push_time(
            &mut text,
            Duration::from_micros(seconds * 1_000_000 + micros),
        );
        text
    }

    #[test]
    fn times_are_those_of_date() {
        // `date -u -d @N +%FT%T`
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (68_169_600, "1972-02-29T00:00:00.000000Z"),
            (951_782_399, "2000-02-28T23:59:59.000000Z"),
            (951_868_800, "2000-03-01T00:00:00.000000Z"),
            (1_735_689_599, "2024-12-31T23:59:59.000000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000000Z"),
        ] {
            assert_eq!(check(seconds, 0), expected);
        }
        assert_eq!(check(0, 42), "1970-01-01T00:00:00.000042Z");
        assert_eq!(check(0, 999_999), "1970-01-01T00:00:00.999999Z");
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let mut before = (1969, 12, 31);
        for day in 0..200_000 {
            let now = date(day);
            assert!(now > before, "{now:?} after {before:?}");
            assert!((1..=12).contains(&now.1) && (1..=31).contains(&now.2));
            before = now;
        }
        // `date -u -d "1970-01-01 + 199999 days"`
        assert_eq!(before, (2517, 7, 31));
    }
}

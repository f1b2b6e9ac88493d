//! The wall clock of a run, in UTC: reports are read in other places than they are made.

/// Milliseconds of a day.
const DAY_MS: u64 = 86_400_000;

/// A time since 1970 as people read it: `2026-11-23 06:31:00 UTC`.
pub(super) fn readable(unix_ms: u64) -> String {
    written(unix_ms, " ", " UTC")
}

/// The same for machines: `2026-11-23T06:31:00Z`.
pub(super) fn iso(unix_ms: u64) -> String {
    written(unix_ms, "T", "Z")
}

fn written(unix_ms: u64, between: &str, zone: &str) -> String {
    let (year, month, day) = civil(unix_ms / DAY_MS);
    let seconds = unix_ms % DAY_MS / 1_000;
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}{between}{hour:02}:{minute:02}:{second:02}{zone}")
}

/// Year, month and day of a day counted from 1970: `civil_from_days` in Howard Hinnant's
/// "chrono-compatible low-level date algorithms", for days that are not negative.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Months are counted from March, so that the leap day is the last of its year.
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_days_are_right() {
        // As `date -u -d @SECONDS` says them.
        for (seconds, date) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_399, "2000-02-28 23:59:59 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (1_709_164_800, "2024-02-29 00:00:00 UTC"),
            (1_795_415_460, "2026-11-23 06:31:00 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
        ] {
            assert_eq!(readable(seconds * 1_000), date);
        }
        assert_eq!(iso(1_795_415_460_999), "2026-11-23T06:31:00Z");
    }

    #[test]
    fn no_number_is_too_large() {
        readable(u64::MAX);
    }
}

//! The folder of a run's bundle, named after the moment and the service.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// `.shakedown/runs/2026-11-23T06-31-00-orders`, with a number if that exists already.
pub(crate) fn bundle_dir(name: &str) -> PathBuf {
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let runs = Path::new(".shakedown").join("runs");
    let first = runs.join(format!("{}-{name}", utc(seconds)));
    let numbered = |n: u32| runs.join(format!("{}-{name}-{n}", utc(seconds)));
    std::iter::once(first)
        .chain((2..).map(numbered))
        .find(|path| !path.exists())
        .unwrap_or(runs)
}

/// A moment as `2026-11-23T06-31-00`, by the days-to-civil algorithm (Howard Hinnant, "chrono-
/// Compatible Low-Level Date Algorithms").
fn utc(unix_seconds: u64) -> String {
    let (days, rest) = (unix_seconds / 86_400, unix_seconds % 86_400);
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}-{:02}-{:02}",
        rest / 3600,
        rest / 60 % 60,
        rest % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_the_calendar_has_them() {
        assert_eq!(utc(0), "1970-01-01T00-00-00");
        assert_eq!(utc(951_782_399), "2000-02-28T23-59-59");
        assert_eq!(utc(951_782_400), "2000-02-29T00-00-00");
        assert_eq!(utc(1_795_415_460), "2026-11-23T06-31-00");
    }
}

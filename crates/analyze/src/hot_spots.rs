//! Where processor time and memory went: the first question about a slow service.

use shakedown_evidence::{Evidence, ProfileKind, ProfileRecord};
use shakedown_findings::{HotSpot, HotSpotTable, HotSpots, Location};
use shakedown_pprof::{Granularity, Profile, top};

/// Rows of each table.
const ROWS: usize = 5;
/// A function that was met less often at work is as likely one of many as a hot spot.
const SAMPLES_MIN: i64 = 3;

/// The largest functions and sites of the profiles that were taken.
#[must_use]
pub fn hot_spots(seen: &Evidence) -> HotSpots {
    let cpu = decoded(seen, ProfileKind::Cpu);
    let heap = decoded(seen, ProfileKind::Heap);
    let of_heap = |sample_type| {
        heap.as_ref()
            .and_then(|(_, profile)| table(profile, sample_type, Granularity::Line, 1))
    };
    HotSpots {
        cpu: cpu.as_ref().and_then(|(record, profile)| {
            let window_ms = profile
                .duration_nanos
                .try_into()
                .map(|nanos: u64| nanos / 1_000_000)
                .ok()
                .filter(|ms| *ms > 0)
                .or(record.asked_ms);
            let least = profile.period.saturating_mul(SAMPLES_MIN).max(1);
            Some(HotSpotTable {
                window_ms,
                ..table(profile, "cpu", Granularity::Function, least)?
            })
        }),
        inuse_space: of_heap("inuse_space"),
        alloc_objects: of_heap("alloc_objects"),
    }
}

/// The last profile of a kind that can be read; short windows are too few samples.
fn decoded(seen: &Evidence, kind: ProfileKind) -> Option<(&ProfileRecord, Profile)> {
    let mut newest_first = seen
        .profiles
        .iter()
        .rev()
        .filter(|record| record.kind == kind && !record.short);
    newest_first.find_map(|record| {
        let bytes = seen.blobs.get(&record.blob)?;
        Some((record, Profile::decode(bytes).ok()?))
    })
}

/// The largest rows with a value of `least` or more.
fn table(
    profile: &Profile,
    sample_type: &str,
    by: Granularity,
    least: i64,
) -> Option<HotSpotTable> {
    let place = profile.sample_type(Some(sample_type)).ok()?;
    let sums = top(profile, place, by);
    let rows = sums
        .rows
        .iter()
        .filter(|row| row.flat >= least)
        .take(ROWS)
        .map(|row| HotSpot {
            location: Location {
                function: Some(row.name.to_string()),
                file: (!row.file.is_empty()).then(|| row.file.to_string()),
                line: u32::try_from(row.line).ok().filter(|line| *line > 0),
            },
            flat: row.flat,
            cum: row.cum,
        });
    Some(HotSpotTable {
        total: sums.total,
        window_ms: None,
        rows: rows.collect(),
    })
}

#[cfg(test)]
mod tests {
    use shakedown_evidence::{At, Event};
    use shakedown_pprof::{Line, ValueType};

    use super::*;

    /// The functions of a CPU profile with a sample each 10 ms, with so many samples.
    fn check(samples: &[(&str, i64)]) -> (i64, Vec<String>) {
        const PERIOD: i64 = 10_000_000;
        let mut profile = Profile::new(&[("samples", "count"), ("cpu", "nanoseconds")]);
        profile.period = PERIOD;
        profile.period_type = ValueType {
            kind: profile.intern("cpu"),
            unit: profile.intern("nanoseconds"),
        };
        for (name, count) in samples {
            let function = profile.push_function(name, "a.go", 1);
            let line = Line {
                function,
                line: 2,
                column: 0,
            };
            let location = profile.push_location(1, None, &[line]);
            profile.push_sample(&[location], &[*count, count * PERIOD], &[]);
        }
        let mut seen = Evidence::default();
        seen.blobs.insert("cpu".into(), profile.encode());
        seen.apply(Event::Profile(ProfileRecord {
            at: At(0),
            until: At(1),
            kind: ProfileKind::Cpu,
            url: String::new(),
            asked_ms: Some(6000),
            blob: "cpu".into(),
            short: false,
        }));
        let table = hot_spots(&seen).cpu.expect("a table");
        let functions = table.rows.into_iter().map(|row| row.location.function);
        (table.total / PERIOD, functions.flatten().collect())
    }

    #[test]
    fn a_function_that_was_met_once_is_no_hot_spot() {
        assert_eq!(check(&[("a", 1), ("b", 2)]), (3, vec![]));
        assert_eq!(
            check(&[("a", 3), ("b", 9), ("c", 2)]),
            (14, vec!["b".into(), "a".into()])
        );
    }
}

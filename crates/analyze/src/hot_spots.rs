//! Where processor time and memory went: the first question about a slow service.

use shakedown_evidence::{Evidence, ProfileKind, ProfileRecord};
use shakedown_findings::{HotSpot, HotSpotTable, HotSpots, Location};
use shakedown_pprof::{Granularity, Profile, top};

/// Rows of each table.
const ROWS: usize = 5;

/// The largest functions and sites of the profiles that were taken.
#[must_use]
pub fn hot_spots(seen: &Evidence) -> HotSpots {
    let cpu = decoded(seen, ProfileKind::Cpu);
    let heap = decoded(seen, ProfileKind::Heap);
    let of_heap = |sample_type| {
        heap.as_ref()
            .and_then(|(_, profile)| table(profile, sample_type, Granularity::Line))
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
            Some(HotSpotTable {
                window_ms,
                ..table(profile, "cpu", Granularity::Function)?
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

fn table(profile: &Profile, sample_type: &str, by: Granularity) -> Option<HotSpotTable> {
    let place = profile.sample_type(Some(sample_type)).ok()?;
    let sums = top(profile, place, by);
    let rows = sums
        .rows
        .iter()
        .filter(|row| row.flat > 0)
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

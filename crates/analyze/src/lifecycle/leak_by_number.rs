//! LIF001 where there is no pprof: the number of goroutines alone, from the service's own metrics.
//!
//! The number shows that something stays, not what. It proves that nothing does only if it was seen
//! to follow the service: it must rise while requests are under way, or it may come from a cache.

use shakedown_evidence::labels::{BATCHES, HELD, IN_BATCH};
use shakedown_evidence::{At, Evidence, Snapshot, SnapshotForm, url_at};
use shakedown_findings::{Certainty, Exhibit};

use super::batches::{
    HELD_MIN, labels, points_at, proportional, real64, requests_at, short_labels, unanswered,
};
use super::leak_per_request::{RULE, SLOPE};
use crate::Judgement;
use crate::judgement::Found;
use crate::target::repeat;

/// Collecting metrics takes goroutines that are counted, too; background loops come and go.
const NOISE: u64 = 3;

/// Judges the requests of the batches by the number alone.
pub(super) fn judge(seen: &Evidence) -> Judgement {
    let Some(metric) = seen.goroutine_metric() else {
        return Judgement::inconclusive(
            "nobody counts goroutines: there is no pprof endpoint, and no go_goroutines at /metrics",
            "mount pprof on a private listener: shakedown explain pprof-missing",
        );
    };
    let Some(series) = Series::of(seen) else {
        return Judgement::inconclusive(
            format!(
                "{} did not give the number of goroutines after every batch",
                url_at(&metric.reach, "/metrics")
            ),
            "mount pprof on a private listener: shakedown explain pprof-missing",
        );
    };
    if let Some(judgement) = unanswered(seen) {
        return judgement;
    }
    let (first, last) = (series.numbers[0], series.numbers[BATCHES]);
    if let Some(slope) = series.leak() {
        return failed(seen, &series, slope, &metric.reach);
    }
    if !series.follows {
        return Judgement::inconclusive(
            format!(
                "go_goroutines did not rise while requests were under way ({first} before): it may come from a cache"
            ),
            "mount pprof on a private listener: shakedown explain pprof-missing",
        );
    }
    let least = series.numbers.iter().chain([&series.held]).min();
    let most = series.numbers.iter().chain([&series.held]).max();
    if most
        .zip(least)
        .is_some_and(|(most, least)| most - least <= NOISE)
    {
        return Judgement::passed(format!(
            "{} requests in {BATCHES} batches: {first} goroutines before, {last} after, by go_goroutines",
            series.counted()
        ));
    }
    Judgement::inconclusive(
        format!(
            "the number of goroutines went from {first} to {last} over {} requests, and not in proportion to them; which ones, only stacks show",
            series.counted()
        ),
        "mount pprof on a private listener: shakedown explain pprof-missing",
    )
}

/// The numbers after the warm-up and after each batch, with the requests sent until then.
struct Series {
    numbers: Vec<u64>,
    requests: Vec<f64>,
    held: u64,
    /// The number rose while requests were under way.
    follows: bool,
}

impl Series {
    fn of(seen: &Evidence) -> Option<Self> {
        let taken = |label: &str| {
            let mut snapshots = seen.snapshots.iter();
            snapshots.find(|of| of.label == label && of.form == SnapshotForm::Total)
        };
        let labels = labels();
        let snapshots: Vec<&Snapshot> = labels.iter().filter_map(|label| taken(label)).collect();
        if snapshots.len() != BATCHES + 1 {
            return None;
        }
        let moments: Vec<At> = snapshots.iter().map(|snapshot| snapshot.at).collect();
        let held = taken(HELD)?.total;
        // What was counted just before the batch is what it must rise above.
        let follows = seen
            .snapshots
            .iter()
            .enumerate()
            .any(|(position, snapshot)| {
                let before = &seen.snapshots[..position];
                let rest = before.iter().rev().find(|of| of.label != IN_BATCH);
                snapshot.label == IN_BATCH && rest.is_some_and(|rest| snapshot.total > rest.total)
            });
        Some(Self {
            numbers: snapshots.iter().map(|snapshot| snapshot.total).collect(),
            requests: requests_at(seen, &moments),
            held,
            follows,
        })
    }

    /// Goroutines a request, if the number grows in proportion to the requests, and stays.
    fn leak(&self) -> Option<f64> {
        let numbers: Vec<f64> = self.numbers.iter().copied().map(real64).collect();
        let slope = proportional(&self.requests, &numbers)?;
        let rise = numbers[BATCHES] - numbers[0];
        let stays = real64(self.held) - numbers[0] >= rise * HELD_MIN;
        let is_more_than_noise = rise > real64(NOISE);
        (SLOPE.contains(&slope) && stays && is_more_than_noise).then_some(slope)
    }

    fn counted(&self) -> f64 {
        self.requests[BATCHES]
    }
}

fn failed(seen: &Evidence, series: &Series, slope: f64, reach: &str) -> Judgement {
    let labels: Vec<String> = short_labels()
        .into_iter()
        .chain(["held".to_owned()])
        .collect();
    let numbers = series.numbers.iter().chain([&series.held]);
    let numbers: Vec<f64> = numbers.copied().map(real64).collect();
    let found = Found {
        certainty: Certainty::Proven,
        subject: "go_goroutines".into(),
        location: None,
        message: format!(
            "{} goroutines were left behind by {} requests ({slope:.2} a request), by the service's own count. Which ones, only their stacks would show, and there is no pprof to ask.",
            series.numbers[BATCHES] - series.numbers[0],
            series.counted()
        ),
        exhibits: vec![Exhibit::Series {
            title: format!("go_goroutines at {}", url_at(reach, "/metrics")),
            points: points_at(&labels, &numbers),
        }],
        fix: "mount pprof on a private listener, run again, and the finding names the line".into(),
        repeat: repeat(seen, RULE.meta.name),
    };
    Judgement::failed(vec![found.by(&RULE.meta)])
}

#[cfg(test)]
mod tests;

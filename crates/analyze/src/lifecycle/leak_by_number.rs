//! LIF001 where there is no pprof: the number of goroutines alone, from the service's own metrics.
//!
//! The number shows that something stays, not what. It proves that nothing does only if it was seen
//! to follow the service: it must rise while requests are under way, or it may come from a cache.

use shakedown_evidence::labels::{BASE, BATCHES, HELD, IN_BATCH, after};
use shakedown_evidence::{Evidence, Purpose, Snapshot, SnapshotForm};
use shakedown_findings::{Certainty, Exhibit, Point};

use super::leak_per_request::{HELD_MIN, OK_MIN, RULE, SLOPE, number, proportional, real};
use crate::Judgement;
use crate::judgement::Found;
use crate::target::repeat;

/// Collecting metrics takes goroutines that are counted, too; background loops come and go.
const NOISE: u64 = 3;

/// Judges `sent` requests of batches by the number alone.
pub(super) fn judge(seen: &Evidence, sent: usize) -> Judgement {
    let Some(metric) = seen.goroutine_metric() else {
        return Judgement::inconclusive(
            "nobody counts goroutines: there is no pprof endpoint, and no go_goroutines at /metrics",
            "mount pprof on a private listener: shakedown explain pprof-missing",
        );
    };
    let Some(series) = Series::of(seen) else {
        return Judgement::inconclusive(
            format!(
                "http://{}/metrics did not give the number of goroutines after every batch",
                metric.reach
            ),
            "mount pprof on a private listener: shakedown explain pprof-missing",
        );
    };
    let batch = |call: &&shakedown_evidence::Call| call.sent.purpose == Purpose::Batch;
    let ok = seen.calls.iter().filter(batch).filter(|call| call.is_ok());
    let ok = ok.count();
    if real(ok) < real(sent) * OK_MIN {
        return Judgement::not_exercised(
            format!("only {ok} of {sent} requests were answered well"),
            "data that the requests accept: --data '{…}'",
        );
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
        let labels = std::iter::once(BASE.to_owned()).chain((1..=BATCHES).map(after));
        let snapshots: Vec<&Snapshot> = labels.filter_map(|label| taken(&label)).collect();
        if snapshots.len() != BATCHES + 1 {
            return None;
        }
        let base = snapshots[0];
        let sent_until = |until| {
            let sent = seen.calls.iter().map(|call| &call.sent);
            let counted = sent.filter(|sent| {
                sent.purpose == Purpose::Batch && sent.at >= base.at && sent.at <= until
            });
            real(counted.count())
        };
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
            requests: snapshots
                .iter()
                .map(|snapshot| sent_until(snapshot.at))
                .collect(),
            held,
            follows,
        })
    }

    /// Goroutines a request, if the number grows in proportion to the requests, and stays.
    fn leak(&self) -> Option<f64> {
        let numbers: Vec<f64> = self.numbers.iter().copied().map(number).collect();
        let slope = proportional(&self.requests, &numbers)?;
        let rise = numbers[BATCHES] - numbers[0];
        let stays = number(self.held) - numbers[0] >= rise * HELD_MIN;
        let is_more_than_noise = rise > number(NOISE);
        (SLOPE.contains(&slope) && stays && is_more_than_noise).then_some(slope)
    }

    fn counted(&self) -> f64 {
        self.requests[BATCHES]
    }
}

fn failed(seen: &Evidence, series: &Series, slope: f64, reach: &str) -> Judgement {
    let labels = std::iter::once("base".to_owned())
        .chain((1..=BATCHES).map(|batch| format!("batch {batch}")))
        .chain(["held".to_owned()]);
    let numbers = series.numbers.iter().chain([&series.held]);
    let points = labels.zip(numbers).map(|(label, value)| Point {
        label,
        value: number(*value),
    });
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
            title: format!("go_goroutines at http://{reach}/metrics"),
            points: points.collect(),
        }],
        fix: "mount pprof on a private listener, run again, and the finding names the line".into(),
        repeat: repeat(seen, RULE.meta.name),
    };
    Judgement::failed(vec![found.by(&RULE.meta)])
}

#[cfg(test)]
mod tests;

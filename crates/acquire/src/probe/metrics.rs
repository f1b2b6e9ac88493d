//! The number of goroutines, as the service's own metrics give it.

use std::time::Duration;

use http::StatusCode;
use shakedown_evidence::{Event, ProbeKind, Snapshot, SnapshotForm, parse_total, url_at};

use super::h1::{self, Ask, Bounds};
use super::{Headers, TraceParent};
use crate::Recorder;

/// Services with many series have pages of some megabytes.
const PAGE: Bounds = Bounds::whole(32 << 20);
/// For one page; scrapers give up after ten seconds, too.
const PATIENCE: Duration = Duration::from_secs(10);
/// A page is collected by goroutines of its own, which are counted as well, now one, now two: of so
/// many pages the least is taken.
const PAGES: usize = 3;

/// Counts goroutines and records [`Event::Snapshot`], or why there is none.
pub async fn goroutine_total(recorder: &Recorder, reach: &str, headers: &Headers, label: &str) {
    let at = recorder.now();
    let mut least = None;
    for _ in 0..PAGES {
        match page(recorder, reach, headers).await {
            Ok(total) => least = Some(least.map_or(total, |least: u64| least.min(total))),
            Err(why) => {
                let url = url_at(reach, "/metrics");
                return recorder.failed(ProbeKind::Goroutines, url, why);
            }
        }
    }
    if let Some(total) = least {
        recorder.record(Event::Snapshot(Snapshot {
            at,
            until: recorder.now(),
            form: SnapshotForm::Total,
            label: label.to_owned(),
            total,
            groups: Vec::new(),
            truncated: false,
        }));
    }
}

async fn page(recorder: &Recorder, reach: &str, headers: &Headers) -> Result<u64, String> {
    // As for profiles: a trace that is known as ours.
    let known = recorder.read(|seen| {
        let facts = seen.facts_of(reach)?;
        facts.probe_traces.first().cloned()
    });
    let trace = known.map_or_else(TraceParent::fresh, |id| TraceParent::within(&id));
    let ask = Ask::get("/metrics", headers.with(&trace));
    let answer = h1::ask(reach, ask, PAGE, PATIENCE).await;
    let answer = answer.map_err(|failure| failure.to_string())?;
    if answer.status != StatusCode::OK {
        return Err(format!("answered {}", answer.status));
    }
    parse_total(&answer.text())
        .ok_or_else(|| "the number of goroutines is not there any more".to_owned())
}

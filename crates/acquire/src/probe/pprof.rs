//! Taking profiles and counting goroutines over net/http/pprof.

use std::time::Duration;

use http::StatusCode;
use shakedown_evidence::{
    Event, LiveHeap, ParsedGoroutines, PprofEndpoint, ProbeKind, ProfileKind, ProfileRecord,
    Snapshot, SnapshotForm, check_profile, parse_counts, parse_full, parse_heap,
};
use tokio::task::spawn_blocking;

use super::h1::{self, Answer, Ask, Bounds, Failure};
use super::{Headers, TraceParent};
use crate::Recorder;

/// No profile of the field is larger; a full goroutine dump stops here by itself.
const BODY: Bounds = Bounds::whole(64 << 20);
/// What a profile may take beyond its window: a large heap takes seconds to write out.
const BEYOND_WINDOW: Duration = Duration::from_secs(10);
/// Measured: 11,000 goroutines take 0.2 s with debug=1, 2.2 s with debug=2.
const GOROUTINES: Duration = Duration::from_secs(20);
/// Shown of what a server says about its refusal.
const SHOWN: usize = 200;

/// Takes a profile and records [`Event::Profile`], or why there is none. `window` is for CPU
/// profiles, rounded up to seconds.
pub async fn profile(
    recorder: &Recorder,
    endpoint: &PprofEndpoint,
    headers: &Headers,
    kind: ProfileKind,
    window: Option<Duration>,
) {
    take(recorder, endpoint, headers, kind, window, false).await;
}

/// Takes a CPU profile that is compared with others of its kind.
pub async fn short_window(
    recorder: &Recorder,
    endpoint: &PprofEndpoint,
    headers: &Headers,
    window: Duration,
) {
    let kind = ProfileKind::Cpu;
    take(recorder, endpoint, headers, kind, Some(window), true).await;
}

async fn take(
    recorder: &Recorder,
    endpoint: &PprofEndpoint,
    headers: &Headers,
    kind: ProfileKind,
    window: Option<Duration>,
    short: bool,
) {
    let window = window.filter(|_| kind == ProfileKind::Cpu);
    let seconds = window.map(|window| window.as_millis().div_ceil(1000).max(1));
    let (path, probe, blob) = match (kind, seconds) {
        (ProfileKind::Cpu, Some(seconds)) => (
            format!("profile?seconds={seconds}"),
            ProbeKind::Cpu,
            "cpu.pb.gz",
        ),
        (ProfileKind::Cpu, None) => ("profile".to_owned(), ProbeKind::Cpu, "cpu.pb.gz"),
        (ProfileKind::Heap, _) => ("heap".to_owned(), ProbeKind::Heap, "heap.pb.gz"),
    };
    // Without a number the handler takes 30 s.
    let window = window.unwrap_or(if kind == ProfileKind::Cpu {
        Duration::from_secs(30)
    } else {
        Duration::ZERO
    });
    let url = url(endpoint, &path);
    let at = recorder.now();
    let came = fetch(recorder, endpoint, headers, &path, window + BEYOND_WINDOW).await;
    let until = recorder.now();
    let checked = match came {
        Ok(bytes) => spawn_blocking(move || {
            check_profile(kind, &bytes)
                .map(|()| bytes)
                .map_err(|why| not_a_profile(&why))
        })
        .await
        .unwrap_or_else(|_| Err("the profile could not be checked: our own bug".to_owned())),
        Err(why) => Err(why),
    };
    match checked {
        Ok(bytes) => {
            let blob = recorder.numbered_blob(blob, bytes.into());
            let asked_ms = seconds.map(|seconds| u64::try_from(seconds * 1000).unwrap_or(u64::MAX));
            recorder.record(Event::Profile(ProfileRecord {
                at,
                until,
                kind,
                url,
                asked_ms,
                blob,
                short,
            }));
        }
        Err(why) => recorder.failed(probe, url, why),
    }
}

/// Counts goroutines and records [`Event::Snapshot`], or why there is none.
///
/// The full form stops the world for 0.2 ms a goroutine: its caller has looked at the last total.
pub async fn snapshot(
    recorder: &Recorder,
    endpoint: &PprofEndpoint,
    headers: &Headers,
    form: SnapshotForm,
    label: &str,
) {
    let path = match form {
        SnapshotForm::Counts => "goroutine?debug=1",
        SnapshotForm::Full => "goroutine?debug=2",
    };
    let at = recorder.now();
    let came = fetch(recorder, endpoint, headers, path, GOROUTINES).await;
    let until = recorder.now();
    let parse = move |bytes: &[u8]| match form {
        SnapshotForm::Counts => parse_counts(bytes),
        SnapshotForm::Full => parse_full(bytes),
    };
    let parsed = match came {
        Ok(bytes) => spawn_blocking(move || parse(&bytes).map_err(|why| not_a_profile(&why)))
            .await
            .unwrap_or_else(|_| Err("the goroutines could not be read: our own bug".to_owned())),
        Err(why) => Err(why),
    };
    match parsed {
        Ok(ParsedGoroutines {
            total,
            groups,
            truncated,
        }) => {
            let label = label.to_owned();
            let snapshot = Snapshot {
                at,
                until,
                form,
                label,
                total,
                groups: Vec::new(),
                truncated,
            };
            recorder.snapshot(snapshot, groups);
        }
        Err(why) => recorder.failed(ProbeKind::Goroutines, url(endpoint, path), why),
    }
}

/// Sees what is alive on the heap and records [`Event::LiveHeap`], or why it could not be seen.
///
/// Two collections: what a sync.Pool holds, and what a finalizer lets go, outlives the first.
pub async fn live_heap(
    recorder: &Recorder,
    endpoint: &PprofEndpoint,
    headers: &Headers,
    label: String,
) {
    let path = "heap?gc=1&debug=1";
    let at = recorder.now();
    let first = fetch(recorder, endpoint, headers, path, BEYOND_WINDOW).await;
    let came = match first {
        Ok(_) => fetch(recorder, endpoint, headers, path, BEYOND_WINDOW).await,
        Err(why) => Err(why),
    };
    let until = recorder.now();
    let parsed = match came {
        Ok(bytes) => spawn_blocking(move || parse_heap(&bytes))
            .await
            .unwrap_or_else(|_| Err("the heap could not be read: our own bug".to_owned())),
        Err(why) => Err(why),
    };
    match parsed {
        Ok(heap) => {
            let live = LiveHeap {
                at,
                until,
                label,
                bytes: heap.bytes,
                objects: heap.objects,
                sites: Vec::new(),
            };
            recorder.live_heap(live, heap.sites);
        }
        Err(why) => recorder.failed(ProbeKind::Heap, url(endpoint, path), why),
    }
}

fn url(endpoint: &PprofEndpoint, path: &str) -> String {
    endpoint.url(path)
}

async fn fetch(
    recorder: &Recorder,
    endpoint: &PprofEndpoint,
    headers: &Headers,
    path: &str,
    within: Duration,
) -> Result<bytes::Bytes, String> {
    // The trace under which the listener was asked what it speaks: its spans are known as ours.
    let known = recorder.read(|seen| {
        seen.facts_of(&endpoint.reach)
            .and_then(|facts| facts.probe_traces.first().cloned())
    });
    let trace = known.map_or_else(TraceParent::fresh, |id| TraceParent::within(&id));
    let ask = Ask::get(&format!("{}{path}", endpoint.prefix), headers.with(&trace));
    match h1::ask(&endpoint.reach, ask, BODY, within).await {
        Err(failure) => Err(broken(&failure)),
        Ok(answer) if answer.more => Err(format!(
            "the answer is longer than {} MiB and was left there; no profile is: does something else answer at this path?",
            BODY.read >> 20
        )),
        Ok(answer) if answer.status == StatusCode::OK => Ok(answer.body),
        Ok(answer) => Err(refused(&answer)),
    }
}

fn not_a_profile(why: &str) -> String {
    let remedy = if why.contains("HTML") {
        "; a page of the application answers at this path: give the path of net/http/pprof with `pprof`"
    } else if why.contains("early") || why.contains("damaged") {
        "; something on the way cut it: a middleware with a time limit, or a proxy"
    } else if why.contains("malformed") {
        "; does something else than net/http/pprof answer at this path?"
    } else {
        ""
    };
    format!("{why}{remedy}")
}

fn broken(failure: &Failure) -> String {
    let remedy = match failure {
        Failure::Connect(_) => "; has the service stopped, or moved its pprof listener?",
        Failure::Empty => {
            "; http.Server.WriteTimeout below the window does this behind a ResponseWriter wrapper without Unwrap: raise it on the private listener"
        }
        Failure::Cut { .. } => {
            "; a middleware with a time limit, a proxy or the end of the process cut it"
        }
        Failure::Silent(_) | Failure::Slow { .. } => {
            "; does the handler hang, or is the process stopped or out of processor time?"
        }
        Failure::NotHttp(_) => "; is this the right port?",
        Failure::Unsendable(_) => "; correct `pprof` in the configuration",
    };
    format!("{failure}{remedy}")
}

fn refused(answer: &Answer) -> String {
    let said: String = answer
        .text()
        .trim()
        .chars()
        .filter(|c| !c.is_control())
        .take(SHOWN)
        .collect();
    let status = answer.status;
    let remedy = if said.contains("already in use") {
        "another profiler runs: stop the continuous profiler or the other `go tool pprof` for the length of the window, then run again"
    } else if said.contains("WriteTimeout") {
        "raise http.Server.WriteTimeout above the window on the private listener, or build with Go 1.23 or later, whose handler extends it"
    } else {
        match status {
            StatusCode::NOT_FOUND => {
                "mount the handler, such as mux.HandleFunc(\"/debug/pprof/profile\", pprof.Profile)"
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => "give credentials with `headers`",
            StatusCode::SERVICE_UNAVAILABLE => {
                "http.TimeoutHandler does this: keep it off the pprof handlers"
            }
            _ => "look into the service's log",
        }
    };
    if said.is_empty() || said.starts_with('<') {
        format!("answered {status}; {remedy}")
    } else {
        format!("answered {status} ({said}); {remedy}")
    }
}

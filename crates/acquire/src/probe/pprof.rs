//! Taking profiles and counting goroutines over net/http/pprof.

use std::time::Duration;

use http::StatusCode;
use shakedown_evidence::{
    Contention, Event, LiveHeap, ParsedGoroutines, PprofEndpoint, ProbeKind, ProfileKind,
    ProfileRecord, Snapshot, SnapshotForm, Waiting, Window, WindowEnd, WindowKind, check_profile,
    parse_contention, parse_counts, parse_full, parse_heap,
};
use tokio::task::spawn_blocking;

use super::h1::{self, Answer, Ask, Bounds, Failure};
use super::{Headers, TraceParent, pprof_window};
use crate::{Recorder, Why};

/// No profile of the field is larger; a full goroutine dump stops here by itself.
const BODY: Bounds = Bounds::whole(64 << 20);
/// What a profile may take beyond its window: a large heap takes seconds to write out.
pub(super) const BEYOND_WINDOW: Duration = Duration::from_secs(10);
/// Measured: 11,000 goroutines take 0.2 s with debug=1, 2.2 s with debug=2.
const GOROUTINES: Duration = Duration::from_secs(20);
/// The block and the mutex profile have few stacks.
const CONTENTION: Duration = Duration::from_secs(5);
/// Read of the block and the mutex profile: what they say of themselves stands first.
const HEAD: Bounds = Bounds::whole(256 << 10);
/// Shown of what a server says about its refusal.
const SHOWN: usize = 200;

/// Takes a profile and records [`Event::Profile`], or why there is none; of a CPU profile also
/// [`Event::Window`]. `window` is for CPU profiles, rounded up to seconds.
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
    // Without a number the handler takes 30 s.
    let seconds = match kind {
        ProfileKind::Cpu => Some(window.map_or(30, pprof_window::whole_seconds)),
        ProfileKind::Heap => None,
    };
    let (path, probe, blob) = match (kind, seconds) {
        (ProfileKind::Cpu, seconds) => (
            format!("profile?seconds={}", seconds.unwrap_or(30)),
            ProbeKind::Cpu,
            "cpu.pb.gz",
        ),
        (ProfileKind::Heap, _) => ("heap".to_owned(), ProbeKind::Heap, "heap.pb.gz"),
    };
    let patience = Duration::from_secs(seconds.unwrap_or(0)) + BEYOND_WINDOW;
    let at = recorder.now();
    let came = ask(
        recorder,
        endpoint,
        headers,
        &path,
        BODY,
        patience,
        &mut |_| true,
    )
    .await;
    let until = recorder.now();
    let of_window = came.as_ref().map(pprof_window::of_answer);
    let of_window = of_window.unwrap_or_else(|failure| Some(pprof_window::of_failure(failure)));
    let size = came.as_ref().map_or(0, |answer| answer.body.len());
    let checked = match whole(came) {
        Ok(bytes) => spawn_blocking(move || {
            let checked = check_profile(kind, &bytes);
            checked.map(|recorded_ms| (bytes, recorded_ms))
        })
        .await
        .unwrap_or_else(|_| Err("the profile could not be checked: our own bug".to_owned()))
        .map_err(|why| (pprof_window::of_content(&why), not_a_profile(&why).into())),
        Err(why) => Err((
            WindowEnd::Foreign {
                why: why.text.clone(),
            },
            why,
        )),
    };
    // Whether a window as long as one wants can be had is asked of long ones.
    if let Some(seconds) = seconds.filter(|_| !short) {
        let of_content = checked.as_ref().err().map(|(end, _)| end.clone());
        recorder.record(Event::Window(Window {
            at,
            until,
            kind: WindowKind::Cpu,
            reach: endpoint.reach.clone(),
            path: format!("{}{path}", endpoint.prefix),
            asked_ms: seconds.saturating_mul(1000),
            end: of_window.or(of_content).unwrap_or(WindowEnd::Whole),
            bytes: size as u64,
            recorded_ms: checked
                .as_ref()
                .ok()
                .and_then(|(_, recorded_ms)| *recorded_ms),
        }));
    }
    match checked {
        Ok((bytes, _)) => {
            let blob = recorder.numbered_blob(blob, bytes.into());
            recorder.record(Event::Profile(ProfileRecord {
                at,
                until,
                kind,
                url: url(endpoint, &path),
                asked_ms: seconds.map(|seconds| seconds.saturating_mul(1000)),
                blob,
                short,
            }));
        }
        Err((_, why)) => recorder.failed(probe, url(endpoint, &path), why),
    }
}

/// Reads the head of the block or the mutex profile and records [`Event::Contention`], or why it
/// could not be read.
pub async fn contention(
    recorder: &Recorder,
    endpoint: &PprofEndpoint,
    headers: &Headers,
    profile: Waiting,
) {
    let path = format!("{}?debug=1", profile.endpoint());
    let url = url(endpoint, &path);
    let at = recorder.now();
    let came = ask(
        recorder,
        endpoint,
        headers,
        &path,
        HEAD,
        CONTENTION,
        &mut |_| true,
    )
    .await;
    let text = match came {
        // The end of a long text is not needed.
        Ok(answer) if answer.status == StatusCode::OK => Ok(answer.text()),
        Ok(answer) => Err(refused(&answer)),
        Err(failure) => Err(broken(&failure).into()),
    };
    match text.and_then(|text| Ok(parse_contention(profile, &text)?)) {
        Ok((period, stacks)) => recorder.record(Event::Contention(Contention {
            at,
            profile,
            url,
            period,
            stacks,
        })),
        Err(why) => recorder.failed(ProbeKind::Contention, url, why),
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
        SnapshotForm::Counts | SnapshotForm::Total => "goroutine?debug=1",
        SnapshotForm::Full => "goroutine?debug=2",
    };
    let at = recorder.now();
    let came = fetch(recorder, endpoint, headers, path, GOROUTINES).await;
    let until = recorder.now();
    let parse = move |bytes: &[u8]| match form {
        SnapshotForm::Counts | SnapshotForm::Total => parse_counts(bytes),
        SnapshotForm::Full => parse_full(bytes),
    };
    let parsed = match came {
        Ok(bytes) => spawn_blocking(move || parse(&bytes).map_err(|why| not_a_profile(&why)))
            .await
            .unwrap_or_else(|_| Err("the goroutines could not be read: our own bug".to_owned()))
            .map_err(Why::from),
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
            .unwrap_or_else(|_| Err("the heap could not be read: our own bug".to_owned()))
            .map_err(Why::from),
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

pub(super) fn url(endpoint: &PprofEndpoint, path: &str) -> String {
    endpoint.url(path)
}

async fn fetch(
    recorder: &Recorder,
    endpoint: &PprofEndpoint,
    headers: &Headers,
    path: &str,
    within: Duration,
) -> Result<bytes::Bytes, Why> {
    whole(
        ask(recorder, endpoint, headers, path, BODY, within, &mut |_| {
            true
        })
        .await,
    )
}

pub(super) async fn ask(
    recorder: &Recorder,
    endpoint: &PprofEndpoint,
    headers: &Headers,
    path: &str,
    bounds: Bounds,
    within: Duration,
    each: &mut (dyn FnMut(&[u8]) -> bool + Send),
) -> Result<Answer, Failure> {
    // The trace under which the listener was asked what it speaks: its spans are known as ours.
    let known = recorder.read(|seen| {
        seen.facts_of(&endpoint.reach)
            .and_then(|facts| facts.probe_traces.first().cloned())
    });
    let trace = known.map_or_else(TraceParent::fresh, |id| TraceParent::within(&id));
    let ask = Ask::get(&format!("{}{path}", endpoint.prefix), headers.with(&trace));
    h1::ask_through(&endpoint.reach, ask, bounds, within, each).await
}

fn whole(came: Result<Answer, Failure>) -> Result<bytes::Bytes, Why> {
    match came {
        Err(failure) => Err(broken(&failure).into()),
        Ok(answer) if answer.more => Err(Why::from(format!(
            "the answer is longer than {} MiB and was left there; no profile is: does something else answer at this path?",
            BODY.read >> 20
        ))),
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

pub(super) fn broken(failure: &Failure) -> String {
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

pub(super) fn refused(answer: &Answer) -> Why {
    let said = said(answer);
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
    let text = if said.is_empty() || said.starts_with('<') {
        format!("answered {status}; {remedy}")
    } else {
        format!("answered {status} ({said}); {remedy}")
    };
    Why {
        text,
        status: Some(status.as_u16()),
    }
}

/// The beginning of what an answer says.
pub(super) fn said(answer: &Answer) -> String {
    let text = answer.text();
    let plain = text.trim().chars().filter(|c| !c.is_control());
    plain.take(SHOWN).collect()
}

//! Profiles over a window of time: what came, told apart by what it proves.
//!
//! The execution trace is read to its end and not kept: it is as large as the service is busy, and
//! only its length and its ending are judged.

use std::time::Duration;

use http::StatusCode;
use shakedown_evidence::{
    Ending, Event, Extent, ExtentReader, PprofEndpoint, ProbeKind, Window, WindowEnd, WindowKind,
};

use super::Headers;
use super::h1::{Answer, Bounds, Failure};
use super::pprof::{BEYOND_WINDOW, ask, broken, refused, said, url};
use crate::{Recorder, Why};

/// Of a trace nothing is kept but its beginning, for what is no trace. The busiest services write
/// some ten megabytes a second; beyond this somebody else had better look.
const TRACE: Bounds = Bounds {
    keep: 4 << 10,
    read: 1 << 30,
};

/// The length of a window as the handler takes it.
pub(super) fn whole_seconds(window: Duration) -> u64 {
    u64::try_from(window.as_millis().div_ceil(1000)).map_or(u64::MAX, |seconds| seconds.max(1))
}

/// Takes an execution trace and records [`Event::Window`]; where it was not whole, also why.
pub async fn trace(
    recorder: &Recorder,
    endpoint: &PprofEndpoint,
    headers: &Headers,
    window: Duration,
) {
    let seconds = whole_seconds(window);
    let path = format!("trace?seconds={seconds}");
    let patience = Duration::from_secs(seconds) + BEYOND_WINDOW;
    let mut reader = ExtentReader::default();
    let mut bytes = 0_u64;
    let mut each = |piece: &[u8]| {
        bytes += piece.len() as u64;
        reader.feed(piece);
        // What is no trace is not read to its end, which it may not have.
        !reader.is_foreign()
    };
    let at = recorder.now();
    let came = ask(
        recorder, endpoint, headers, &path, TRACE, patience, &mut each,
    )
    .await;
    let until = recorder.now();
    let is_foreign = reader.is_foreign();
    let extent = reader.end();
    let (end, told) = match &came {
        Err(failure) => (of_failure(failure), Some(Why::from(broken(failure)))),
        Ok(answer) if answer.more && !is_foreign => {
            let why = format!(
                "the trace is longer than {} MiB and was left there",
                TRACE.read >> 20
            );
            (WindowEnd::Unseen { why: why.clone() }, Some(why.into()))
        }
        Ok(answer) => match of_answer(answer) {
            Some(end) => (end, Some(refused(answer))),
            None => {
                let (end, told) = of_trace(&extent, answer);
                (end, told.map(Why::from))
            }
        },
    };
    if let Some(why) = told {
        recorder.failed(ProbeKind::Trace, url(endpoint, &path), why);
    }
    recorder.record(Event::Window(Window {
        at,
        until,
        kind: WindowKind::Trace,
        reach: endpoint.reach.clone(),
        path: format!("{}{path}", endpoint.prefix),
        asked_ms: seconds.saturating_mul(1000),
        end,
        bytes,
        recorded_ms: extent
            .recorded
            .and_then(|recorded| u64::try_from(recorded.as_millis()).ok()),
    }));
}

/// What an answer with a body that came to its end is, and what there is to tell of it.
fn of_trace(extent: &Extent, answer: &Answer) -> (WindowEnd, Option<String>) {
    let why = match (extent.ending, extent.version) {
        (Ending::Whole, _) if extent.batches > 0 => return (WindowEnd::Whole, None),
        // Older than the format that is read here: the answer came to its end.
        (Ending::Foreign, Some(..22)) => return (WindowEnd::Whole, None),
        (Ending::Whole | Ending::Cut, _) => {
            let why = format!("the trace ends within its batch {}", extent.batches + 1);
            return (WindowEnd::Cut { why: why.clone() }, Some(why));
        }
        (Ending::Foreign, Some(_)) => {
            format!(
                "something else than a batch follows batch {}",
                extent.batches
            )
        }
        (Ending::Foreign, None) if answer.body.starts_with(b"<") => {
            "the answer is an HTML page".to_owned()
        }
        (Ending::Foreign, None) => "the answer does not begin like a Go trace".to_owned(),
    };
    let told = format!("{why}; does something else than net/http/pprof answer at this path?");
    (WindowEnd::Foreign { why }, Some(told))
}

/// What no answer, or no whole one, means for a window.
pub(super) fn of_failure(failure: &Failure) -> WindowEnd {
    let why = failure.to_string();
    match failure {
        Failure::Empty => WindowEnd::Empty,
        Failure::Cut { .. } => WindowEnd::Cut { why },
        Failure::NotHttp(_) => WindowEnd::Foreign { why },
        Failure::Connect(_)
        | Failure::Unsendable(_)
        | Failure::Silent(_)
        | Failure::Slow { .. } => WindowEnd::Unseen { why },
    }
}

/// What an answer means whatever is in it; nothing if that depends on the profile.
pub(super) fn of_answer(answer: &Answer) -> Option<WindowEnd> {
    if answer.status != StatusCode::OK {
        return Some(WindowEnd::Refused {
            status: answer.status.as_u16(),
            said: said(answer),
        });
    }
    let why = "the answer has no body".to_owned();
    answer.body.is_empty().then_some(WindowEnd::Cut { why })
}

/// What a whole answer is that cannot be read as a profile; `why` comes from its reader.
pub(super) fn of_content(why: &str) -> WindowEnd {
    let why = why.to_owned();
    if why.contains("early") {
        WindowEnd::Cut { why }
    } else {
        WindowEnd::Foreign { why }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_whole_seconds() {
        for (window, seconds) in [(0, 1), (1, 1), (1000, 1), (1001, 2), (30_000, 30)] {
            assert_eq!(whole_seconds(Duration::from_millis(window)), seconds);
        }
    }
}

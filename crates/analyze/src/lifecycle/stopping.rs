//! What the rules over a stop have in common.

use std::time::Duration;

use shakedown_evidence::{Consent, Evidence, Stack};
use shakedown_findings::Location;

use crate::{Judgement, exhibits};

/// The judgement of a run in which nobody told the service to stop.
pub(super) fn not_stopped(seen: &Evidence) -> Judgement {
    let early = seen.target_exit().filter(|exit| !exit.expected);
    match early {
        Some(_) => Judgement::inconclusive(
            "the service ended by itself before it was told to",
            "a service that stays up: see its last lines",
        ),
        None => match seen.run.access.refusal(Consent::Stop) {
            Some((why, to_prove)) => Judgement::not_exercised(why, to_prove),
            None => Judgement::not_exercised(
                "the service was not told to stop",
                "start the service with `-- COMMAND`",
            ),
        },
    }
}

/// The goroutine of a dump taken during the stop that `test` holds for, with its place.
pub(super) fn waiting(
    seen: &Evidence,
    test: impl Fn(&Stack) -> bool,
) -> Option<(Location, &Stack)> {
    let dump = seen
        .snapshots
        .iter()
        .rev()
        .find(|snapshot| snapshot.label == shakedown_evidence::labels::STOP)?;
    let mut stacks = dump
        .groups
        .iter()
        .filter_map(|group| seen.stacks.get(group.stack));
    let found = stacks.find(|stack| test(stack))?;
    let place = exhibits::own_place(seen, found)?;
    Some((exhibits::location(place), found))
}

/// `12 ms`, `1.2 s`.
pub(super) fn seconds(duration: Duration) -> String {
    if duration < Duration::from_millis(100) {
        return milliseconds(duration);
    }
    format!("{:.1} s", duration.as_secs_f64())
}

/// `0.4 ms`, `12 ms`, `1.2 s`.
pub(super) fn milliseconds(duration: Duration) -> String {
    match duration.as_millis() {
        0 => format!("{:.1} ms", duration.as_secs_f64() * 1000.0),
        1..1000 => format!("{} ms", duration.as_millis()),
        _ => format!("{:.1} s", duration.as_secs_f64()),
    }
}

/// Runs with a stop, built for the tests of the rules.
#[cfg(test)]
pub(super) mod built {
    use shakedown_evidence::{
        At, CallBody, CallEnd, CallEnded, CallSent, Event, Evidence, Purpose, Request, RequestKind,
        StopReport,
    };

    /// The signal comes two seconds after the beginning.
    pub(in crate::lifecycle) const SIGNAL_MS: u64 = 2000;
    pub(in crate::lifecycle) const OK: CallEnd = CallEnd::Http { status: 200 };

    pub(in crate::lifecycle) fn http(line: &str, body: &str) -> RequestKind {
        let (method, target) = line.split_once(' ').expect("METHOD /path");
        RequestKind::Http {
            method: method.into(),
            target: target.into(),
            body: body.into(),
        }
    }

    /// A run of these requests, each at a listener of its own, each answered well in traffic.
    pub(in crate::lifecycle) fn run(kinds: impl IntoIterator<Item = RequestKind>) -> Evidence {
        let mut seen = Evidence::default();
        seen.run.grace_ms = 4000;
        for (position, kind) in kinds.into_iter().enumerate() {
            seen.run.requests.push(Request {
                kind,
                deadline_ms: None,
                repeat_safe: true,
                given: true,
            });
            call(&mut seen, position, Purpose::Traffic, 100, Some((105, OK)));
        }
        seen
    }

    /// A call with its times in milliseconds; its number.
    pub(in crate::lifecycle) fn call(
        seen: &mut Evidence,
        request: usize,
        purpose: Purpose,
        sent_ms: u64,
        end: Option<(u64, CallEnd)>,
    ) -> u32 {
        let id = u32::try_from(seen.calls.len()).expect("few calls");
        seen.apply(Event::CallSent(CallSent {
            id,
            request,
            purpose,
            at: At(sent_ms * 1000),
            reach: format!("h:{request}"),
            trace_id: String::new(),
            span_id: String::new(),
            deadline_ms: None,
            cancel_after_ms: None,
        }));
        if let Some((at_ms, end)) = end {
            let at = At(at_ms * 1000);
            seen.apply(Event::CallEnded(CallEnded { id, at, end }));
        }
        id
    }

    /// Half of a call's body went out.
    pub(in crate::lifecycle) fn half(seen: &mut Evidence, id: u32, at_ms: u64) {
        seen.apply(Event::CallBody(CallBody {
            id,
            at: At(at_ms * 1000),
            sent: 1,
            of: 2,
        }));
    }

    /// How the stop went.
    pub(in crate::lifecycle) fn stop(seen: &mut Evidence, gone_ms: Option<u64>, until_ms: u64) {
        seen.apply(Event::Stop(StopReport {
            at: At(SIGNAL_MS * 1000),
            signal: "SIGTERM".into(),
            pid: 7,
            gone: gone_ms.map(|ms| At(ms * 1000)),
            until: At(until_ms * 1000),
        }));
    }
}

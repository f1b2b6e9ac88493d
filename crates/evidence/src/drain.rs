//! What was under way when the service was told to stop, and what became of it.
//!
//! In flight is a request that the service must have taken: sent whole, or but for the second half
//! of its body, [`TAKEN`] before the signal, and not answered at the signal. What was sent later may
//! meet a closed listener or a connection that is just being closed; no drain can answer all of
//! that, so it is counted and nothing more. A request of which only half of the *head* was sent is
//! not in flight either: net/http closes such a connection in its shutdown, rightly.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{At, Call, CallEnd, Evidence, Purpose, Stack};

/// A request that is so old has been accepted and read, on two cores beside other work: of 40
/// stops under 16 kept-alive clients each, all that lost a request had sent it after the signal or
/// less than 5 ms before it.
pub const TAKEN: Duration = Duration::from_millis(50);

/// So much of a request's body had gone out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallBody {
    /// [`crate::CallSent::id`].
    pub id: u32,
    /// When.
    pub at: At,
    /// Bytes that had gone out, with the head before them.
    pub sent: u64,
    /// Bytes of the whole body.
    pub of: u64,
}

/// A signal was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signalled {
    /// Just before it was sent.
    pub at: At,
    /// Its name.
    pub signal: String,
    /// Process that it was sent to.
    pub pid: u32,
}

/// The process that was signalled has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gone {
    /// When.
    pub at: At,
    /// The process.
    pub pid: u32,
}

/// The sockets of a service that was told to stop and is still there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainLook {
    /// When.
    pub at: At,
    /// Listeners that are still open, as [`crate::Listener::reach`].
    pub listening: Vec<String>,
    /// Connections that others hold to its listeners, a few of them.
    pub clients: Vec<Client>,
}

/// A connection that somebody has made to the service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// The service's end, as `address:port`.
    pub local: String,
    /// The other end.
    pub remote: String,
}

/// A request that was in flight at the signal.
#[derive(Debug, Clone, Copy)]
pub struct InFlight<'a> {
    /// The request.
    pub call: &'a Call,
    /// Its body was half sent.
    pub half: bool,
    /// The stall that held back what its handler waited for, until a little after the signal.
    pub behind: Option<&'a str>,
    /// How long before the signal it had gone out.
    pub age: Duration,
}

/// What became of a request in flight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It was answered.
    Answered,
    /// It was not, or refused because the service stops.
    Dropped(String),
    /// We ended the wait, or the process, before it could be seen.
    Unknown,
}

/// The requests that were in flight when the signal was sent at `signal`.
#[must_use]
pub fn in_flight(seen: &Evidence, signal: At) -> Vec<InFlight<'_>> {
    let of_stop = |call: &&Call| call.sent.purpose == Purpose::Stop;
    seen.calls
        .iter()
        .filter(of_stop)
        .filter_map(|call| {
            let half = half_sent(seen, call.sent.id);
            let out = half.map_or(call.sent.at, |body| body.at.max(call.sent.at));
            let open = call.ended.as_ref().is_none_or(|ended| ended.at > signal);
            (open && out + TAKEN <= signal).then(|| InFlight {
                call,
                half: half.is_some(),
                behind: seen.held_back(call).map(|(stall, _)| stall),
                age: signal - out,
            })
        })
        .collect()
}

/// Requests of the stop that were sent too late to be in flight.
pub fn late(seen: &Evidence, signal: At) -> impl Iterator<Item = &Call> {
    let of_stop = |call: &&Call| call.sent.purpose == Purpose::Stop;
    seen.calls
        .iter()
        .filter(of_stop)
        .filter(move |call| call.sent.at + TAKEN > signal)
}

/// The first half of a request's body, if its second was held back.
fn half_sent(seen: &Evidence, id: u32) -> Option<&CallBody> {
    let first = seen.bodies.iter().find(|body| body.id == id)?;
    (first.sent < first.of).then_some(first)
}

/// What became of a request in flight; `watched` is when we stopped to look while the process was
/// still there, so that what ended later was ended by us.
#[must_use]
pub fn fate(seen: &Evidence, call: &Call, watched: Option<At>) -> Fate {
    let Some(ended) = &call.ended else {
        return Fate::Unknown;
    };
    if ended.end.is_ok() {
        return Fate::Answered;
    }
    if watched.is_some_and(|until| ended.at >= until) {
        return Fate::Unknown;
    }
    let answered = matches!(ended.end, CallEnd::Status { .. } | CallEnd::Http { .. });
    if answered && held_too_long(seen, call) {
        return Fate::Unknown;
    }
    match &ended.end {
        CallEnd::Failed { why } => Fate::Dropped(why.clone()),
        CallEnd::Reset { reason } => Fate::Dropped(format!("stream reset, {reason}")),
        // Somebody's deadline is no drop, and neither is what the request's data brings on.
        CallEnd::Status { code, message }
            if matches!(code, 1 | 2 | 13 | 14 | 15) && never_failed(seen, call) =>
        {
            Fate::Dropped(
                format!("gRPC status {code} {message}")
                    .trim_end()
                    .to_owned(),
            )
        }
        CallEnd::Http { status }
            if (*status >= 500 || *status == 499) && never_failed(seen, call) =>
        {
            Fate::Dropped(format!("HTTP {status}"))
        }
        CallEnd::Left | CallEnd::TimedOut => Fate::Unknown,
        CallEnd::Status { .. } | CallEnd::Http { .. } => Fate::Answered,
    }
}

/// Its dependency was held for longer than was ever seen to go well: on a busy machine the handler's
/// own patience may have ended first.
fn held_too_long(seen: &Evidence, call: &Call) -> bool {
    let held = |call| seen.held_back(call).map(|(_, held)| held);
    let Some(too_long) = held(call) else {
        return false;
    };
    let mut well = seen
        .calls_for(call.sent.request, Purpose::Stop)
        .filter(|other| other.is_ok());
    !well.any(|other| held(other) >= Some(too_long))
}

/// The same request was always answered well while nobody told the service to stop.
fn never_failed(seen: &Evidence, call: &Call) -> bool {
    let ordinary = |other: &&Call| {
        other.sent.request == call.sent.request
            && other.sent.reach == call.sent.reach
            && matches!(other.sent.purpose, Purpose::Traffic | Purpose::Batch)
    };
    let mut ordinary = seen.calls.iter().filter(ordinary).peekable();
    ordinary.peek().is_some() && ordinary.all(Call::is_ok)
}

/// The goroutine ends the process: it stands in a server's graceful shutdown, or it is main and
/// sleeps.
#[must_use]
pub fn is_shutdown(stack: &Stack) -> bool {
    let shuts = |function: &str| {
        function == "net/http.(*Server).Shutdown"
            || function.starts_with("google.golang.org/grpc.(*Server).GracefulStop")
            || function == "google.golang.org/grpc.(*Server).stop"
    };
    let is_main = stack.any(|function| function == "main.main");
    stack.any(shuts) || is_main && stack.any(|function| function == "time.Sleep")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CallEnded, CallSent, Event};

    const SIGNAL: At = At(1_000_000);

    fn sent(id: u32, purpose: Purpose, at_ms: u64) -> Event {
        Event::CallSent(CallSent {
            id,
            request: 0,
            purpose,
            at: At(at_ms * 1000),
            reach: "h:1".into(),
            trace_id: String::new(),
            span_id: String::new(),
            deadline_ms: None,
            cancel_after_ms: None,
        })
    }

    fn ended(id: u32, at_ms: u64, end: CallEnd) -> Event {
        Event::CallEnded(CallEnded {
            id,
            at: At(at_ms * 1000),
            end,
        })
    }

    fn body(id: u32, at_ms: u64, sent: u64) -> Event {
        Event::CallBody(CallBody {
            id,
            at: At(at_ms * 1000),
            sent,
            of: 8,
        })
    }

    fn seen(events: impl IntoIterator<Item = Event>) -> Evidence {
        let mut seen = Evidence::default();
        events.into_iter().for_each(|event| seen.apply(event));
        seen
    }

    /// Ids in flight, with whether their bodies were half sent.
    fn check(events: impl IntoIterator<Item = Event>) -> Vec<(u32, bool)> {
        let seen = seen(events);
        in_flight(&seen, SIGNAL)
            .iter()
            .map(|one| (one.call.sent.id, one.half))
            .collect()
    }

    const OK: CallEnd = CallEnd::Http { status: 200 };

    #[test]
    fn what_was_sent_long_enough_before_and_not_answered_is_in_flight() {
        assert_eq!(check([sent(1, Purpose::Stop, 950)]), [(1, false)]);
        assert_eq!(check([sent(1, Purpose::Stop, 951)]), []);
        assert_eq!(check([sent(1, Purpose::Stop, 1200)]), []);
        assert_eq!(check([sent(1, Purpose::Stop, 800), ended(1, 999, OK)]), []);
        assert_eq!(
            check([sent(1, Purpose::Stop, 800), ended(1, 1400, OK)]),
            [(1, false)]
        );
        assert_eq!(check([sent(1, Purpose::Batch, 800)]), []);
    }

    #[test]
    fn half_a_body_counts_from_the_moment_that_it_went_out() {
        let half = |at| {
            [
                sent(1, Purpose::Stop, 700),
                body(1, at, 4),
                body(1, 1200, 8),
            ]
        };
        assert_eq!(check(half(940)), [(1, true)]);
        assert_eq!(check(half(960)), []);
    }

    /// The fate of a request that ended so, 100 ms after the signal.
    fn fate_of(end: CallEnd, ordinary: CallEnd) -> Fate {
        let seen = seen([
            sent(1, Purpose::Traffic, 10),
            ended(1, 20, ordinary),
            sent(2, Purpose::Stop, 800),
            ended(2, 1100, end),
        ]);
        fate(&seen, &seen.calls[1], None)
    }

    #[test]
    fn a_broken_connection_is_a_drop_and_a_status_only_if_it_is_new() {
        let failed = || CallEnd::Failed {
            why: "closed".into(),
        };
        let http = |status| CallEnd::Http { status };
        let grpc = |code| CallEnd::Status {
            code,
            message: String::new(),
        };
        assert_eq!(fate_of(failed(), OK), Fate::Dropped("closed".into()));
        assert_eq!(fate_of(failed(), http(500)), Fate::Dropped("closed".into()));
        assert_eq!(fate_of(http(503), OK), Fate::Dropped("HTTP 503".into()));
        assert_eq!(fate_of(http(503), http(500)), Fate::Answered);
        assert_eq!(fate_of(http(409), OK), Fate::Answered);
        assert_eq!(
            fate_of(grpc(14), OK),
            Fate::Dropped("gRPC status 14".into())
        );
        assert_eq!(fate_of(grpc(5), OK), Fate::Answered);
        assert_eq!(fate_of(CallEnd::TimedOut, OK), Fate::Unknown);
        let reset = CallEnd::Reset {
            reason: "CANCEL".into(),
        };
        assert_eq!(
            fate_of(reset, OK),
            Fate::Dropped("stream reset, CANCEL".into())
        );
    }

    /// The fate of a request whose dependency was held for 400 ms and that was refused then, after
    /// one that was held for so long and answered well.
    fn held(rehearsed_ms: u64) -> Fate {
        let stall = |at_ms: u64, holds| {
            Event::Stall(crate::StallChange {
                at: At(at_ms * 1000),
                name: "db".into(),
                holds,
            })
        };
        let refused = CallEnd::Http { status: 503 };
        let seen = seen([
            sent(1, Purpose::Traffic, 1),
            ended(1, 5, OK),
            stall(10, true),
            sent(2, Purpose::Stop, 10),
            stall(10 + rehearsed_ms, false),
            ended(2, 12 + rehearsed_ms, OK),
            stall(800, true),
            sent(3, Purpose::Stop, 800),
            stall(1200, false),
            ended(3, 1202, refused),
        ]);
        let in_flight = in_flight(&seen, SIGNAL);
        assert_eq!(in_flight.len(), 1);
        assert_eq!(in_flight[0].behind, Some("db"));
        fate(&seen, in_flight[0].call, None)
    }

    #[test]
    fn a_dependency_that_was_held_too_long_is_our_doing() {
        assert_eq!(held(700), Fate::Dropped("HTTP 503".into()));
        assert_eq!(held(300), Fate::Unknown);
    }

    #[test]
    fn what_ended_when_we_had_given_up_was_ended_by_us() {
        let why = CallEnd::Failed { why: String::new() };
        let seen = seen([sent(1, Purpose::Stop, 800), ended(1, 5000, why)]);
        let call = &seen.calls[0];
        assert_eq!(fate(&seen, call, Some(At(4_000_000))), Fate::Unknown);
        assert!(matches!(
            fate(&seen, call, Some(At(6_000_000))),
            Fate::Dropped(_)
        ));
    }
}

//! LIF006: requests that were under way at SIGTERM and never answered.
//!
//! Only requests that the service must have taken count (`shakedown_evidence::drain`); later ones
//! are counted and say nothing.

use std::collections::BTreeSet;

use shakedown_evidence::drain::{self, Fate, InFlight};
use shakedown_evidence::{Evidence, Purpose, StopReport};
use shakedown_findings::{Item, RuleMeta, Severity};

use super::dropped::finding;
use super::stopping::{milliseconds, not_stopped};
use crate::{Judgement, Rule};

pub(crate) const RULE: Rule = Rule {
    meta: RuleMeta {
        code: "LIF006",
        name: "in-flight-dropped",
        item: Item::Lifecycle,
        severity: Severity::Error,
        required: true,
        page: include_str!("in_flight_dropped.md"),
    },
    judge,
};

fn judge(seen: &Evidence) -> Judgement {
    let Some(stop) = seen.stops.first() else {
        return not_stopped(seen);
    };
    let watched = stop.gone.is_none().then_some(stop.until);
    let in_flight = drain::in_flight(seen, stop.at);
    let fates: Vec<(InFlight<'_>, Fate)> = in_flight
        .into_iter()
        .map(|one| (one, drain::fate(seen, one.call, watched)))
        .collect();
    let dropped: Vec<&(InFlight<'_>, Fate)> = fates
        .iter()
        .filter(|(_, fate)| matches!(fate, Fate::Dropped(_)))
        .collect();
    if !dropped.is_empty() {
        return Judgement::failed(vec![finding(seen, stop, &fates, &dropped)]);
    }
    let tried = seen
        .calls
        .iter()
        .any(|call| call.sent.purpose == Purpose::Stop);
    if !tried {
        return Judgement::not_exercised(
            "no request was sent over the stop",
            "requests that may be repeated and are answered well: --http 'POST /path' --data '{…}', --grpc pkg.Service/Method",
        );
    }
    let idle = untested(seen, &fates);
    if !idle.is_empty() {
        let subjects: Vec<String> = idle.iter().map(|request| request.subject()).collect();
        return Judgement::not_exercised(
            format!(
                "nothing could be in flight at SIGTERM: {}",
                why_idle(seen, &subjects)
            ),
            "a request with a body (--http 'POST /path' --data '{…}'), a gRPC method, one that takes longer than 110 ms, or a stall of what it waits for (--stall NAME=HOST:PORT)",
        );
    }
    if fates.is_empty() {
        return Judgement::not_exercised(
            "no request was in flight at SIGTERM",
            "--http 'POST /path' --data '{…}' or --grpc pkg.Service/Method, repeat-safe",
        );
    }
    if stop.gone.is_none() {
        return Judgement::inconclusive(
            "the process did not end, so nothing was there to drop a request",
            "a process that ends: shakedown explain sigterm-ignored",
        );
    }
    let unknown = fates
        .iter()
        .filter(|(_, fate)| *fate == Fate::Unknown)
        .count();
    if unknown > 0 {
        return Judgement::inconclusive(
            format!(
                "what became of {unknown} of {} requests in flight could not be seen",
                fates.len()
            ),
            "run again; the log book says what befell them",
        );
    }
    let half = fates.iter().filter(|(one, _)| one.half).count();
    let behind: Vec<&str> = fates.iter().filter_map(|(one, _)| one.behind).collect();
    let behind = behind.first().map_or_else(String::new, |stall| {
        format!(", {} behind stall {stall}", behind.len())
    });
    Judgement::passed(format!(
        "{} request{} in flight at SIGTERM ({half} half sent{behind}) answered{}",
        fates.len(),
        if fates.len() == 1 { "" } else { "s" },
        later_answered(seen, stop)
    ))
}

/// Requests of listeners of which none was in flight: how they drain was not seen.
fn untested<'a>(
    seen: &'a Evidence,
    fates: &[(InFlight<'_>, Fate)],
) -> Vec<&'a shakedown_evidence::Request> {
    let tested: BTreeSet<&str> = fates
        .iter()
        .map(|(one, _)| one.call.sent.reach.as_str())
        .collect();
    let given = |request: &usize| {
        seen.request(*request).is_some_and(|request| request.given)
            && seen
                .reach_of(*request)
                .is_some_and(|reach| !tested.contains(reach))
    };
    let requests = (0..seen.run.requests.len()).filter(given);
    requests
        .filter_map(|request| seen.request(request))
        .collect()
}

fn why_idle(seen: &Evidence, subjects: &[String]) -> String {
    let longest = (0..seen.run.requests.len())
        .filter(|request| {
            seen.request(*request)
                .is_some_and(|of| subjects.contains(&of.subject()))
        })
        .filter_map(|request| seen.usual_duration(request))
        .map(|(_, median)| median)
        .max();
    let which = match subjects {
        [one] => one.clone(),
        [first, rest @ ..] => format!("{first} and {} more", rest.len()),
        [] => String::new(),
    };
    let tried = seen.calls.iter().any(|call| {
        let half = seen.bodies.iter().any(|body| body.id == call.sent.id);
        let of = seen.request(call.sent.request).map(|of| of.subject());
        half && !call.is_ok() && of.is_some_and(|of| subjects.contains(&of))
    });
    match longest {
        Some(longest) if tried => format!(
            "{which} takes {} and does not wait for a body that comes slowly",
            milliseconds(longest)
        ),
        Some(longest) => format!("{which} has no body and takes {}", milliseconds(longest)),
        None => format!("{which} was never answered well, or may not be repeated"),
    }
}

/// `, 4 of 9 sent later too`: no server can answer all of those.
fn later_answered(seen: &Evidence, stop: &StopReport) -> String {
    let late: Vec<_> = drain::late(seen, stop.at).collect();
    let answered = late.iter().filter(|call| call.is_ok()).count();
    match late.len() {
        0 => String::new(),
        all => format!(", {answered} of {all} sent later too"),
    }
}

#[cfg(test)]
mod tests {
    use shakedown_evidence::{At, CallEnd, Event, Exit, ProcessStarted, Role};
    use shakedown_findings::Exhibit;

    use super::super::stopping::built::{OK, call, half, http, run, stop};
    use super::*;

    fn broken() -> CallEnd {
        CallEnd::Failed {
            why: "the connection was closed without an answer".into(),
        }
    }

    /// The outcome of a run of one request that was sent and ended so (in milliseconds), where the
    /// signal came at 2000 and the process was gone at `gone`.
    fn check(sent: u64, end: Option<(u64, CallEnd)>, gone: Option<u64>) -> &'static str {
        let mut seen = run([http("GET /x", "")]);
        call(&mut seen, 0, Purpose::Stop, sent, end);
        stop(&mut seen, gone, gone.unwrap_or(6000));
        judge(&seen).outcome.name()
    }

    #[test]
    fn a_request_in_flight_must_be_answered() {
        assert_eq!(check(1900, Some((2300, OK)), Some(2310)), "passed");
        assert_eq!(check(1900, Some((2003, broken())), Some(2003)), "failed");
        let refused = CallEnd::Http { status: 503 };
        assert_eq!(check(1900, Some((2300, refused)), Some(2310)), "failed");
        let other = CallEnd::Http { status: 404 };
        assert_eq!(check(1900, Some((2300, other)), Some(2310)), "passed");
    }

    #[test]
    fn what_was_not_in_flight_proves_nothing() {
        // Answered before the signal, sent too late, sent after it.
        assert_eq!(check(1900, Some((1950, OK)), Some(2001)), "not exercised");
        assert_eq!(
            check(1990, Some((2001, broken())), Some(2001)),
            "not exercised"
        );
        assert_eq!(
            check(2100, Some((2101, broken())), Some(2001)),
            "not exercised"
        );
    }

    #[test]
    fn a_process_that_stays_drops_nothing_by_ending() {
        assert_eq!(check(1900, Some((2300, OK)), None), "inconclusive");
        // Cut off when we killed it.
        assert_eq!(check(1900, Some((6010, broken())), None), "inconclusive");
        // Cut off by the service itself, which then stayed.
        assert_eq!(check(1900, Some((2001, broken())), None), "failed");
    }

    #[test]
    fn what_was_not_seen_to_end_is_inconclusive() {
        assert_eq!(check(1900, None, Some(2100)), "inconclusive");
    }

    #[test]
    fn each_listener_must_have_had_one() {
        let mut seen = run([http("POST /x", "{}"), http("GET /y", "")]);
        let id = call(&mut seen, 0, Purpose::Stop, 1700, Some((2200, OK)));
        half(&mut seen, id, 1701);
        stop(&mut seen, Some(2210), 2210);
        let outcome = judge(&seen).outcome;
        assert_eq!(outcome.name(), "not exercised");
        assert!(
            outcome
                .reason()
                .contains("GET /y has no body and takes 5 ms"),
            "{}",
            outcome.reason()
        );
        assert!(outcome.to_prove().is_some_and(|how| how.contains("--data")));
    }

    #[test]
    fn a_rehearsal_that_failed_is_the_reason_and_no_drop() {
        let mut seen = run([http("POST /x", "{}")]);
        let timeout = CallEnd::Http { status: 408 };
        let id = call(&mut seen, 0, Purpose::Stop, 500, Some((1000, timeout)));
        half(&mut seen, id, 501);
        call(&mut seen, 0, Purpose::Stop, 2050, Some((2051, broken())));
        stop(&mut seen, Some(2210), 2210);
        let outcome = judge(&seen).outcome;
        assert_eq!(outcome.name(), "not exercised");
        assert!(
            outcome.reason().contains("comes slowly"),
            "{}",
            outcome.reason()
        );
    }

    #[test]
    fn later_requests_are_counted_and_no_finding() {
        let mut seen = run([http("GET /x", "")]);
        call(&mut seen, 0, Purpose::Stop, 1900, Some((2300, OK)));
        call(&mut seen, 0, Purpose::Stop, 2050, Some((2250, OK)));
        call(&mut seen, 0, Purpose::Stop, 2260, Some((2261, broken())));
        stop(&mut seen, Some(2310), 2310);
        let outcome = judge(&seen).outcome;
        assert_eq!(
            (outcome.name(), outcome.reason()),
            (
                "passed",
                "1 request in flight at SIGTERM (0 half sent) answered, 1 of 2 sent later too"
            )
        );
    }

    #[test]
    fn the_fix_is_that_of_what_happened() {
        for (dropped, gone, says) in [
            (2003, Some(2003), "only when it has returned"),
            (2003, Some(2300), "instead of Close"),
            (2003, None, "instead of Close"),
            (2110, Some(2112), "a longer bound"),
        ] {
            let mut seen = run([http("GET /x", "")]);
            call(&mut seen, 0, Purpose::Stop, 1900, Some((dropped, broken())));
            stop(&mut seen, gone, gone.unwrap_or(6000));
            let fix = &judge(&seen).findings[0].fix;
            assert!(fix.contains(says), "{dropped} {gone:?}: {fix}");
        }
    }

    #[test]
    fn a_signal_that_nobody_catches_is_said_so() {
        let mut seen = run([http("GET /x", "")]);
        call(&mut seen, 0, Purpose::Stop, 1900, Some((2001, broken())));
        stop(&mut seen, Some(2001), 2001);
        seen.apply(Event::Exit(Exit {
            at: At(2_001_000),
            role: Role::Target,
            code: None,
            signal: Some(15),
            expected: true,
        }));
        // That may have been a wrapper.
        assert!(!judge(&seen).findings[0].message.contains("nothing catches"));
        seen.apply(Event::Process(ProcessStarted {
            at: At(0),
            role: Role::Target,
            pid: 7,
        }));
        let finding = &judge(&seen).findings[0];
        assert!(
            finding
                .message
                .contains("after the signal: nothing catches SIGTERM."),
            "{}",
            finding.message
        );
        assert!(finding.fix.starts_with("catch SIGTERM"));
    }

    #[test]
    fn a_finding_says_which_when_and_how() {
        let mut seen = run([http("POST /x", "{}")]);
        for _ in 0..2 {
            let id = call(&mut seen, 0, Purpose::Stop, 1700, Some((2004, broken())));
            half(&mut seen, id, 1701);
        }
        stop(&mut seen, Some(2004), 2004);
        let judgement = judge(&seen);
        assert!(judgement.findings[0].fix.contains("server.Shutdown"));
        let finding = &judgement.findings[0];
        assert_eq!(finding.subject, "POST /x");
        assert_eq!(
            finding.message,
            "2 of 2 requests in flight at SIGTERM got no answer. The process was gone 4 ms after the signal."
        );
        let Some(Exhibit::Quote { lines, .. }) = finding.exhibits.last() else {
            panic!("{:?}", finding.exhibits);
        };
        assert_eq!(
            lines[0],
            "2 x POST /x, body half sent: the connection was closed without an answer, 4 ms after SIGTERM"
        );
    }
}

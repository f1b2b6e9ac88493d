//! Callers that lost interest in the same moment, and the goroutines that the service had a little
//! later, when SIGQUIT ended it: how a handler is caught where nobody can be asked about goroutines.
//!
//! One dump shows one moment. That the handlers were at work before it is known from the callers:
//! none of them had an answer.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::caught::{Moment, due};
use crate::{At, Call, Evidence, Purpose};

/// What such a start showed. Its calls, lines and spans are no evidence of this run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuitAudit {
    /// When it had ended.
    pub at: At,
    /// Position among the requests of the run.
    pub request: usize,
    /// [`Purpose::Deadline`] or [`Purpose::Cancel`].
    pub purpose: Purpose,
    /// Calls that were sent.
    pub calls: usize,
    /// Of these, those without an answer when their caller lost interest.
    pub open: usize,
    /// Milliseconds from sending to that moment.
    pub moment_ms: u64,
    /// Milliseconds from the last of those moments to SIGQUIT.
    pub after_ms: u64,
    /// Milliseconds from the first of them being sent to SIGQUIT.
    pub age_ms: u64,
    /// Label of the snapshot that holds the dump.
    pub label: String,
    /// Why there is no dump.
    pub failed: Option<String>,
}

/// Why a start is of no use as an audit.
const NOT_SENT: &str = "no call was under way when SIGQUIT was sent";

impl QuitAudit {
    /// Reads what a start of its own has recorded; `at` is when it had ended, in the time of the run.
    #[must_use]
    pub fn of(
        start: &Evidence,
        at: At,
        (request, purpose): (usize, Purpose),
        moment: Moment,
        label: String,
    ) -> Self {
        let calls: Vec<&Call> = start.calls_for(request, purpose).collect();
        let open = calls.iter().filter(|call| is_open(call)).count();
        let quit = start.signals.last().map(|signal| signal.at);
        let last_due = calls.iter().filter_map(|call| due(call)).max();
        let first_sent = calls.iter().map(|call| call.sent.at).min();
        let since = |from: Option<At>| Some(millis(quit?.since(from?)));
        let (after, age) = (since(last_due), since(first_sent));
        Self {
            at,
            request,
            purpose,
            calls: calls.len(),
            open,
            moment_ms: millis(moment.after),
            after_ms: after.unwrap_or_default(),
            age_ms: age.unwrap_or_default(),
            label,
            failed: after.is_none().then(|| NOT_SENT.to_owned()),
        }
    }
}

/// The caller had no answer when it lost interest; a millisecond is lost on the way.
fn is_open(call: &Call) -> bool {
    const EARLY: Duration = Duration::from_millis(2);
    let unanswered = |due| {
        let mut ended = call.ended.iter();
        ended.all(|ended| ended.at + EARLY >= due)
    };
    due(call).is_some_and(unanswered)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CallEnd, CallEnded, CallSent, Event, Signalled};

    const MOMENT: Moment = Moment {
        after: Duration::from_millis(200),
        slack: Duration::from_millis(100),
        late: Duration::from_millis(100),
    };

    /// Calls that were sent and ended so, in milliseconds, and the signal.
    fn check(calls: &[(u64, Option<(u64, CallEnd)>)], signal: Option<u64>) -> QuitAudit {
        let ms = |at: u64| At(at * 1000);
        let mut start = Evidence::default();
        for (id, (sent, end)) in (0..).zip(calls) {
            start.apply(Event::CallSent(CallSent {
                id,
                request: 0,
                purpose: Purpose::Deadline,
                at: ms(*sent),
                reach: "h:1".into(),
                trace_id: String::new(),
                span_id: String::new(),
                deadline_ms: Some(200),
                cancel_after_ms: None,
            }));
            if let Some((at, end)) = end {
                let at = ms(*at);
                let end = end.clone();
                start.apply(Event::CallEnded(CallEnded { id, at, end }));
            }
        }
        if let Some(at) = signal {
            start.apply(Event::Signal(Signalled {
                at: ms(at),
                signal: "SIGQUIT".into(),
                pid: 7,
            }));
        }
        let of = (0, Purpose::Deadline);
        QuitAudit::of(&start, At(9), of, MOMENT, "x".into())
    }

    #[test]
    fn a_call_is_open_if_it_had_no_answer_at_its_moment() {
        let ok = CallEnd::Http { status: 200 };
        let reset = CallEnd::Reset {
            reason: "CANCEL".into(),
        };
        let calls = [
            (1000, None),
            (1001, Some((1199, reset.clone()))),
            (1002, Some((1204, reset))),
            (1003, Some((1150, ok))),
        ];
        let audit = check(&calls, Some(1350));
        assert_eq!((audit.calls, audit.open), (4, 3));
        assert_eq!((audit.after_ms, audit.age_ms), (147, 350));
        assert_eq!((audit.moment_ms, audit.failed), (200, None));
    }

    #[test]
    fn without_calls_or_a_signal_nothing_is_known() {
        assert!(check(&[], Some(10)).failed.is_some());
        assert!(check(&[(1000, None)], None).failed.is_some());
    }
}

//! DLN003: a handler that stops in time and says something else than why.
//!
//! The wire alone does not show it: grpc-go resets the stream at the deadline by itself, and its
//! reset often overtakes the handler's trailers. The server span has the handler's own status in
//! every call, so it is asked first.

use std::collections::BTreeMap;
use std::time::Duration;

use shakedown_evidence::caught::{SLACK_MAX, due};
use shakedown_evidence::{At, Call, CallEnd, Consent, Evidence, Purpose, Span, SpanKind};
use shakedown_findings::{Certainty, Exhibit, Finding, Item, Moment, RuleMeta, Severity};

use super::audits::{self, Audit};
use super::deadline_ignored::{audited, without_grpc};
use crate::judgement::Found;
use crate::target::{repeat, request_to_give};
use crate::{Judgement, Rule};

pub(crate) const RULE: Rule = Rule {
    meta: RuleMeta {
        code: "DLN003",
        name: "wrong-status",
        item: Item::Deadline,
        severity: Severity::Warning,
        required: false,
        page: include_str!("wrong_status.md"),
    },
    judge,
};

/// Names of gRPC's status codes, by number (grpc/doc/statuscodes.md).
const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];
const OK: u16 = 0;
/// What a handler may say whose caller's interest has ended. Which of the two is a matter of luck
/// in grpc-go: at the deadline its context may end by the stream's reset first.
const RIGHT: [u16; 2] = [1, 4];
/// Calls that must agree: one alone may have failed for a reason of its own just then.
const CALLS: usize = 2;
/// A handler may seem to end so much before the moment: its span has the calendar's time, and the
/// run its own.
const EARLY: Duration = Duration::from_millis(20);

/// The status that the handler of one call ended with, at the moment when its caller's interest did.
struct Shown<'a> {
    call: &'a Call,
    due: At,
    at: At,
    code: u16,
    message: &'a str,
    by_span: bool,
}

/// What the calls of one request showed.
enum Answer<'a> {
    Right(usize),
    Wrong {
        worst: Shown<'a>,
        wrong: usize,
        of: usize,
    },
    NotExercised(String, String),
    Unclear(String, String),
}

fn judge(seen: &Evidence) -> Judgement {
    if without_grpc(seen) {
        return Judgement::not_applicable(
            "no listener speaks gRPC: there is no status to be wrong",
        );
    }
    let requests = audited(seen);
    if requests.is_empty() {
        return Judgement::not_exercised(
            "no request was given whose handler could be caught",
            request_to_give(seen, "--grpc pkg.Service/Method --data '{…}'"),
        );
    }
    if let Some((why, to_prove)) = seen.run.access.refusal(Consent::Audits) {
        return Judgement::not_exercised(why, to_prove);
    }
    if let Some((why, to_prove)) = audits::blocked(seen) {
        return Judgement::inconclusive(why, to_prove);
    }
    let (mut right, mut calls) = (Vec::new(), 0);
    let mut findings = Vec::new();
    let mut open = None;
    for request in requests {
        let subject = subject(seen, request);
        match answer(seen, request, &subject) {
            Answer::Right(of) => {
                calls += of;
                right.push(crate::exhibits::short_subject(&subject).to_owned());
            }
            Answer::Wrong { worst, wrong, of } => {
                findings.push(finding(seen, subject, &worst, wrong, of));
            }
            Answer::NotExercised(why, to_prove) => {
                open.get_or_insert_with(|| Judgement::not_exercised(why, to_prove));
            }
            Answer::Unclear(why, to_prove) => open = Some(Judgement::inconclusive(why, to_prove)),
        }
    }
    if !findings.is_empty() {
        return Judgement::failed(findings);
    }
    open.unwrap_or_else(|| {
        Judgement::passed(format!(
            "{}: DEADLINE_EXCEEDED or CANCELLED in {calls} calls whose caller had gone",
            right.join(", ")
        ))
    })
}

fn subject(seen: &Evidence, request: usize) -> String {
    seen.request(request)
        .map(shakedown_evidence::Request::subject)
        .unwrap_or_default()
}

fn answer<'a>(seen: &'a Evidence, request: usize, subject: &str) -> Answer<'a> {
    let calls: Vec<&Call> = [Purpose::Deadline, Purpose::Cancel]
        .into_iter()
        .flat_map(|purpose| seen.calls_for(request, purpose))
        .collect();
    // A handler that was done in time says nothing of its deadline.
    let shown: Vec<Shown<'_>> = calls
        .iter()
        .filter_map(|call| shown(seen, call))
        .filter(|shown| shown.code != OK)
        .collect();
    let of = shown.len();
    let wrong: Vec<Shown<'_>> = shown
        .into_iter()
        .filter(|shown| !RIGHT.contains(&shown.code))
        .collect();
    if wrong.len() >= CALLS && wrong.len() * 2 > of {
        let number = wrong.len();
        return match usual(wrong) {
            Some(worst) => Answer::Wrong {
                worst,
                wrong: number,
                of,
            },
            None => Answer::Right(of),
        };
    }
    if let Some(one) = wrong.first() {
        return Answer::Unclear(
            format!(
                "{subject}: {} in {} of {of} calls whose caller had gone",
                name(one.code),
                wrong.len()
            ),
            "run again: it may have failed for another reason just then".into(),
        );
    }
    if of >= CALLS {
        return Answer::Right(of);
    }
    nothing_shown(seen, request, subject, &calls)
}

/// Why no status was seen.
fn nothing_shown<'a>(
    seen: &Evidence,
    request: usize,
    subject: &str,
    calls: &[&Call],
) -> Answer<'a> {
    match audits::judge(seen, request, Purpose::Deadline) {
        Audit::NotExercised { why, to_prove } => Answer::NotExercised(why, to_prove),
        Audit::Unclear { why, to_prove } => Answer::Unclear(why, to_prove),
        Audit::Late(_) => Answer::NotExercised(
            format!("{subject}: its handler did not stop at its deadline"),
            "a handler that stops at its deadline: shakedown explain deadline-ignored".into(),
        ),
        Audit::Clean { .. } => {
            let resets = calls
                .iter()
                .filter(|call| matches!(call.end(), Some(CallEnd::Reset { .. })))
                .count();
            Answer::Unclear(
                format!(
                    "{subject}: the handler's status was not seen: its server reset the stream first in {resets} calls, and no server span has rpc.response.status_code or rpc.grpc.status_code"
                ),
                if seen.is_rust() {
                    "shakedown_kit::trace::TraceLayer around the server, with feature otel: its spans have the status that was answered".into()
                } else {
                    "otelgrpc on the server (grpc.StatsHandler(otelgrpc.NewServerHandler())): its spans have the handler's own status".into()
                },
            )
        }
    }
}

/// The first call with the code that came most often.
fn usual(wrong: Vec<Shown<'_>>) -> Option<Shown<'_>> {
    let mut counts: BTreeMap<u16, usize> = BTreeMap::new();
    for shown in &wrong {
        *counts.entry(shown.code).or_default() += 1;
    }
    let most = *counts.values().max()?;
    wrong.into_iter().find(|shown| counts[&shown.code] == most)
}

/// The handler's status in one call, if it ended when its caller's interest did.
fn shown<'a>(seen: &'a Evidence, call: &'a Call) -> Option<Shown<'a>> {
    let due = due(call)?;
    let in_time = |at: At| at >= due.before(EARLY) && at <= due + SLACK_MAX;
    let mut spans = seen.spans.iter();
    let span = spans.find(|span| {
        span.kind == SpanKind::Server
            && span.parent_id == call.sent.span_id
            && span.trace_id == call.sent.trace_id
    });
    let of_span = span.and_then(|span| Some((seen.at_unix_ns(span.end_unix_ns), status(span)?)));
    if let Some((at, code)) = of_span {
        return in_time(at).then_some(Shown {
            call,
            due,
            at,
            code,
            message: "",
            by_span: true,
        });
    }
    let ended = call.ended.as_ref()?;
    let CallEnd::Status { code, message } = &ended.end else {
        return None;
    };
    in_time(ended.at).then_some(Shown {
        call,
        due,
        at: ended.at,
        code: *code,
        message,
        by_span: false,
    })
}

/// The status that a span has, by the name or the number of its code; the older attribute has the
/// number (OpenTelemetry semantic conventions, RPC).
fn status(span: &Span) -> Option<u16> {
    let mut attributes = span.attributes.iter();
    let (_, value) = attributes.find(|(name, _)| {
        matches!(
            name.as_str(),
            "rpc.response.status_code" | "rpc.grpc.status_code"
        )
    })?;
    let named = CODES.iter().position(|name| name == value);
    let code = named.or_else(|| value.parse().ok().filter(|code| *code < CODES.len()))?;
    u16::try_from(code).ok()
}

fn name(code: u16) -> String {
    CODES
        .get(usize::from(code))
        .map_or_else(|| format!("status {code}"), |name| (*name).to_owned())
}

fn finding(
    seen: &Evidence,
    subject: String,
    worst: &Shown<'_>,
    wrong: usize,
    of: usize,
) -> Finding {
    let name = name(worst.code);
    let said = if worst.message.is_empty() {
        String::new()
    } else {
        format!(" ({})", worst.message)
    };
    Found {
        certainty: Certainty::Proven,
        message: format!(
            "{subject} stopped when its caller had gone, and answered {name}{said} in {wrong} of {of} calls. Only DEADLINE_EXCEEDED and CANCELLED say that it was the caller's time that ended; {name} counts as a failure of the service.",
        ),
        location: None,
        exhibits: vec![timeline(worst, &name)],
        fix: "return the context's error as it is, wrapped with %w, or as status.FromContextError(ctx.Err()).Err(); %v, errors.New and a fixed status.Error lose it".into(),
        repeat: repeat(seen, RULE.meta.name),
        subject,
    }
    .by(&RULE.meta)
}

fn timeline(shown: &Shown<'_>, name: &str) -> Exhibit {
    let sent = shown.call.sent.at;
    let since = |at: At| u64::try_from((at - sent).as_micros()).unwrap_or(u64::MAX);
    let deadline = shown.call.sent.deadline_ms.is_some();
    let by = if shown.by_span {
        "by its server span"
    } else {
        "in its trailers"
    };
    let mut moments = vec![
        Moment {
            at_us: 0,
            what: "sent".into(),
        },
        Moment {
            at_us: since(shown.due),
            what: if deadline {
                "deadline"
            } else {
                "the caller left"
            }
            .into(),
        },
        Moment {
            at_us: since(shown.at),
            what: format!("the handler ended with {name}, {by}"),
        },
    ];
    moments.sort_by_key(|moment| moment.at_us);
    Exhibit::Timeline {
        title: "one of the calls".into(),
        moments,
    }
}

#[cfg(test)]
#[path = "wrong_status_tests.rs"]
mod tests;

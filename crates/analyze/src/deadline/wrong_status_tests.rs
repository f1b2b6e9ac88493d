use shakedown_evidence::{
    CallEnded, CallSent, Event, Frame, GoroutineGroup, PprofEndpoint, Request, RequestKind,
    Snapshot, SnapshotForm, SpanBatch, Stack,
};
use shakedown_findings::Outcome;

use super::*;

const MS: u64 = 1_000;
/// Deadline of every call.
const AFTER: u64 = 200;

/// What one call showed.
#[derive(Clone, Copy)]
enum Says {
    /// A server span with this attribute, ended so many ms after the deadline; the caller saw a reset.
    Span(&'static str, &'static str, u64),
    /// Trailers, so many ms after the deadline.
    Trailers(u16, u64),
    /// A reset and nothing else.
    Reset,
}

/// Calls whose handlers were caught at their deadline and left in time, with what they showed.
fn check(calls: &[Says]) -> Judgement {
    let mut seen = Evidence::default();
    seen.run.requests = vec![Request {
        kind: RequestKind::Grpc {
            method: "pkg.Svc/Get".into(),
            data: String::new(),
        },
        deadline_ms: None,
        repeat_safe: true,
        given: true,
    }];
    seen.apply(Event::Pprof(PprofEndpoint {
        at: At(0),
        reach: "127.0.0.1:6060".into(),
        prefix: "/debug/pprof/".into(),
        profiles: vec!["goroutine".into()],
        asked: Vec::new(),
    }));
    for function in ["ex/pb._Svc_Get_Handler", "main.main"] {
        seen.apply(Event::Stack(Stack {
            frames: vec![Frame {
                function: function.into(),
                file: "x.go".into(),
                line: 7,
            }],
            ..Stack::default()
        }));
    }
    let ok = CallEnd::Status {
        code: 0,
        message: String::new(),
    };
    call(&mut seen, Purpose::Locate, 400, ok.clone());
    call(&mut seen, Purpose::Traffic, 400, ok);
    for says in calls {
        let reset = CallEnd::Reset {
            reason: "CANCEL".into(),
        };
        let (takes, end) = match says {
            Says::Trailers(code, late) => (
                AFTER + late,
                CallEnd::Status {
                    code: *code,
                    message: "boom".into(),
                },
            ),
            Says::Span(..) | Says::Reset => (AFTER, reset),
        };
        let now = seen.last;
        look(&mut seen, At(now.0 + MS), 0);
        let sent = call(&mut seen, Purpose::Deadline, takes, end);
        look(&mut seen, At(sent.0 + 150 * MS), 1);
        look(&mut seen, At(sent.0 + (AFTER + 20) * MS), 0);
        if let Says::Span(key, value, late) = says {
            span(&mut seen, sent, key, value, AFTER + late);
        }
    }
    (RULE.judge)(&seen)
}

fn call(seen: &mut Evidence, purpose: Purpose, takes: u64, end: CallEnd) -> At {
    let id = u32::try_from(seen.calls.len()).expect("few");
    let sent = At(seen.last.0 + 20 * MS);
    seen.apply(Event::CallSent(CallSent {
        id,
        request: 0,
        purpose,
        at: sent,
        reach: "127.0.0.1:7000".into(),
        trace_id: format!("{id:032x}"),
        span_id: format!("{id:016x}"),
        deadline_ms: (purpose == Purpose::Deadline).then_some(AFTER),
        cancel_after_ms: None,
    }));
    let at = At(sent.0 + takes * MS);
    seen.apply(Event::CallEnded(CallEnded { id, at, end }));
    sent
}

fn look(seen: &mut Evidence, at: At, handlers: u64) {
    let group = |stack, count| GoroutineGroup {
        stack,
        count,
        ids: vec![],
    };
    let groups = [group(0, handlers), group(1, 1)];
    seen.apply(Event::Snapshot(Snapshot {
        at,
        until: At(at.0 + 2 * MS),
        form: SnapshotForm::Counts,
        label: String::new(),
        total: handlers + 1,
        groups: groups.into_iter().filter(|group| group.count > 0).collect(),
        truncated: false,
    }));
}

fn span(seen: &mut Evidence, sent: At, key: &str, value: &str, takes: u64) {
    let of = seen.calls.last().expect("just sent").sent.clone();
    let ns = |at: u64| seen.run.started_unix_ns + at * 1000;
    let span = Span {
        trace_id: of.trace_id,
        span_id: "1".repeat(16),
        parent_id: of.span_id,
        name: "pkg.Svc/Get".into(),
        kind: SpanKind::Server,
        start_unix_ns: ns(sent.0),
        end_unix_ns: ns(sent.0 + takes * MS),
        flags: 0,
        service: "svc".into(),
        pid: None,
        scope: String::new(),
        links: vec![],
        attributes: vec![(key.into(), value.into())],
    };
    let at = At(sent.0 + (AFTER + 21) * MS);
    seen.apply(Event::Spans(SpanBatch {
        at,
        by: "grpc".into(),
        spans: vec![span],
    }));
}

const NEW: &str = "rpc.response.status_code";
const OLD: &str = "rpc.grpc.status_code";

#[test]
fn the_status_of_the_server_span_is_the_handlers_own() {
    for (key, value, wanted) in [
        (NEW, "DEADLINE_EXCEEDED", "passed"),
        (NEW, "CANCELLED", "passed"),
        (OLD, "4", "passed"),
        (OLD, "1", "passed"),
        (NEW, "UNKNOWN", "failed"),
        (OLD, "13", "failed"),
        (NEW, "2", "failed"),
    ] {
        let judged = check(&[Says::Span(key, value, 2); 5]);
        assert_eq!(judged.outcome.name(), wanted, "{value}: {judged:?}");
    }
}

#[test]
fn the_finding_names_the_status_and_what_said_so() {
    let judged = check(&[Says::Span(OLD, "13", 2); 5]);
    let finding = &judged.findings[0];
    assert!(
        finding.message.contains("INTERNAL in 5 of 5 calls"),
        "{}",
        finding.message
    );
    let Exhibit::Timeline { moments, .. } = &finding.exhibits[0] else {
        panic!("{finding:?}");
    };
    assert_eq!(
        (moments[2].at_us, moments[2].what.as_str()),
        (
            202 * MS,
            "the handler ended with INTERNAL, by its server span"
        )
    );
    let judged = check(&[Says::Trailers(2, 1); 5]);
    let message = &judged.findings[0].message;
    assert!(message.contains("UNKNOWN (boom) in 5 of 5"), "{message}");
}

#[test]
fn trailers_count_where_they_overtake_the_reset() {
    let mut calls = vec![Says::Reset; 3];
    calls.extend([Says::Trailers(2, 1); 2]);
    assert_eq!(check(&calls).outcome.name(), "failed");
    let mut calls = vec![Says::Reset; 3];
    calls.extend([Says::Trailers(4, 1); 2]);
    assert_eq!(check(&calls).outcome.name(), "passed");
}

#[test]
fn a_status_that_nobody_saw_is_inconclusive() {
    let Outcome::Inconclusive { reason, to_prove } = check(&[Says::Reset; 5]).outcome else {
        panic!("nothing was seen");
    };
    assert!(
        reason.contains("reset the stream first in 5 calls"),
        "{reason}"
    );
    assert!(to_prove.contains("otelgrpc"), "{to_prove}");
    let unreadable = check(&[Says::Span(NEW, "whatever", 2); 5]).outcome;
    assert_eq!(unreadable.name(), "inconclusive");
}

#[test]
fn one_wrong_status_is_not_a_habit() {
    let mut calls = vec![Says::Trailers(4, 1); 4];
    calls.push(Says::Trailers(14, 1));
    assert_eq!(check(&calls).outcome.name(), "inconclusive");
}

#[test]
fn what_ended_at_another_time_or_well_says_nothing() {
    // Done in time; long after the deadline, which is another rule's matter.
    for says in [Says::Span(NEW, "OK", 2), Says::Span(NEW, "UNKNOWN", 900)] {
        let outcome = check(&[says; 5]).outcome;
        assert_eq!(outcome.name(), "inconclusive", "{outcome:?}");
    }
    let early = Says::Trailers(14, 0);
    let judged = check(&[early; 1]);
    assert!(judged.findings.is_empty(), "{judged:?}");
}

#[test]
fn without_calls_nothing_was_exercised() {
    assert_eq!(check(&[]).outcome.name(), "not exercised");
}

use shakedown_evidence::labels::{BASE, after};
use shakedown_evidence::{
    CallEnd, CallEnded, CallSent, Event, Listener, ListenerFacts, Purpose, Request, RequestKind,
    Speaks,
};

use super::*;

/// Requests in each batch.
const BATCH: u32 = 30;

/// Batches of requests after which these numbers were read, and then held; `during` is read while
/// each batch is under way.
fn evidence(numbers: &[u64], held: u64, during: u64) -> Evidence {
    let mut seen = Evidence::default();
    seen.run.requests = vec![Request {
        kind: RequestKind::Http {
            method: "GET".into(),
            target: "/".into(),
            body: String::new(),
        },
        deadline_ms: None,
        repeat_safe: true,
        given: true,
    }];
    let reach = "127.0.0.1:8080".to_owned();
    seen.apply(Event::Listener(Listener {
        at: At(0),
        bound: reach.clone(),
        reach: reach.clone(),
        pid: 10,
        private: true,
    }));
    seen.apply(Event::ListenerFacts(ListenerFacts {
        at: At(0),
        reach: reach.clone(),
        speaks: vec![Speaks::Http1, Speaks::Prometheus, Speaks::GoroutineMetric],
        services: vec![],
        probe_traces: vec![],
        unclear: None,
    }));
    let mut at = 0;
    let mut next = || {
        at += 1_000;
        At(at)
    };
    let snapshot = |at: At, label: &str, total: u64| {
        Event::Snapshot(Snapshot {
            at,
            until: at,
            form: SnapshotForm::Total,
            label: label.into(),
            total,
            groups: vec![],
            truncated: false,
        })
    };
    for (batch, number) in (0..).zip(numbers) {
        for call in 0..BATCH {
            let id = batch * BATCH + call;
            seen.apply(Event::CallSent(CallSent {
                id,
                request: 0,
                purpose: Purpose::Batch,
                at: next(),
                reach: reach.clone(),
                trace_id: String::new(),
                span_id: String::new(),
                deadline_ms: None,
                cancel_after_ms: None,
            }));
            if call == 8 {
                seen.apply(snapshot(next(), IN_BATCH, during));
            }
            seen.apply(Event::CallEnded(CallEnded {
                id,
                at: next(),
                end: CallEnd::Http { status: 200 },
            }));
        }
        let label = if batch == 0 {
            BASE.to_owned()
        } else {
            after(batch as usize)
        };
        seen.apply(snapshot(next(), &label, *number));
    }
    seen.apply(snapshot(next(), HELD, held));
    seen
}

fn check(numbers: &[u64], held: u64, during: u64) -> Judgement {
    let seen = evidence(numbers, held, during);
    judge(&seen)
}

#[test]
fn a_number_that_stays_and_follows_is_a_pass() {
    let judgement = check(&[24, 24, 25, 24, 23], 24, 40);
    assert_eq!(
        judgement.outcome.reason(),
        "120 requests in 4 batches: 24 goroutines before, 23 after, by go_goroutines"
    );
    assert_eq!(judgement.outcome.name(), "passed");
}

#[test]
fn one_goroutine_a_request_is_found_without_a_stack() {
    let judgement = check(&[24, 54, 84, 114, 144], 144, 160);
    let [finding] = judgement.findings.as_slice() else {
        panic!("{judgement:?}")
    };
    assert!(
        finding
            .message
            .starts_with("120 goroutines were left behind by 120 requests (1.00"),
        "{}",
        finding.message
    );
}

#[test]
fn a_number_out_of_a_cache_proves_nothing() {
    assert_eq!(check(&[24; 5], 24, 24).outcome.name(), "inconclusive");
}

#[test]
fn growth_that_is_no_line_or_does_not_stay_is_neither() {
    for (numbers, held) in [
        (&[24, 40, 44, 44, 44], 44),
        (&[24, 54, 84, 114, 144], 24),
        (&[60, 54, 48, 40, 30], 30),
    ] {
        assert_eq!(
            check(numbers, held, 200).outcome.name(),
            "inconclusive",
            "{numbers:?}"
        );
    }
}

#[test]
fn a_number_that_was_not_read_every_time_proves_nothing() {
    let mut seen = evidence(&[24; 5], 24, 40);
    seen.snapshots.retain(|snapshot| snapshot.label != HELD);
    assert_eq!(judge(&seen).outcome.name(), "inconclusive");
    let mut seen = evidence(&[24; 5], 24, 40);
    seen.listener_facts.clear();
    assert_eq!(judge(&seen).outcome.name(), "inconclusive");
}

#[test]
fn requests_that_fail_exercise_nothing() {
    let mut seen = evidence(&[24; 5], 24, 40);
    for ended in seen.calls.iter_mut().filter_map(|call| call.ended.as_mut()) {
        ended.end = CallEnd::Http { status: 500 };
    }
    assert_eq!(judge(&seen).outcome.name(), "not exercised");
}

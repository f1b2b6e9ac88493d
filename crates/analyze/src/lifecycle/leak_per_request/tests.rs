use shakedown_evidence::{At, Event, GoroutineGroup, SnapshotForm};

use super::*;

/// Further starts with so many requests, of which this part was answered, and in whose dumps so many
/// goroutines wait to send.
fn starts(counts: &[u64], ok: u64) -> Evidence {
    let mut seen = Evidence::default();
    let frame = |function: &str, line| Frame {
        function: function.into(),
        file: "/src/orders/price.go".into(),
        line,
    };
    seen.apply(Event::Stack(Stack {
        frames: vec![frame("runtime.gopark", 1), frame("orders.first.func1", 14)],
        state: Some("chan send".into()),
        created_by: Some(frame("orders.first", 13)),
        ..Stack::default()
    }));
    for (round, count) in counts.iter().enumerate() {
        let sent = (round as u64 + 1) * 10;
        seen.apply(Event::Snapshot(Snapshot {
            at: At(1),
            until: At(2),
            form: SnapshotForm::Full,
            label: quit(round),
            total: count + 20,
            groups: vec![GoroutineGroup {
                stack: 0,
                count: *count,
                ids: vec![],
            }],
            truncated: false,
        }));
        seen.apply(Event::FurtherStart(FurtherStart {
            at: At(3),
            round,
            sent,
            ok: sent * ok / 100,
            failed: None,
        }));
    }
    seen
}

#[test]
fn what_grows_from_start_to_start_is_found_with_its_line() {
    let judgement = without_pprof(&starts(&[11, 21, 31, 41], 100));
    let [finding] = judgement.findings.as_slice() else {
        panic!("{judgement:?}")
    };
    assert_eq!(finding.subject, "orders.first.func1 [chan send]");
    assert_eq!(
        finding.location.as_ref().and_then(|place| place.line),
        Some(13),
        "the go statement: whose code is whose is not known without build info"
    );
    let message = &finding.message;
    assert!(
        message.starts_with("30 goroutines were left behind by 30 requests"),
        "{message}"
    );
}

#[test]
fn a_pool_that_is_full_before_the_last_start_passes() {
    for counts in [[8, 8, 8, 8], [4, 9, 10, 10]] {
        let judgement = without_pprof(&starts(&counts, 100));
        assert_eq!(judgement.outcome.name(), "passed", "{counts:?}");
    }
}

#[test]
fn starts_that_are_missing_failed_or_answered_badly_prove_nothing() {
    let outcome = |seen: &Evidence| without_pprof(seen).outcome;
    assert_eq!(outcome(&starts(&[8, 8, 8], 100)).name(), "inconclusive");
    assert_eq!(outcome(&starts(&[8; 4], 50)).name(), "inconclusive");
    let mut seen = starts(&[8; 4], 100);
    seen.further_starts[0].failed = Some("it handles the signal itself".into());
    let outcome = outcome(&seen);
    assert_eq!(outcome.name(), "inconclusive");
    let reason = outcome.reason();
    assert!(
        reason.ends_with("further start 1: it handles the signal itself"),
        "{reason}"
    );
}

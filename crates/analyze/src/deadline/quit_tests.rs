use shakedown_evidence::{
    At, CallEnd, CallEnded, CallSent, Event, Frame, GoroutineGroup, Listener, Purpose, QuitAudit,
    Request, RequestKind, Snapshot, SnapshotForm, Stack, labels,
};
use shakedown_findings::{Exhibit, Outcome};

use super::Evidence;
use crate::Judgement;
use crate::deadline::deadline_ignored::RULE;

/// A run on a method that takes so many ms, on a service without pprof.
fn run(takes: u64) -> Evidence {
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
    seen.apply(Event::Listener(Listener {
        at: At(0),
        bound: "h:1".into(),
        reach: "h:1".into(),
        pid: 7,
        private: true,
    }));
    for (id, purpose) in [(0, Purpose::Locate), (1, Purpose::Traffic)] {
        let at = At(u64::from(id) * 1_000_000);
        seen.apply(Event::CallSent(CallSent {
            id,
            request: 0,
            purpose,
            at,
            reach: "h:1".into(),
            trace_id: String::new(),
            span_id: String::new(),
            deadline_ms: None,
            cancel_after_ms: None,
        }));
        seen.apply(Event::CallEnded(CallEnded {
            id,
            at: At(at.0 + takes * 1000),
            end: CallEnd::Status {
                code: 0,
                message: String::new(),
            },
        }));
    }
    for functions in [
        &["time.Sleep", "main.find", "ex/pb._Svc_Get_Handler"][..],
        &["main.main"],
    ] {
        let frame = |function: &&str| Frame {
            function: (*function).into(),
            file: "x.go".into(),
            line: 7,
        };
        seen.apply(Event::Stack(Stack {
            frames: functions.iter().map(frame).collect(),
            ..Stack::default()
        }));
    }
    seen
}

/// Adds a start whose dump has so many handlers.
fn quit(mut seen: Evidence, handlers: u64, change: impl FnOnce(&mut QuitAudit)) -> Judgement {
    let groups = [(0, handlers), (1, 1)].map(|(stack, count)| GoroutineGroup {
        stack,
        count,
        ids: Vec::new(),
    });
    seen.apply(Event::Snapshot(Snapshot {
        at: At(0),
        until: At(0),
        form: SnapshotForm::Full,
        label: labels::quit_audit(0),
        total: handlers + 1,
        groups: groups.into_iter().filter(|group| group.count > 0).collect(),
        truncated: false,
    }));
    let mut audit = QuitAudit {
        at: At(0),
        request: 0,
        purpose: Purpose::Deadline,
        calls: 5,
        open: 5,
        moment_ms: 200,
        after_ms: 150,
        age_ms: 352,
        label: labels::quit_audit(0),
        failed: None,
    };
    change(&mut audit);
    seen.apply(Event::QuitAudit(audit));
    (RULE.judge)(&seen)
}

fn reason(judgement: &Judgement) -> (&'static str, &str) {
    (judgement.outcome.name(), judgement.outcome.reason())
}

#[test]
fn handlers_that_stand_after_their_deadline_are_found_with_the_stack() {
    let judgement = quit(run(400), 5, |_| {});
    let [finding] = judgement.findings.as_slice() else {
        panic!("{:?}", judgement.outcome);
    };
    assert_eq!(
        finding.message,
        "pkg.Svc/Get was still in time.Sleep 150 ms after its 200 ms deadline, in 5 of 5 calls."
    );
    let course = finding.exhibits.iter().find_map(|exhibit| match exhibit {
        Exhibit::Timeline { moments, .. } => Some(moments),
        _ => None,
    });
    let course = course.expect("a timeline");
    let course: Vec<_> = course
        .iter()
        .map(|step| (step.at_us, step.what.as_str()))
        .collect();
    assert_eq!(
        course,
        [
            (0, "sent"),
            (200_000, "deadline"),
            (350_000, "SIGQUIT: handler still running")
        ]
    );
}

#[test]
fn handlers_that_are_gone_although_the_request_takes_longer_have_stopped() {
    let judgement = quit(run(400), 0, |_| {});
    assert_eq!(
        reason(&judgement),
        (
            "passed",
            "Svc/Get: 5 calls caught at their deadline, gone within 150 ms"
        )
    );
}

#[test]
fn what_does_not_decide_is_open() {
    let name = |judgement: Judgement| judgement.outcome.name();
    // A busy machine: one is left; or SIGQUIT came too early, or when they were over in any case.
    assert_eq!(name(quit(run(400), 1, |_| {})), "inconclusive");
    let early = |audit: &mut QuitAudit| audit.after_ms = 40;
    assert_eq!(name(quit(run(400), 5, early)), "inconclusive");
    let over = |audit: &mut QuitAudit| audit.age_ms = 390;
    assert_eq!(name(quit(run(400), 0, over)), "inconclusive");
    // Handlers that stand long after are late, whenever it was.
    let long = |audit: &mut QuitAudit| (audit.age_ms, audit.after_ms) = (900, 700);
    assert_eq!(name(quit(run(400), 5, long)), "failed");
    let failed = |audit: &mut QuitAudit| audit.failed = Some("it was not ready".into());
    assert_eq!(name(quit(run(400), 0, failed)), "inconclusive");
    let answered = |audit: &mut QuitAudit| audit.open = 4;
    assert_eq!(name(quit(run(400), 0, answered)), "not exercised");
    let other = |audit: &mut QuitAudit| audit.purpose = Purpose::Cancel;
    assert_eq!(name(quit(run(400), 0, other)), "inconclusive");
    let lost = |audit: &mut QuitAudit| audit.label = "lost".into();
    assert_eq!(name(quit(run(400), 0, lost)), "inconclusive");
}

#[test]
fn without_such_a_start_nothing_is_known_and_pprof_is_the_way() {
    let judgement = (RULE.judge)(&run(400));
    let Outcome::Inconclusive {
        reason: why,
        to_prove,
    } = &judgement.outcome
    else {
        panic!("{:?}", judgement.outcome);
    };
    assert!(why.contains("no goroutine profile"), "{why}");
    assert!(to_prove.contains("mount pprof"), "{to_prove}");
    let fast = quit(run(3), 0, |audit| audit.request = 9);
    assert_eq!(
        reason(&fast),
        (
            "not exercised",
            "pkg.Svc/Get: takes 3 ms, too fast to be caught without pprof"
        )
    );
}

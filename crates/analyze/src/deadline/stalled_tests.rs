use shakedown_evidence::{
    Answers, At, BuildInfo, CallEnd, CallEnded, CallSent, Connections, Event, Frame,
    GoroutineGroup, Listener, PprofEndpoint, Request, RequestKind, Serves, Snapshot, SnapshotForm,
    Stack, StallChange,
};
use shakedown_findings::{Exhibit, Outcome};

use super::{Evidence, Purpose, Stall};
use crate::Judgement;
use crate::deadline::deadline_ignored::RULE;

const MS: u64 = 1_000;

/// A run on a method that takes 3 ms, with stalls before some dependencies.
struct Made {
    seen: Evidence,
    now: At,
}

/// What one call did whose dependency was stalled.
#[derive(Clone, Copy)]
enum Call {
    /// Its handler was seen until so many ms after its deadline, and then no more.
    GoneAfter(u64),
    /// It was answered as ever, after 3 ms.
    AsEver,
    /// It got an error after 3 ms.
    Refused,
}

fn end(code: u16) -> CallEnd {
    CallEnd::Status {
        code,
        message: if code == 0 { "" } else { "connection lost" }.into(),
    }
}

impl Made {
    fn new(stalls: &[(&str, Answers)]) -> Self {
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
        let stall = |(name, answers): &(&str, Answers)| Stall {
            name: (*name).into(),
            to: "127.0.0.1:5432".into(),
            answers: *answers,
        };
        seen.run.stalls = stalls.iter().map(stall).collect();
        seen.apply(Event::Pprof(PprofEndpoint {
            at: At(0),
            reach: "127.0.0.1:6060".into(),
            prefix: "/debug/pprof/".into(),
            profiles: vec!["goroutine".into()],
            asked: Vec::new(),
        }));
        for functions in [
            &[
                "internal/poll.(*FD).Read",
                "db.(*Conn).Query",
                "main.find",
                "ex/pb._Svc_Get_Handler",
            ][..],
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
        let mut made = Self { seen, now: At(1) };
        for purpose in [Purpose::Locate, Purpose::Traffic, Purpose::Traffic] {
            made.call(purpose, None, 3, end(0));
        }
        made
    }

    /// The same service in Rust: its handler is a task, with these words of what it serves.
    fn in_rust(mut self, serves: Option<Serves>) -> Self {
        self.seen.apply(Event::Build(BuildInfo {
            executable: "/app/svc".into(),
            rust: Some("1.95.0".into()),
            ..BuildInfo::default()
        }));
        let registry = "/home/ann/.cargo/registry/src/index.crates.io-1/";
        let frame = |function: &str, file: &str| Frame {
            function: function.into(),
            file: file.into(),
            line: 7,
        };
        self.seen.stacks[0] = Stack {
            frames: vec![
                frame("tokio::sync::oneshot::Receiver<T>::poll", registry),
                frame(
                    "db::Connection::query",
                    &format!("{registry}db-1.0.0/src/lib.rs"),
                ),
                frame("svc::api::find", "/src/svc/src/api.rs"),
                frame("kit::request", "/src/kit/connections.rs"),
            ],
            serves,
            ..Stack::default()
        };
        self
    }

    fn pass(&mut self, ms: u64) -> At {
        self.now = At(self.now.0 + ms * MS);
        self.now
    }

    fn call(&mut self, purpose: Purpose, deadline_ms: Option<u64>, takes: u64, how: CallEnd) -> At {
        let id = u32::try_from(self.seen.calls.len()).expect("few");
        let sent = self.pass(20);
        self.seen.apply(Event::CallSent(CallSent {
            id,
            request: 0,
            purpose,
            at: sent,
            reach: "127.0.0.1:7000".into(),
            trace_id: String::new(),
            span_id: String::new(),
            deadline_ms,
            cancel_after_ms: None,
        }));
        self.seen.apply(Event::CallEnded(CallEnded {
            id,
            at: At(sent.0 + takes * MS),
            end: how,
        }));
        self.now = At(sent.0 + takes * MS);
        sent
    }

    fn look(&mut self, at: At, handlers: u64) {
        let group = |stack, count| GoroutineGroup {
            stack,
            count,
            ids: vec![],
        };
        let groups = [group(0, handlers), group(1, 1)];
        self.seen.apply(Event::Snapshot(Snapshot {
            at,
            until: At(at.0 + 2 * MS),
            form: SnapshotForm::Counts,
            label: String::new(),
            total: handlers + 1,
            groups: groups.into_iter().filter(|group| group.count > 0).collect(),
            truncated: false,
        }));
    }

    fn change(&mut self, stall: &str, holds: bool) {
        self.seen.apply(Event::Stall(StallChange {
            at: self.now,
            name: stall.into(),
            holds,
        }));
    }

    fn behind(mut self, stall: &str, calls: &[Call]) -> Self {
        for call in calls {
            let base = self.pass(10);
            self.look(base, 0);
            self.pass(5);
            self.change(stall, true);
            let reset = CallEnd::Reset {
                reason: "CANCEL".into(),
            };
            match call {
                Call::AsEver => {
                    self.call(Purpose::Deadline, Some(170), 3, end(0));
                }
                Call::Refused => {
                    self.call(Purpose::Deadline, Some(170), 3, end(14));
                }
                Call::GoneAfter(ms) => {
                    let sent = self.call(Purpose::Deadline, Some(170), 170, reset);
                    let due = self.now;
                    self.look(At(sent.0 + 100 * MS), 1);
                    for late in (10..*ms).step_by(10) {
                        self.look(At(due.0 + late * MS), 1);
                    }
                    self.now = At(due.0 + (ms + 3) * MS);
                    let now = self.now;
                    self.look(now, 0);
                    self.pass(5);
                }
            }
            self.change(stall, false);
            self.call(Purpose::Recover, None, 3, end(0));
        }
        self
    }

    fn judged(&self) -> Judgement {
        (RULE.judge)(&self.seen)
    }
}

const HELD: &[(&str, Answers)] = &[("db", Answers::Held)];
const TWO: &[(&str, Answers)] = &[("cache", Answers::Held), ("db", Answers::Held)];

fn reason(outcome: &Outcome) -> (&str, &str) {
    match outcome {
        Outcome::NotExercised { reason, to_prove } | Outcome::Inconclusive { reason, to_prove } => {
            (reason, to_prove)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn without_a_stall_the_flag_is_named_with_what_the_service_called() {
    let mut made = Made::new(&[]);
    let own = "127.0.0.1:2379".to_owned();
    made.seen.apply(Event::Listener(Listener {
        at: made.now,
        bound: own.clone(),
        reach: own.clone(),
        pid: 1,
        private: true,
    }));
    made.seen.apply(Event::Connections(Connections {
        at: made.now,
        peers: vec![own, "10.0.0.9:5432".into()],
    }));
    let outcome = made.judged().outcome;
    let (why, to_prove) = reason(&outcome);
    assert!(why.contains("takes 3 ms, too fast to be caught"), "{why}");
    assert!(
        to_prove.contains("--stall NAME=10.0.0.9:5432") && to_prove.contains("{stall.NAME.addr}"),
        "{to_prove}"
    );
    assert_eq!(outcome.name(), "not exercised");
}

#[test]
fn a_handler_that_stops_behind_a_stall_passes() {
    let judged = Made::new(HELD)
        .behind("db", &[Call::GoneAfter(5); 5])
        .judged();
    let Outcome::Passed { reason } = &judged.outcome else {
        panic!("{judged:?}");
    };
    assert!(
        reason.contains("5 calls") && reason.contains("(behind stall db)"),
        "{reason}"
    );
}

#[test]
fn a_handler_in_rust_is_known_by_the_label_of_its_task() {
    let check = |serves, calls: &[Call]| {
        let made = Made::new(HELD).in_rust(serves).behind("db", calls);
        RULE.judged(&made.seen)
    };
    let get = || Some(Serves::Rpc("pkg.Svc/Get".into()));
    let stops = check(get(), &[Call::GoneAfter(5); 5]);
    assert_eq!(stops.outcome.name(), "passed", "{stops:?}");
    let goes_on = check(get(), &[Call::GoneAfter(600); 5]);
    let [finding] = goes_on.findings.as_slice() else {
        panic!("{goes_on:?}");
    };
    let place = finding.location.as_ref().expect("the service's own frame");
    assert_eq!(place.function.as_deref(), Some("svc::api::find"));
    assert!(finding.fix.contains("DeadlineLayer"), "{}", finding.fix);
    // Tasks that say for nobody that they work, and one that works for somebody else.
    let unnamed = check(None, &[Call::GoneAfter(600); 5]);
    let (why, to_prove) = reason(&unnamed.outcome);
    assert!(why.contains("none of the service's tasks says"), "{why}");
    assert!(to_prove.contains("Kit::serve"), "{to_prove}");
    let other = check(
        Some(Serves::Rpc("pkg.Svc/List".into())),
        &[Call::GoneAfter(600); 5],
    );
    assert_eq!(other.outcome.name(), "not exercised", "{other:?}");
}

#[test]
fn a_handler_that_goes_on_behind_a_stall_is_found() {
    let judged = Made::new(HELD)
        .behind("db", &[Call::GoneAfter(600); 5])
        .judged();
    let [finding] = judged.findings.as_slice() else {
        panic!("{judged:?}");
    };
    assert!(
        finding.message.contains("while db did not answer")
            && finding.message.contains("in db.(*Conn).Query 5"),
        "{}",
        finding.message
    );
    assert!(finding.fix.contains("the call to db"), "{}", finding.fix);
    let moments = finding.exhibits.iter().find_map(|exhibit| match exhibit {
        Exhibit::Timeline { moments, .. } => Some(moments),
        _ => None,
    });
    let answers = |moment: &shakedown_findings::Moment| moment.what == "db answers again";
    assert!(moments.expect("a timeline").iter().any(answers));
}

#[test]
fn one_stall_that_it_waits_for_is_enough() {
    let judged = Made::new(TWO)
        .behind("cache", &[Call::AsEver; 3])
        .behind("db", &[Call::GoneAfter(5); 5])
        .judged();
    assert_eq!(judged.outcome.name(), "passed", "{judged:?}");
    let judged = Made::new(TWO)
        .behind("cache", &[Call::GoneAfter(5); 5])
        .behind("db", &[Call::GoneAfter(600); 5])
        .judged();
    assert_eq!(judged.outcome.name(), "failed", "{judged:?}");
}

#[test]
fn what_one_stall_leaves_open_is_not_settled_by_another() {
    let doubtful = [
        [Call::GoneAfter(600); 2].as_slice(),
        [Call::GoneAfter(5); 4].as_slice(),
    ];
    let open = || Made::new(TWO).behind("cache", &doubtful.concat());
    let judged = open().behind("db", &[Call::GoneAfter(5); 5]).judged();
    assert_eq!(judged.outcome.name(), "inconclusive", "{judged:?}");
    let judged = open().behind("db", &[Call::GoneAfter(600); 5]).judged();
    assert_eq!(judged.outcome.name(), "failed", "{judged:?}");
}

#[test]
fn a_handler_that_does_not_wait_was_not_exercised() {
    for (calls, wanted) in [
        (&[Call::AsEver; 3][..], "did not wait for db"),
        (&[Call::Refused; 12][..], "gave up on db"),
        (&[][..], "was not asked while db was held"),
        (&[Call::GoneAfter(5); 4][..], "seldom caught waiting for db"),
    ] {
        let outcome = Made::new(HELD).behind("db", calls).judged().outcome;
        assert_eq!(outcome.name(), "not exercised", "{wanted}");
        let (why, to_prove) = reason(&outcome);
        assert!(why.contains(wanted), "{why}");
        assert!(to_prove.contains("--stall"), "{to_prove}");
    }
}

#[test]
fn answers_that_are_hardly_late_exercise_nothing() {
    let outcome = Made::new(&[("db", Answers::LateByMs(20))]).judged().outcome;
    let (why, _) = reason(&outcome);
    assert!(why.contains("too early even so"), "{why}");
}

#[test]
fn a_service_that_did_not_recover_is_not_blamed() {
    let mut made = Made::new(HELD).behind("db", &[Call::Refused]);
    made.call(Purpose::Recover, None, 3, end(14));
    let outcome = made.judged().outcome;
    assert_eq!(outcome.name(), "inconclusive");
    let (why, _) = reason(&outcome);
    assert!(why.contains("connection lost"), "{why}");
}

#[test]
fn somebody_else_in_the_handler_is_not_ours() {
    let mut made = Made::new(HELD);
    made = made.behind("db", &[Call::AsEver; 2]);
    let now = made.pass(1);
    made.look(now, 3);
    let judged = made.judged();
    assert_eq!(judged.outcome.name(), "not exercised", "{judged:?}");
}

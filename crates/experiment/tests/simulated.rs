//! Experiments against a simulated service: no socket, no waiting, every moment known.

use std::time::Duration;

use shakedown_evidence::caught::{CALLS, catch};
use shakedown_evidence::labels::{BASE, BATCHES, HELD, after};
use shakedown_evidence::{
    Answers, At, CallEnd, CallEnded, CallSent, Event, Evidence, Frame, GoroutineGroup,
    PprofEndpoint, Purpose, Request, RequestKind, Snapshot, Stack, Stall, StallChange,
};
use shakedown_experiment::{Action, Audit, Batches, CallPlan, Experiment, Step, Traffic};

#[path = "simulated/stalled.rs"]
mod stalled;

/// What the simulated handler does.
#[derive(Clone, Copy)]
struct Handler {
    /// How long its work takes.
    takes: Duration,
    /// It stops when its caller's interest ends.
    honours: bool,
    /// Goroutines that it leaves behind.
    leaks: u64,
}

/// A service with one gRPC method, and the clock of the run.
struct Simulated {
    handler: Handler,
    seen: Evidence,
    now: At,
    /// Running handlers: when each ends.
    handlers: Vec<At>,
    /// Calls under way: number, end, how.
    open: Vec<(u32, At, CallEnd)>,
    leaked: u64,
    /// Its dependency.
    dependency: Dependency,
}

/// What a handler needs besides time.
#[derive(Default)]
struct Dependency {
    /// The handler waits for it.
    needed: bool,
    /// It does not answer just now.
    held: bool,
    /// The service loses its connection for ever when it is held.
    lost: bool,
}

/// A handler that waits for its dependency ends when that answers.
const UNTIL_RELEASED: At = At(u64::MAX);

/// Every look at the goroutines takes so long, and shows their state in the middle of it.
const LOOK: Duration = Duration::from_millis(8);

impl Simulated {
    fn new(handler: Handler) -> Self {
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
            at: At::default(),
            reach: "127.0.0.1:6060".into(),
            prefix: "/debug/pprof/".into(),
            profiles: vec!["goroutine".into()],
            asked: vec![],
        }));
        for function in ["ex/pb._Svc_Get_Handler", "ex.leak", "main.main"] {
            let frame = Frame {
                function: function.into(),
                file: "x.go".into(),
                line: 1,
            };
            seen.apply(Event::Stack(Stack {
                frames: vec![frame],
                ..Stack::default()
            }));
        }
        let mut service = Self {
            handler,
            seen,
            now: At::default(),
            handlers: vec![],
            open: vec![],
            leaked: 0,
            dependency: Dependency::default(),
        };
        service.send(&CallPlan {
            request: 0,
            purpose: Purpose::Locate,
            reach: "127.0.0.1:7000".into(),
            deadline: None,
            cancel_after: None,
            patience: Duration::from_secs(15),
        });
        service.pass(handler.takes + Duration::from_millis(5));
        service
    }

    /// Calls of ordinary traffic, so that the usual duration is known.
    fn with_traffic(mut self, calls: usize) -> Self {
        for _ in 0..calls {
            self.send(&CallPlan {
                request: 0,
                purpose: Purpose::Traffic,
                reach: "127.0.0.1:7000".into(),
                deadline: None,
                cancel_after: None,
                patience: Duration::from_secs(15),
            });
            self.pass(self.handler.takes + Duration::from_millis(20));
        }
        self
    }

    /// Puts a stall before a dependency that the handler waits for, or not.
    fn behind_a_stall(mut self, needed: bool) -> Self {
        self.seen.run.stalls = vec![Stall {
            name: "db".into(),
            to: "127.0.0.1:5432".into(),
            answers: Answers::Held,
        }];
        self.dependency.needed = needed;
        self
    }

    fn stall(&mut self, name: String, holds: bool) {
        if self.dependency.held == holds {
            return;
        }
        self.dependency.held = holds;
        self.seen.apply(Event::Stall(StallChange {
            at: self.now,
            name,
            holds,
        }));
        if holds {
            return;
        }
        let answered = self.now + self.handler.takes;
        let ends = self.handlers.iter_mut();
        let ends = ends.chain(self.open.iter_mut().map(|(_, end, _)| end));
        for end in ends.filter(|end| **end == UNTIL_RELEASED) {
            *end = answered;
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
        let now = self.now;
        self.handlers.retain(|end| *end > now);
        let (ended, open) = std::mem::take(&mut self.open)
            .into_iter()
            .partition(|(_, end, _)| *end <= now);
        self.open = open;
        for (id, at, end) in Vec::from_iter::<Vec<(u32, At, CallEnd)>>(ended) {
            self.seen.apply(Event::CallEnded(CallEnded { id, at, end }));
        }
    }

    fn send(&mut self, plan: &CallPlan) {
        let id = u32::try_from(self.seen.calls.len()).expect("few calls");
        self.seen.apply(Event::CallSent(CallSent {
            id,
            request: plan.request,
            purpose: plan.purpose,
            at: self.now,
            reach: plan.reach.clone(),
            trace_id: format!("{id:032x}"),
            span_id: format!("{id:016x}"),
            deadline_ms: plan
                .deadline
                .map(|deadline| u64::try_from(deadline.as_millis()).expect("short")),
            cancel_after_ms: plan
                .cancel_after
                .map(|after| u64::try_from(after.as_millis()).expect("short")),
        }));
        let interest = plan
            .deadline
            .or(plan.cancel_after)
            .unwrap_or(Duration::MAX)
            .min(Duration::from_secs(3600));
        let ran = if self.handler.honours {
            self.handler.takes.min(interest)
        } else {
            self.handler.takes
        };
        let waits = self.dependency.needed && self.dependency.held;
        self.handlers.push(match (waits, self.handler.honours) {
            (true, true) => self.now + interest,
            (true, false) => UNTIL_RELEASED,
            (false, _) => self.now + ran,
        });
        self.leaked += self.handler.leaks;
        let is_lost = self.dependency.lost && !self.seen.stalls.is_empty();
        let (after, end) = if is_lost {
            (
                Duration::from_millis(1),
                CallEnd::Status {
                    code: 14,
                    message: "connection lost".into(),
                },
            )
        } else if waits && plan.cancel_after.is_none() {
            (
                interest,
                CallEnd::Reset {
                    reason: "CANCEL".into(),
                },
            )
        } else if waits {
            (interest, CallEnd::Left)
        } else if self.handler.takes <= interest {
            (
                self.handler.takes,
                CallEnd::Status {
                    code: 0,
                    message: String::new(),
                },
            )
        } else if plan.cancel_after.is_some() {
            (interest, CallEnd::Left)
        } else {
            (
                interest,
                CallEnd::Reset {
                    reason: "CANCEL".into(),
                },
            )
        };
        self.open.push((id, self.now + after, end));
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Call(plan) => self.send(&plan),
            Action::Hold { stall } => self.stall(stall, true),
            Action::Release { stall } => self.stall(stall, false),
            Action::Snapshot { form, label } => {
                let at = self.now;
                self.pass(LOOK / 2);
                let handlers = self.handlers.len() as u64;
                let (leaked, total) = (self.leaked, self.leaked + handlers + 1);
                self.pass(LOOK / 2);
                let group = |stack, count| GoroutineGroup {
                    stack,
                    count,
                    ids: vec![],
                };
                let groups = vec![group(0, handlers), group(1, leaked), group(2, 1)];
                let groups = groups.into_iter().filter(|group| group.count > 0).collect();
                self.seen.apply(Event::Snapshot(Snapshot {
                    at,
                    until: self.now,
                    form,
                    label,
                    total,
                    groups,
                    truncated: false,
                }));
            }
            _ => self.pass(Duration::from_millis(1)),
        }
    }

    /// Runs an experiment to its end.
    fn run(&mut self, experiment: &mut dyn Experiment) -> String {
        for _ in 0..200_000 {
            match experiment.next(&self.seen, self.now) {
                Step::Do(action) => self.perform(action),
                Step::Wait(until) => self.pass(until.since(self.now).max(Duration::from_millis(1))),
                Step::Done(how) => return how,
            }
        }
        panic!("{} never ends", experiment.name());
    }
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// How many calls of an audit were caught, how many of them were late by more than `slack`.
fn audit(handler: Handler, purpose: Purpose, slack: Duration) -> (usize, usize, usize) {
    let mut service = Simulated::new(handler).with_traffic(4);
    service.run(&mut Audit::new(0, purpose));
    let calls: Vec<_> = service.seen.calls_for(0, purpose).collect();
    let next = calls
        .iter()
        .skip(1)
        .map(|call| call.sent.at)
        .chain([At::MAX]);
    let catches: Vec<_> = calls
        .iter()
        .zip(next)
        .filter_map(|(call, next)| catch(&service.seen, call, next))
        .collect();
    let late = catches
        .iter()
        .filter(|catch| catch.overran() > slack)
        .count();
    (calls.len(), catches.len(), late)
}

const HONEST: Handler = Handler {
    takes: Duration::from_millis(400),
    honours: true,
    leaks: 0,
};
const STUBBORN: Handler = Handler {
    takes: Duration::from_millis(2500),
    honours: false,
    leaks: 0,
};

#[test]
fn an_honest_handler_is_caught_often_enough_and_never_late() {
    for purpose in [Purpose::Deadline, Purpose::Cancel] {
        let (calls, caught, late) = audit(HONEST, purpose, ms(100));
        assert_eq!((calls, caught, late), (CALLS, CALLS, 0), "{purpose:?}");
    }
}

#[test]
fn a_stubborn_handler_is_late_every_time() {
    for purpose in [Purpose::Deadline, Purpose::Cancel] {
        let (_, caught, late) = audit(STUBBORN, purpose, ms(250));
        assert_eq!((caught, late), (CALLS, CALLS), "{purpose:?}");
    }
}

#[test]
fn a_stubborn_handler_of_ordinary_length_is_told_from_an_honest_one() {
    let handler = Handler {
        takes: ms(200),
        honours: false,
        leaks: 0,
    };
    let slack = shakedown_evidence::caught::moment(ms(200), None)
        .expect("slow enough")
        .slack;
    let (_, caught, late) = audit(handler, Purpose::Deadline, slack);
    assert!(
        caught >= CALLS && late >= CALLS,
        "{caught} caught, {late} late"
    );
}

#[test]
fn a_fast_handler_is_left_alone() {
    let handler = Handler {
        takes: ms(3),
        ..HONEST
    };
    let mut service = Simulated::new(handler).with_traffic(4);
    let how = service.run(&mut Audit::new(0, Purpose::Deadline));
    assert!(how.contains("takes 3 ms only"), "{how}");
    assert_eq!(service.seen.calls_for(0, Purpose::Deadline).count(), 0);
}

#[test]
fn batches_are_equal_and_counted_after_each() {
    let handler = Handler {
        takes: ms(50),
        honours: true,
        leaks: 1,
    };
    let mut service = Simulated::new(handler).with_traffic(4);
    service.run(&mut Batches::new(10, 4));
    let labels = std::iter::once(BASE.to_owned())
        .chain((1..=BATCHES).map(after))
        .chain([HELD.to_owned()]);
    let totals: Vec<u64> = labels
        .map(|label| {
            service
                .seen
                .snapshots
                .iter()
                .find(|snapshot| snapshot.label == label)
                .expect("counted")
                .total
        })
        .collect();
    let steps: Vec<u64> = totals.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(steps, [10, 10, 10, 10, 0]);
}

#[test]
fn a_batch_never_has_more_calls_under_way_than_asked() {
    let mut service = Simulated::new(Handler {
        takes: ms(50),
        honours: true,
        leaks: 0,
    })
    .with_traffic(4);
    let mut batches = Batches::new(10, 4);
    let mut most = 0;
    for _ in 0..100_000 {
        most = most.max(service.open.len());
        match batches.next(&service.seen, service.now) {
            Step::Do(action) => service.perform(action),
            Step::Wait(until) => service.pass(until.since(service.now).max(ms(1))),
            Step::Done(_) => break,
        }
    }
    assert_eq!(most, 4);
}

#[test]
fn traffic_is_one_after_another_for_the_whole_window() {
    let mut service = Simulated::new(HONEST);
    let began = service.now;
    service.run(&mut Traffic::new(Duration::from_secs(6), 4, 7));
    let calls: Vec<_> = service.seen.calls_for(0, Purpose::Traffic).collect();
    assert!(calls.len() >= 4);
    assert!(service.now - began >= Duration::from_secs(6));
    for pair in calls.windows(2) {
        let ended = pair[0].ended.as_ref().expect("answered").at;
        assert!(pair[1].sent.at > ended, "two at once");
    }
}

#[test]
fn a_request_that_may_not_be_repeated_is_sent_once() {
    let mut service = Simulated::new(HONEST);
    service.seen.run.requests[0].repeat_safe = false;
    service.run(&mut Traffic::new(Duration::from_secs(6), 4, 7));
    assert_eq!(service.seen.calls_for(0, Purpose::Traffic).count(), 1);
    service.run(&mut Batches::new(10, 4));
    service.run(&mut Audit::new(0, Purpose::Cancel));
    assert_eq!(service.seen.calls.len(), 2, "located, then sent once");
}

#[test]
fn one_batch_for_a_dump_ends_at_rest_and_with_sigquit() {
    let mut service = Simulated::new(HONEST);
    service.seen.pprof.clear();
    let mut once = Batches::once(10, 4);
    let (mut last_end, mut quit) = (At::default(), None);
    for _ in 0..100_000 {
        match once.next(&service.seen, service.now) {
            Step::Do(Action::Quit) => quit = Some(service.now),
            Step::Do(action) => {
                assert_eq!(quit, None, "{action:?} after SIGQUIT");
                service.perform(action);
            }
            Step::Wait(until) => service.pass(until.since(service.now).max(ms(1))),
            Step::Done(_) => break,
        }
        let ends = service
            .seen
            .calls
            .iter()
            .filter_map(|call| call.ended.as_ref());
        last_end = ends.map(|ended| ended.at).max().unwrap_or(last_end);
    }
    let sent = service.seen.calls_for(0, Purpose::Batch).count();
    let rest = quit.expect("SIGQUIT") - last_end;
    assert_eq!(sent, 10);
    assert!(rest >= Duration::from_secs(3), "{rest:?}");
    assert!(service.seen.snapshots.is_empty(), "nobody can be asked");
}

//! The stop against simulated services: what is in flight, when it is finished, how long is waited.

use std::time::Duration;

use shakedown_evidence::drain::{Fate, fate, in_flight};
use shakedown_evidence::{
    Answers, At, Call, CallBody, CallEnd, CallEnded, CallSent, DrainLook, Event, Evidence, Gone,
    Listener, Purpose, Request, RequestKind, Role, Signalled, Stall, StallChange, StopReport,
};
use shakedown_experiment::{Action, CallPlan, Experiment, Step, Terminate};

const PID: u32 = 7;
const GRACE: Duration = Duration::from_secs(4);

/// What the service does at SIGTERM.
#[derive(Clone, Copy)]
enum AtSignal {
    /// Ends once no request is open, `after` at the earliest; its listener closes at once.
    Drain { after: Duration },
    /// Ends at once.
    Exit,
    /// Stays.
    Ignore,
}

/// A service with one listener, and the clock of the run.
struct Simulated {
    seen: Evidence,
    now: At,
    takes: Duration,
    at_signal: AtSignal,
    signal: Option<At>,
    gone: Option<At>,
    /// Calls under way: number, when the answer comes; nothing while half of the body is missing.
    open: Vec<(u32, Option<At>)>,
    /// Most calls that were under way at once.
    most: usize,
    finished: Vec<At>,
    /// When our connections were closed.
    closed: Vec<At>,
    /// A body that has not come after so long is given up.
    patience: Duration,
    /// Half-sent calls, and when they came.
    halves: Vec<(u32, At)>,
    /// Its handlers wait for what is behind our stall.
    depends: bool,
    /// The stall holds.
    held: bool,
    /// So long, and then it gives up with an error.
    waits: Duration,
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn grpc() -> RequestKind {
    RequestKind::Grpc {
        method: "a.B/C".into(),
        data: String::new(),
    }
}

fn http(body: &str) -> RequestKind {
    RequestKind::Http {
        method: "POST".into(),
        target: "/x".into(),
        body: body.into(),
    }
}

impl Simulated {
    fn new(kinds: Vec<RequestKind>, takes: Duration, at_signal: AtSignal) -> Self {
        let mut seen = Evidence::default();
        seen.run.requests = kinds
            .into_iter()
            .map(|kind| Request {
                kind,
                deadline_ms: None,
                repeat_safe: true,
                given: true,
            })
            .collect();
        seen.apply(Event::Process(shakedown_evidence::ProcessStarted {
            at: At(0),
            role: Role::Target,
            pid: PID,
        }));
        seen.apply(Event::Listener(Listener {
            at: At(0),
            bound: "h:1".into(),
            reach: "h:1".into(),
            pid: PID,
            private: true,
        }));
        let mut service = Self {
            seen,
            now: At(0),
            takes,
            at_signal,
            signal: None,
            gone: None,
            open: Vec::new(),
            most: 0,
            finished: Vec::new(),
            closed: Vec::new(),
            patience: Duration::MAX,
            halves: Vec::new(),
            depends: false,
            held: false,
            waits: Duration::MAX,
        };
        for request in 0..service.seen.run.requests.len() {
            for purpose in [Purpose::Locate, Purpose::Traffic] {
                service.send(&plan(request, purpose), false);
                service.pass(takes + ms(5));
            }
        }
        service.most = 0;
        service
    }

    fn send(&mut self, plan: &CallPlan, half: bool) {
        let id = u32::try_from(self.seen.calls.len()).expect("few calls");
        self.seen.apply(Event::CallSent(CallSent {
            id,
            request: plan.request,
            purpose: plan.purpose,
            at: self.now,
            reach: plan.reach.clone(),
            trace_id: String::new(),
            span_id: String::new(),
            deadline_ms: None,
            cancel_after_ms: None,
        }));
        let refused = self.gone.is_some() || self.signal.is_some() && self.drains();
        if refused {
            self.end(id, failed());
            return;
        }
        if half {
            self.body(id, 1);
            self.halves.push((id, self.now));
        }
        let waits = half || self.depends && self.held;
        let answer = (!waits).then(|| self.now + self.takes);
        self.open.push((id, answer));
        self.most = self.most.max(self.open.len());
    }

    const fn drains(&self) -> bool {
        matches!(self.at_signal, AtSignal::Drain { .. })
    }

    fn body(&mut self, id: u32, sent: u64) {
        self.seen.apply(Event::CallBody(CallBody {
            id,
            at: self.now,
            sent,
            of: 2,
        }));
    }

    fn end(&mut self, id: u32, end: CallEnd) {
        let at = self.now;
        self.seen.apply(Event::CallEnded(CallEnded { id, at, end }));
    }

    fn pass(&mut self, time: Duration) {
        // In steps, so that what depends on what happens in its order.
        let until = self.now + time;
        while self.now < until {
            self.now = (self.now + ms(1)).min(until);
            self.step();
        }
    }

    fn step(&mut self) {
        let now = self.now;
        let done: Vec<u32> = self
            .open
            .iter()
            .filter(|(_, answer)| answer.is_some_and(|answer| answer <= now))
            .map(|(id, _)| *id)
            .collect();
        self.open.retain(|(id, _)| !done.contains(id));
        for id in done {
            self.end(id, CallEnd::Http { status: 200 });
        }
        let impatient = |call: &&Call| call.ended.is_none() && now.since(call.sent.at) > self.waits;
        let given_up = self.seen.calls.iter().filter(impatient);
        for id in given_up.map(|call| call.sent.id).collect::<Vec<_>>() {
            self.open.retain(|(open, _)| *open != id);
            self.end(id, CallEnd::Http { status: 503 });
        }
        for (id, at) in self.halves.clone() {
            if self.open.contains(&(id, None)) && now - at >= self.patience {
                self.open.retain(|(open, _)| *open != id);
                self.end(id, CallEnd::Http { status: 408 });
            }
        }
        let Some(signal) = self.signal.filter(|_| self.gone.is_none()) else {
            return;
        };
        let ends = match self.at_signal {
            AtSignal::Drain { after } => self.open.is_empty() && now >= signal + after,
            AtSignal::Exit => true,
            AtSignal::Ignore => false,
        };
        if ends {
            self.gone = Some(now);
            self.seen.apply(Event::Gone(Gone { at: now, pid: PID }));
            for (id, _) in std::mem::take(&mut self.open) {
                self.end(id, failed());
            }
        }
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Call(plan) => self.send(&plan, false),
            Action::CallHalf(plan) => self.send(&plan, true),
            Action::Finish(id) => {
                let answer = self.now + self.takes;
                if let Some(call) = self.open.iter_mut().find(|call| call.0 == id) {
                    call.1 = Some(answer);
                }
                self.body(id, 2);
                self.finished.push(self.now);
            }
            Action::Hold { stall } => self.stall(stall, true),
            Action::Release { stall } => {
                self.stall(stall, false);
                let answer = self.now + self.takes;
                let half = |id| self.halves.iter().any(|(half, _)| *half == id);
                for (id, at) in &mut self.open {
                    if !half(*id) {
                        at.get_or_insert(answer);
                    }
                }
            }
            Action::Signal => {
                self.signal = Some(self.now);
                self.seen.apply(Event::Signal(Signalled {
                    at: self.now,
                    signal: "SIGTERM".into(),
                    pid: PID,
                }));
            }
            Action::CloseConnections => {
                assert!(self.open.is_empty(), "that would end requests under way");
                self.closed.push(self.now);
            }
            Action::LookAtDrain => {
                let listening = if self.drains() {
                    vec![]
                } else {
                    vec!["h:1".into()]
                };
                self.seen.apply(Event::Drain(DrainLook {
                    at: self.now,
                    listening,
                    clients: vec![],
                }));
            }
            Action::StopWatching { until } => {
                self.seen.apply(Event::Stop(StopReport {
                    at: self.signal.expect("a signal before its report"),
                    signal: "SIGTERM".into(),
                    pid: PID,
                    gone: self.gone,
                    until: self.gone.unwrap_or(until),
                }));
            }
            _ => {}
        }
        self.pass(ms(1));
    }

    fn stall(&mut self, name: String, holds: bool) {
        assert_ne!(
            self.held, holds,
            "one that holds is let go before it holds again"
        );
        self.held = holds;
        let at = self.now;
        self.seen
            .apply(Event::Stall(StallChange { at, name, holds }));
    }

    /// With a stall, and handlers that wait for what is behind it.
    fn behind(mut self, answers: Answers) -> Self {
        self.depends = true;
        self.seen.run.stalls = vec![Stall {
            name: "db".into(),
            to: "127.0.0.1:5432".into(),
            answers,
        }];
        self
    }

    /// Runs the stop to its end, and gives its report.
    fn stop(&mut self) -> StopReport {
        let mut stop = Terminate::new(GRACE);
        for _ in 0..100_000 {
            match stop.next(&self.seen, self.now) {
                Step::Do(action) => self.perform(action),
                Step::Wait(until) => self.pass(until.since(self.now).max(ms(1))),
                Step::Done(_) => return self.seen.stops[0].clone(),
            }
        }
        panic!("it never ends");
    }

    /// How many were in flight, half sent, and dropped.
    fn counts(&self) -> (usize, usize, usize) {
        let of = in_flight(&self.seen, self.signal.expect("a signal"));
        let half = of.iter().filter(|one| one.half).count();
        let dropped = of
            .iter()
            .filter(|one| matches!(fate(&self.seen, one.call, None), Fate::Dropped(_)))
            .count();
        (of.len(), half, dropped)
    }
}

fn failed() -> CallEnd {
    CallEnd::Failed {
        why: "the connection was closed without an answer".into(),
    }
}

fn plan(request: usize, purpose: Purpose) -> CallPlan {
    CallPlan {
        request,
        purpose,
        reach: "h:1".into(),
        deadline: None,
        cancel_after: None,
        patience: Duration::from_secs(15),
    }
}

const PROMPT: AtSignal = AtSignal::Drain {
    after: Duration::ZERO,
};

#[test]
fn a_drain_answers_what_was_in_flight_and_an_exit_drops_it() {
    for (at_signal, all_dropped) in [(PROMPT, false), (AtSignal::Exit, true)] {
        let kinds = || vec![grpc(), http(""), http("{}")];
        let mut service = Simulated::new(kinds(), ms(400), at_signal);
        let report = service.stop();
        let (all, half, dropped) = service.counts();
        assert_eq!(all, 8, "as many as in a batch");
        assert!(half >= 2 && half < all, "{half}");
        assert_eq!(dropped, if all_dropped { all } else { 0 });
        assert!(report.gone.expect("it ends") - report.at < ms(1100));
    }
}

#[test]
fn a_quick_handler_is_held_in_flight_by_half_a_body_only() {
    let mut service = Simulated::new(vec![http("{}")], ms(3), AtSignal::Exit);
    service.stop();
    assert_eq!(service.counts(), (8, 8, 8));
    let mut service = Simulated::new(vec![http("")], ms(3), AtSignal::Exit);
    service.stop();
    assert_eq!(service.counts(), (0, 0, 0));
}

#[test]
fn a_quick_handler_is_held_in_flight_by_what_it_waits_for() {
    for (at_signal, dropped) in [(PROMPT, 0), (AtSignal::Exit, 8)] {
        let service = Simulated::new(vec![http("")], ms(3), at_signal);
        let mut service = service.behind(Answers::Held);
        let report = service.stop();
        assert_eq!(service.counts(), (8, 0, dropped));
        assert!(report.gone.expect("it ends") - report.at < ms(300));
        assert!(!service.held, "nothing holds at the end");
        assert_eq!(service.seen.stalls.len(), 4, "rehearsed once, then used");
    }
}

#[test]
fn what_does_not_wait_for_it_or_not_long_is_not_held() {
    // Its answer does not need what is held.
    let service = Simulated::new(vec![http("")], ms(3), AtSignal::Exit);
    let mut service = service.behind(Answers::Held);
    service.depends = false;
    service.stop();
    assert_eq!(service.counts(), (0, 0, 0));
    // It gives up sooner than it would be held.
    let service = Simulated::new(vec![http("")], ms(3), PROMPT);
    let mut service = service.behind(Answers::Held);
    service.waits = ms(600);
    service.stop();
    assert_eq!(service.counts(), (0, 0, 0));
    // What is held would never be answered.
    let service = Simulated::new(vec![http("")], ms(3), PROMPT);
    let mut service = service.behind(Answers::Never);
    service.stop();
    assert_eq!(service.counts(), (0, 0, 0));
    // It is in flight without.
    let service = Simulated::new(vec![http("{}")], ms(3), PROMPT);
    let mut service = service.behind(Answers::Held);
    service.stop();
    assert_eq!(service.counts(), (8, 8, 0));
    assert_eq!(service.seen.stalls, []);
}

#[test]
fn no_more_are_under_way_than_in_a_batch() {
    let kinds = std::iter::repeat_with(grpc).take(30).collect();
    let mut service = Simulated::new(kinds, ms(200), AtSignal::Ignore);
    service.stop();
    // One more goes out now and then after the signal.
    assert!(service.most <= 9, "{}", service.most);
}

#[test]
fn second_halves_follow_some_soon_some_later_and_all_early_enough() {
    for takes in [ms(3), ms(400), ms(900)] {
        let mut service = Simulated::new(vec![grpc()], takes, PROMPT);
        let report = service.stop();
        let after = service.finished.iter().filter(|at| **at > report.at);
        let after: Vec<Duration> = after.map(|at| *at - report.at).collect();
        let (first, last) = (after.iter().min(), after.iter().max());
        assert!(
            first.is_some_and(|first| *first >= ms(150) && *first < ms(200)),
            "{after:?}"
        );
        assert!(last.is_some_and(|last| *last <= ms(650)), "{after:?}");
        assert_eq!(service.counts().2, 0);
    }
}

#[test]
fn a_slow_request_is_sent_whole_and_so_early_that_its_rest_is_short() {
    for kind in [http(""), http("{}"), grpc()] {
        let mut service = Simulated::new(vec![kind], ms(6000), PROMPT);
        let report = service.stop();
        assert_eq!(service.counts(), (8, 0, 0));
        assert!(report.gone.expect("it ends") - report.at < ms(1000));
    }
}

#[test]
fn one_that_stays_is_given_up_when_its_grace_is_over() {
    let mut service = Simulated::new(vec![grpc()], ms(400), AtSignal::Ignore);
    let report = service.stop();
    assert_eq!((report.gone, report.until - report.at), (None, GRACE));
}

#[test]
fn one_that_can_be_seen_to_drain_is_watched_for_as_long_again() {
    let slow = |after| AtSignal::Drain { after: ms(after) };
    let mut service = Simulated::new(vec![grpc()], ms(400), slow(6000));
    let report = service.stop();
    assert!(report.gone.is_some_and(|gone| gone - report.at >= ms(6000)));
    assert_eq!(service.counts().2, 0);
    let mut service = Simulated::new(vec![grpc()], ms(400), slow(60_000));
    let report = service.stop();
    assert_eq!((report.gone, report.until - report.at), (None, GRACE * 2));
}

#[test]
fn no_idle_connection_of_ours_holds_the_drain_up() {
    let slow = AtSignal::Drain { after: ms(6000) };
    let mut service = Simulated::new(vec![grpc()], ms(400), slow);
    let report = service.stop();
    let (before, after): (Vec<At>, Vec<At>) =
        service.closed.iter().partition(|at| **at < report.at);
    assert_eq!(
        (before.len(), after.len()),
        (2, 1),
        "before the rehearsal, too"
    );
    assert!(after[0] - report.at < ms(3000));
}

#[test]
fn a_server_without_patience_for_slow_bodies_is_not_blamed() {
    for patience in [ms(100), ms(500), ms(890)] {
        let mut service = Simulated::new(vec![http("{}"), http("")], ms(200), PROMPT);
        service.patience = patience;
        service.stop();
        // Only what is sent whole, of both.
        assert_eq!(service.counts(), (8, 0, 0), "{patience:?}");
    }
    let mut service = Simulated::new(vec![http("{}")], ms(200), PROMPT);
    service.patience = ms(1000);
    service.stop();
    let (all, half, dropped) = service.counts();
    assert!(all == 8 && half > 0 && dropped == 0);
}

#[test]
fn what_may_not_be_repeated_is_not_sent() {
    let mut service = Simulated::new(vec![grpc()], ms(400), PROMPT);
    service.seen.run.requests[0].repeat_safe = false;
    let before = service.seen.calls.len();
    service.stop();
    assert_eq!(service.seen.calls.len(), before);
}

//! A simulated service that is stopped: how long its handlers take, what they wait for, what it does
//! at SIGTERM.

use std::time::Duration;

use shakedown_evidence::drain::{Fate, fate, in_flight};
use shakedown_evidence::{
    Answers, At, Call, CallBody, CallEnd, CallEnded, CallSent, DrainLook, Event, Evidence, Gone,
    Listener, Purpose, Request, RequestKind, Role, Signalled, Stall, StallChange, StopReport,
};
use shakedown_experiment::{Action, CallPlan, Experiment, Step, Terminate};

const PID: u32 = 7;
pub(crate) const GRACE: Duration = Duration::from_secs(4);

/// What the service does at SIGTERM.
#[derive(Clone, Copy)]
pub(crate) enum AtSignal {
    /// Ends once no request is open, `after` at the earliest; its listener closes at once.
    Drain { after: Duration },
    /// Ends at once.
    Exit,
    /// Stays.
    Ignore,
}

/// A service with one listener, and the clock of the run.
pub(crate) struct Simulated {
    pub(crate) seen: Evidence,
    pub(crate) now: At,
    pub(crate) takes: Duration,
    at_signal: AtSignal,
    pub(crate) signal: Option<At>,
    pub(crate) gone: Option<At>,
    /// Calls under way: number, when the answer comes; nothing while half of the body is missing.
    open: Vec<(u32, Option<At>)>,
    /// Most calls that were under way at once.
    pub(crate) most: usize,
    pub(crate) finished: Vec<At>,
    /// When our connections were closed.
    pub(crate) closed: Vec<At>,
    /// A body that has not come after so long is given up.
    pub(crate) patience: Duration,
    /// Half-sent calls, and when they came.
    halves: Vec<(u32, At)>,
    /// Its handlers wait for what is behind our stall.
    pub(crate) depends: bool,
    /// The stall holds.
    pub(crate) held: bool,
    /// So long, and then it gives up with an error.
    pub(crate) waits: Duration,
}

pub(crate) fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

pub(crate) fn grpc() -> RequestKind {
    RequestKind::Grpc {
        method: "a.B/C".into(),
        data: String::new(),
    }
}

pub(crate) fn http(body: &str) -> RequestKind {
    RequestKind::Http {
        method: "POST".into(),
        target: "/x".into(),
        body: body.into(),
    }
}

impl Simulated {
    pub(crate) fn new(kinds: Vec<RequestKind>, takes: Duration, at_signal: AtSignal) -> Self {
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
    pub(crate) fn behind(mut self, answers: Answers) -> Self {
        self.depends = true;
        self.seen.run.stalls = vec![Stall {
            name: "db".into(),
            to: "127.0.0.1:5432".into(),
            answers,
        }];
        self
    }

    /// Runs the stop to its end, and gives its report.
    pub(crate) fn stop(&mut self) -> StopReport {
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
    pub(crate) fn counts(&self) -> (usize, usize, usize) {
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

//! What the stop relies on, tried while nobody has signalled: bodies that come slowly, and
//! dependencies that answer late.
//!
//! A server that gives up on a slow body does so without a signal too, and so does a handler that
//! waits for its dependency no longer than a moment. Neither may look like a request that the stop
//! dropped. What became of each is in the evidence: [`takes_its_time`], [`waits_behind`].

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use shakedown_evidence::{Answers, At, Evidence, RequestKind};

use crate::stop::of_stop;
use crate::{Action, CallPlan, Step, in_flight};

/// As many requests as are in flight at the stop.
const MOST: usize = in_flight::WIDTH;
/// At the rehearsal a body is held for longer than it ever is at the stop, on a busy machine too.
const REHEARSED: Duration = Duration::from_millis(900);
/// And the answer of a dependency: at the stop it is held for half as long.
const HELD_BACK: Duration = Duration::from_millis(700);
/// What was sent is waited for.
const WAIT_MAX: Duration = Duration::from_secs(5);
/// Between two looks.
const PACE: Duration = Duration::from_millis(20);

/// One request behind one stall.
#[derive(Debug)]
struct Trial {
    request: usize,
    reach: String,
    stall: String,
}

#[derive(Debug)]
enum Phase {
    Begin,
    Halves {
        queue: Vec<(usize, String)>,
        began: At,
    },
    Next,
    /// The stall holds; the call goes out.
    Held(Trial),
    /// The call is under way since then.
    Under(Trial, At),
    /// The stall has let go, at this time.
    Released(At),
}

/// Sends each kind of request once as it is sent at the stop.
#[derive(Debug)]
pub(crate) struct Rehearsal {
    phase: Phase,
    finished: HashSet<u32>,
    trials: VecDeque<Trial>,
}

impl Rehearsal {
    pub(crate) fn new() -> Self {
        Self {
            phase: Phase::Begin,
            finished: HashSet::new(),
            trials: VecDeque::new(),
        }
    }

    /// The second half of this request was sent at the rehearsal.
    pub(crate) fn has_finished(&self, id: u32) -> bool {
        self.finished.contains(&id)
    }

    /// The next step, or nothing when it is over.
    pub(crate) fn next(
        &mut self,
        seen: &Evidence,
        now: At,
        call: impl FnOnce(usize, String) -> CallPlan,
    ) -> Option<Step> {
        match std::mem::replace(&mut self.phase, Phase::Next) {
            Phase::Begin => {
                self.phase = Phase::Halves {
                    queue: with_bodies(seen),
                    began: now,
                };
                Some(Step::Wait(now))
            }
            Phase::Halves { mut queue, began } => {
                let next = queue.pop();
                let step = match next {
                    Some((request, reach)) => {
                        Some(Step::Do(Action::CallHalf(call(request, reach))))
                    }
                    None => self.held_bodies(seen, now, began),
                };
                if step.is_some() {
                    self.phase = Phase::Halves { queue, began };
                    return step;
                }
                self.trials = trials(seen);
                Some(Step::Wait(now))
            }
            Phase::Next => {
                // Of a listener one request in flight is enough.
                let trial = loop {
                    let trial = self.trials.pop_front()?;
                    if !is_caught_behind(seen, &trial.reach) {
                        break trial;
                    }
                };
                let stall = trial.stall.clone();
                self.phase = Phase::Held(trial);
                Some(Step::Do(Action::Hold { stall }))
            }
            Phase::Held(trial) => {
                let plan = call(trial.request, trial.reach.clone());
                self.phase = Phase::Under(trial, now);
                Some(Step::Do(Action::Call(plan)))
            }
            Phase::Under(trial, sent) => {
                // It may have gone out a little later than it was told to.
                let out = of_stop(seen).next_back().map_or(sent, |call| call.sent.at);
                let due = out.max(sent) + HELD_BACK;
                if is_open(seen) && now < due {
                    self.phase = Phase::Under(trial, sent);
                    return Some(Step::Wait((now + PACE).min(due)));
                }
                self.phase = Phase::Released(now);
                Some(Step::Do(Action::Release { stall: trial.stall }))
            }
            Phase::Released(at) => {
                if is_open(seen) && now < at + WAIT_MAX {
                    self.phase = Phase::Released(at);
                    return Some(Step::Wait(now + PACE));
                }
                Some(Step::Wait(now))
            }
        }
    }

    /// Second halves that are due, and the answers to them.
    fn held_bodies(&mut self, seen: &Evidence, now: At, began: At) -> Option<Step> {
        let held = seen
            .bodies
            .iter()
            .find(|body| body.sent < body.of && !self.finished.contains(&body.id));
        if let Some(body) = held {
            let due = body.at + REHEARSED;
            if now < due {
                return Some(Step::Wait(due));
            }
            self.finished.insert(body.id);
            return Some(Step::Do(Action::Finish(body.id)));
        }
        (is_open(seen) && now < began + WAIT_MAX).then(|| Step::Wait(now + PACE))
    }
}

fn is_open(seen: &Evidence) -> bool {
    of_stop(seen).any(|call| call.ended.is_none())
}

/// Requests whose body could be held back.
fn with_bodies(seen: &Evidence) -> Vec<(usize, String)> {
    // A slow handler begins its work when the rest has come: nobody's drain waits that long.
    let quick = |request: usize| {
        seen.usual_duration(request)
            .is_some_and(|(_, median)| median <= in_flight::REST_MAX)
    };
    let mut requests = in_flight::requests(seen);
    requests.retain(|(request, _)| quick(*request) && has_body(seen, *request));
    requests.truncate(MOST);
    requests
}

/// A body that can be cut in two: a gRPC message always can, its frame has five bytes before it.
fn has_body(seen: &Evidence, request: usize) -> bool {
    seen.request(request)
        .is_some_and(|request| match &request.kind {
            RequestKind::Grpc { .. } => true,
            RequestKind::Http { body, .. } => !body.is_empty(),
        })
}

/// Requests of listeners that nothing else brings into flight, behind each stall in turn.
fn trials(seen: &Evidence) -> VecDeque<Trial> {
    let planned = in_flight::plan(seen);
    let idle = |reach: &str| planned.iter().all(|planned| planned.reach != reach);
    let mut requests = in_flight::requests(seen);
    requests.retain(|(_, reach)| idle(reach));
    let stalls = seen.run.stalls.iter();
    // One that never lets go ends no request, and what answers late alone is waited for anyway.
    let stalls = stalls.filter(|stall| stall.answers == Answers::Held);
    let behind = |(request, reach): &(usize, String)| {
        let (request, reach) = (*request, reach.clone());
        stalls.clone().map(move |stall| Trial {
            request,
            reach: reach.clone(),
            stall: stall.name.clone(),
        })
    };
    requests.iter().flat_map(behind).take(MOST).collect()
}

/// At the rehearsal the request was answered well although half of its body came late.
pub(crate) fn takes_its_time(seen: &Evidence, request: usize) -> bool {
    of_stop(seen).any(|call| {
        let half = seen.bodies.iter().any(|body| body.id == call.sent.id);
        call.sent.request == request && half && call.is_ok()
    })
}

/// The stall behind which the request was still waiting at the rehearsal, and after which it was
/// answered well.
pub(crate) fn waits_behind(seen: &Evidence, request: usize) -> Option<&str> {
    let mut held = of_stop(seen)
        .filter(|call| call.sent.request == request && call.is_ok())
        .filter_map(|call| seen.held_back(call));
    let (stall, _) = held.find(|(_, held)| *held >= HELD_BACK)?;
    Some(stall)
}

fn is_caught_behind(seen: &Evidence, reach: &str) -> bool {
    of_stop(seen)
        .any(|call| call.sent.reach == reach && waits_behind(seen, call.sent.request).is_some())
}

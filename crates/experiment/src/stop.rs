//! SIGTERM while requests are in flight: are they answered, and how long does the end take?
//!
//! Every other connection of ours is closed first: an idle one would hold a healthy drain up for
//! five seconds. In flight are requests whose handler runs, sent so early that it surely does and so
//! late that it still does, requests of which half of the body is sent, and requests whose handler
//! waits for a dependency that we hold. The second halves and the held answers follow after the
//! signal, some soon, some later, all early enough for a drain of one second. All that is rehearsed
//! before ([`crate::rehearsal`]). A request now and then goes out after the signal too; what becomes
//! of those is counted only.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use shakedown_evidence::drain::{TAKEN, is_shutdown};
use shakedown_evidence::labels::STOP;
use shakedown_evidence::{At, Call, CallEnd, Evidence, Purpose, Signalled, SnapshotForm};

use crate::in_flight::{FINISH_SOON, Planned, SLOWEST, finish_after, plan, requests};
use crate::rehearsal::Rehearsal;
use crate::{Action, CallPlan, Experiment, Step};

/// Requests after the signal: one at a time, so far apart, for so long.
const LATE_PACE: Duration = Duration::from_millis(60);
const LATE_FOR: Duration = Duration::from_millis(1500);
/// So many that find nobody in a row, and the listener is taken to be closed.
const LATE_REFUSED: usize = 2;
/// The ends of connections are noticed so long after the end of the process.
const SETTLE: Duration = Duration::from_secs(2);
/// A drain that can be seen to go on is watched for so much longer at most.
const LONGER_MAX: Duration = Duration::from_secs(30);
/// Scheduling on a busy machine, for what a request of ours held up.
const SLACK: Duration = Duration::from_millis(500);
/// Between two looks.
const PACE: Duration = Duration::from_millis(20);

/// Closes, brings requests into flight, signals, watches.
#[derive(Debug)]
pub struct Terminate {
    grace: Duration,
    phase: Phase,
    rehearsal: Rehearsal,
    /// Of half-sent calls: when, after the signal, their second half goes out.
    offsets: HashMap<u32, Duration>,
    finished: HashSet<u32>,
    late_sent: Option<At>,
    /// The stall that holds answers back until a little after the signal.
    held: Option<String>,
    /// Our connections are closed again: an idle one would hold the drain up.
    closed: bool,
}

#[derive(Debug)]
enum Phase {
    Close,
    Rehearse,
    Rehearsed,
    Plan,
    Send { queue: Vec<Planned>, signal: At },
    Signal,
    Watch { limit: Option<At>, looked: usize },
    End,
}

impl Terminate {
    /// The process may take `grace` to end.
    #[must_use]
    pub fn new(grace: Duration) -> Self {
        Self {
            grace,
            phase: Phase::Close,
            rehearsal: Rehearsal::new(),
            offsets: HashMap::new(),
            finished: HashSet::new(),
            late_sent: None,
            held: None,
            closed: false,
        }
    }

    fn send(&mut self, seen: &Evidence, now: At) -> Step {
        self.note_half(seen);
        let Phase::Send { queue, signal } = &mut self.phase else {
            return Step::Wait(now);
        };
        let signal = *signal;
        if let Some(next) = queue.last() {
            let due = signal.before(next.lead);
            if now < due {
                return Step::Wait(due);
            }
            if let (None, Some(stall)) = (&self.held, &next.behind) {
                let stall = stall.clone();
                self.held = Some(stall.clone());
                return Step::Do(Action::Hold { stall });
            }
            let Some(next) = queue.pop() else {
                return Step::Wait(now);
            };
            let plan = call(self.grace, next.request, next.reach);
            return Step::Do(match next.finish {
                None => Action::Call(plan),
                Some(_) => Action::CallHalf(plan),
            });
        }
        // On a busy machine the last of them went out late.
        let youngest = seen.bodies.iter().map(|body| body.at).max();
        let ready = youngest.map_or(signal, |at| (at + TAKEN * 2).max(signal));
        let ready = ready.min(signal + TAKEN * 3);
        if now < ready {
            return Step::Wait(ready);
        }
        self.phase = Phase::Signal;
        Step::Do(Action::Signal)
    }

    /// When the second half of a call goes out depends on how long its handler takes.
    fn note_half(&mut self, seen: &Evidence) {
        for (position, body) in seen.bodies.iter().enumerate() {
            let call = seen.calls.iter().rev().find(|call| call.sent.id == body.id);
            let rehearsed = self.rehearsal.has_finished(body.id);
            let Some(call) = call.filter(|_| body.sent < body.of && !rehearsed) else {
                continue;
            };
            let soon = position % 2 == 0;
            let offset = finish_after(seen, call.sent.request, soon);
            self.offsets.entry(body.id).or_insert(offset);
        }
    }

    fn watch(&mut self, seen: &Evidence, now: At) -> Step {
        let signal = seen.signals.last();
        let held_long = |signal: &Signalled| now >= signal.at + FINISH_SOON;
        if (!seen.gone.is_empty() || signal.is_none_or(held_long))
            && let Some(stall) = self.held.take()
        {
            return Step::Do(Action::Release { stall });
        }
        let Some(signal) = signal else {
            self.phase = Phase::End;
            return Step::Done("SIGTERM was not sent".into());
        };
        let at = signal.at;
        let gone = seen.gone.iter().find(|gone| gone.pid == signal.pid);
        if let Some(gone) = gone {
            let settled = open(seen).next().is_none() || now > gone.at + SETTLE;
            if settled {
                return self.end(now);
            }
            return Step::Wait(now + PACE);
        }
        let due = |id: &u32| !self.finished.contains(id);
        let mut halves: Vec<(At, u32)> = self
            .offsets
            .iter()
            .filter(|(id, _)| due(id))
            .map(|(id, offset)| (at + *offset, *id))
            .collect();
        halves.sort_unstable();
        if let Some((when, id)) = halves.first().copied()
            && now >= when
        {
            self.finished.insert(id);
            return Step::Do(Action::Finish(id));
        }
        if let Some(late) = self.late(seen, at, now) {
            return late;
        }
        let held = self.offsets.keys().any(|id| !self.finished.contains(id));
        let over = !held && now > at + LATE_FOR;
        if over && !self.closed && open(seen).next().is_none() {
            self.closed = true;
            return Step::Do(Action::CloseConnections);
        }
        let needed = self.needed(seen, at);
        let Phase::Watch { limit, looked } = &mut self.phase else {
            return Step::Wait(now);
        };
        let until = at + self.grace.max(needed);
        if now < until {
            return Step::Wait((now + PACE).min(until));
        }
        // Beyond its grace: what does it wait for?
        *looked += 1;
        match looked {
            1 => return Step::Do(Action::LookAtDrain),
            2 if !seen.pprof.is_empty() => {
                return Step::Do(Action::Snapshot {
                    form: SnapshotForm::Full,
                    label: STOP.into(),
                });
            }
            _ => {}
        }
        let longer = (until - at).min(LONGER_MAX);
        let limit = *limit.get_or_insert_with(|| {
            if is_draining(seen) {
                until + longer
            } else {
                until
            }
        });
        if now < limit {
            return Step::Wait((now + PACE).min(limit));
        }
        self.end(limit)
    }

    /// What requests of ours need after the signal, at least.
    fn needed(&self, seen: &Evidence, signal: At) -> Duration {
        let halves = self.offsets.iter().filter_map(|(id, offset)| {
            let call = seen.calls.iter().find(|call| call.sent.id == *id)?;
            Some(*offset + seen.usual_duration(call.sent.request)?.1)
        });
        let ended = of_stop(seen)
            .filter(|call| call.is_ok())
            .filter_map(|call| Some(call.ended.as_ref()?.at - signal));
        halves
            .chain(ended)
            .max()
            .map_or(Duration::ZERO, |needed| needed + SLACK)
    }

    /// The next request after the signal, if it is time for one.
    fn late(&mut self, seen: &Evidence, signal: At, now: At) -> Option<Step> {
        let sent = || of_stop(seen).filter(|call| call.sent.at >= signal);
        let refused = sent()
            .rev()
            .take_while(|call| matches!(call.end(), Some(CallEnd::Failed { .. })))
            .count();
        let busy = sent().any(|call| call.ended.is_none());
        let rested = self.late_sent.is_none_or(|at| now >= at + LATE_PACE);
        if now > signal + LATE_FOR || refused >= LATE_REFUSED || busy || !rested {
            return None;
        }
        let turn = sent().count();
        let candidates = requests(seen);
        let (request, reach) = candidates.get(turn % candidates.len().max(1))?.clone();
        self.late_sent = Some(now);
        Some(Step::Do(Action::Call(call(self.grace, request, reach))))
    }

    fn end(&mut self, until: At) -> Step {
        self.phase = Phase::End;
        Step::Do(Action::StopWatching { until })
    }
}

impl Experiment for Terminate {
    fn name(&self) -> String {
        "SIGTERM".into()
    }

    fn next(&mut self, seen: &Evidence, now: At) -> Step {
        let after = matches!(self.phase, Phase::Signal | Phase::Watch { .. } | Phase::End);
        if !after && seen.target_exit().is_some() {
            return Step::Done("it had ended before".into());
        }
        match &self.phase {
            Phase::Close => {
                self.phase = Phase::Rehearse;
                Step::Do(Action::CloseConnections)
            }
            Phase::Rehearse => {
                let grace = self.grace;
                let call = |request, reach| call(grace, request, reach);
                let step = self.rehearsal.next(seen, now, call);
                step.unwrap_or_else(|| {
                    self.phase = Phase::Rehearsed;
                    Step::Wait(now)
                })
            }
            Phase::Rehearsed => {
                self.phase = Phase::Plan;
                Step::Do(Action::CloseConnections)
            }
            Phase::Plan => {
                let queue = plan(seen);
                let longest = queue.last().map_or(Duration::ZERO, |one| one.lead);
                self.phase = Phase::Send {
                    queue,
                    signal: now + longest,
                };
                Step::Wait(now)
            }
            Phase::Send { .. } => self.send(seen, now),
            Phase::Signal => {
                self.phase = Phase::Watch {
                    limit: None,
                    looked: 0,
                };
                Step::Wait(now)
            }
            Phase::Watch { .. } => self.watch(seen, now),
            Phase::End => Step::Done("stopped".into()),
        }
    }
}

fn call(grace: Duration, request: usize, reach: String) -> CallPlan {
    CallPlan {
        request,
        purpose: Purpose::Stop,
        reach,
        deadline: None,
        cancel_after: None,
        // Whoever is not answered at the end is not answered because of the stop.
        patience: grace * 2 + LONGER_MAX + SLOWEST,
    }
}

/// Calls of the stop.
pub(crate) fn of_stop(seen: &Evidence) -> impl DoubleEndedIterator<Item = &Call> {
    seen.calls
        .iter()
        .filter(|call| call.sent.purpose == Purpose::Stop)
}

fn open(seen: &Evidence) -> impl Iterator<Item = &Call> {
    of_stop(seen).filter(|call| call.ended.is_none())
}

/// The process can be seen to be on its way out: it has closed a listener, or a goroutine of it
/// stands in a server's shutdown, or main sleeps.
fn is_draining(seen: &Evidence) -> bool {
    let closed = seen.drains.last().is_some_and(|look| {
        let target = seen.target_pid();
        let mut own = seen
            .listeners
            .iter()
            .filter(|listener| Some(listener.pid) == target);
        own.any(|listener| !look.listening.contains(&listener.reach))
    });
    let dump = seen
        .snapshots
        .last()
        .filter(|snapshot| snapshot.label == STOP);
    let mut stacks = dump
        .iter()
        .flat_map(|dump| &dump.groups)
        .filter_map(|group| seen.stacks.get(group.stack));
    closed || stacks.any(is_shutdown)
}

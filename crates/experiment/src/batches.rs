//! Equal batches of requests with a count of goroutines after each: what stays, and grows with
//! the batches, was left behind by requests.

use std::time::Duration;

use shakedown_evidence::labels::{BASE, BATCHES, HELD, IN_BATCH, after, collected};
use shakedown_evidence::{At, Evidence, Purpose, SnapshotForm};

use crate::locate::PATIENCE;
use crate::oracle::{Oracle, oracle};
use crate::quiet::Quiet;
use crate::{Action, CallPlan, Experiment, Step};

/// What stays must still be there after so long: a goroutine that merely lingers is not a leak.
const HOLD: Duration = Duration::from_secs(3);
/// Sends the batches.
#[derive(Debug)]
pub struct Batches {
    /// Calls of each request in one batch.
    per_request: usize,
    /// Calls under way at once.
    width: usize,
    batch: usize,
    /// Counts taken while a batch was under way.
    watched: usize,
    /// One batch, and then SIGQUIT, whose dump is the count.
    quits: bool,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    Begin,
    Send {
        plan: Vec<(usize, String)>,
    },
    Close,
    Settle(Quiet),
    Count,
    /// What the last count is followed by, the next first.
    Look {
        label: String,
        left: Vec<Look>,
        next: Box<Phase>,
    },
    Hold {
        until: Option<At>,
    },
    Held,
    End(&'static str),
}

impl Batches {
    /// `per_request` calls of each request a batch, `width` at once.
    #[must_use]
    pub const fn new(per_request: usize, width: usize) -> Self {
        Self {
            per_request,
            width,
            batch: 0,
            watched: 0,
            quits: false,
            phase: Phase::Begin,
        }
    }

    /// One batch for a service that nobody can be asked about: it ends with SIGQUIT, on which the Go
    /// runtime prints every goroutine.
    #[must_use]
    pub fn once(per_request: usize, width: usize) -> Self {
        Self {
            quits: true,
            ..Self::new(per_request, width)
        }
    }

    fn plan(&self, seen: &Evidence) -> Vec<(usize, String)> {
        let safe = |request: &usize| {
            seen.request(*request)
                .is_some_and(|request| request.repeat_safe && request.given)
        };
        let located = (0..seen.run.requests.len())
            .filter(safe)
            .filter_map(|request| Some((request, seen.reach_of(request)?.to_owned())));
        let located: Vec<_> = located.collect();
        // Requests take turns, so that a batch is the same mixture from its first call to its last.
        (0..self.per_request)
            .flat_map(|_| located.clone())
            .collect()
    }

    fn send(&mut self, seen: &Evidence, now: At) -> Step {
        let Phase::Send { plan } = &mut self.phase else {
            return Step::Wait(now);
        };
        let open = seen
            .calls
            .iter()
            .rev()
            .take(self.width * 4)
            .filter(|call| call.ended.is_none())
            .count();
        let busy = open >= self.width || (plan.is_empty() && open > 0);
        // A number may come from a cache: only if it is seen to rise with the requests does it
        // prove anything when it does not.
        if busy && self.watched <= self.batch && oracle(seen) == Some(Oracle::Number) {
            self.watched = self.batch + 1;
            return Step::Do(Action::Snapshot {
                form: SnapshotForm::Total,
                label: IN_BATCH.to_owned(),
            });
        }
        if busy {
            return Step::Wait(now + Duration::from_millis(5));
        }
        match plan.pop() {
            Some((request, reach)) => Step::Do(Action::Call(CallPlan {
                request,
                purpose: Purpose::Batch,
                reach,
                deadline: None,
                cancel_after: None,
                patience: PATIENCE,
            })),
            None => {
                self.phase = Phase::Close;
                Step::Do(Action::Mark(format!(
                    "batch {} of {BATCHES}: answered",
                    self.batch
                )))
            }
        }
    }
}

impl Experiment for Batches {
    fn name(&self) -> String {
        format!("batch {} of {BATCHES}", self.batch)
    }

    fn next(&mut self, seen: &Evidence, now: At) -> Step {
        match &mut self.phase {
            Phase::Begin => {
                let plan = self.plan(seen);
                if plan.is_empty() {
                    return Step::Done("no request that may be repeated".into());
                }
                let mark = format!("batch {} of {BATCHES}: {} requests", self.batch, plan.len());
                self.phase = Phase::Send { plan };
                Step::Do(Action::Mark(mark))
            }
            Phase::Send { .. } => self.send(seen, now),
            Phase::Close => {
                self.phase = if self.quits {
                    Phase::Hold { until: None }
                } else {
                    Phase::Settle(Quiet::new())
                };
                Step::Do(Action::CloseConnections)
            }
            Phase::Settle(quiet) => match quiet.next(seen, now) {
                Step::Done(_) => {
                    self.phase = Phase::Count;
                    Step::Wait(now)
                }
                step => step,
            },
            Phase::Count => {
                let label = if self.batch == 0 {
                    BASE.to_owned()
                } else {
                    after(self.batch)
                };
                let next = if self.batch == BATCHES {
                    Phase::Hold { until: None }
                } else {
                    Phase::Begin
                };
                self.batch += 1;
                self.phase = Phase::look(&label, next);
                count(seen, label)
            }
            Phase::Hold { until } => {
                let until = *until.get_or_insert(now + HOLD);
                if now < until {
                    return Step::Wait(until);
                }
                self.phase = Phase::Held;
                Step::Do(Action::Mark(format!(
                    "held for {} s after the last batch",
                    HOLD.as_secs()
                )))
            }
            Phase::Held if self.quits => {
                self.phase = Phase::End("quit");
                Step::Do(Action::Quit)
            }
            Phase::Held => {
                self.phase = Phase::look(HELD, Phase::End("counted"));
                count(seen, HELD.to_owned())
            }
            Phase::Look { label, left, next } => {
                let Some(look) = left.pop() else {
                    let next = std::mem::replace(&mut **next, Phase::End(""));
                    self.phase = next;
                    return Step::Wait(now);
                };
                look.at(seen, label)
            }
            Phase::End(how) => Step::Done((*how).into()),
        }
    }
}

/// What is looked at beside the goroutines.
#[derive(Debug, Clone, Copy)]
enum Look {
    /// Descriptors, as the batch has left them.
    Resources,
    /// The heap, after a collection that also closes forgotten files.
    Heap,
    /// Descriptors that the collection did not close.
    Collected,
}

impl Look {
    fn at(self, seen: &Evidence, label: &str) -> Step {
        let heap = seen.pprof.iter().any(|endpoint| {
            let mut profiles = endpoint.profiles.iter();
            profiles.any(|profile| profile == "heap")
        });
        let label = match self {
            Self::Collected => collected(label),
            Self::Resources | Self::Heap => label.to_owned(),
        };
        match self {
            Self::Resources => Step::Do(Action::Resources { label }),
            Self::Heap if heap => Step::Do(Action::LiveHeap { label }),
            Self::Collected if heap => Step::Do(Action::Resources { label }),
            Self::Heap => Step::Do(Action::Mark(format!("{label}: no heap profile"))),
            Self::Collected => Step::Do(Action::Mark(format!("{label}: nothing collected"))),
        }
    }
}

impl Phase {
    fn look(label: &str, next: Self) -> Self {
        Self::Look {
            label: label.to_owned(),
            left: vec![Look::Collected, Look::Heap, Look::Resources],
            next: Box::new(next),
        }
    }
}

fn count(seen: &Evidence, label: String) -> Step {
    let form = match oracle(seen) {
        None => {
            return Step::Do(Action::Mark(format!("{label}: nobody counts goroutines")));
        }
        Some(Oracle::Stacks) => full_if_few(seen),
        Some(Oracle::Number) => SnapshotForm::Total,
    };
    Step::Do(Action::Snapshot { form, label })
}

/// A full dump stops the world for 60–300 ms at 10,000 goroutines and for seconds at 100,000
/// (measured with parked goroutines on two cores), so beyond that only counts are taken.
const FULL_AT_MOST: u64 = 10_000;

fn full_if_few(seen: &Evidence) -> SnapshotForm {
    let last = seen.snapshots.last().map_or(0, |snapshot| snapshot.total);
    if last > FULL_AT_MOST {
        SnapshotForm::Counts
    } else {
        SnapshotForm::Full
    }
}

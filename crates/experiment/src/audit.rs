//! Catches handlers at their deadline, or at the moment when their caller leaves, and watches
//! whether they end.
//!
//! The moment is chosen at half of what the request usually takes, so that an honest handler is
//! under way and one that ignores the moment shows itself by going on. A request that is over
//! before it can be caught is audited behind a stall: its handler waits for a dependency then whose
//! answers we keep back.

use std::time::Duration;

use shakedown_evidence::caught::{self, CALLS, Catch, Moment, SLACK_MAX, catch};
use shakedown_evidence::{At, Call, Evidence, Purpose, SnapshotForm};

use crate::{Action, CallPlan, Experiment, Step};

/// Calls at most, where some were not caught or a handler was late once.
const CALLS_MAX: usize = 12;
/// First look before the moment.
const LOOK_BEFORE: Duration = Duration::from_millis(60);
/// How long a handler that goes on is watched.
const WATCH: Duration = Duration::from_secs(4);
/// Answers go on again so long after a handler counts as late: everything was seen by then.
const HELD_LONGER: Duration = Duration::from_millis(400);
/// Calls that were answered as ever although a dependency was held: their handler does not wait
/// for it.
const UNMOVED: usize = 3;
/// A service may take so long to get a good answer again after its dependency was stalled.
const RECOVERY: Duration = Duration::from_secs(10);
/// Between two attempts.
const RECOVERY_PACE: Duration = Duration::from_millis(250);

/// Audits one request.
#[derive(Debug)]
pub struct Audit {
    request: usize,
    purpose: Purpose,
    /// The stall that holds while the calls are under way.
    stall: Option<String>,
    reach: Option<String>,
    usual: Duration,
    moment: Option<Moment>,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Base,
    Hold,
    Send,
    Watch,
    Recover { since: At },
}

impl Audit {
    /// `purpose` is [`Purpose::Deadline`] or [`Purpose::Cancel`].
    #[must_use]
    pub const fn new(request: usize, purpose: Purpose) -> Self {
        Self {
            request,
            purpose,
            stall: None,
            reach: None,
            usual: Duration::ZERO,
            moment: None,
            stage: Stage::Base,
        }
    }

    /// The same while the dependency behind `stall` does not answer, for a request that is too fast
    /// to be caught without.
    #[must_use]
    pub fn behind(request: usize, purpose: Purpose, stall: &str) -> Self {
        Self {
            stall: Some(stall.to_owned()),
            ..Self::new(request, purpose)
        }
    }

    fn begin(&mut self, seen: &Evidence) -> Result<Moment, String> {
        if let Some(moment) = self.moment {
            return Ok(moment);
        }
        if seen.pprof.is_empty() {
            return Err("no goroutine profile".into());
        }
        if !seen
            .request(self.request)
            .is_some_and(|request| request.repeat_safe && request.given)
        {
            return Err("not to be repeated".into());
        }
        self.reach = seen.reach_of(self.request).map(str::to_owned);
        let (shortest, _) = seen
            .usual_duration(self.request)
            .ok_or("no successful call")?;
        self.usual = shortest;
        let deadline = seen
            .request(self.request)
            .and_then(shakedown_evidence::Request::deadline);
        let takes = format!("usually takes {} ms", shortest.as_millis());
        let alone = caught::moment(shortest, deadline);
        let moment = match &self.stall {
            None => alone.ok_or_else(|| format!("{takes} only"))?,
            Some(_) if alone.is_some() => return Err(format!("{takes}: caught without a stall")),
            Some(name) => {
                let mut stalls = seen.run.stalls.iter();
                let stall = stalls.find(|stall| stall.name == *name);
                let stall = stall.ok_or_else(|| format!("no stall {name}"))?;
                caught::moment_behind(stall.answers, shortest, deadline)
                    .ok_or_else(|| format!("{takes}: too fast even behind {name}"))?
            }
        };
        self.moment = Some(moment);
        Ok(moment)
    }

    fn call(&self, moment: Moment) -> Action {
        let deadline = self.purpose == Purpose::Deadline;
        Action::Call(CallPlan {
            request: self.request,
            purpose: self.purpose,
            reach: self.reach.clone().unwrap_or_default(),
            deadline: deadline.then_some(moment.after),
            cancel_after: (!deadline).then_some(moment.after),
            patience: moment.after + self.usual + WATCH,
        })
    }

    fn look(&self, seen: &Evidence) -> Step {
        let subject = seen
            .request(self.request)
            .map(shakedown_evidence::Request::subject)
            .unwrap_or_default();
        let what = if self.purpose == Purpose::Deadline {
            "deadline"
        } else {
            "cancel"
        };
        Step::Do(Action::Snapshot {
            form: SnapshotForm::Counts,
            label: format!("{what}: {subject}"),
        })
    }

    /// Enough calls showed the same, or no more are to be tried.
    fn decided(&self, seen: &Evidence, moment: Moment) -> Option<String> {
        let calls: Vec<&Call> = self.calls(seen).collect();
        let ends = calls
            .iter()
            .skip(1)
            .map(|call| call.sent.at)
            .chain([At::MAX]);
        let catches: Vec<Catch> = calls
            .iter()
            .zip(ends)
            .filter_map(|(call, next)| catch(seen, call, next))
            .collect();
        let overran = |limit| {
            catches
                .iter()
                .filter(|catch| catch.overran() > limit)
                .count()
        };
        let (late, clean) = (overran(moment.late), catches.len() - overran(moment.slack));
        let unmoved = self.stall.is_some()
            && calls.len() >= UNMOVED
            && calls.iter().all(|call| Self::is_unmoved(call, moment));
        let enough = clean >= CALLS || late >= CALLS || calls.len() >= CALLS_MAX || unmoved;
        enough.then(|| {
            format!(
                "{} of {} calls caught, {late} late",
                catches.len(),
                calls.len()
            )
        })
    }
}

impl Experiment for Audit {
    fn name(&self) -> String {
        let what = if self.purpose == Purpose::Deadline {
            "deadline audit"
        } else {
            "cancel audit"
        };
        let behind = self.stall.as_ref();
        behind.map_or(what.into(), |stall| format!("{what} behind {stall}"))
    }

    fn next(&mut self, seen: &Evidence, now: At) -> Step {
        let moment = match self.begin(seen) {
            Ok(moment) => moment,
            Err(why) => return Step::Done(why),
        };
        let last = self.calls(seen).last();
        match (self.stage, last) {
            (Stage::Base, _) => {
                if let Some(done) = self.decided(seen, moment) {
                    return Step::Done(done);
                }
                self.stage = Stage::Hold;
                self.look(seen)
            }
            (Stage::Hold, _) => {
                self.stage = Stage::Send;
                match self.stall.clone() {
                    Some(stall) => Step::Do(Action::Hold { stall }),
                    None => Step::Wait(now),
                }
            }
            (Stage::Send, _) => {
                self.stage = Stage::Watch;
                Step::Do(self.call(moment))
            }
            (Stage::Watch, None) => self
                .over(now)
                .unwrap_or_else(|| Step::Done("the call could not be sent".into())),
            (Stage::Watch, Some(call)) => {
                let planned = call.sent.at + moment.after;
                if self.stall.is_some() && Self::is_unmoved(call, moment) {
                    return self.over(now).unwrap_or(Step::Wait(now));
                }
                if now < planned.before(LOOK_BEFORE) {
                    return Step::Wait(planned.before(LOOK_BEFORE));
                }
                let due = caught::due(call).unwrap_or(planned);
                let shown = catch(seen, call, At::MAX);
                let gone = shown.is_some_and(|catch| catch.gone.is_some());
                let missed = now > due + LOOK_BEFORE && shown.is_none();
                let tired = now > due + WATCH;
                if (gone || missed || tired) && call.ended.is_some() || now > due + WATCH * 2 {
                    return self.over(now).unwrap_or(Step::Wait(now));
                }
                // A handler that goes on has shown itself; it may have its answer now, and end.
                if now > due + moment.late + HELD_LONGER
                    && let Some(stall) = self.holding(seen, now)
                {
                    return Step::Do(Action::Release { stall });
                }
                let pace = self.pace(seen, due, now);
                if now < pace {
                    Step::Wait(pace)
                } else {
                    self.look(seen)
                }
            }
            (Stage::Recover { since }, _) => self.recover(seen, now, since),
        }
    }
}

impl Audit {
    /// Those of its calls that have been sent.
    fn calls<'a>(&'a self, seen: &'a Evidence) -> impl Iterator<Item = &'a Call> {
        seen.audited(self.request, self.purpose, self.stall.as_deref())
    }

    /// It was answered before its moment.
    fn is_unmoved(call: &Call, moment: Moment) -> bool {
        let took = call.took().filter(|_| call.is_ok());
        took.is_some_and(|took| took < moment.after)
    }

    /// Our stall, if it holds.
    fn holding(&self, seen: &Evidence, now: At) -> Option<String> {
        let stall = self.stall.as_deref()?;
        (seen.stalled_at(now) == Some(stall)).then(|| stall.to_owned())
    }

    /// One call is over. Behind a stall, its dependency answers again, and the service may recover
    /// before the next.
    fn over(&mut self, now: At) -> Option<Step> {
        let Some(stall) = self.stall.clone() else {
            self.stage = Stage::Base;
            return None;
        };
        self.stage = Stage::Recover { since: now };
        Some(Step::Do(Action::Release { stall }))
    }

    /// Sends the request as ever until it is answered well. A service that does not come back to
    /// itself is left alone: it was well before our stall.
    fn recover(&mut self, seen: &Evidence, now: At, since: At) -> Step {
        let sent = seen.calls_for(self.request, Purpose::Recover).last();
        let last = sent.filter(|call| call.sent.at >= since);
        let patience = RECOVERY.saturating_sub(now - since);
        match last {
            Some(call) if call.is_ok() => {
                self.stage = Stage::Base;
                Step::Wait(now)
            }
            Some(call) if call.ended.is_none() => Step::Wait(now + Duration::from_millis(5)),
            Some(_) if patience.is_zero() => Step::Done(format!(
                "no good answer within {} s after the stall",
                RECOVERY.as_secs()
            )),
            Some(call) if now < call.sent.at + RECOVERY_PACE => {
                Step::Wait(call.sent.at + RECOVERY_PACE)
            }
            _ => Step::Do(Action::Call(CallPlan {
                request: self.request,
                purpose: Purpose::Recover,
                reach: self.reach.clone().unwrap_or_default(),
                deadline: None,
                cancel_after: None,
                patience: patience.max(RECOVERY_PACE),
            })),
        }
    }

    /// Back to back around the moment, then slower: a look costs the service something.
    fn pace(&self, seen: &Evidence, due: At, now: At) -> At {
        let gap = if now > due + SLACK_MAX * 2 {
            Duration::from_millis(100)
        } else {
            Duration::from_millis(3)
        };
        seen.snapshots
            .last()
            .map_or(now, |snapshot| snapshot.until + gap)
    }
}

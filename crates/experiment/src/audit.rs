//! Catches handlers at their deadline, or at the moment when their caller leaves, and watches
//! whether they end.
//!
//! The moment is chosen at half of what the request usually takes, so that an honest handler is
//! under way and one that ignores the moment shows itself by going on.

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
/// Audits one request.
#[derive(Debug)]
pub struct Audit {
    request: usize,
    purpose: Purpose,
    reach: Option<String>,
    usual: Duration,
    moment: Option<Moment>,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Base,
    Send,
    Watch,
}

impl Audit {
    /// `purpose` is [`Purpose::Deadline`] or [`Purpose::Cancel`].
    #[must_use]
    pub const fn new(request: usize, purpose: Purpose) -> Self {
        Self {
            request,
            purpose,
            reach: None,
            usual: Duration::ZERO,
            moment: None,
            stage: Stage::Base,
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
        let moment = caught::moment(shortest, deadline)
            .ok_or_else(|| format!("usually takes {} ms only", shortest.as_millis()))?;
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
        let calls: Vec<&Call> = seen.calls_for(self.request, self.purpose).collect();
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
        let enough = clean >= CALLS || late >= CALLS || calls.len() >= CALLS_MAX;
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
        if self.purpose == Purpose::Deadline {
            "deadline audit".into()
        } else {
            "cancel audit".into()
        }
    }

    fn next(&mut self, seen: &Evidence, now: At) -> Step {
        let moment = match self.begin(seen) {
            Ok(moment) => moment,
            Err(why) => return Step::Done(why),
        };
        let last = seen.calls_for(self.request, self.purpose).last();
        match (self.stage, last) {
            (Stage::Base, _) => {
                if let Some(done) = self.decided(seen, moment) {
                    return Step::Done(done);
                }
                self.stage = Stage::Send;
                self.look(seen)
            }
            (Stage::Send, _) => {
                self.stage = Stage::Watch;
                Step::Do(self.call(moment))
            }
            (Stage::Watch, None) => Step::Done("the call could not be sent".into()),
            (Stage::Watch, Some(call)) => {
                let planned = call.sent.at + moment.after;
                if now < planned.before(LOOK_BEFORE) {
                    return Step::Wait(planned.before(LOOK_BEFORE));
                }
                let due = caught::due(call).unwrap_or(planned);
                let shown = catch(seen, call, At::MAX);
                let gone = shown.is_some_and(|catch| catch.gone.is_some());
                let missed = now > due + LOOK_BEFORE && shown.is_none();
                let tired = now > due + WATCH;
                if (gone || missed || tired) && call.ended.is_some() || now > due + WATCH * 2 {
                    self.stage = Stage::Base;
                    return Step::Wait(now);
                }
                let pace = self.pace(seen, due, now);
                if now < pace {
                    Step::Wait(pace)
                } else {
                    self.look(seen)
                }
            }
        }
    }
}

impl Audit {
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

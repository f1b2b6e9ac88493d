//! Catches the handlers of a service that nobody can be asked about: calls that lose interest
//! together, and SIGQUIT a little later, on which the Go runtime prints every goroutine.

use std::time::Duration;

use shakedown_evidence::caught::{CALLS, Moment};
use shakedown_evidence::{At, Evidence, Purpose};

use crate::{Action, CallPlan, Experiment, Step};

/// What is not over by itself when the process ends need not be waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Audits one request by one dump. The service does not survive it.
#[derive(Debug)]
pub struct QuitAudit {
    request: usize,
    purpose: Purpose,
    moment: Moment,
    /// From sending to SIGQUIT.
    age: Duration,
    sent: usize,
    last: Option<At>,
    quit: bool,
}

impl QuitAudit {
    /// Of a request that takes `usual` at least; `purpose` is [`Purpose::Deadline`] or
    /// [`Purpose::Cancel`].
    #[must_use]
    pub fn new(request: usize, purpose: Purpose, moment: Moment, usual: Duration) -> Self {
        // Between the time at which an honest handler has gone and that at which any has.
        let gone = moment.after + moment.late;
        Self {
            request,
            purpose,
            moment,
            age: gone + usual.saturating_sub(gone) / 2,
            sent: 0,
            last: None,
            quit: false,
        }
    }
}

impl Experiment for QuitAudit {
    fn name(&self) -> String {
        "calls and SIGQUIT".into()
    }

    fn next(&mut self, seen: &Evidence, now: At) -> Step {
        let Some(reach) = seen.reach_of(self.request) else {
            return Step::Done("no listener answered it".into());
        };
        if self.sent < CALLS {
            self.sent += 1;
            self.last = Some(now);
            let deadline = self.purpose == Purpose::Deadline;
            return Step::Do(Action::Call(CallPlan {
                request: self.request,
                purpose: self.purpose,
                reach: reach.to_owned(),
                deadline: deadline.then_some(self.moment.after),
                cancel_after: (!deadline).then_some(self.moment.after),
                patience: PATIENCE,
            }));
        }
        let due = self.last.map_or(now, |last| last + self.age);
        if now < due {
            return Step::Wait(due);
        }
        if !self.quit {
            self.quit = true;
            return Step::Do(Action::Quit);
        }
        Step::Done(format!("{CALLS} calls, and SIGQUIT"))
    }
}

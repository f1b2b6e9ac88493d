//! SIGTERM at the end, after every connection of ours is closed: an idle one would hold a healthy
//! drain up for five seconds.

use std::time::Duration;

use shakedown_evidence::{At, Evidence};

use crate::{Action, Experiment, Step};

/// Closes, signals, watches.
#[derive(Debug)]
pub struct Terminate {
    grace: Duration,
    stage: usize,
}

impl Terminate {
    /// The process may take `grace` to end.
    #[must_use]
    pub const fn new(grace: Duration) -> Self {
        Self { grace, stage: 0 }
    }
}

impl Experiment for Terminate {
    fn name(&self) -> String {
        "SIGTERM".into()
    }

    fn next(&mut self, seen: &Evidence, _now: At) -> Step {
        if seen.target_exit().is_some() && self.stage < 2 {
            return Step::Done("it had ended before".into());
        }
        self.stage += 1;
        match self.stage {
            1 => Step::Do(Action::CloseConnections),
            2 => Step::Do(Action::Stop { grace: self.grace }),
            _ => Step::Done("stopped".into()),
        }
    }
}

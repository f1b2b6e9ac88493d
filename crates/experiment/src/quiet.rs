//! Waits until the service has come to rest: the number of goroutines does not change any more.

use std::time::Duration;

use shakedown_evidence::labels::QUIET;
use shakedown_evidence::{At, Evidence};

use crate::oracle::oracle;
use crate::{Action, Experiment, Step};

/// Between two counts.
const PACE: Duration = Duration::from_millis(200);
/// Counts in a row that must not differ by more than their noise.
const SAME: usize = 4;
/// A service that never rests is counted all the same.
const AT_MOST: Duration = Duration::from_secs(6);
/// Without a count of goroutines there is nothing to watch: only wait.
const BLIND: Duration = Duration::from_millis(800);

/// Watches the count.
#[derive(Debug, Default)]
pub struct Quiet {
    began: Option<At>,
    taken: Option<At>,
}

impl Quiet {
    /// Begins when it is first asked.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            began: None,
            taken: None,
        }
    }
}

impl Experiment for Quiet {
    fn name(&self) -> String {
        "waiting for quiet".into()
    }

    fn next(&mut self, seen: &Evidence, now: At) -> Step {
        let began = *self.began.get_or_insert(now);
        let Some(oracle) = oracle(seen) else {
            return if now - began >= BLIND {
                Step::Done("blind".into())
            } else {
                Step::Wait(began + BLIND)
            };
        };
        let ours = seen
            .snapshots
            .iter()
            .rev()
            .take_while(|snapshot| snapshot.label == QUIET && snapshot.at >= began);
        let totals: Vec<u64> = ours.map(|snapshot| snapshot.total).take(SAME).collect();
        let (least, most) = (
            totals.iter().min().copied().unwrap_or(0),
            totals.iter().max().copied().unwrap_or(0),
        );
        if totals.len() == SAME && most - least <= oracle.noise() {
            return Step::Done(format!("{most} goroutines"));
        }
        if now - began >= AT_MOST {
            return Step::Done("still changing".into());
        }
        match self.taken {
            Some(taken) if now - taken < PACE => Step::Wait(taken + PACE),
            _ => {
                self.taken = Some(now);
                Step::Do(Action::Snapshot {
                    form: oracle.cheap(),
                    label: QUIET.into(),
                })
            }
        }
    }
}

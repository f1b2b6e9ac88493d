//! Short CPU windows back to back, while we send nothing: what bursts in them is not ours.

use std::time::Duration;

use shakedown_evidence::{At, Evidence, ProbeFailure, ProbeKind};

use crate::{Action, Experiment, Step};

/// 200 samples of a busy core, and short enough that a burst of a tenth of it stands out.
const SHORT: Duration = Duration::from_secs(2);
/// Windows that fail one after another, after which no more are asked for.
const FAILURES_MAX: usize = 3;

/// Takes short windows for a while.
#[derive(Debug)]
pub struct ShortWindows {
    lasting: Duration,
    began: Option<At>,
    asked: usize,
}

impl ShortWindows {
    /// For so long.
    #[must_use]
    pub const fn new(lasting: Duration) -> Self {
        Self {
            lasting,
            began: None,
            asked: 0,
        }
    }
}

impl Experiment for ShortWindows {
    fn name(&self) -> String {
        format!("CPU windows of {} s", SHORT.as_secs())
    }

    fn next(&mut self, seen: &Evidence, now: At) -> Step {
        if seen.pprof.is_empty() {
            return Step::Done("no pprof endpoint".into());
        }
        let began = *self.began.get_or_insert(now);
        let short = seen.profiles.iter().filter(|profile| profile.short);
        let last = short.clone().map(|profile| profile.until).max();
        let since = last.unwrap_or(began);
        let failed =
            |failure: &&ProbeFailure| failure.kind == ProbeKind::Cpu && failure.at >= since;
        let count = short.count();
        if seen.failures.iter().filter(failed).count() >= FAILURES_MAX {
            return Step::Done(format!("{count} windows, then {FAILURES_MAX} failed"));
        }
        if now - began >= self.lasting {
            return Step::Done(format!("{count} of {} windows", self.asked));
        }
        self.asked += 1;
        Step::Do(Action::ShortWindow(SHORT))
    }
}

//! The window: a CPU profile while ordinary traffic runs, and the heap at its end.

use std::time::Duration;

use shakedown_evidence::labels::IN_TRAFFIC;
use shakedown_evidence::{At, Evidence, ProfileKind, Purpose, SnapshotForm, Waiting};

use crate::locate::PATIENCE;
use crate::{Action, CallPlan, Experiment, Step};

/// Takes one CPU profile.
#[derive(Debug)]
pub struct CpuWindow {
    window: Duration,
    taken: bool,
}

impl CpuWindow {
    /// Of the given length.
    #[must_use]
    pub const fn new(window: Duration) -> Self {
        Self {
            window,
            taken: false,
        }
    }
}

impl Experiment for CpuWindow {
    fn name(&self) -> String {
        format!("CPU window of {} s", self.window.as_secs())
    }

    fn next(&mut self, seen: &Evidence, _now: At) -> Step {
        if seen.pprof.is_empty() {
            return Step::Done("no pprof endpoint".into());
        }
        if self.taken {
            return Step::Done("taken".into());
        }
        self.taken = true;
        Step::Do(Action::Profile {
            kind: ProfileKind::Cpu,
            window: Some(self.window),
        })
    }
}

/// Takes one heap profile.
#[derive(Debug, Default)]
pub struct Heap {
    taken: bool,
}

impl Experiment for Heap {
    fn name(&self) -> String {
        "heap profile".into()
    }

    fn next(&mut self, seen: &Evidence, _now: At) -> Step {
        if self.taken || seen.pprof.is_empty() {
            return Step::Done("heap".into());
        }
        self.taken = true;
        Step::Do(Action::Profile {
            kind: ProfileKind::Heap,
            window: None,
        })
    }
}

/// Takes one execution trace, beside the CPU profile: both are allowed at once, and what cuts a long
/// answer cuts either.
#[derive(Debug)]
pub struct TraceWindow {
    window: Duration,
    taken: bool,
}

impl TraceWindow {
    /// Of the given length.
    #[must_use]
    pub const fn new(window: Duration) -> Self {
        Self {
            window,
            taken: false,
        }
    }
}

impl Experiment for TraceWindow {
    fn name(&self) -> String {
        format!("execution trace of {} s", self.window.as_secs())
    }

    fn next(&mut self, seen: &Evidence, _now: At) -> Step {
        // The executables of other languages have no such trace.
        let is_other = seen.build.as_ref().is_some_and(|build| build.go.is_none());
        if seen.pprof.is_empty() || is_other {
            return Step::Done("no endpoint for it".into());
        }
        if self.taken {
            return Step::Done("taken".into());
        }
        self.taken = true;
        Step::Do(Action::Trace {
            window: self.window,
        })
    }
}

/// Looks into the block and the mutex profile once the window is over: by then the handler of the
/// CPU profile has itself waited for the whole window, which a block profile that is on must show.
#[derive(Debug, Default)]
pub struct Contention {
    read: usize,
}

impl Experiment for Contention {
    fn name(&self) -> String {
        "block and mutex profiles".into()
    }

    fn next(&mut self, seen: &Evidence, _now: At) -> Step {
        let next = Waiting::ALL.get(self.read);
        let Some(profile) = next.filter(|_| !seen.pprof.is_empty()) else {
            return Step::Done(format!("{} read", self.read));
        };
        self.read += 1;
        Step::Do(Action::Contention(*profile))
    }
}

/// Looks again and again whom the service is connected to, for as long as ordinary traffic runs:
/// a connection may live for one request only.
#[derive(Debug)]
pub struct Connections {
    window: Duration,
    began: Option<At>,
    looked: Option<At>,
}

/// Between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(400);

impl Connections {
    /// For the length of the window.
    #[must_use]
    pub const fn new(window: Duration) -> Self {
        Self {
            window,
            began: None,
            looked: None,
        }
    }
}

impl Experiment for Connections {
    fn name(&self) -> String {
        "outgoing connections".into()
    }

    fn next(&mut self, seen: &Evidence, now: At) -> Step {
        let began = *self.began.get_or_insert(now);
        if now - began >= self.window {
            return Step::Done(format!("{} looks", seen.connections.len()));
        }
        match self.looked {
            Some(looked) if now - looked < LOOK_AGAIN => Step::Wait(looked + LOOK_AGAIN),
            _ => {
                self.looked = Some(now);
                Step::Do(Action::ScanConnections)
            }
        }
    }
}

/// Sends the requests one after another with random gaps, so that what happens inside a request
/// can be told from what merely happens at the same time.
#[derive(Debug)]
pub struct Traffic {
    /// How long to go on.
    window: Duration,
    /// Fewer than this of each request are not enough to judge.
    at_least: usize,
    random: Random,
    began: Option<At>,
    next_at: At,
    turn: usize,
    snapshot_due: bool,
}

/// Not more than this of each request: enough for every rule, and kind to the service.
const AT_MOST: usize = 200;
/// Shortest mean gap between two requests.
const GAP: Duration = Duration::from_millis(60);

impl Traffic {
    /// `seed` decides the gaps.
    #[must_use]
    pub const fn new(window: Duration, at_least: usize, seed: u64) -> Self {
        Self {
            window,
            at_least,
            random: Random(seed | 1),
            began: None,
            next_at: At(0),
            turn: 0,
            snapshot_due: false,
        }
    }

    /// The next request whose turn it is, that has a listener and may be repeated.
    fn choose(&mut self, seen: &Evidence) -> Option<(usize, String)> {
        let requests = seen.run.requests.len();
        for _ in 0..requests {
            let request = self.turn % requests;
            self.turn += 1;
            let sent = seen.calls_for(request, Purpose::Traffic).count();
            let limit = if seen.request(request)?.repeat_safe {
                AT_MOST
            } else {
                1
            };
            if let Some(reach) = seen.reach_of(request).filter(|_| sent < limit) {
                return Some((request, reach.to_owned()));
            }
        }
        None
    }

    fn enough(&self, seen: &Evidence) -> bool {
        (0..seen.run.requests.len()).all(|request| {
            let safe = seen
                .request(request)
                .is_some_and(|request| request.repeat_safe);
            let wanted = if safe { self.at_least } else { 1 };
            seen.reach_of(request).is_none()
                || seen.calls_for(request, Purpose::Traffic).count() >= wanted
        })
    }
}

impl Experiment for Traffic {
    fn name(&self) -> String {
        "traffic".into()
    }

    fn next(&mut self, seen: &Evidence, now: At) -> Step {
        let began = *self.began.get_or_insert(now);
        if let Some(open) = seen.calls.iter().rev().find(|call| call.ended.is_none()) {
            // A look at the stacks while a request is under way shows who calls whom.
            if self.snapshot_due
                && !seen.pprof.is_empty()
                && now - open.sent.at > Duration::from_millis(5)
            {
                self.snapshot_due = false;
                return Step::Do(Action::Snapshot {
                    form: SnapshotForm::Counts,
                    label: IN_TRAFFIC.into(),
                });
            }
            return Step::Wait(now + Duration::from_millis(5));
        }
        let over = now - began >= self.window;
        if over && self.enough(seen) {
            let sent = seen
                .calls
                .iter()
                .filter(|call| call.sent.purpose == Purpose::Traffic)
                .count();
            return Step::Done(format!("{sent} requests"));
        }
        // The gap begins when the answer has come, and is about as long as a request takes: what
        // is tied to requests then stands out from what is not.
        let last_end = seen
            .calls
            .iter()
            .rev()
            .find_map(|call| Some(call.ended.as_ref()?.at))
            .unwrap_or(began);
        if self.next_at <= last_end && self.turn > 0 {
            let usual = seen
                .calls
                .iter()
                .rev()
                .find_map(shakedown_evidence::Call::took)
                .unwrap_or(GAP);
            self.next_at = last_end
                + self
                    .random
                    .exponential(usual.clamp(GAP, Duration::from_secs(1)));
        }
        if now < self.next_at {
            return Step::Wait(self.next_at);
        }
        let Some((request, reach)) = self.choose(seen) else {
            return if over || seen.run.requests.is_empty() {
                Step::Done("no request to send".into())
            } else {
                Step::Wait(began + self.window)
            };
        };
        let sent = seen.calls_for(request, Purpose::Traffic).count();
        self.snapshot_due = sent < 3;
        Step::Do(Action::Call(CallPlan {
            request,
            purpose: Purpose::Traffic,
            reach,
            deadline: None,
            cancel_after: None,
            patience: PATIENCE,
        }))
    }
}

/// A small generator for gaps (xorshift64*, Marsaglia 2003 with Vigna's multiplier): nothing
/// depends on its quality beyond not being periodic.
#[derive(Debug, Clone)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn unit(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let bits = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11;
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
        let unit = bits as f64 / (1_u64 << 53) as f64;
        unit
    }

    /// Exponentially distributed around `mean`, at most four times as long.
    fn exponential(&mut self, mean: Duration) -> Duration {
        mean.mul_f64((-(1.0 - self.unit()).ln()).min(4.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_have_the_mean_that_was_asked_for() {
        let mut random = Random(7);
        let mean = Duration::from_millis(100);
        let total: Duration = (0..10_000).map(|_| random.exponential(mean)).sum();
        let average = total / 10_000;
        assert!(
            average > Duration::from_millis(90) && average < Duration::from_millis(105),
            "{average:?}"
        );
    }
}

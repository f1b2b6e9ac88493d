//! Looks at a service that others use as well, while we send nothing: handlers that run then are
//! not ours, and audits must not take them for ours.

use std::time::Duration;

use shakedown_evidence::labels::OTHERS;
use shakedown_evidence::{At, Evidence, SnapshotForm};

use crate::{Action, Experiment, Step};

/// Looks; others who keep a handler busy for a tenth of the time are missed by one run in eight,
/// and then three of five calls must fall together with theirs to deceive an audit: once in a
/// thousand runs (0.9^20 · 10 · 0.1^3).
const LOOKS: usize = 20;
/// Between two looks: longer than most handlers run, so that the same one is not seen twice.
const PACE: Duration = Duration::from_millis(200);

/// Takes the looks.
#[derive(Debug, Default)]
pub struct Bystanders {
    taken: usize,
    next_at: At,
}

impl Experiment for Bystanders {
    fn name(&self) -> String {
        "looking for other callers".into()
    }

    fn next(&mut self, seen: &Evidence, now: At) -> Step {
        if seen.pprof.is_empty() {
            return Step::Done("no goroutine profile".into());
        }
        if self.taken == LOOKS {
            return Step::Done(format!("{LOOKS} looks"));
        }
        if now < self.next_at {
            return Step::Wait(self.next_at);
        }
        self.taken += 1;
        self.next_at = now + PACE;
        Step::Do(Action::Snapshot {
            form: SnapshotForm::Counts,
            label: OTHERS.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use shakedown_evidence::{Event, PprofEndpoint};

    use super::*;

    #[test]
    fn looks_are_apart_and_come_to_an_end() {
        let mut seen = Evidence::default();
        let mut looking = Bystanders::default();
        assert!(
            matches!(looking.next(&seen, At(1)), Step::Done(_)),
            "nothing to look at"
        );
        seen.apply(Event::Pprof(PprofEndpoint {
            at: At(1),
            reach: "127.0.0.1:6060".into(),
            prefix: "/debug/pprof/".into(),
            profiles: Vec::new(),
            asked: Vec::new(),
        }));
        let (mut now, mut looks) = (At(1_000), 0);
        loop {
            match looking.next(&seen, now) {
                Step::Do(Action::Snapshot { label, .. }) => {
                    assert_eq!(label, OTHERS);
                    looks += 1;
                }
                Step::Do(other) => panic!("{other:?}"),
                Step::Wait(until) => now = until,
                Step::Done(_) => break,
            }
        }
        assert_eq!(looks, LOOKS);
        assert!(now >= At(1_000) + PACE * 19, "{now}");
    }
}

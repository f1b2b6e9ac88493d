//! Who tells about the service's goroutines?
//!
//! pprof shows their stacks. The service's own metrics give their number, which is enough to see
//! that requests leave some behind, and not enough to see a handler. Without either, nobody tells.

use shakedown_evidence::{Evidence, SnapshotForm};

/// A source of goroutine counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Oracle {
    /// net/http/pprof.
    Stacks,
    /// The number among the metrics.
    Number,
}

/// The best source that was found.
pub(crate) fn oracle(seen: &Evidence) -> Option<Oracle> {
    if !seen.pprof.is_empty() {
        return Some(Oracle::Stacks);
    }
    seen.goroutine_metric().map(|_| Oracle::Number)
}

impl Oracle {
    /// The cheapest count.
    pub(crate) const fn cheap(self) -> SnapshotForm {
        match self {
            Self::Stacks => SnapshotForm::Counts,
            Self::Number => SnapshotForm::Total,
        }
    }

    /// How far two counts of a service at rest may be apart: timers and background loops come and
    /// go, and whoever collects metrics is counted, too.
    pub(crate) const fn noise(self) -> u64 {
        match self {
            Self::Stacks => 1,
            Self::Number => 2,
        }
    }
}

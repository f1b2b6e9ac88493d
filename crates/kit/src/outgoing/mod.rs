//! Outgoing calls: they have a deadline, carry what is left of it on, and stay in the trace.
//!
//! [`CallLayer`] goes around any `tower` client over `http` types: a tonic `Channel`, hyper-util's
//! client. It repeats nothing by itself: that a call may be sent twice is the caller's knowledge,
//! who says so with [`CallLayer::retries`].

mod body;
mod layer;
mod retry;

use std::sync::atomic::{AtomicU64, Ordering};

pub use body::CallBody;
pub use layer::{CallError, CallFuture, CallLayer, Calls};
pub use retry::{Budget, Replayed, Retried, Retries, RetryingLayer};

static EXCEEDED: AtomicU64 = AtomicU64::new(0);
static REPEATED: AtomicU64 = AtomicU64::new(0);
static WITHHELD: AtomicU64 = AtomicU64::new(0);

/// How often calls did not go well, since the process began.
///
/// ```
/// let before = shakedown_kit::outgoing::counters();
/// // … calls …
/// let withheld = shakedown_kit::outgoing::counters().withheld - before.withheld;
/// assert_eq!(withheld, 0, "the budget was enough");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// The deadline passed before the answer was complete: the call was dropped.
    pub exceeded: u64,
    /// Attempts beyond the first of a call.
    pub repeated: u64,
    /// Attempts that would have followed and did not, because the budget was spent.
    pub withheld: u64,
}

/// The counts so far.
///
/// ```
/// let counters = shakedown_kit::outgoing::counters();
/// assert_eq!(counters.repeated, 0, "nothing was called");
/// ```
pub fn counters() -> Counters {
    Counters {
        exceeded: EXCEEDED.load(Ordering::Relaxed),
        repeated: REPEATED.load(Ordering::Relaxed),
        withheld: WITHHELD.load(Ordering::Relaxed),
    }
}

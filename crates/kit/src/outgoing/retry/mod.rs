//! Calls that are sent again, where the receiver did not take them.
//!
//! The rules are those of gRPC's retry design (gRFC A6): a few attempts with growing pauses, a
//! budget that all calls of a client share, the receiver's own word for when to come back
//! (`grpc-retry-pushback-ms`), and `grpc-previous-rpc-attempts` so that it can tell. What has begun
//! to answer is never sent again, and nothing is sent after the deadline.

mod budget;
mod decide;
mod replay;
mod service;

use std::error::Error;
use std::time::Duration;

use tower_layer::Layer;

pub use budget::Budget;
pub use replay::Replayed;
pub use service::Retried;

use super::{CallLayer, Calls};

/// More would be a storm that takes its time (gRFC A6 has the same bound).
const ATTEMPTS_MAX: u32 = 5;

/// How calls are sent again. Clones share their budget.
///
/// Sent again is what the receiver cannot have answered: a connection that failed, and status 14
/// (UNAVAILABLE) or an HTTP status that means it (429, 502, 503, 504) before any message. Of calls
/// that are not gRPC only those whose method may be repeated by its definition (RFC 9110, 9.2.2:
/// not POST, not PATCH), unless there was no connection at all.
#[derive(Debug, Clone)]
pub struct Retries {
    attempts: u32,
    first_pause: Duration,
    longest_pause: Duration,
    wait_for_ready: Duration,
    unreachable: fn(&(dyn Error + 'static)) -> bool,
    budget: Budget,
}

impl Default for Retries {
    fn default() -> Self {
        Self::new()
    }
}

impl Retries {
    /// Three attempts, pauses of about 50 and 100 ms, a budget of their own, no waiting for ready.
    pub fn new() -> Self {
        Retries {
            attempts: 3,
            first_pause: Duration::from_millis(50),
            longest_pause: Duration::from_secs(1),
            wait_for_ready: Duration::ZERO,
            unreachable: decide::is_connect_error,
            budget: Budget::default(),
        }
    }

    /// How often a call is sent at most, the first time included: 1 to 5.
    #[must_use]
    pub fn attempts(self, attempts: u32) -> Self {
        Retries {
            attempts: attempts.clamp(1, ATTEMPTS_MAX),
            ..self
        }
    }

    /// The pause before the second attempt, and what it doubles up to. Each is drawn from 80 to
    /// 120 % of it, so that clients that failed together do not come back together.
    #[must_use]
    pub fn pauses(self, first: Duration, longest: Duration) -> Self {
        Retries {
            first_pause: first,
            longest_pause: longest.max(first),
            ..self
        }
    }

    /// How long a call waits for a receiver that cannot be connected to, within its deadline; not at
    /// all if nothing is said. Such attempts sent nothing, so they cost neither attempts nor budget.
    ///
    /// It cures start-up, where services come up in any order. It is no cure for a receiver that
    /// fails under load: that is what the budget is for.
    #[must_use]
    pub fn wait_for_ready(self, limit: Duration) -> Self {
        Retries {
            wait_for_ready: limit,
            ..self
        }
    }

    /// How an error of the client is known to mean that there was no connection. It is asked about
    /// the error and each of its sources. Without it, an I/O error whose kind only connecting brings
    /// is one: refused, unreachable, or a Unix socket that is not there.
    #[must_use]
    pub fn unreachable_when(self, is: fn(&(dyn Error + 'static)) -> bool) -> Self {
        Retries {
            unreachable: is,
            ..self
        }
    }

    /// The budget, which several clients of one receiver can share.
    #[must_use]
    pub fn budget(self, budget: Budget) -> Self {
        Retries { budget, ..self }
    }
}

/// A [`CallLayer`] that repeats calls; [`CallLayer::retries`] makes it.
#[derive(Debug, Clone)]
pub struct RetryingLayer<F> {
    calls: CallLayer,
    retries: Retries,
    body: F,
}

impl<F> RetryingLayer<F> {
    pub(super) fn new(calls: CallLayer, retries: Retries, body: F) -> Self {
        RetryingLayer {
            calls,
            retries,
            body,
        }
    }
}

impl<S, F: Clone> Layer<S> for RetryingLayer<F> {
    type Service = Calls<Retried<S, F>>;

    fn layer(&self, inner: S) -> Self::Service {
        let retried = Retried::new(inner, self.retries.clone(), self.body.clone());
        self.calls.layer(retried)
    }
}

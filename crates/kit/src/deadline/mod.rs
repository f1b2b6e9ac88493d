//! Deadlines: a handler ends when nobody waits for its answer any more.
//!
//! [`DeadlineLayer`] reads the deadline that came with a request, ends the handler when it passes or
//! when the client leaves, and answers in the protocol's words. Within the request [`remaining`]
//! says how much time is left, [`crate::spawn`] gives children the same deadline, and outgoing calls
//! ([`crate::outgoing`]) carry what is left on.

pub(crate) mod answer;
mod body;
pub(crate) mod grpc_timeout;
mod guard;
mod layer;

use std::time::{Duration, Instant};

pub use body::{DeadlineBody, DeadlineExceeded};
pub use guard::{Counters, counters};
pub use layer::{Bounded, BoundedFuture, DeadlineLayer};

use crate::scope::Scope;

/// When the current request is to be answered; `None` outside of one, and where nobody said.
pub fn deadline() -> Option<Instant> {
    Scope::current()?.deadline()
}

/// How much time the current request has left: zero when the deadline passed, `None` as
/// [`deadline`].
pub fn remaining() -> Option<Duration> {
    Some(deadline()?.saturating_duration_since(Instant::now()))
}

/// Completes when the current request is over: its deadline passed, or its client left. Never
/// completes outside of a request.
///
/// Most code needs none of this, because it is dropped at its next await then. It is for code that
/// polls by itself, or hands work to threads.
pub async fn cancelled() {
    match Scope::current() {
        Some(scope) => scope.token().cancelled().await,
        None => std::future::pending().await,
    }
}

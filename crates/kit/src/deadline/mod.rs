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
///
/// ```
/// assert_eq!(shakedown_kit::deadline(), None, "no request is here");
/// ```
pub fn deadline() -> Option<Instant> {
    Scope::current()?.deadline()
}

/// How much time the current request has left: zero when the deadline passed, `None` as
/// [`deadline`].
///
/// ```
/// use std::time::{Duration, Instant};
/// use shakedown_kit::{labels::Labels, scope::Scope};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let request = Scope::new(Some(Instant::now() + Duration::from_secs(2)), Labels::default());
/// let left = request.run(async { shakedown_kit::remaining() }).await;
/// assert!(left.is_some_and(|left| left <= Duration::from_secs(2)));
/// # }
/// ```
pub fn remaining() -> Option<Duration> {
    Some(deadline()?.saturating_duration_since(Instant::now()))
}

/// Completes when the current request is over: its deadline passed, or its client left. Never
/// completes outside of a request.
///
/// Most code needs none of this, because it is dropped at its next await then. It is for code that
/// polls by itself, or hands work to threads.
///
/// ```
/// use shakedown_kit::{labels::Labels, scope::Scope};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let request = Scope::new(None, Labels::default());
/// request.cancel();
/// request.run(shakedown_kit::cancelled()).await;
/// # }
/// ```
pub async fn cancelled() {
    match Scope::current() {
        Some(scope) => scope.token().cancelled().await,
        None => std::future::pending().await,
    }
}

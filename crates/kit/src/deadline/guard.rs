//! How a request ends, and what follows for those who work for it.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::runtime::Handle;
use tokio::time::Sleep;

use crate::scope::Scope;
use crate::tasks::{self, Kind};

static EXCEEDED: AtomicU64 = AtomicU64::new(0);
static LATE: AtomicU64 = AtomicU64::new(0);
static CLIENT_LEFT: AtomicU64 = AtomicU64::new(0);
static MALFORMED: AtomicU64 = AtomicU64::new(0);

/// How often requests did not end well, since the process began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counters {
    /// The deadline passed while the handler waited: it was dropped.
    pub exceeded: u64,
    /// The handler answered after its deadline, because it ran without awaiting: its answer was
    /// replaced by the status.
    pub late: u64,
    /// The client left before it had its whole answer.
    pub client_left: u64,
    /// The deadline that came with the request could not be read: the request was refused.
    pub malformed: u64,
}

/// The counts so far.
///
/// ```
/// let counters = shakedown_kit::deadline::counters();
/// assert_eq!(counters.exceeded + counters.late + counters.client_left, 0);
/// ```
pub fn counters() -> Counters {
    Counters {
        exceeded: EXCEEDED.load(Ordering::Relaxed),
        late: LATE.load(Ordering::Relaxed),
        client_left: CLIENT_LEFT.load(Ordering::Relaxed),
        malformed: MALFORMED.load(Ordering::Relaxed),
    }
}

pub(super) fn count_malformed() {
    MALFORMED.fetch_add(1, Ordering::Relaxed);
}

/// A request that runs. Dropped before one of its methods was called, the client has left.
#[derive(Debug)]
pub(super) struct Guard {
    /// None: it has ended.
    scope: Option<Scope>,
    /// The task that works for it, and is known by its labels meanwhile.
    task: Option<u64>,
    /// Set when the handler or its answer has to wait for the first time, which many never do.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Guard {
    pub(super) fn new(scope: Scope) -> Self {
        Guard {
            scope: Some(scope),
            task: None,
            timer: None,
        }
    }

    pub(super) fn scope(&self) -> Option<&Scope> {
        self.scope.as_ref()
    }

    /// Makes the running task known by the labels of the request, once.
    pub(super) fn runs_here(&mut self) {
        if let (None, Some(scope)) = (self.task, &self.scope) {
            self.task = tasks::current_id();
            tasks::work_for(self.task, Some(scope.labels().clone()));
        }
    }

    /// Ends the request, once.
    fn end(&mut self) -> Option<Scope> {
        let scope = self.scope.take()?;
        tasks::work_for(self.task, None);
        Some(scope)
    }

    pub(super) fn is_past_deadline(&self) -> bool {
        let deadline = self.scope().and_then(Scope::deadline);
        deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// Ready at the deadline; never without one, and never when the request has ended.
    pub(super) fn poll_deadline(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.scope().and_then(Scope::deadline) else {
            return Poll::Pending;
        };
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline.into())));
        timer.as_mut().poll(context)
    }

    /// The whole answer is given: children run on until the deadline.
    pub(super) fn answered(&mut self) {
        let Some(scope) = self.end() else { return };
        let Some(deadline) = scope.deadline() else {
            return;
        };
        if scope.children_running() == 0 {
            return;
        }
        // Without a runtime nothing is left to end them with, nor anything that would run them.
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        let watch = async move {
            tokio::select! {
                () = tokio::time::sleep_until(deadline.into()) => scope.cancel(),
                () = scope.children_gone() => {}
            }
        };
        tasks::launch(&runtime, Kind::Kit, None, Location::caller(), watch);
    }

    /// The deadline passed while the handler waited.
    pub(super) fn exceeded(&mut self) {
        if let Some(scope) = self.end() {
            EXCEEDED.fetch_add(1, Ordering::Relaxed);
            scope.cancel();
        }
    }

    /// The handler answered after its deadline.
    pub(super) fn late(&mut self) {
        if let Some(scope) = self.end() {
            LATE.fetch_add(1, Ordering::Relaxed);
            scope.cancel();
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(scope) = self.end() {
            CLIENT_LEFT.fetch_add(1, Ordering::Relaxed);
            scope.cancel();
        }
    }
}

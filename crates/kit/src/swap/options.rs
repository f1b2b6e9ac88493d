//! What can be chosen.

use std::path::PathBuf;
use std::time::Duration;

/// Connecting to a database, warming a cache: longer than most services take.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// HTTP/1 clients ask again on a kept connection within seconds, or hardly ever.
const LINGER: Duration = Duration::from_secs(10);

/// How a swap goes; given to [`Builder::swap`](crate::Builder::swap).
///
/// ```
/// use std::time::Duration;
/// use shakedown_kit::{Kit, swap::Swap};
///
/// let swap = Swap::new().ready_within(Duration::from_secs(20));
/// let builder = Kit::builder("orders").swap(swap);
/// ```
#[derive(Debug, Clone)]
pub struct Swap {
    pub(super) executable: Option<PathBuf>,
    pub(super) ready_within: Duration,
    pub(super) linger: Duration,
}

impl Default for Swap {
    fn default() -> Self {
        Swap {
            executable: None,
            ready_within: READY_WITHIN,
            linger: LINGER,
        }
    }
}

impl Swap {
    /// What was written on the command line is started, and has 60 s until it is ready.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts this file instead of what was written on the command line.
    #[must_use]
    pub fn executable(self, path: impl Into<PathBuf>) -> Self {
        Swap {
            executable: Some(path.into()),
            ..self
        }
    }

    /// How long the new process may take until it is ready; afterwards it is ended.
    #[must_use]
    pub fn ready_within(mut self, limit: Duration) -> Self {
        self.ready_within = limit;
        self
    }

    /// How long the old process keeps HTTP/1 connections on which nothing happens; 10 s if nothing is
    /// said. A request that comes meanwhile is answered, with `Connection: close`. One that comes in
    /// the very moment in which the connection is closed is lost, so this should be longer than clients
    /// wait between requests. It is half of the drain limit at most. HTTP/2 needs none of it: it has GOAWAY.
    #[must_use]
    pub fn linger(mut self, linger: Duration) -> Self {
        self.linger = linger;
        self
    }
}

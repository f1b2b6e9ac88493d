//! The way out: lame duck, closing, waiting, and a limit to all of it.

use std::time::Duration;

use tokio::time::Instant;

use super::{Server, Signal, Signals};
use crate::status::Phase;
use crate::tasks::{self, Kind};

/// How often is looked whether the last connection and the last child task have ended.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// How to drain.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Drain {
    /// Between not ready and closing.
    pub(crate) lame_duck: Duration,
    /// For all of it, the lame duck included.
    pub(crate) limit: Duration,
}

/// What ran on when the limit was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Left {
    pub(crate) connections: u64,
    pub(crate) children: usize,
    pub(crate) blocking: usize,
}

/// Drains within the limit; a second signal to stop ends it at once.
pub(crate) async fn drain(drain: Drain, server: Server, signals: &mut Signals) -> Result<(), Left> {
    let status = std::sync::Arc::clone(&server.status);
    let began = Instant::now();
    tracing::info!(limit = ?drain.limit, lame_duck = ?drain.lame_duck, "draining");
    let again = async { while signals.next().await != Signal::Stop {} };
    let drained = tokio::select! {
        () = all(drain, server) => true,
        () = tokio::time::sleep_until(began + drain.limit) => false,
        () = again => false,
    };
    let left = Left {
        connections: status.connections(),
        children: tasks::count(Kind::Child),
        blocking: tasks::count(Kind::Blocking),
    };
    if drained {
        tracing::info!(took = ?began.elapsed(), "drained");
        Ok(())
    } else {
        tracing::error!(
            took = ?began.elapsed(),
            connections = left.connections,
            children = left.children,
            blocking = left.blocking,
            "not drained: what is left is dropped"
        );
        Err(left)
    }
}

async fn all(drain: Drain, server: Server) {
    let status = server.status;
    status.enter(Phase::LameDuck);
    tokio::time::sleep(drain.lame_duck).await;
    status.enter(Phase::Draining);
    server.closing.cancel();
    // Listeners first: they may take one more connection. Children last: requests begin them.
    while status.listeners() > 0 || status.connections() > 0 {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    while tasks::count(Kind::Child) + tasks::count(Kind::Blocking) > 0 {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

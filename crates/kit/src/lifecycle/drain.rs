//! The way out: lame duck, closing, waiting, and a limit to all of it. After a binary swap, before
//! that: answering who is still connected, while nobody waits for the end.

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

/// Drains when another process has taken over. HTTP/1 connections are kept for `linger`, so that the
/// next request on each has an answer and learns to go; a signal to stop ends that early.
pub(crate) async fn leave(
    linger: Duration,
    drain: Drain,
    server: Server,
    signals: &mut Signals,
) -> Result<(), Left> {
    let began = Instant::now();
    server.status.enter(Phase::LameDuck);
    server.leaving.cancel();
    let stopped = async { while signals.next().await != Signal::Stop {} };
    tokio::select! {
        () = gone(&server) => {}
        // What then still runs needs the other half.
        () = tokio::time::sleep(linger.min(drain.limit / 2)) => {}
        () = stopped => {}
    }
    let rest = Drain {
        lame_duck: Duration::ZERO,
        limit: drain.limit.saturating_sub(began.elapsed()),
    };
    self::drain(rest, server, signals).await
}

async fn all(drain: Drain, server: Server) {
    server.status.enter(Phase::LameDuck);
    tokio::time::sleep(drain.lame_duck).await;
    server.status.enter(Phase::Draining);
    server.handover.stopping();
    server.closing.cancel();
    gone(&server).await;
    // Children last: requests begin them.
    while tasks::count(Kind::Child) + tasks::count(Kind::Blocking) > 0 {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Completes when there is no connection; listeners go first, because they may take one more.
async fn gone(server: &Server) {
    while server.status.listeners() > 0 || server.status.connections() > 0 {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

//! The owner of a service's life: it has the signals, and ends the drain at its limit.
//!
//! It runs on a thread and a runtime of its own. Tokio looks at signals and timers on its workers;
//! when all of them are held by polls that do not come back, SIGTERM would go unheard on the
//! service's runtime, and no limit would ever be reached.

use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::{Notify, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::drain::Left;
use super::{Drain, Server, Signal, Signals, drain, leave};
use crate::status::Phase;

/// What the owner decides on.
pub(crate) struct Charge {
    pub(crate) server: Server,
    pub(crate) drain: Drain,
    /// Cancelled by whoever wants what SIGTERM does.
    pub(crate) stop: CancellationToken,
    /// Counted up by whoever wants what SIGHUP does.
    pub(crate) reload: Arc<watch::Sender<u64>>,
    /// Told by whoever wants what SIGUSR2 does.
    pub(crate) swap: Arc<Notify>,
}

/// What the owner is asked for.
enum Asked {
    Stop,
    Swap,
}

/// How a service ended.
pub(crate) type Ended = Result<(), Left>;

/// A running owner. It ends when this is dropped before [`Owner::ready`], or with the service.
pub(crate) struct Owner {
    ready: Option<oneshot::Sender<()>>,
    ended: oneshot::Receiver<Ended>,
    thread: Option<JoinHandle<()>>,
}

impl Owner {
    /// Takes the signals over. Returns when it has them: what comes later is heard.
    pub(crate) fn start(charge: Charge) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let signals = {
            let _context = runtime.enter();
            Signals::new(charge.server.handover.is_on())?
        };
        let (ready, is_ready) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("kit-lifecycle".to_owned())
            .spawn(move || {
                if let Some(how) = runtime.block_on(charge.hold(signals, is_ready)) {
                    // Nobody listens any more if the setup failed meanwhile.
                    let _ = end.send(how);
                }
            })?;
        Ok(Owner {
            ready: Some(ready),
            ended,
            thread: Some(thread),
        })
    }

    /// The setup is done.
    pub(crate) fn ready(&mut self) {
        if let Some(ready) = self.ready.take() {
            // It has gone if it was told to stop before this.
            let _ = ready.send(());
        }
    }

    /// Completes when the service is to end: drained, or told to stop before it was ready.
    pub(crate) async fn ended(&mut self) -> Ended {
        // Without a word it can only have panicked, which was said; then there is nothing to hold.
        (&mut self.ended).await.unwrap_or(Ok(()))
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        drop(self.ready.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Charge {
    /// None: the setup failed, and nobody waits.
    async fn hold(self, mut signals: Signals, ready: oneshot::Receiver<()>) -> Option<Ended> {
        tokio::select! {
            biased;
            done = ready => done.ok()?,
            // Nobody was told that it is ready, so there is nothing to drain.
            () = self.told_to_stop(&mut signals) => return Some(Ok(())),
        }
        self.server.status.enter(Phase::Ready);
        self.server.open.cancel();
        self.server.handover.ready();
        tracing::info!("ready");
        loop {
            let asked = self.asked(&mut signals).await;
            match asked {
                Asked::Stop => break,
                Asked::Swap => match self.hand_over(&mut signals).await {
                    Some(successor) => {
                        tracing::info!(successor, "another process has taken over");
                        let linger = self.server.handover.linger();
                        let server = self.server.clone();
                        return Some(leave(linger, self.drain, server, &mut signals).await);
                    }
                    None if self.stop.is_cancelled() => break,
                    None => {}
                },
            }
        }
        Some(drain(self.drain, self.server, &mut signals).await)
    }

    /// Starts the process that is to take over, and gives its id when it has. None: it did not, or
    /// somebody wants this service to stop; both were said.
    async fn hand_over(&self, signals: &mut Signals) -> Option<u32> {
        let mut successor = match self.server.handover.start() {
            Ok(successor) => successor,
            Err(refused) => return self.refused(&refused),
        };
        tokio::select! {
            biased;
            () = self.told_to_stop(signals) => {
                // It is ended with `successor`: who stops a service does not want another one.
                self.stop.cancel();
                None
            }
            () = self.stop.cancelled() => None,
            ready = successor.ready() => match ready {
                Ok(()) => Some(successor.take_over()),
                Err(refused) => self.refused(&refused),
            }
        }
    }

    fn refused(&self, refused: &dyn std::error::Error) -> Option<u32> {
        let mut reason = refused.to_string();
        if let Some(source) = refused.source() {
            reason = format!("{reason}: {source}");
        }
        tracing::warn!(reason, "no swap: this process serves on");
        self.server.status.swap_refused(reason);
        None
    }

    async fn asked(&self, signals: &mut Signals) -> Asked {
        loop {
            let signal = tokio::select! {
                signal = signals.next() => signal,
                () = self.stop.cancelled() => Signal::Stop,
                () = self.swap.notified() => Signal::Swap,
            };
            match signal {
                Signal::Stop => return Asked::Stop,
                Signal::Swap => return Asked::Swap,
                Signal::Reload => self.reload.send_modify(|asked| *asked += 1),
            }
        }
    }

    /// Hands reloads on until a signal to stop comes. A swap is not begun twice, and not before the
    /// service is ready.
    async fn told_to_stop(&self, signals: &mut Signals) {
        loop {
            match signals.next().await {
                Signal::Stop => return,
                Signal::Reload => self.reload.send_modify(|asked| *asked += 1),
                Signal::Swap => {
                    tracing::warn!("no swap: the service is not ready, or a swap is under way");
                }
            }
        }
    }
}

//! The owner of a service's life: it has the signals, and ends the drain at its limit.
//!
//! It runs on a thread and a runtime of its own. Tokio looks at signals and timers on its workers;
//! when all of them are held by polls that do not come back, SIGTERM would go unheard on the
//! service's runtime, and no limit would ever be reached.

use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::drain::Left;
use super::{Drain, Server, Signal, Signals, drain};
use crate::status::Phase;

/// What the owner decides on.
pub(crate) struct Charge {
    pub(crate) server: Server,
    pub(crate) drain: Drain,
    /// Cancelled by whoever wants what SIGTERM does.
    pub(crate) stop: CancellationToken,
    /// Counted up by whoever wants what SIGHUP does.
    pub(crate) reload: Arc<watch::Sender<u64>>,
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
            Signals::new()?
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
        tracing::info!("ready");
        tokio::select! {
            () = self.told_to_stop(&mut signals) => {}
            () = self.stop.cancelled() => {}
        }
        Some(drain(self.drain, self.server, &mut signals).await)
    }

    /// Hands reloads on until a signal to stop comes.
    async fn told_to_stop(&self, signals: &mut Signals) {
        while signals.next().await == Signal::Reload {
            self.reload.send_modify(|asked| *asked += 1);
        }
    }
}

//! The receiver as its owner sees it: ports, start, stop, and whether it still lives.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::timeout;

use super::intake::Intake;
use super::limits::Limits;
use super::{canary, environment, serve};
use crate::Recorder;

/// Where exporters send what nobody told them otherwise: OTLP's ports for gRPC and HTTP.
const WELL_KNOWN: [u16; 2] = [4317, 4318];

/// Who is listened to on ports that strangers know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Senders {
    /// Processes that we started.
    Ours,
    /// These, and a process that was running before us with what descends from it.
    OursAnd(u32),
    /// Everybody who can reach us: where only addresses are known, nobody can be told apart.
    Anyone,
}

/// Why the receiver could not start.
#[derive(Debug, thiserror::Error)]
pub enum ReceiverError {
    /// No loopback port could be had.
    #[error("the OTLP receiver got no port on 127.0.0.1: {0}")]
    Bind(#[source] io::Error),
}

/// A running receiver. It stops when it is dropped, without waiting for what is under way.
#[derive(Debug)]
pub struct Receiver {
    intake: Arc<Intake>,
    addr: SocketAddr,
    extra: RwLock<Vec<String>>,
    /// To the accept loop.
    more: mpsc::Sender<TcpListener>,
    stop: watch::Sender<bool>,
    /// The accept loop; it owns all connections.
    serving: AbortHandle,
    /// Watches the accept loop and writes down when it ends by itself.
    watching: Mutex<Option<JoinHandle<()>>>,
    watch: AbortHandle,
}

impl Receiver {
    /// Listens on a loopback port that the system chooses.
    ///
    /// # Errors
    /// No port could be had.
    pub async fn start(recorder: Recorder) -> Result<Self, ReceiverError> {
        Self::start_with(recorder, Limits::default()).await
    }

    /// As [`Receiver::start`], for a service that was running before us: also on the well-known
    /// ports and `port` where these are free, since it sends where it always did, and from
    /// processes that are not ours.
    ///
    /// # Errors
    /// As [`Receiver::start`].
    pub async fn start_for(
        recorder: Recorder,
        senders: Senders,
        port: Option<u16>,
    ) -> Result<Self, ReceiverError> {
        let receiver = Self::listen(recorder, Limits::default(), senders).await?;
        receiver.listen_for_defaults().await;
        let further = port.filter(|port| !WELL_KNOWN.contains(port));
        receiver.also_listen(further.as_slice()).await;
        Ok(receiver)
    }

    /// As [`Receiver::start`], with bounds as given.
    ///
    /// # Errors
    /// As [`Receiver::start`].
    pub async fn start_with(recorder: Recorder, limits: Limits) -> Result<Self, ReceiverError> {
        Self::listen(recorder, limits, Senders::Ours).await
    }

    async fn listen(
        recorder: Recorder,
        limits: Limits,
        senders: Senders,
    ) -> Result<Self, ReceiverError> {
        let own = bind(0).await.map_err(ReceiverError::Bind)?;
        let addr = own.local_addr().map_err(ReceiverError::Bind)?;
        let intake = Arc::new(Intake::new(recorder, limits));
        intake.listening(addr.to_string());
        let (stop, stopping) = watch::channel(false);
        let (more, further) = mpsc::channel(WELL_KNOWN.len());
        let serving = serve::serve(own, further, senders, Arc::clone(&intake), stopping);
        let serving = tokio::spawn(serving);
        let serving_handle = serving.abort_handle();
        let watching = tokio::spawn(watch(serving, Arc::clone(&intake)));
        Ok(Self {
            intake,
            addr,
            extra: RwLock::default(),
            more,
            stop,
            serving: serving_handle,
            watch: watching.abort_handle(),
            watching: Mutex::new(Some(watching)),
        })
    }

    /// Listens on 127.0.0.1:4317 and :4318, too, where these are free, for a service that does not
    /// follow its environment.
    ///
    /// Not before it had its own try at them: a tracing backend listens there itself.
    pub async fn listen_for_defaults(&self) {
        self.also_listen(&WELL_KNOWN).await;
    }

    /// Listens on further ports of 127.0.0.1 where these are free.
    pub async fn also_listen(&self, ports: &[u16]) {
        for port in ports {
            // Taken, most likely by a collector; the service has our own port in its environment.
            let Ok(listener) = bind(*port).await else {
                continue;
            };
            let Ok(addr) = listener.local_addr() else {
                continue;
            };
            // Refused only by a receiver that has ended.
            if self.more.send(listener).await.is_ok() {
                self.intake.listening(addr.to_string());
                self.extra
                    .write()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(addr.to_string());
            }
        }
    }

    /// Host and port, for `{otlp.addr}`.
    #[must_use]
    pub fn addr(&self) -> String {
        self.addr.to_string()
    }

    /// The endpoint with its scheme, for `{otlp.url}`. OTLP/HTTP exporters add `/v1/traces`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The further addresses that were free and are ours too; each is also recorded as `Listening`.
    #[must_use]
    pub fn extra(&self) -> Vec<String> {
        self.extra
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Every variable to set for the service, whatever it had inherited: the endpoint, the
    /// exporter, the sampler that follows our traceparent, its propagator, and a short delay of
    /// batches. What each does and who ignores it stands at the top of `environment.rs`.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        environment::set(&self.url())
    }

    /// Every variable to remove from what the service inherits: each would beat one of
    /// [`Receiver::environment`] (endpoints, protocols, headers and certificates of one signal).
    #[must_use]
    pub fn environment_removed(&self) -> Vec<String> {
        environment::removed()
    }

    /// Sends a span of our own through a real connection and waits for it; true if it arrived.
    ///
    /// Recorded as `Canary`; otherwise as `Died` if nobody answered, or `Refused`. The span itself
    /// is not recorded.
    pub async fn canary(&self) -> bool {
        let id = canary::trace_id();
        let trace_id = format!("{id:032x}");
        self.intake.expect_canary(&trace_id);
        let limit = self.intake.limits.canary;
        let answer = timeout(limit, canary::export(self.addr, id)).await;
        let arrived = self.intake.canary_arrived(&trace_id);
        match answer {
            _ if arrived => self.intake.canary(),
            Ok(Ok(line)) => self
                .intake
                .refuse(format!("a span of our own was answered `{line}`")),
            Ok(Err(error)) => self
                .intake
                .died(format!("a span of our own could not be exported: {error}")),
            Err(_) => self
                .intake
                .died(format!("a span of our own was not answered in {limit:?}")),
        }
        arrived
    }

    /// Stops: what is under way is awaited for [`Limits::drain`], and nothing is recorded later.
    pub async fn stop(&self) {
        self.stop.send_replace(true);
        if let Some(watching) = self.watching.lock().await.take() {
            let _ = watching.await;
        }
        self.intake.close();
    }

    /// Kills the receiver half-way, as a bug of ours would: the ports close and `Died` is
    /// recorded. For tests of what the run concludes then.
    pub fn abort(&self) {
        self.serving.abort();
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.intake.close();
        self.watch.abort();
        self.serving.abort();
    }
}

async fn bind(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await
}

/// Awaits the accept loop; an end that was not asked for is written down.
async fn watch(serving: JoinHandle<Result<(), String>>, intake: Arc<Intake>) {
    match serving.await {
        Ok(Ok(())) => {}
        Ok(Err(why)) => intake.died(why),
        Err(error) => intake.died(format!("the receiver's task ended: {error}")),
    }
}

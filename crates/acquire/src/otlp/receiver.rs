//! The receiver as its owner sees it: ports, start, stop, and whether it still lives.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::{Mutex, watch};
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
    extra: Vec<String>,
    stop: watch::Sender<bool>,
    /// The accept loop; it owns all connections.
    serving: AbortHandle,
    /// Watches the accept loop and writes down when it ends by itself.
    watching: Mutex<Option<JoinHandle<()>>>,
    watch: AbortHandle,
}

impl Receiver {
    /// Listens on a loopback port that the system chooses, and on 127.0.0.1:4317 and :4318 where
    /// these are free.
    ///
    /// # Errors
    /// No port could be had. That the well-known ones are taken is no error.
    pub async fn start(recorder: Recorder) -> Result<Self, ReceiverError> {
        Self::start_with(recorder, Limits::default(), &WELL_KNOWN).await
    }

    /// As [`Receiver::start`], for a service that was running before us: also on `port` where that
    /// is free, the one that it sends to, and from processes that are not ours.
    ///
    /// # Errors
    /// As [`Receiver::start`].
    pub async fn start_for(
        recorder: Recorder,
        senders: Senders,
        port: Option<u16>,
    ) -> Result<Self, ReceiverError> {
        let mut ports = WELL_KNOWN.to_vec();
        ports.extend(port.filter(|port| !WELL_KNOWN.contains(port)));
        Self::listen(recorder, Limits::default(), &ports, senders).await
    }

    /// As [`Receiver::start`], with bounds and further ports as given: a service that itself
    /// listens on 4317 needs it free.
    ///
    /// # Errors
    /// As [`Receiver::start`].
    pub async fn start_with(
        recorder: Recorder,
        limits: Limits,
        further_ports: &[u16],
    ) -> Result<Self, ReceiverError> {
        Self::listen(recorder, limits, further_ports, Senders::Ours).await
    }

    async fn listen(
        recorder: Recorder,
        limits: Limits,
        further_ports: &[u16],
        senders: Senders,
    ) -> Result<Self, ReceiverError> {
        let own = bind(0).await.map_err(ReceiverError::Bind)?;
        let addr = own.local_addr().map_err(ReceiverError::Bind)?;
        let intake = Arc::new(Intake::new(recorder, limits));
        intake.listening(addr.to_string());
        let mut listeners = vec![own];
        let mut extra = Vec::new();
        for port in further_ports {
            // Taken, most likely by a collector; the service has our own port in its environment.
            let Ok(listener) = bind(*port).await else {
                continue;
            };
            let addr = listener
                .local_addr()
                .map_err(ReceiverError::Bind)?
                .to_string();
            intake.listening(addr.clone());
            extra.push(addr);
            listeners.push(listener);
        }
        let (stop, stopping) = watch::channel(false);
        let serving = serve::serve(listeners, senders, Arc::clone(&intake), stopping);
        let serving = tokio::spawn(serving);
        let serving_handle = serving.abort_handle();
        let watching = tokio::spawn(watch(serving, Arc::clone(&intake)));
        Ok(Self {
            intake,
            addr,
            extra,
            stop,
            serving: serving_handle,
            watch: watching.abort_handle(),
            watching: Mutex::new(Some(watching)),
        })
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

    /// The well-known addresses that were free and are ours too; each is also recorded as
    /// `Listening`.
    #[must_use]
    pub fn extra(&self) -> &[String] {
        &self.extra
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

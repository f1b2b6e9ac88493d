//! Carries out actions: the one place that knows service, receiver and prober together.

use std::sync::Arc;
use std::time::Duration;

use shakedown_evidence::{
    Connections, Event, Evidence, Listener, PprofEndpoint, ProbeKind, ProfileKind, SnapshotForm,
    StopReport, labels,
};
use shakedown_experiment::Action;

use crate::otlp::Receiver;
use crate::probe::{self, Caller, Headers, ProbeSettings};
use crate::process::{Service, Signal};
use crate::{Recorder, executable, listeners};

/// A dump of 10,000 goroutines takes a second or two, through a pipe that is read at once.
const DUMP_TIME: Duration = Duration::from_secs(20);

/// Everything that an action may need.
#[derive(Debug)]
pub struct Hands {
    recorder: Recorder,
    service: Service,
    receiver: Arc<Receiver>,
    caller: Caller,
    probe: ProbeSettings,
    private: Vec<String>,
}

impl Hands {
    /// Takes the service that is to be checked. `private` are addresses that count as private
    /// although they are not loopback.
    #[must_use]
    pub fn new(
        recorder: Recorder,
        service: Service,
        receiver: Arc<Receiver>,
        probe: ProbeSettings,
        private: Vec<String>,
    ) -> Self {
        let requests = recorder.read(|seen| seen.run.requests.clone());
        let caller = Caller::new(recorder.clone(), requests, probe.clone());
        Self {
            recorder,
            service,
            receiver,
            caller,
            probe,
            private,
        }
    }

    /// The service.
    #[must_use]
    pub const fn service(&self) -> &Service {
        &self.service
    }

    /// Headers that go out with every request.
    #[must_use]
    pub const fn headers(&self) -> &Headers {
        &self.probe.headers
    }

    /// Performs one action and records what came. A call goes on in the background.
    pub async fn perform(&self, action: Action) {
        match action {
            Action::Mark(name) => self.recorder.mark(name),
            Action::ScanListeners => self.scan_listeners().await,
            Action::ScanConnections => self.scan_connections().await,
            Action::AskReady(url) => {
                let answer = probe::ask_ready(&url, &self.probe.headers).await;
                self.recorder
                    .mark(format!("{url}: {}", answer.unwrap_or_else(|why| why)));
            }
            Action::Identify { reach } => {
                probe::identify(&self.recorder, &reach, &self.probe).await;
            }
            Action::ReadExecutable => match self.target_pid() {
                Some(pid) => {
                    executable::record(&self.recorder, pid).await;
                    executable::record_command_line(&self.recorder, pid).await;
                }
                None => self
                    .recorder
                    .failed(ProbeKind::Executable, "executable", "no process"),
            },
            Action::Call(plan) => {
                self.caller.call(plan).await;
            }
            Action::Profile { kind, window } => self.profile(kind, window).await,
            Action::Trace { window } => {
                if let Some(endpoint) = self.endpoint() {
                    probe::trace(&self.recorder, &endpoint, &self.probe.headers, window).await;
                }
            }
            Action::Contention(profile) => {
                if let Some(endpoint) = self.endpoint() {
                    let headers = &self.probe.headers;
                    probe::contention(&self.recorder, &endpoint, headers, profile).await;
                }
            }
            Action::Snapshot { form, label } => self.snapshot(form, &label).await,
            Action::CloseConnections => self.caller.close_all().await,
            Action::Canary => {
                self.receiver.canary().await;
            }
            Action::Quit => self.quit().await,
            Action::Stop { grace } => self.stop(grace).await,
        }
    }

    /// Ends the service and all that descends from it.
    pub async fn end(&mut self, grace: Duration) {
        self.caller.close_all().await;
        self.service.end(grace).await;
    }

    fn target_pid(&self) -> Option<u32> {
        self.recorder.read(|seen| seen.target_pid())
    }

    /// The endpoint that profiles are taken from: one of the checked process before one of another,
    /// such as a dependency that a wrapper started, and a private one before a public one.
    fn endpoint(&self) -> Option<PprofEndpoint> {
        self.recorder.read(|seen| {
            let target = seen.target_pid();
            let rank = |endpoint: &&PprofEndpoint| {
                let mut listeners = seen.listeners.iter();
                let listener = listeners.find(|listener| listener.reach == endpoint.reach);
                listener.map(|listener| (Some(listener.pid) == target, listener.private))
            };
            // Of equals, the last is taken.
            seen.pprof.iter().rev().max_by_key(rank).cloned()
        })
    }

    async fn scan_listeners(&self) {
        let tree = self.service.tree();
        let scan = tokio::task::spawn_blocking(move || listeners::scan(&tree)).await;
        let found = match scan {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => {
                return self
                    .recorder
                    .failed(ProbeKind::Listener, "/proc", error.to_string());
            }
            Err(_) => return,
        };
        for found in found.into_iter().filter(|found| found.here) {
            let (bound, reach) = (found.bound.to_string(), found.reach.to_string());
            let known = self.recorder.read(|seen| {
                seen.listeners
                    .iter()
                    .any(|known| known.reach == reach && known.pid == found.pid)
            });
            if !known {
                let private = found.loopback
                    || self
                        .private
                        .iter()
                        .any(|address| *address == bound || *address == reach);
                self.recorder.record(Event::Listener(Listener {
                    at: self.recorder.now(),
                    bound,
                    reach,
                    pid: found.pid,
                    private,
                }));
            }
        }
    }

    async fn scan_connections(&self) {
        let tree = self.service.tree();
        let scan = tokio::task::spawn_blocking(move || listeners::outgoing(&tree)).await;
        if let Ok(Ok(peers)) = scan {
            let ours = |peer: &String| {
                *peer == self.receiver.addr() || self.receiver.extra().contains(peer)
            };
            let peers = peers
                .iter()
                .map(ToString::to_string)
                .filter(|peer| !ours(peer))
                .collect();
            self.recorder.record(Event::Connections(Connections {
                at: self.recorder.now(),
                peers,
            }));
        }
    }

    async fn profile(&self, kind: ProfileKind, window: Option<Duration>) {
        match self.endpoint() {
            Some(endpoint) => {
                probe::profile(&self.recorder, &endpoint, &self.probe.headers, kind, window).await;
            }
            None => self
                .recorder
                .mark("no pprof endpoint to take a profile from"),
        }
    }

    async fn snapshot(&self, form: SnapshotForm, label: &str) {
        if form == SnapshotForm::Total {
            let metric = |seen: &Evidence| Some(seen.goroutine_metric()?.reach.clone());
            if let Some(reach) = self.recorder.read(metric) {
                probe::goroutine_total(&self.recorder, &reach, &self.probe.headers, label).await;
            }
            return;
        }
        match self.endpoint() {
            Some(endpoint) => {
                probe::snapshot(&self.recorder, &endpoint, &self.probe.headers, form, label).await;
            }
            None => self
                .recorder
                .mark("no pprof endpoint to count goroutines at"),
        }
    }

    /// SIGQUIT to the checked process; what it prints stands in the log.
    async fn quit(&self) {
        let Some(pid) = self.target_pid() else {
            return self.recorder.trouble("SIGQUIT was not sent: no process");
        };
        match self.service.signal(pid, Signal::QUIT) {
            Ok(true) => {}
            Ok(false) => {
                return self
                    .recorder
                    .trouble(format!("SIGQUIT was not sent: process {pid} had ended"));
            }
            Err(error) => {
                return self
                    .recorder
                    .trouble(format!("SIGQUIT was not sent to process {pid}: {error}"));
            }
        }
        if self.service.wait_gone(pid, DUMP_TIME).await.is_none() {
            self.recorder
                .trouble(format!("process {pid} did not end on SIGQUIT"));
        }
    }

    /// SIGTERM to the owner of the listeners. If it stays, its goroutines show what it waits for.
    async fn stop(&self, grace: Duration) {
        let Some(pid) = self.target_pid() else {
            return self.recorder.trouble("SIGTERM was not sent: no process");
        };
        let handle = match self.service.handle(pid) {
            Ok(Some(handle)) => handle,
            Ok(None) => {
                return self
                    .recorder
                    .trouble(format!("SIGTERM was not sent: process {pid} had ended"));
            }
            Err(error) => {
                return self
                    .recorder
                    .trouble(format!("SIGTERM was not sent to process {pid}: {error}"));
            }
        };
        let at = self.recorder.now();
        match self.service.signal(pid, Signal::TERM) {
            Ok(true) => {}
            Ok(false) => {
                return self
                    .recorder
                    .trouble(format!("SIGTERM was not sent: process {pid} had ended"));
            }
            Err(error) => {
                return self
                    .recorder
                    .trouble(format!("SIGTERM was not sent to process {pid}: {error}"));
            }
        }
        self.recorder.mark(format!("SIGTERM sent to process {pid}"));
        let gone = handle.gone(grace).await;
        let until = self.recorder.now();
        if !gone {
            self.snapshot(SnapshotForm::Full, labels::STOP).await;
        }
        self.recorder.record(Event::Stop(StopReport {
            at,
            signal: "SIGTERM".into(),
            pid,
            gone: gone.then_some(until),
            until,
        }));
    }
}

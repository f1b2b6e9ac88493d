//! Carries out actions: the one place that knows service, receiver and prober together.

use std::sync::Arc;
use std::time::Duration;

use shakedown_evidence::{
    Connections, Event, Evidence, Listener, PprofEndpoint, ProbeFailure, ProbeKind, ProfileKind,
    Request, Signalled, SnapshotForm,
};
use shakedown_experiment::Action;

use crate::otlp::Receiver;
use crate::probe::{self, Caller, Headers, ProbeSettings};
use crate::process::{Signal, Target};
use crate::stop::Stop;
use crate::{Recorder, Stalls, executable, listeners, resources};

/// A dump of 10,000 goroutines takes a second or two, through a pipe that is read at once.
const DUMP_TIME: Duration = Duration::from_secs(20);

/// Everything that an action may need.
#[derive(Debug)]
pub struct Hands {
    recorder: Recorder,
    service: Target,
    receiver: Arc<Receiver>,
    caller: Caller,
    stop: Stop,
    probe: ProbeSettings,
    private: Vec<String>,
    stalls: Arc<Stalls>,
}

impl Hands {
    /// Takes the service that is to be checked. `requests` are those of the run as they are sent,
    /// while the record has them without secrets. `private` are addresses that count as private
    /// although they are not loopback.
    #[must_use]
    pub fn new(
        recorder: Recorder,
        service: Target,
        receiver: Arc<Receiver>,
        requests: Vec<Request>,
        probe: ProbeSettings,
        private: Vec<String>,
    ) -> Self {
        let caller = Caller::new(recorder.clone(), requests, probe.clone());
        Self {
            stop: Stop::new(recorder.clone()),
            recorder,
            service,
            receiver,
            caller,
            probe,
            private,
            stalls: Arc::default(),
        }
    }

    /// Takes the forwarders between the service and its dependencies.
    #[must_use]
    pub fn with_stalls(mut self, stalls: Arc<Stalls>) -> Self {
        self.stalls = stalls;
        self
    }

    /// The service.
    #[must_use]
    pub const fn service(&self) -> &Target {
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
            Action::Resources { label } => match self.target_pid() {
                Some(pid) => resources::record(&self.recorder, pid, label).await,
                None => self
                    .recorder
                    .failed(ProbeKind::Resources, "descriptors", "no process"),
            },
            Action::LiveHeap { label } => self.live_heap(label).await,
            Action::ScanConnections => self.scan_connections().await,
            Action::AskReady(url) => {
                let answer = probe::ask_ready(&url, &self.probe.headers).await;
                self.recorder
                    .mark(format!("{url}: {}", answer.unwrap_or_else(|why| why)));
            }
            Action::Identify { reach } => {
                probe::identify(&self.recorder, &reach, &self.probe).await;
            }
            Action::ListMethods { reach } => self.caller.list_methods(&reach).await,
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
            Action::ShortWindow(window) => self.short_window(window).await,
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
            Action::Hold { stall } => self.stalls.hold(&self.recorder, &stall),
            Action::Release { stall } => self.stalls.release(&self.recorder, &stall),
            Action::CloseConnections => self.caller.close_all().await,
            Action::Canary => {
                self.receiver.canary().await;
            }
            Action::Quit => self.quit().await,
            Action::CallHalf(plan) => {
                self.caller.call_half(plan).await;
            }
            Action::Finish(call) => self.caller.finish(call),
            Action::Signal => match self.target_pid() {
                Some(pid) => self.stop.signal(&self.service, pid),
                None => self.recorder.trouble("SIGTERM was not sent: no process"),
            },
            Action::LookAtDrain => self.stop.look(self.service.tree()).await,
            Action::StopWatching { until } => self.stop.report(until),
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
        for elsewhere in found.iter().filter(|found| !found.here) {
            self.unreachable(elsewhere);
        }
        self.scan_unix().await;
        for found in found.into_iter().filter(|found| found.here) {
            let (bound, reach) = (found.bound.to_string(), found.reach.to_string());
            let said = |address: &String| *address == bound || *address == reach;
            let private = found.loopback || self.private.iter().any(said);
            self.listener(bound, reach, found.pid, private).await;
        }
    }

    /// A Unix socket is on this machine, and its file says who may use it: private.
    async fn scan_unix(&self) {
        let tree = self.service.tree();
        let scan = tokio::task::spawn_blocking(move || listeners::scan_unix(&tree)).await;
        for found in scan.ok().and_then(Result::ok).unwrap_or_default() {
            let [bound, reach] =
                [&found.bound, &found.reach].map(|path| format!("unix:{}", path.display()));
            self.listener(bound, reach, found.pid, true).await;
        }
    }

    /// Records a listener that was not seen before.
    async fn listener(&self, bound: String, reach: String, pid: u32, private: bool) {
        let known = |known: &Listener| known.bound == bound && known.pid == pid;
        if self.recorder.read(|seen| !seen.listeners.iter().any(known)) {
            let reach = probe::reach_of(&reach).await;
            self.recorder.record(Event::Listener(Listener {
                at: self.recorder.now(),
                bound,
                reach,
                pid,
                private,
            }));
        }
    }

    /// A listener in another network namespace, such as a container's: its address leads to
    /// something else from here, or nowhere.
    fn unreachable(&self, found: &listeners::Found) {
        let subject = found.bound.to_string();
        let known = |failure: &ProbeFailure| {
            failure.kind == ProbeKind::Listener && failure.subject == subject
        };
        if self.recorder.read(|seen| !seen.failures.iter().any(known)) {
            let why = format!(
                "process {} listens there in a network namespace of its own; give an address that leads to it from here: --address HOST:PORT",
                found.pid
            );
            self.recorder
                .failed(ProbeKind::Listener, subject.clone(), why);
        }
    }

    async fn scan_connections(&self) {
        let tree = self.service.tree();
        // Where nobody can be looked at, that nothing was seen means nothing.
        if tree.is_empty() {
            return;
        }
        let scan = tokio::task::spawn_blocking(move || listeners::outgoing(&tree)).await;
        if let Ok(Ok(peers)) = scan {
            let mut receivers = self.receiver.extra();
            receivers.push(self.receiver.addr());
            let ours = |peer: &String| receivers.contains(peer);
            let peers = peers
                .iter()
                // A forwarder of ours is not whom the service talks to.
                .map(|peer| match self.stalls.beyond(peer) {
                    Some(to) => to.to_owned(),
                    None => peer.to_string(),
                })
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

    async fn short_window(&self, window: Duration) {
        match self.endpoint() {
            Some(endpoint) => {
                probe::short_window(&self.recorder, &endpoint, &self.probe.headers, window).await;
            }
            None => self
                .recorder
                .mark("no pprof endpoint to take a profile from"),
        }
    }

    async fn live_heap(&self, label: String) {
        match self.endpoint() {
            Some(endpoint) => {
                probe::live_heap(&self.recorder, &endpoint, &self.probe.headers, label).await;
            }
            None => self.recorder.mark("no pprof endpoint to see the heap at"),
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
        // Taken first: the number may be another's once the process has ended.
        let handle = self.service.handle(pid);
        self.recorder.record(Event::Signal(Signalled {
            at: self.recorder.now(),
            signal: "SIGQUIT".into(),
            pid,
        }));
        let sent = handle.and_then(|handle| Ok((handle, self.service.signal(pid, Signal::QUIT)?)));
        match sent {
            Ok((Some(handle), true)) => {
                if !handle.gone(DUMP_TIME).await {
                    self.recorder
                        .trouble(format!("process {pid} did not end on SIGQUIT"));
                }
            }
            Ok(_) => self
                .recorder
                .trouble(format!("SIGQUIT was not sent: process {pid} had ended")),
            Err(error) => self
                .recorder
                .trouble(format!("SIGQUIT was not sent to process {pid}: {error}")),
        }
    }
}

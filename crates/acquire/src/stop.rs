//! Telling the service to stop, and seeing how it goes.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use shakedown_evidence::{Client, DrainLook, Event, Gone, ProbeKind, Signalled, StopReport};
use tokio::task::JoinHandle;

use crate::process::{Signal, Target};
use crate::{Recorder, listeners};

/// Nobody waits longer for a process to end.
const WATCH_MAX: Duration = Duration::from_secs(3600);
/// Connections that are named; more say nothing more.
const CLIENTS_MAX: usize = 32;

/// The stop of a service. Dropping it ends the watch.
#[derive(Debug)]
pub(crate) struct Stop {
    recorder: Recorder,
    sent: Mutex<Option<(Signalled, JoinHandle<()>)>>,
}

impl Stop {
    pub(crate) fn new(recorder: Recorder) -> Self {
        Self {
            recorder,
            sent: Mutex::default(),
        }
    }

    /// Sends SIGTERM to a process of the service and notes its end from now on.
    pub(crate) fn signal(&self, service: &Target, pid: u32) {
        // Before the signal, so that the end cannot be missed.
        let handle = match service.handle(pid) {
            Ok(Some(handle)) => handle,
            Ok(None) => return self.not_sent(pid, "it had ended"),
            Err(error) => return self.not_sent(pid, &error.to_string()),
        };
        let signalled = Signalled {
            at: self.recorder.now(),
            signal: "SIGTERM".into(),
            pid,
        };
        match service.signal(pid, Signal::TERM) {
            Ok(true) => {}
            Ok(false) => return self.not_sent(pid, "it had ended"),
            Err(error) => return self.not_sent(pid, &error.to_string()),
        }
        self.recorder.record(Event::Signal(signalled.clone()));
        self.recorder.mark(format!("SIGTERM sent to process {pid}"));
        let recorder = self.recorder.clone();
        let watch = tokio::spawn(async move {
            if handle.gone(WATCH_MAX).await {
                let at = recorder.now();
                recorder.record(Event::Gone(Gone { at, pid }));
            }
        });
        *self.lock() = Some((signalled, watch));
    }

    fn not_sent(&self, pid: u32, why: &str) {
        self.recorder
            .trouble(format!("SIGTERM was not sent to process {pid}: {why}"));
    }

    /// Looks at the sockets of a service that is still there.
    pub(crate) async fn look(&self, tree: Vec<u32>) {
        let scan = move || {
            let ours = listeners::connected(&[std::process::id()])?;
            let ours: HashSet<_> = ours.into_iter().map(|(local, _)| local).collect();
            let mut clients = listeners::connected(&tree)?;
            clients.retain(|(_, remote)| !ours.contains(remote));
            Ok((listeners::scan(&tree)?, clients))
        };
        let looked: std::io::Result<_> = match tokio::task::spawn_blocking(scan).await {
            Ok(looked) => looked,
            Err(_) => return,
        };
        let (listening, connected) = match looked {
            Ok(looked) => looked,
            Err(error) => {
                return self
                    .recorder
                    .failed(ProbeKind::Listener, "/proc", error.to_string());
            }
        };
        // A listener that is closed already is known from before: its connections go on.
        let ports: Vec<u16> = self.recorder.read(|seen| {
            let reaches = seen.listeners.iter().map(|listener| &listener.reach);
            reaches
                .filter_map(|reach| reach.rsplit(':').next()?.parse().ok())
                .collect()
        });
        let clients = connected
            .into_iter()
            .filter(|(local, _)| ports.contains(&local.port()))
            .take(CLIENTS_MAX)
            .map(|(local, remote)| Client {
                local: local.to_string(),
                remote: remote.to_string(),
            });
        self.recorder.record(Event::Drain(DrainLook {
            at: self.recorder.now(),
            listening: listening
                .iter()
                .map(|found| found.reach.to_string())
                .collect(),
            clients: clients.collect(),
        }));
    }

    /// Reports how the stop went, up to `until`.
    pub(crate) fn report(&self, until: shakedown_evidence::At) {
        let Some((signalled, watch)) = self.lock().take() else {
            return;
        };
        watch.abort();
        let gone = self.recorder.read(|seen| {
            let mut gone = seen.gone.iter();
            gone.find(|gone| gone.pid == signalled.pid)
                .map(|gone| gone.at)
        });
        self.recorder.record(Event::Stop(StopReport {
            at: signalled.at,
            signal: signalled.signal,
            pid: signalled.pid,
            gone,
            until: gone.unwrap_or(until),
        }));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<(Signalled, JoinHandle<()>)>> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        if let Some((_, watch)) = self.lock().take() {
            watch.abort();
        }
    }
}

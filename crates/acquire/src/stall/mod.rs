//! Forwarders between the service and its dependencies, which keep answers back on command.
//!
//! They pass bytes on and know no protocol: PostgreSQL, Redis, gRPC and HTTP are alike to them.
//! What the service says goes through at any time, so that a dependency still sees a request and
//! its cancellation; only what the dependency answers is held. A connection holds one buffer in
//! each direction, and then its sender waits, as for any slow peer.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use shakedown_evidence::{Answers, Event, Stall, StallChange};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::Recorder;

mod forward;

use forward::{Gate, Mode, Through};

/// The forwarders of a run. Dropping it closes all of their connections.
#[derive(Debug, Default)]
pub struct Stalls {
    forwarders: Vec<Forwarder>,
}

#[derive(Debug)]
struct Forwarder {
    stall: Stall,
    addr: SocketAddr,
    gate: watch::Sender<Gate>,
    through: Through,
    accepting: JoinHandle<()>,
}

impl Stalls {
    /// Listens for each on a free loopback port.
    ///
    /// # Errors
    /// There is no free port.
    pub async fn start(stalls: &[Stall]) -> io::Result<Self> {
        let mut forwarders = Vec::new();
        for stall in stalls {
            forwarders.push(Forwarder::start(stall.clone()).await?);
        }
        Ok(Self { forwarders })
    }

    /// Where the service is to connect to, by the names of the stalls.
    pub fn addresses(&self) -> impl Iterator<Item = (&str, SocketAddr)> {
        let forwarders = self.forwarders.iter();
        forwarders.map(|forwarder| (forwarder.stall.name.as_str(), forwarder.addr))
    }

    /// Where a connection to one of them leads.
    #[must_use]
    pub fn beyond(&self, addr: &SocketAddr) -> Option<&str> {
        let mut forwarders = self.forwarders.iter();
        let found = forwarders.find(|forwarder| forwarder.addr == *addr)?;
        Some(&found.stall.to)
    }

    /// Keeps the answers of one back from now on.
    pub fn hold(&self, recorder: &Recorder, name: &str) {
        self.change(recorder, name, true);
    }

    /// Lets the answers of one go on.
    pub fn release(&self, recorder: &Recorder, name: &str) {
        self.change(recorder, name, false);
    }

    /// Lets all go on that still hold: a step of the run that was left may not spoil the next.
    pub fn release_all(&self, recorder: &Recorder) {
        for forwarder in &self.forwarders {
            self.change(recorder, &forwarder.stall.name, false);
        }
    }

    fn change(&self, recorder: &Recorder, name: &str, holds: bool) {
        let mut forwarders = self.forwarders.iter();
        let Some(forwarder) = forwarders.find(|forwarder| forwarder.stall.name == name) else {
            return recorder.trouble(format!("there is no stall {name}"));
        };
        if !forwarder.set(holds) {
            return;
        }
        let (at, name) = (recorder.now(), name.to_owned());
        let does = if holds { "holds" } else { "lets go" };
        recorder.mark(format!("stall {name}: {does}"));
        recorder.record(Event::Stall(StallChange { at, name, holds }));
    }

    /// Stalls that were of no use, each with the reason.
    #[must_use]
    pub fn unused(&self) -> Vec<String> {
        let unused = |forwarder: &Forwarder| {
            let Stall { name, to, .. } = &forwarder.stall;
            match (forwarder.through.accepted(), forwarder.through.refused()) {
                (0, _) => Some(format!(
                    "stall {name}: the service never connected to it; is {{stall.{name}.addr}} really the address that it uses?"
                )),
                (_, Some(why)) => Some(format!("stall {name}: {to} could not be reached: {why}")),
                _ => None,
            }
        };
        self.forwarders.iter().filter_map(unused).collect()
    }
}

impl Forwarder {
    async fn start(stall: Stall) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let addr = listener.local_addr()?;
        let gate = watch::Sender::new(Gate::default());
        let through = Through::default();
        let accepting = forward::accept(
            listener,
            stall.to.clone(),
            gate.subscribe(),
            through.clone(),
        );
        Ok(Self {
            stall,
            addr,
            gate,
            through,
            accepting: tokio::spawn(accepting),
        })
    }

    /// Says whether that changed anything.
    fn set(&self, holds: bool) -> bool {
        let mode = match (holds, self.stall.answers) {
            (false, _) => Mode::Through,
            (true, Answers::Held) => Mode::Held,
            (true, Answers::Never) => Mode::Silent,
            (true, Answers::LateByMs(ms)) => Mode::LateBy(Duration::from_millis(ms)),
        };
        self.gate.send_if_modified(|gate| {
            if gate.mode == mode {
                return false;
            }
            // What was silent belongs to a machine that is gone.
            gate.epoch += u64::from(gate.mode == Mode::Silent);
            gate.mode = mode;
            true
        })
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

#[cfg(test)]
mod tests;

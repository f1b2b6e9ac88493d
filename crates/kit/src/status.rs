//! The state of the service in numbers, as `/debug/kit/status` and the probes show it.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use crate::{deadline, json, outgoing, tasks};

/// How far the service is.
///
/// ```
/// use shakedown_kit::Phase;
///
/// assert!(Phase::Ready < Phase::LameDuck, "there is no way back");
/// assert_eq!(Phase::LameDuck.name(), "lame-duck");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Phase {
    /// It is being set up.
    Starting,
    /// It takes requests.
    Ready,
    /// It was told to stop, and still takes requests until others know.
    LameDuck,
    /// It takes no new connections, and finishes what it has.
    Draining,
}

impl Phase {
    /// The word in status and probes.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Starting => "starting",
            Phase::Ready => "ready",
            Phase::LameDuck => "lame-duck",
            Phase::Draining => "draining",
        }
    }
}

/// What the parts of a service tell of themselves.
#[derive(Debug)]
pub(crate) struct Status {
    name: String,
    since: Instant,
    phase: AtomicU8,
    connections: Arc<AtomicU64>,
    listeners: Arc<AtomicU64>,
    /// Why the last swap that was asked for did not happen.
    swap_refused: Mutex<Option<String>>,
}

impl Status {
    pub(crate) fn new(name: &str) -> Self {
        Status {
            name: name.to_owned(),
            since: Instant::now(),
            phase: AtomicU8::new(Phase::Starting as u8),
            connections: Arc::default(),
            listeners: Arc::default(),
            swap_refused: Mutex::default(),
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        [
            Phase::Starting,
            Phase::Ready,
            Phase::LameDuck,
            Phase::Draining,
        ]
        .into_iter()
        .find(|phase| *phase as u8 == self.phase.load(Ordering::Acquire))
        .unwrap_or(Phase::Draining)
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.phase() == Phase::Ready
    }

    /// Goes on to a later phase; there is no way back.
    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.fetch_max(phase as u8, Ordering::AcqRel);
    }

    /// Counts a connection until the guard is dropped.
    pub(crate) fn connection(&self) -> Open {
        Open::count(&self.connections)
    }

    /// Counts a listener until the guard is dropped.
    pub(crate) fn listener(&self) -> Open {
        Open::count(&self.listeners)
    }

    pub(crate) fn listeners(&self) -> u64 {
        self.listeners.load(Ordering::Acquire)
    }

    pub(crate) fn connections(&self) -> u64 {
        self.connections.load(Ordering::Acquire)
    }

    /// Notes why a swap did not happen.
    pub(crate) fn swap_refused(&self, reason: String) {
        *self
            .swap_refused
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(reason);
    }

    /// One JSON object.
    pub(crate) fn json(&self, runtime: &Handle) -> String {
        let deadline::Counters {
            exceeded,
            late,
            client_left,
            malformed,
        } = deadline::counters();
        let metrics = runtime.metrics();
        let mut out = String::from("{\"service\":");
        json::push_text(&mut out, &self.name);
        let _ = write!(
            out,
            ",\"phase\":\"{}\",\"pid\":{},\"up_s\":{},\"workers\":{},\"connections\":{}",
            self.phase().name(),
            std::process::id(),
            seconds(self.since.elapsed()),
            metrics.num_workers(),
            self.connections(),
        );
        let _ = write!(
            out,
            ",\"tasks\":{{\"registered\":{},\"alive_in_runtime\":{},\"unregistered\":{},\"queued\":{}}}",
            tasks::registered(),
            metrics.num_alive_tasks(),
            tasks::unregistered(runtime),
            metrics.global_queue_depth(),
        );
        let _ = write!(
            out,
            ",\"requests\":{{\"deadline_exceeded\":{exceeded},\"late\":{late},\"client_left\":{client_left},\"malformed_deadline\":{malformed}}}"
        );
        let calls = outgoing::counters();
        let _ = write!(
            out,
            ",\"calls\":{{\"deadline_exceeded\":{},\"repeated\":{},\"not_repeated_for_budget\":{}}}",
            calls.exceeded, calls.repeated, calls.withheld
        );
        let refused = self.swap_refused.lock();
        if let Some(reason) = &*refused.unwrap_or_else(PoisonError::into_inner) {
            out.push_str(",\"swap_refused\":");
            json::push_text(&mut out, reason);
        }
        out.push_str("}\n");
        out
    }
}

/// A connection or a listener that is open.
#[derive(Debug)]
pub(crate) struct Open(Arc<AtomicU64>);

impl Open {
    fn count(counter: &Arc<AtomicU64>) -> Self {
        counter.fetch_add(1, Ordering::Relaxed);
        Open(Arc::clone(counter))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Release);
    }
}

pub(crate) fn seconds(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_no_way_back() {
        let status = Status::new("orders");
        assert_eq!(status.phase(), Phase::Starting);
        for phase in [Phase::Ready, Phase::LameDuck, Phase::Draining, Phase::Ready] {
            status.enter(phase);
        }
        assert_eq!(status.phase(), Phase::Draining);
        assert!(!status.is_ready());
    }

    #[tokio::test]
    async fn the_status_is_json() {
        let status = Status::new("or\"ders");
        let _connection = status.connection();
        status.swap_refused("no \"such\" file".to_owned());
        let json = status.json(&Handle::current());
        let value: serde_json::Value = serde_json::from_str(&json).expect("it is JSON");
        assert_eq!(value["service"], "or\"ders");
        assert_eq!(value["connections"], 1);
        assert!(value["tasks"]["unregistered"].is_u64());
        assert!(value["requests"]["late"].is_u64());
        assert!(value["calls"]["repeated"].is_u64());
        assert_eq!(value["swap_refused"], "no \"such\" file");
    }
}

//! A run under way.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::thread::sleep;
use std::time::{Duration, Instant};

pub use rustix::process::Signal;
use rustix::process::{Pid, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::turn::Turn;
use crate::{Ended, Marker, sockets};

/// Between two looks at something that nobody tells of.
const PACE: Duration = Duration::from_millis(10);
/// After the end of the program everything else is gone, or is still being waited for by the
/// kernel; an orphaned guardian gives the service a second and then kills it.
const LEFT: Duration = Duration::from_secs(10);

/// A run under way. It is killed when it is dropped.
#[derive(Debug)]
pub struct Live {
    child: Child,
    folder: Option<TempDir>,
    marker: Marker,
    began: Instant,
    patience: Duration,
    _turn: Option<Turn>,
}

impl Live {
    pub(crate) fn new(
        child: Child,
        folder: TempDir,
        marker: Marker,
        patience: Duration,
        turn: Option<Turn>,
    ) -> Self {
        Self {
            child,
            folder: Some(folder),
            marker,
            began: Instant::now(),
            patience,
            _turn: turn,
        }
    }

    /// The run's folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.as_ref().expect("kept until the end").path()
    }

    /// The folder of its bundle.
    #[must_use]
    pub fn bundle(&self) -> PathBuf {
        self.folder().join("bundle")
    }

    /// The process id of `shakedown` itself.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What marks its processes.
    #[must_use]
    pub fn marker(&self) -> &Marker {
        &self.marker
    }

    /// Waits until stderr has a text.
    ///
    /// # Panics
    /// If the run ends before, or takes longer than its patience.
    pub fn until_it_says(&mut self, text: &str) {
        self.until(&format!("it says {text:?}"), |live| {
            live.read("stderr").contains(text)
        });
    }

    /// Waits until the bundle has a text, such as `"purpose":"batch"`.
    ///
    /// # Panics
    /// As [`Live::until_it_says`].
    pub fn until_recorded(&mut self, text: &str) {
        self.until(&format!("the bundle has {text:?}"), |live| {
            live.read("bundle/events.jsonl").contains(text)
        });
    }

    fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        while !holds(self) {
            let ended = self.child.try_wait().expect("it can be waited for");
            let late = self.began.elapsed() >= self.patience;
            assert!(
                ended.is_none() && !late,
                "waited in vain until {what} ({ended:?}):\n{}",
                self.read("stderr")
            );
            sleep(PACE);
        }
    }

    /// Sends a signal to `shakedown` itself.
    ///
    /// # Panics
    /// If it cannot be sent: it has been waited for already.
    pub fn signal(&self, signal: Signal) {
        send(self.child.id(), signal);
    }

    /// Sends a signal to the run's service.
    ///
    /// # Panics
    /// If it was not started yet, or is gone.
    pub fn signal_service(&self, signal: Signal) {
        send(self.service(), signal);
    }

    /// The process of the run's service, as the bundle has them so far.
    ///
    /// # Panics
    /// If none was started yet.
    #[must_use]
    pub fn service(&self) -> u32 {
        let of = |event: &Value| {
            let is_target = event["of"]["role"] == "target";
            let pid = event["of"]["pid"].as_u64().filter(|_| is_target)?;
            u32::try_from(pid).ok()
        };
        let pid = self.recorded("process").iter().find_map(of);
        pid.expect("the service was started")
    }

    /// Shuts the sockets of the span receiver under its hands, those that are connected too.
    ///
    /// # Panics
    /// If it has none.
    pub fn shut_receiver(&self) {
        let of = |event: &Value| event["of"]["addr"].as_str()?.parse().ok();
        let address = self.recorded("receiver").iter().find_map(of);
        sockets::shut(self.pid(), address.expect("the receiver listens"));
    }

    /// Events of one kind that are in the bundle so far.
    #[must_use]
    pub fn recorded(&self, kind: &str) -> Vec<Value> {
        let events = self.read("bundle/events.jsonl");
        let events = events
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        events
            .filter(|event: &Value| event["event"] == kind)
            .collect()
    }

    /// Waits for the end.
    ///
    /// # Panics
    /// If the run takes longer than its patience, or leaves a process behind.
    #[must_use]
    pub fn wait(mut self) -> Ended {
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("it can be waited for") {
                break status;
            }
            assert!(
                self.began.elapsed() < self.patience,
                "not at its end after {:?}:\n{}",
                self.patience,
                self.read("stderr")
            );
            sleep(PACE);
        };
        let took = self.began.elapsed();
        self.marker.assert_none_left(LEFT);
        let (stdout, stderr) = (self.read("stdout"), self.read("stderr"));
        Ended {
            code: status.code(),
            stdout,
            stderr,
            took,
            folder: self.folder.take(),
        }
    }

    fn read(&self, name: &str) -> String {
        let bytes = fs::read(self.folder().join(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

fn send(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    kill_process(pid.expect("a process id"), signal).expect("it has not been waited for");
}

impl Drop for Live {
    fn drop(&mut self) {
        // Only a test that failed comes here with the program still running; its guardian ends
        // the rest.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

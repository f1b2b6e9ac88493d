//! A process that ran before us.
//!
//! It is looked at through `/proc` and held by a pidfd, so that another process that is given its
//! id is never taken for it. It is not ours: nothing here ends it, and a signal is only sent if
//! its owner allowed that. If we die, it does not notice.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::Signal;
use shakedown_evidence::secret::is_secret_name;
use shakedown_evidence::{Event, Exit, ProcessStarted, Role};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::pidfd::Handle;
use super::tree;
use crate::Recorder;

/// Why a process cannot be attached to.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// There is none.
    #[error("no process has the id {pid}; `pgrep -a NAME` shows what runs")]
    Missing {
        /// As given.
        pid: u32,
    },
    /// A thread of another process.
    #[error("{pid} is a thread of process {process}: --pid {process}")]
    Thread {
        /// As given.
        pid: u32,
        /// Whose thread it is.
        process: u32,
    },
    /// It has ended and waits for its parent.
    #[error("process {pid} has ended; its parent has not asked for its exit code yet")]
    Ended {
        /// As given.
        pid: u32,
    },
    /// It has no executable.
    #[error("process {pid} is a thread of the kernel, not a service")]
    Kernel {
        /// As given.
        pid: u32,
    },
    /// Ourselves, or one that we came from.
    #[error("process {pid} is shakedown itself")]
    Ourselves {
        /// As given.
        pid: u32,
    },
    /// We may not look into it.
    #[error(
        "process {pid} cannot be looked into: it runs as uid {uid}, or with privileges of its own. Run shakedown as that user or as root (sudo -u '#{uid}' shakedown …), or attach by its addresses, which takes no permission: --address HOST:PORT"
    )]
    Denied {
        /// As given.
        pid: u32,
        /// Its user.
        uid: u32,
    },
    /// Anything else that the system answered.
    #[error("process {pid} cannot be looked into: {source}")]
    Refused {
        /// As given.
        pid: u32,
        /// What the system said.
        source: io::Error,
    },
}

/// A process that was found and may be looked into.
#[derive(Debug)]
pub struct Running {
    handle: Handle,
    /// Its words, as it shows them; secrets are not cut.
    pub command: Vec<String>,
    /// Its working folder.
    pub cwd: Option<PathBuf>,
}

impl Running {
    /// Finds a process and holds it.
    ///
    /// # Errors
    /// There is none, or we may not look into it.
    pub fn find(pid: u32) -> Result<Self, AttachError> {
        if pid == std::process::id() {
            return Err(AttachError::Ourselves { pid });
        }
        let handle = match Handle::of(pid) {
            Ok(Some(handle)) => handle,
            Ok(None) => return Err(AttachError::Missing { pid }),
            // pidfd_open(2) takes the id of a process only.
            Err(source) => {
                return Err(match leader(pid).filter(|leader| *leader != pid) {
                    Some(process) => AttachError::Thread { pid, process },
                    None => AttachError::Refused { pid, source },
                });
            }
        };
        // What is read from here on is of the process that we hold, as long as that lives.
        let of = |name: &str| format!("/proc/{pid}/{name}");
        if tree::Seen::read(pid).is_none_or(|seen| seen.zombie) {
            return Err(AttachError::Ended { pid });
        }
        for name in ["exe", "fd", "ns/net"] {
            let looked = match name {
                "fd" => fs::read_dir(of(name)).map(drop),
                _ => fs::read_link(of(name)).map(drop),
            };
            if let Err(source) = looked {
                return Err(refused(pid, source));
            }
        }
        let command = fs::read(of("cmdline")).unwrap_or_default();
        let words = command.split(|byte| *byte == 0);
        let mut command: Vec<String> = words
            .map(|word| String::from_utf8_lossy(word).into_owned())
            .collect();
        // It ends with a zero, too.
        command.pop();
        Ok(Self {
            handle,
            command,
            cwd: fs::read_link(of("cwd")).ok(),
        })
    }

    /// Its id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.handle.pid()
    }

    /// A variable of the environment that it was started with.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<String> {
        let environment = fs::read(format!("/proc/{}/environ", self.pid())).ok()?;
        let mut variables = environment.split(|byte| *byte == 0);
        let value = variables.find_map(|variable| {
            let value = variable.strip_prefix(name.as_bytes())?;
            value.strip_prefix(b"=")
        })?;
        Some(String::from_utf8_lossy(value).into_owned())
    }

    /// Values of its environment whose names say that they are secret, so that they can be cut.
    #[must_use]
    pub fn secrets(&self) -> Vec<String> {
        let environment = fs::read(format!("/proc/{}/environ", self.pid())).unwrap_or_default();
        let variables = environment.split(|byte| *byte == 0);
        let secret = variables.filter_map(|variable| {
            let variable = String::from_utf8_lossy(variable);
            let (name, value) = variable.split_once('=')?;
            is_secret_name(name).then(|| value.to_owned())
        });
        secret.collect()
    }
}

fn refused(pid: u32, source: io::Error) -> AttachError {
    let status = fs::metadata(format!("/proc/{pid}"));
    match (source.kind(), status) {
        (_, Err(_)) => AttachError::Missing { pid },
        (io::ErrorKind::PermissionDenied, Ok(status)) => AttachError::Denied {
            pid,
            uid: status.uid(),
        },
        // A thread of the kernel has no executable.
        (io::ErrorKind::NotFound, Ok(_)) => AttachError::Kernel { pid },
        _ => AttachError::Refused { pid, source },
    }
}

/// The process that a thread belongs to.
fn leader(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("Tgid:"))?;
    line.trim().parse().ok()
}

/// A process that is attached to. Dropping it leaves the process as it is.
#[derive(Debug)]
pub struct Attached {
    shared: Arc<Shared>,
    may_signal: bool,
    watch: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    handle: Handle,
    /// We asked for the end.
    expected: AtomicBool,
    exit: watch::Sender<Option<Exit>>,
}

impl Attached {
    /// Records the process and watches for its end. `may_signal` is its owner's consent.
    #[must_use]
    pub fn to(running: Running, recorder: Recorder, may_signal: bool) -> Self {
        recorder.record(Event::Process(ProcessStarted {
            at: recorder.now(),
            role: Role::Target,
            pid: running.pid(),
        }));
        let shared = Arc::new(Shared {
            handle: running.handle,
            expected: AtomicBool::new(false),
            exit: watch::Sender::new(None),
        });
        let watched = Arc::clone(&shared);
        let watch = tokio::spawn(async move {
            watched.handle.ended().await;
            // How it ended is only told to its parent.
            let exit = Exit {
                at: recorder.now(),
                role: Role::Target,
                code: None,
                signal: None,
                expected: watched.expected.load(Ordering::Acquire),
            };
            recorder.record(Event::Exit(exit.clone()));
            watched.exit.send_replace(Some(exit));
        });
        Self {
            shared,
            may_signal,
            watch,
        }
    }

    /// The process, and what descends from it; empty once it has ended.
    #[must_use]
    pub fn tree(&self) -> Vec<u32> {
        let pid = self.shared.handle.pid();
        let below = tree::descendants(pid);
        // Looked at last: the id was its own until then.
        if self.shared.handle.has_ended() {
            return Vec::new();
        }
        std::iter::once(pid)
            .chain(below.iter().map(|process| process.pid))
            .collect()
    }

    /// How it ended, if it has.
    #[must_use]
    pub fn exit(&self) -> Option<Exit> {
        self.shared.exit.borrow().clone()
    }

    pub(super) async fn wait_exit(&self, timeout: Duration) -> Option<Exit> {
        let mut exit = self.shared.exit.subscribe();
        let ended = tokio::time::timeout(timeout, exit.wait_for(Option::is_some)).await;
        ended.ok()?.ok()?.clone()
    }

    pub(super) fn handle(&self, pid: u32) -> io::Result<Option<Handle>> {
        Handle::within(pid, || self.tree())
    }

    /// Sends a signal, if the owner of the process allowed it.
    pub(super) fn signal(&self, pid: u32, signal: Signal) -> io::Result<bool> {
        if !self.may_signal {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "the process was running before us, and nobody allowed signals: --consent stop",
            ));
        }
        let Some(handle) = self.handle(pid)? else {
            return Ok(false);
        };
        self.shared.expected.store(true, Ordering::Release);
        handle.signal(signal)
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::time::Instant;

    use super::*;

    fn sleeper() -> std::process::Child {
        let child = Command::new("sleep")
            .arg("60")
            .stdin(Stdio::null())
            .spawn()
            .expect("sleep is there");
        // Just after exec(2) the kernel has no words to show yet.
        let words = format!("/proc/{}/cmdline", child.id());
        while fs::read(&words).expect("it runs").is_empty() {
            std::thread::yield_now();
        }
        child
    }

    #[test]
    fn what_cannot_be_attached_to_is_told_with_its_remedy() {
        let check = |pid: u32| Running::find(pid).expect_err("no service").to_string();
        assert!(check(u32::MAX).contains("pgrep"), "{}", check(u32::MAX));
        assert!(check(std::process::id()).contains("itself"));
    }

    #[tokio::test]
    async fn a_thread_is_told_from_its_process() {
        let mut child = sleeper();
        let parked = std::thread::spawn(|| {
            let own = rustix::thread::gettid().as_raw_nonzero().get();
            Running::find(u32::try_from(own).expect("an id"))
        });
        let error = parked.join().expect("no panic").expect_err("a thread");
        assert!(
            matches!(error, AttachError::Thread { process, .. } if process == std::process::id()),
            "{error}"
        );
        child.kill().expect("it runs");
        child.wait().expect("it ended");
    }

    #[tokio::test]
    async fn it_is_left_alone_without_consent_and_its_end_is_seen() {
        let mut child = sleeper();
        let recorder = Recorder::new(Instant::now(), None);
        let running = Running::find(child.id()).expect("it runs");
        assert_eq!(running.command, ["sleep", "60"]);
        let attached = Attached::to(running, recorder.clone(), false);
        assert_eq!(attached.tree(), [child.id()]);
        let refused = attached.signal(child.id(), Signal::TERM);
        assert!(refused.is_err_and(|error| error.to_string().contains("--consent stop")));
        drop(attached);
        assert!(child.try_wait().expect("our child").is_none(), "it runs on");

        let running = Running::find(child.id()).expect("it runs");
        let attached = Attached::to(running, recorder.clone(), true);
        assert!(attached.signal(child.id(), Signal::TERM).expect("allowed"));
        let exit = attached.wait_exit(Duration::from_secs(5)).await;
        assert!(exit.is_some_and(|exit| exit.expected));
        assert_eq!(attached.tree(), [0; 0], "its id may be another's");
        child.wait().expect("it ended");
        recorder.read(|seen| assert_eq!(seen.exits.len(), 1));
    }

    #[tokio::test]
    async fn a_stranger_gets_no_signal() {
        let (mut child, mut other) = (sleeper(), sleeper());
        let running = Running::find(child.id()).expect("it runs");
        let attached = Attached::to(running, Recorder::new(Instant::now(), None), true);
        assert!(!attached.signal(other.id(), Signal::KILL).expect("no error"));
        assert!(other.try_wait().expect("our child").is_none(), "it runs on");
        for child in [&mut child, &mut other] {
            child.kill().expect("it runs");
            child.wait().expect("it ended");
        }
    }
}

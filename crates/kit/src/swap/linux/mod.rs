//! The listeners of a service, from one process to the next.

mod exec;
mod inherited;
mod systemd;

use std::ffi::OsString;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe;

use self::exec::Child;
use self::inherited::Inherited;
use super::Swap;

/// The name of the pipe on which the new process says that it is ready.
const READY: &str = "kit-ready";
/// The process whose end is the end of the container.
const INIT: u32 = 1;

/// Why a swap did not happen. The old process serves on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error("the service was not built with `Builder::swap`")]
    NotWanted,
    #[error("this is process 1: its end would end the container, and the new process with it")]
    Init,
    #[error("the new process cannot be started: {}", path.display())]
    Start {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("process {pid} is not ready: {how}")]
    Ended { pid: u32, how: String },
    #[error("process {pid} was not ready within {limit:?}, and was ended")]
    NotReady { pid: u32, limit: Duration },
}

/// What is handed over, and what was.
#[derive(Debug, Clone, Default)]
pub(crate) struct Handover(Option<Arc<Inner>>);

#[derive(Debug)]
struct Inner {
    swap: Swap,
    executable: PathBuf,
    inherited: Mutex<Inherited>,
    /// Second descriptors of the listeners that are open. While they are there a listener is not
    /// closed, so they go first.
    kept: Mutex<Vec<(String, OwnedFd)>>,
}

impl Handover {
    pub(crate) fn with(swap: Swap) -> Self {
        let executable = swap.executable.clone().unwrap_or_else(executable);
        Handover(Some(Arc::new(Inner {
            swap,
            executable,
            inherited: Mutex::default(),
            kept: Mutex::default(),
        })))
    }

    /// Whether swaps are wanted at all.
    pub(crate) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Takes over what the environment says was handed to this process. What is not asked for until
    /// [`Handover::ready`] is closed then.
    pub(crate) fn inherit(&self) {
        let Some(inner) = &self.0 else { return };
        *lock(&inner.inherited) = Inherited::take();
        if std::process::id() == INIT {
            tracing::warn!(reason = %Refused::Init, "a swap will be refused");
        }
    }

    /// Whether this process takes over from one that serves until it is ready.
    pub(crate) fn has_predecessor(&self) -> bool {
        let inner = self.0.as_ref();
        inner.is_some_and(|inner| lock(&inner.inherited).ready.is_some())
    }

    /// A listener that was handed over: by its name, or because it has this address.
    pub(crate) fn take(&self, name: &str, asked: SocketAddr) -> Option<TcpListener> {
        let inner = self.0.as_ref()?;
        lock(&inner.inherited).tcp(name, asked)
    }

    /// The admin listener, if it was handed over and is at this path.
    pub(crate) fn take_unix(&self, path: &Path) -> Option<UnixListener> {
        let inner = self.0.as_ref()?;
        lock(&inner.inherited).unix(super::ADMIN, path)
    }

    /// Notes a listener that is to be handed over.
    pub(crate) fn keep(&self, name: String, listener: &impl AsFd) {
        let Some(inner) = &self.0 else { return };
        match listener.as_fd().try_clone_to_owned() {
            Ok(second) => lock(&inner.kept).push((name, second)),
            Err(error) => tracing::warn!(%error, name, "a listener cannot be handed over"),
        }
    }

    /// Whether a listener with this address is noted, under whichever name.
    pub(crate) fn has(&self, address: SocketAddr) -> bool {
        let Some(inner) = &self.0 else { return true };
        let kept = lock(&inner.kept);
        kept.iter()
            .any(|(_, listener)| inherited::address(listener) == Some(address))
    }

    /// The service is ready: the old process may go, or systemd may go on.
    pub(crate) fn ready(&self) {
        let Some(inner) = &self.0 else { return };
        let Inherited { listeners, ready } = std::mem::take(&mut *lock(&inner.inherited));
        for (name, _) in listeners {
            // Open, it would take connections that nobody answers.
            tracing::warn!(name, "a listener was handed over that nobody wants");
        }
        match ready {
            // Refused where the old process has gone meanwhile: then this one has taken over anyway.
            Some(pipe) => drop(std::fs::File::from(pipe).write_all(b"1")),
            None => systemd::notify("READY=1"),
        }
    }

    /// The service stops, and nobody takes over: its listeners are to be closed.
    pub(crate) fn stopping(&self) {
        let Some(inner) = &self.0 else { return };
        lock(&inner.kept).clear();
        systemd::notify("STOPPING=1");
    }

    /// How long connections are kept on which nothing happens.
    pub(crate) fn linger(&self) -> Duration {
        self.0
            .as_ref()
            .map_or(Duration::ZERO, |inner| inner.swap.linger)
    }

    /// Starts the process that is to take over. Within a runtime.
    pub(crate) fn start(&self) -> Result<Successor, Refused> {
        let inner = self.0.as_ref().ok_or(Refused::NotWanted)?;
        may_swap(std::process::id())?;
        let refused = |source| Refused::Start {
            path: inner.executable.clone(),
            source,
        };
        let (reader, writer) = std::io::pipe().map_err(refused)?;
        let reader = pipe::Receiver::from_owned_fd(reader.into()).map_err(refused)?;
        let child = {
            let kept = lock(&inner.kept);
            let listeners = kept.iter().map(|(name, fd)| (name.as_str(), fd.as_fd()));
            let handed: Vec<_> = listeners.chain([(READY, writer.as_fd())]).collect();
            exec::start(&inner.executable, &handed).map_err(refused)?
        };
        Ok(Successor {
            child,
            reader,
            limit: inner.swap.ready_within,
            inner: Arc::clone(inner),
        })
    }
}

/// A process that is to take over. It is ended when this is dropped before it has.
pub(crate) struct Successor {
    child: Child,
    reader: pipe::Receiver,
    limit: Duration,
    inner: Arc<Inner>,
}

impl Successor {
    /// Waits until it is ready.
    pub(crate) async fn ready(&mut self) -> Result<(), Refused> {
        let pid = self.child.pid();
        let said = tokio::time::timeout(self.limit, self.reader.read_u8()).await;
        match said {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(Refused::Ended {
                pid,
                how: self.child.ended().await,
            }),
            Err(_) => Err(Refused::NotReady {
                pid,
                limit: self.limit,
            }),
        }
    }

    /// It has taken over: listeners are its own from now on. Gives its id.
    pub(crate) fn take_over(self) -> u32 {
        let pid = self.child.let_go();
        lock(&self.inner.kept).clear();
        systemd::notify(&format!("MAINPID={pid}"));
        pid
    }
}

fn may_swap(pid: u32) -> Result<(), Refused> {
    if pid == INIT {
        Err(Refused::Init)
    } else {
        Ok(())
    }
}

/// What was written on the command line, if that was a path; links in it are left, because it is they
/// that lead to the next release. Otherwise the executable itself.
fn executable() -> PathBuf {
    let written = std::env::args_os().next().unwrap_or_default();
    by_command_line(written).unwrap_or_else(|| std::env::current_exe().unwrap_or_default())
}

fn by_command_line(written: OsString) -> Option<PathBuf> {
    let path = PathBuf::from(written);
    let is_path = path.components().count() > 1 || path.has_root();
    // Absolute, because the service may change its working directory.
    let path = is_path.then(|| std::path::absolute(&path).ok()).flatten()?;
    path.is_file().then_some(path)
}

/// A panic elsewhere leaves nothing half made here: each change is one push, take or clear.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn process_1_is_refused_with_the_reason() {
        let refused = may_swap(1).expect_err("its end ends the container");
        assert!(refused.to_string().contains("container"), "{refused}");
        assert!(may_swap(2).is_ok());
    }

    #[test]
    fn a_link_on_the_command_line_is_left() {
        let folder = tempfile::tempdir().expect("a folder");
        let (release, current) = (
            folder.path().join("release-1"),
            folder.path().join("current"),
        );
        std::fs::write(&release, "").expect("it is written");
        std::os::unix::fs::symlink(&release, &current).expect("it is linked");
        assert_eq!(by_command_line(current.clone().into()), Some(current));
        assert_eq!(by_command_line("orders".into()), None, "found in PATH");
        assert_eq!(by_command_line("".into()), None);
        let gone = folder.path().join("gone");
        assert_eq!(by_command_line(gone.into()), None);
    }

    #[test]
    fn what_stops_keeps_no_listener_open() {
        let handover = Handover::with(Swap::new());
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
        let address = listener.local_addr().expect("it has one");
        handover.keep("orders".to_owned(), &listener);
        assert!(handover.has(address));
        drop(listener);
        assert!(std::net::TcpStream::connect(address).is_ok());
        handover.stopping();
        assert!(std::net::TcpStream::connect(address).is_err());
    }
}

//! A handle to one process that stays true when its id is given to another.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::tree;

/// A process of the service. Open it before signalling, so that its end cannot be missed.
#[derive(Debug)]
pub struct Handle {
    pid: u32,
    fd: AsyncFd<OwnedFd>,
}

impl Handle {
    /// Opens a descendant of `root`; nothing if there is no such process (any more).
    pub(super) fn open(pid: u32, root: u32) -> io::Result<Option<Self>> {
        Self::within(pid, || {
            let tree = tree::descendants(root);
            tree.iter().map(|process| process.pid).collect()
        })
    }

    /// Opens a process that is among those of a tree.
    pub(super) fn within(pid: u32, tree: impl FnOnce() -> Vec<u32>) -> io::Result<Option<Self>> {
        let handle = Self::of(pid)?;
        // Looked at after opening: if the id was given to another, that one is a stranger.
        Ok(handle.filter(|_| tree().contains(&pid)))
    }

    /// Opens any process.
    pub(super) fn of(pid: u32) -> io::Result<Option<Self>> {
        let Some(raw) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
            return Ok(None);
        };
        let fd = match pidfd_open(raw, PidfdFlags::NONBLOCK) {
            Ok(fd) => fd,
            Err(Errno::SRCH) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        #[expect(
            deprecated,
            reason = "unsound only for a type that lies about its descriptor; OwnedFd does not, and the successor is unsafe to call"
        )]
        let fd = AsyncFd::with_interest(fd, Interest::READABLE)?;
        Ok(Some(Self { pid, fd }))
    }

    /// The process's id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Sends a signal; false if the process has ended.
    ///
    /// # Errors
    /// We may not: the process runs as another user.
    pub fn signal(&self, signal: Signal) -> io::Result<bool> {
        match pidfd_send_signal(self.fd.get_ref(), signal) {
            Ok(()) => Ok(true),
            Err(Errno::SRCH) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits for the process to end; false if it is still there after so long.
    pub async fn gone(&self, timeout: Duration) -> bool {
        // Readable means ended, all threads of it; it never becomes anything else.
        tokio::time::timeout(timeout, self.ended()).await.is_ok()
    }

    /// Waits for the process to end.
    pub(super) async fn ended(&self) {
        match self.fd.readable().await {
            Ok(mut guard) => guard.retain_ready(),
            // The runtime is ending.
            Err(_) => std::future::pending().await,
        }
    }

    /// Whether the process has ended, at this moment.
    pub(super) fn has_ended(&self) -> bool {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let mut fds = [PollFd::new(self.fd.get_ref(), PollFlags::IN)];
        let at_once = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        poll(&mut fds, Some(&at_once)).is_ok_and(|ready| ready > 0)
    }
}

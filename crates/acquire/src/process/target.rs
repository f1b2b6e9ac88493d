//! The service that is checked, whichever way it is had.

use std::io;
use std::time::Duration;

use rustix::process::Signal;
use shakedown_evidence::Exit;

use super::{Attached, Handle, Service};

/// The service that is checked. What its processes can be asked is the same for all ways; what
/// there is to see is not.
#[derive(Debug)]
pub enum Target {
    /// We started it.
    Started(Service),
    /// It ran before us.
    Attached(Attached),
    /// Nothing is known of it but where it listens.
    Addresses,
}

impl Target {
    /// Its processes, parents first; empty once all have ended, or if none is known.
    #[must_use]
    pub fn tree(&self) -> Vec<u32> {
        match self {
            Self::Started(service) => service.tree(),
            Self::Attached(process) => process.tree(),
            Self::Addresses => Vec::new(),
        }
    }

    /// The last lines that it wrote to our pipes, oldest first.
    #[must_use]
    pub fn last_lines(&self, count: usize) -> Vec<String> {
        match self {
            Self::Started(service) => service.last_lines(count),
            Self::Attached(_) | Self::Addresses => Vec::new(),
        }
    }

    /// How it ended, if it has and that can be seen.
    #[must_use]
    pub fn exit(&self) -> Option<Exit> {
        match self {
            Self::Started(service) => service.exit(),
            Self::Attached(process) => process.exit(),
            Self::Addresses => None,
        }
    }

    /// Waits for it to end; nothing if it is still there after so long.
    pub async fn wait_exit(&self, timeout: Duration) -> Option<Exit> {
        match self {
            Self::Started(service) => service.wait_exit(timeout).await,
            Self::Attached(process) => process.wait_exit(timeout).await,
            Self::Addresses => {
                tokio::time::sleep(timeout).await;
                None
            }
        }
    }

    /// A handle to one of its processes; nothing if that has ended or is not the service's.
    ///
    /// # Errors
    /// The system has no handles left.
    pub fn handle(&self, pid: u32) -> io::Result<Option<Handle>> {
        match self {
            Self::Started(service) => service.handle(pid),
            Self::Attached(process) => process.handle(pid),
            Self::Addresses => Ok(None),
        }
    }

    /// Sends a signal to one of its processes; false if that has ended or is not the service's.
    ///
    /// # Errors
    /// We may not: the process runs as another user, or was running before us and nobody allowed
    /// signals.
    pub fn signal(&self, pid: u32, signal: Signal) -> io::Result<bool> {
        match self {
            Self::Started(service) => service.signal(pid, signal),
            Self::Attached(process) => process.signal(pid, signal),
            Self::Addresses => Ok(false),
        }
    }

    /// Ends what we started. What ran before us runs on.
    pub async fn end(&mut self, grace: Duration) {
        if let Self::Started(service) = self {
            service.end(grace).await;
        }
    }
}

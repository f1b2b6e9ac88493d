//! Without a swap: nothing was handed over, and nothing will be.

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

/// Why there is no swap.
#[derive(Debug, thiserror::Error)]
#[error("a binary swap takes Linux on x86-64 or aarch64")]
pub(crate) struct Refused;

/// Nothing to hand over.
#[derive(Debug, Clone, Default)]
pub(crate) struct Handover {
    is_asked_for: bool,
}

impl Handover {
    #[cfg(feature = "swap")]
    pub(crate) fn with(swap: super::Swap) -> Self {
        tracing::warn!(executable = ?swap.executable, reason = %Refused, "a swap will be refused");
        Handover { is_asked_for: true }
    }

    pub(crate) fn is_on(&self) -> bool {
        self.is_asked_for
    }

    pub(crate) fn inherit(&self) {}

    pub(crate) fn has_predecessor(&self) -> bool {
        false
    }

    pub(crate) fn take(&self, _: &str, _: SocketAddr) -> Option<TcpListener> {
        None
    }

    #[cfg(unix)]
    pub(crate) fn take_unix(
        &self,
        _: &std::path::Path,
    ) -> Option<std::os::unix::net::UnixListener> {
        None
    }

    pub(crate) fn keep<T>(&self, _: String, _: &T) {}

    pub(crate) fn has(&self, _: SocketAddr) -> bool {
        true
    }

    pub(crate) fn ready(&self) {}

    pub(crate) fn stopping(&self) {}

    pub(crate) fn linger(&self) -> Duration {
        Duration::ZERO
    }

    pub(crate) fn start(&self) -> Result<Successor, Refused> {
        Err(Refused)
    }
}

/// There is none.
pub(crate) struct Successor(Infallible);

impl Successor {
    pub(crate) async fn ready(&mut self) -> Result<(), Refused> {
        match self.0 {}
    }

    pub(crate) fn take_over(self) -> u32 {
        match self.0 {}
    }
}

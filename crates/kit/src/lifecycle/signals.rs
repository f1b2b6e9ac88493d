//! Signals of the process.

use std::io;

/// What somebody outside wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// SIGTERM or SIGINT.
    Stop,
    /// SIGHUP.
    #[cfg_attr(not(unix), expect(dead_code, reason = "no such signal comes there"))]
    Reload,
    /// SIGUSR2, where a binary swap is wanted.
    Swap,
}

/// The signals that are handled from now on.
#[cfg(unix)]
pub(crate) struct Signals {
    term: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
    swap: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Signals {
    /// Takes the signals over; what the system did with them by default ends here.
    /// SIGUSR2 is left as it is unless somebody swaps.
    pub(crate) fn new(swaps: bool) -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Signals {
            term: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            swap: swaps
                .then(|| signal(SignalKind::user_defined2()))
                .transpose()?,
        })
    }

    /// The next one.
    pub(crate) async fn next(&mut self) -> Signal {
        let swap = async {
            match &mut self.swap {
                Some(swap) => swap.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = swap => Signal::Swap,
            _ = self.term.recv() => Signal::Stop,
            _ = self.interrupt.recv() => Signal::Stop,
            _ = self.hangup.recv() => Signal::Reload,
        }
    }
}

/// Elsewhere there is only Ctrl-C.
#[cfg(not(unix))]
pub(crate) struct Signals(());

#[cfg(not(unix))]
impl Signals {
    pub(crate) fn new(_: bool) -> io::Result<Self> {
        Ok(Signals(()))
    }

    pub(crate) async fn next(&mut self) -> Signal {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Signal::Stop
    }
}

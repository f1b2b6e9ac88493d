//! Binary swap (feature `swap`): a new executable takes over, and no client notices.
//!
//! SIGUSR2 (or [`Kit::swap`](crate::Kit::swap)) starts the executable anew and hands it every listener,
//! the admin listener included. Until the new process is ready the old one serves on, and if it never
//! is, it is ended and nothing has changed. Then the old one takes no new connection, answers what it
//! has with `Connection: close` and GOAWAY, and ends with its last connection.
//!
//! - Listeners are handed over as systemd does it (`LISTEN_FDS`, `LISTEN_FDNAMES`, `LISTEN_PID`), so
//!   those of a socket unit are taken, too. The last descriptor, `kit-ready`, is the pipe on which the
//!   new process says that it is ready.
//! - systemd learns who is the main process (`MAINPID=`). The unit needs `Type=notify` and
//!   `ExecReload=kill -USR2 $MAINPID`; `READY=1` and `STOPPING=1` are sent.
//! - As process 1 a swap is refused: its end would end the container, and the new process with it. So
//!   it would be below an init that ends with its child (tini, dumb-init), which cannot be seen from
//!   here: there, replace the container.
//! - What is started is what was written on the command line, so that a link to the current release
//!   leads to the new one; with the same arguments, environment and working directory.
//!
//! Two processes run side by side until the old one has drained: background tasks of the service run
//! twice then. The new process accepts its first connection when its setup is done, so a setup that
//! asks its own port waits for ever.
//!
//! Linux on x86-64 and aarch64; elsewhere a swap is refused.

#[cfg(all(
    feature = "swap",
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod linux;
#[cfg(not(all(
    feature = "swap",
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
mod off;
#[cfg(feature = "swap")]
mod options;

#[cfg(all(
    feature = "swap",
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
pub(crate) use linux::Handover;
#[cfg(not(all(
    feature = "swap",
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
pub(crate) use off::Handover;
#[cfg(feature = "swap")]
pub use options::Swap;

/// The name under which the admin listener is handed over.
pub(crate) const ADMIN: &str = "kit-admin";

/// The name under which a listener is handed over: what was asked for, which the new process asks for
/// again. Names must not have colons.
pub(crate) fn name_of(asked: std::net::SocketAddr) -> String {
    asked.to_string().replace(':', "_")
}

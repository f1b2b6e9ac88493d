//! How a service can fail as a whole.

use std::error::Error as StdError;

use crate::admin::AdminError;

type BoxError = Box<dyn StdError + Send + Sync>;

/// Why a service did not run, or did not end well.
///
/// Its `Debug` is the whole chain of reasons in words, because that is what a `main` that returns it
/// prints.
///
/// ```
/// use shakedown_kit::{Error, Kit};
///
/// let ended = Kit::builder("orders").run(async |_| Err("no database".into()));
/// let Err(error @ Error::Setup(_)) = ended else { unreachable!() };
/// assert_eq!(format!("{error:?}"), "the service cannot be set up: no database");
/// ```
#[derive(thiserror::Error)]
pub enum Error {
    /// The runtime or the signals could not be set up.
    #[error("the runtime cannot be set up")]
    Runtime(#[source] std::io::Error),
    /// The admin listener did not begin.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// The setup of the service failed.
    #[error("the service cannot be set up")]
    Setup(#[source] BoxError),
    /// The drain reached its limit, or was cut short by a second signal.
    #[error(
        "not drained: {connections} connections, {children} child tasks and {blocking} blocking calls were left"
    )]
    NotDrained {
        /// Connections that were open.
        connections: u64,
        /// Tasks that requests had begun.
        children: usize,
        /// Calls on blocking threads.
        blocking: usize,
    },
}

impl std::fmt::Debug for Error {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{self}")?;
        let mut reason = self.source();
        while let Some(cause) = reason {
            write!(formatter, ": {cause}")?;
            reason = cause.source();
        }
        Ok(())
    }
}

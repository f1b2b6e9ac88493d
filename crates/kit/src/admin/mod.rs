//! The admin listener: profiles, tasks and state, on a port of their own.
//!
//! It has its own thread and its own runtime, so that it answers while every worker of the service
//! is blocked, which is when it is needed. It listens on loopback. Another address takes an explicit
//! call and a token; a Unix socket is guarded by its file mode.

mod answer;
mod guard;
mod listen;
mod pprof;
mod query;
mod routes;
mod text;

use std::net::SocketAddr;
use std::path::PathBuf;

pub use listen::Admin;
pub(crate) use listen::start;

/// Where the admin listener is, and who may ask it.
///
/// ```
/// use shakedown_kit::admin::Access;
///
/// let token = "0123456789abcdef0123456789abcdef".to_owned();
/// let access = Access::Token { address: ([0, 0, 0, 0], 6060).into(), token };
/// assert_eq!(format!("{access:?}"), "Token(0.0.0.0:6060)", "a log never shows the token");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub enum Access {
    /// An address of this machine; requests whose `Host` is another name are refused, which keeps
    /// web pages out that resolve a name of theirs to it.
    Loopback(SocketAddr),
    /// Any address; each request needs `Authorization: Bearer TOKEN`.
    Token {
        /// Where to listen.
        address: SocketAddr,
        /// What has to be known.
        token: String,
    },
    /// A socket in the file system, for its owner only (mode 0600).
    Unix(PathBuf),
}

impl std::fmt::Debug for Access {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Access::Loopback(address) => write!(formatter, "Loopback({address})"),
            Access::Token { address, .. } => write!(formatter, "Token({address})"),
            Access::Unix(path) => write!(formatter, "Unix({})", path.display()),
        }
    }
}

/// Why the admin listener did not begin.
///
/// ```
/// use shakedown_kit::{Error, Kit, admin::AdminError};
///
/// let public = Kit::builder("orders").admin("0.0.0.0:6060").run(async |_| Ok(()));
/// assert!(matches!(public, Err(Error::Admin(AdminError::NotLoopback(_)))));
/// let name = Kit::builder("orders").admin("localhost").run(async |_| Ok(()));
/// assert!(matches!(name, Err(Error::Admin(AdminError::NoAddress(_)))));
/// ```
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The address can be reached from other machines.
    #[error(
        "the admin listener does not open {0} without a token: profiles show what the service does; use a loopback address, a Unix socket, or `admin_public` with a token"
    )]
    NotLoopback(SocketAddr),
    /// The text is no address.
    #[error("{0:?} is no socket address; write one like 127.0.0.1:6060")]
    NoAddress(String),
    /// A token that can be guessed.
    #[error("the admin token has {0} characters; at least {TOKEN_MIN} are needed")]
    WeakToken(usize),
    /// The system refused.
    #[error("the admin listener cannot open {place}")]
    Open {
        /// The address or path.
        place: String,
        /// What the system said.
        source: std::io::Error,
    },
}

/// 128 bits as hexadecimal digits.
const TOKEN_MIN: usize = 32;

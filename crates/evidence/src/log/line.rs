//! A line as it came.

use serde::{Deserialize, Serialize};

use crate::At;

/// Which way a line came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// A log that was followed beside the pipes: a file, a journal, our own standard input.
    Followed,
    /// A log record that was exported over OTLP.
    Otlp,
}

/// What befell a log that is followed beside the pipes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum LogEvent {
    /// It is read from here on.
    Following {
        /// When.
        at: At,
        /// Which, as it was given: `file:/var/log/orders.log`, `journald:orders`, `-`.
        source: String,
    },
    /// Nothing more comes of it, although the run goes on.
    Ended {
        /// When.
        at: At,
        /// Which.
        source: String,
        /// Why.
        why: String,
    },
}

impl LogEvent {
    /// When.
    #[must_use]
    pub const fn at(&self) -> At {
        match self {
            Self::Following { at, .. } | Self::Ended { at, .. } => *at,
        }
    }
}

/// A line as it came, cut to the recorder's bound; invalid UTF-8 is replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RawLine {
    /// When its end arrived. For a followed log, whose lines arrive late, the time that the line
    /// itself gives, if it gives one to the millisecond.
    pub at: At,
    /// Which way.
    pub stream: Stream,
    /// The text without its line end.
    pub text: String,
    /// Bytes that were cut off.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cut: u64,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde calls"
)]
fn is_zero(cut: &u64) -> bool {
    *cut == 0
}

//! What came when a profile over a window of time was asked for.

use serde::{Deserialize, Serialize};

use crate::At;

/// A profile that takes time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WindowKind {
    /// `profile`: processor time.
    Cpu,
    /// `trace`: the execution trace.
    Trace,
}

impl WindowKind {
    /// The name of its endpoint.
    #[must_use]
    pub const fn endpoint(self) -> &'static str {
        match self {
            Self::Cpu => "profile",
            Self::Trace => "trace",
        }
    }
}

/// How asking for it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WindowEnd {
    /// A whole answer that is such a profile.
    Whole,
    /// Another status than 200.
    Refused {
        /// The status.
        status: u16,
        /// The beginning of what it said.
        said: String,
    },
    /// The connection was closed without an answer.
    Empty,
    /// The answer broke off, or what came whole is a profile cut short.
    Cut {
        /// What was seen of it.
        why: String,
    },
    /// A whole answer that is no such profile.
    Foreign {
        /// What it is instead.
        why: String,
    },
    /// Nobody could look: no connection, no answer in time.
    Unseen {
        /// What stood in the way.
        why: String,
    },
}

/// A window that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// When it was asked for.
    pub at: At,
    /// When the answer had ended.
    pub until: At,
    /// Which.
    pub kind: WindowKind,
    /// Listener, as [`crate::Listener::reach`].
    pub reach: String,
    /// Path and query.
    pub path: String,
    /// Length asked for, milliseconds.
    pub asked_ms: u64,
    /// How it ended.
    pub end: WindowEnd,
    /// Bytes of the answer.
    pub bytes: u64,
    /// Length of what was recorded, milliseconds, by the profile's own clock, if it says so.
    pub recorded_ms: Option<u64>,
}

impl Window {
    /// How long the answer took, milliseconds.
    #[must_use]
    pub fn took_ms(&self) -> u64 {
        u64::try_from((self.until - self.at).as_millis()).unwrap_or(u64::MAX)
    }

    /// What was recorded: by the profile's own clock, else at most as long as the answer took.
    #[must_use]
    pub fn recorded_ms(&self) -> u64 {
        self.recorded_ms.unwrap_or_else(|| self.took_ms())
    }
}

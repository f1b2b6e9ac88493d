//! Requests that we sent, and how they ended.

use serde::{Deserialize, Serialize};

use crate::At;

/// Why a request was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// To find the listener that serves it, and to let pools and caches fill.
    Locate,
    /// Ordinary traffic during the window.
    Traffic,
    /// One of a marked batch.
    Batch,
    /// A call with a deadline that we do not cancel ourselves.
    Deadline,
    /// A call that we leave while its handler runs.
    Cancel,
    /// To see that the service is well again after a dependency of it was stalled.
    Recover,
    /// Under way while the service is told to stop, or sent after that.
    Stop,
}

/// A request went out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallSent {
    /// Number within the run.
    pub id: u32,
    /// Index into [`crate::RunFacts::requests`].
    pub request: usize,
    /// Why.
    pub purpose: Purpose,
    /// When its first byte was written.
    pub at: At,
    /// Where to.
    pub reach: String,
    /// Trace id of its traceparent, 32 hex digits.
    pub trace_id: String,
    /// Span id of its traceparent, 16 hex digits: the parent of the service's first span.
    pub span_id: String,
    /// Deadline that travelled with it, milliseconds.
    pub deadline_ms: Option<u64>,
    /// After how many milliseconds we leave.
    pub cancel_after_ms: Option<u64>,
}

/// A request ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallEnded {
    /// [`CallSent::id`].
    pub id: u32,
    /// When.
    pub at: At,
    /// How.
    pub end: CallEnd,
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "kebab-case")]
pub enum CallEnd {
    /// A gRPC status came.
    Status {
        /// Its number, 0 for OK.
        code: u16,
        /// Its message, cut.
        message: String,
    },
    /// A whole HTTP answer came.
    Http {
        /// Its status.
        status: u16,
    },
    /// The server reset the stream.
    Reset {
        /// HTTP/2 error code's name.
        reason: String,
    },
    /// We left, as intended.
    Left,
    /// No answer within our patience.
    TimedOut,
    /// It could not be sent or the connection broke.
    Failed {
        /// What happened.
        why: String,
    },
}

impl CallEnd {
    /// The service did what was asked: gRPC OK, or an HTTP status below 400.
    #[must_use]
    pub const fn is_ok(&self) -> bool {
        matches!(
            self,
            Self::Status { code: 0, .. } | Self::Http { status: ..400 }
        )
    }

    /// The listener does not know this request: UNIMPLEMENTED, or HTTP 404, 405 or 501.
    #[must_use]
    pub const fn is_unknown(&self) -> bool {
        matches!(
            self,
            Self::Status { code: 12, .. }
                | Self::Http {
                    status: 404 | 405 | 501
                }
        )
    }
}

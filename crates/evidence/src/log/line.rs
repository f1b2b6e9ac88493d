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
    /// A log record that was exported over OTLP.
    Otlp,
}

/// A line as it came, cut to the recorder's bound; invalid UTF-8 is replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RawLine {
    /// When its end arrived.
    pub at: At,
    /// Which pipe.
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

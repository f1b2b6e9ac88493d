//! Log records that a service exported as data, in the form of lines.

use serde::{Deserialize, Serialize};

use super::line::RawLine;
use crate::At;

/// One record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportedLine {
    /// `service.name` of the resource.
    pub service: String,
    /// `process.pid` of the resource, where it says one.
    pub pid: Option<u32>,
    /// The record as a JSON object with the names that loggers use, at the time that it gives: it
    /// arrived later, with its batch.
    pub line: RawLine,
}

/// Records that arrived together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogBatch {
    /// When.
    pub at: At,
    /// How: `grpc` or `http`.
    pub by: String,
    /// The records.
    pub lines: Vec<ExportedLine>,
}

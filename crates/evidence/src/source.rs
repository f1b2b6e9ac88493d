//! Pieces of the service's source, frozen with the run.

use serde::{Deserialize, Serialize};

/// Lines around a place that a finding names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceExcerpt {
    /// File as recorded in the executable.
    pub file: String,
    /// The line that matters, counted from 1.
    pub line: u32,
    /// Number of the first line of the excerpt.
    pub first: u32,
    /// The lines, each cut to a bound.
    pub lines: Vec<String>,
}

/// A text that was looked for in the source, and where its literal stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceLiteral {
    /// The text.
    pub text: String,
    /// Places as file and line; more than one means that the place is not certain.
    pub places: Vec<(String, u32)>,
}

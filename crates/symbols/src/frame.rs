//! One frame of a place in the code.

use crate::demangle::{Names, demangle};

/// A function that an instruction belongs to, and the line in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frame {
    /// The name as the linker has it; empty if only the line is known. Go's generic functions
    /// have the shapes they were compiled for (`main.sum[go.shape.int]`), as in Go's profiles;
    /// its stack traces print `[...]`.
    pub system_name: String,
    /// The source file, empty if unknown.
    pub file: String,
    /// Counted from 1; 0 if unknown.
    pub line: u32,
    /// Counted from 1; 0 if unknown.
    pub column: u32,
    /// The line that the function begins at, 0 if unknown.
    pub start_line: u32,
}

impl Frame {
    /// The name as people read it.
    #[must_use]
    pub fn function(&self, names: Names) -> String {
        demangle(&self.system_name, names).unwrap_or_else(|| self.system_name.clone())
    }
}

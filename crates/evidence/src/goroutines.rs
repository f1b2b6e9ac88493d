//! Goroutine profiles as counts over stacks that are stored once.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::At;

/// One frame of a stack.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Frame {
    /// Fully qualified function.
    #[serde(rename = "f")]
    pub function: String,
    /// File as recorded in the executable.
    #[serde(rename = "p")]
    pub file: String,
    /// Line, counted from 1.
    #[serde(rename = "l")]
    pub line: u32,
}

/// What goroutines of one group have in common.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Stack {
    /// Frames, leaf first.
    pub frames: Vec<Frame>,
    /// State, such as `chan send`; only in full dumps.
    pub state: Option<String>,
    /// The `go` statement; only in full dumps.
    pub created_by: Option<Frame>,
}

impl Stack {
    /// The outermost frame.
    #[must_use]
    pub fn root(&self) -> Option<&Frame> {
        self.frames.last()
    }

    /// Some frame's function satisfies the test.
    pub fn any(&self, mut test: impl FnMut(&str) -> bool) -> bool {
        self.frames.iter().any(|frame| test(&frame.function))
    }
}

/// Which of the runtime's texts a snapshot came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SnapshotForm {
    /// `debug=1`: counts and stacks; cheap.
    Counts,
    /// `debug=2`: ids, states and creators too; stops the world.
    Full,
}

/// Goroutines that share a stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoroutineGroup {
    /// Position in [`crate::Evidence::stacks`].
    pub stack: usize,
    /// How many.
    pub count: u64,
    /// Their ids; only in full dumps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<u64>,
}

/// All goroutines at one time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// When it was asked for: nothing in it is older.
    pub at: At,
    /// When it had come: nothing in it is younger.
    pub until: At,
    /// Which text.
    pub form: SnapshotForm,
    /// Why it was taken.
    pub label: String,
    /// Number of goroutines.
    pub total: u64,
    /// The groups; none if only the total was read.
    pub groups: Vec<GoroutineGroup>,
    /// The text was cut by the runtime's bound.
    pub truncated: bool,
}

/// Gives each distinct stack its position, so that a bundle holds it once.
#[derive(Debug, Default)]
pub struct Interner {
    known: HashMap<Stack, usize>,
}

impl Interner {
    /// The position of a stack, and whether it is new and must be recorded.
    pub fn intern(&mut self, stack: &Stack) -> (usize, bool) {
        if let Some(position) = self.known.get(stack) {
            return (*position, false);
        }
        let position = self.known.len();
        self.known.insert(stack.clone(), position);
        (position, true)
    }
}

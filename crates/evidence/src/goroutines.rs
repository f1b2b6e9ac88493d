//! Goroutine profiles as counts over stacks that are stored once.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use shakedown_pprof::goroutine::{self, Counts, Dump};

use crate::At;
use crate::task::{self, Serves};

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
    /// The request that a task works for; only of Rust services.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serves: Option<Serves>,
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

/// Goroutines as a text of the runtime shows them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParsedGoroutines {
    /// How many.
    pub total: u64,
    /// Each distinct stack with how many goroutines have it and, from full dumps, their ids.
    pub groups: Vec<(Stack, u64, Vec<u64>)>,
    /// Goroutines are missing: the text was cut.
    pub truncated: bool,
}

/// Reads the text of `debug=1`.
///
/// # Errors
/// It is something else; the text says what.
pub fn parse_counts(text: &[u8]) -> Result<ParsedGoroutines, String> {
    let counts = Counts::decode(text).map_err(|error| error.to_string())?;
    let mut groups = Groups::default();
    for group in &counts.groups {
        let frames = frames(&group.frames);
        let stack = Stack {
            serves: task::serves(&frames, &group.labels),
            frames,
            ..Stack::default()
        };
        groups.add(stack, group.count, None);
    }
    Ok(ParsedGoroutines {
        total: counts.total,
        groups: groups.of,
        truncated: counts.counted() < counts.total,
    })
}

/// Reads the text of `debug=2`, of SIGQUIT or of a panic.
///
/// # Errors
/// It is something else; the text says what.
pub fn parse_full(text: &[u8]) -> Result<ParsedGoroutines, String> {
    let dump = Dump::decode(text).map_err(|error| error.to_string())?;
    let mut groups = Groups::default();
    for goroutine in &dump.goroutines {
        let frames = frames(&goroutine.frames);
        let stack = Stack {
            serves: task::serves(&frames, &goroutine.labels),
            frames,
            state: Some(goroutine.state.to_string()),
            created_by: goroutine
                .created_by
                .as_ref()
                .map(|creation| frame(&creation.frame)),
        };
        groups.add(stack, 1, Some(goroutine.id));
    }
    Ok(ParsedGoroutines {
        total: dump.goroutines.len() as u64,
        groups: groups.of,
        truncated: dump.truncated.is_some(),
    })
}

/// Groups by stack, in the order in which they came.
#[derive(Default)]
struct Groups {
    of: Vec<(Stack, u64, Vec<u64>)>,
    position: Interner,
}

impl Groups {
    fn add(&mut self, stack: Stack, count: u64, id: Option<u64>) {
        let (position, new) = self.position.intern(&stack);
        if new {
            self.of.push((stack, 0, Vec::new()));
        }
        if let Some((_, total, ids)) = self.of.get_mut(position) {
            *total = total.saturating_add(count);
            ids.extend(id);
        }
    }
}

fn frames(of: &[goroutine::Frame]) -> Vec<Frame> {
    of.iter().map(frame).collect()
}

fn frame(of: &goroutine::Frame) -> Frame {
    Frame {
        function: of.function.to_string(),
        file: of.file.to_string(),
        line: of.line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_with_one_stack_and_two_label_sets_are_one_group() {
        let text = b"goroutine profile: total 5\n\
            3 @ 0x1 0x2\n# labels: {\"a\":\"1\"}\n#\t0x1\tmain.wait+0x1\t/src/main.go:4\n\n\
            2 @ 0x1 0x2\n#\t0x1\tmain.wait+0x1\t/src/main.go:4\n\n";
        let parsed = parse_counts(text).expect("counts");
        assert_eq!(
            (parsed.total, parsed.groups.len(), parsed.truncated),
            (5, 1, false)
        );
        assert_eq!(parsed.groups[0].1, 5);
        assert_eq!(parsed.groups[0].0.frames[0].function, "main.wait");
    }

    #[test]
    fn a_full_dump_keeps_ids_states_and_creators() {
        let text = b"goroutine 7 [chan send, 3 minutes]:\nmain.push(0x1)\n\t/src/a.go:9 +0x1\n\
            created by main.main in goroutine 1\n\t/src/main.go:3 +0x2\n";
        let parsed = parse_full(text).expect("a dump");
        let (stack, count, ids) = &parsed.groups[0];
        assert_eq!((parsed.total, *count, ids.as_slice()), (1, 1, &[7][..]));
        assert_eq!(stack.state.as_deref(), Some("chan send"));
        assert_eq!(stack.created_by.as_ref().map(|of| of.line), Some(3));
    }

    #[test]
    fn a_task_that_serves_a_request_is_known_in_both_texts() {
        let method = |name: &str| Some(Serves::Rpc(name.into()));
        let counts = b"goroutine profile: total 2\n\
            2 @ 0x1 0x0\n# labels: {\"rpc\": \"a.v1.A/Get\", \"trace_id\": \"7\"}\n\
            #\t0x1\torders::get+0x0\t/src/api.rs:4\n#\t0x0\tkit::request+0x0\t/src/c.rs:9\n\n";
        let parsed = parse_counts(counts).expect("counts");
        assert_eq!(parsed.groups[0].0.serves, method("a.v1.A/Get"));
        let dump = b"goroutine 7 [sleep] {\"rpc\": \"a.v1.A/Get\"}:\norders::get(...)\n\t/src/api.rs:4\n\
            kit::request(...)\n\t/src/c.rs:9\ncreated by kit::connection in goroutine 3\n\t/src/c.rs:9\n";
        let parsed = parse_full(dump).expect("a dump");
        assert_eq!(parsed.groups[0].0.serves, method("a.v1.A/Get"));
    }

    #[test]
    fn another_text_is_refused_by_name() {
        let error = parse_counts(b"<html><title>Shop</title>").expect_err("a page");
        assert!(error.contains("HTML") && error.contains("Shop"), "{error}");
        assert!(parse_full(b"").is_err());
    }
}

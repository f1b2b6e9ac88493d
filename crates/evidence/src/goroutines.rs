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
    /// The number alone, as the service's own metrics give it.
    Total,
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

/// What the runtime prints before anything else.
const QUIT: &str = "SIGQUIT: quit";
/// Registers, of which it prints one after the last goroutine, by processor.
const LAST_REGISTERS: [&str; 3] = ["rip ", "pc ", "pswa "];

/// Reads what a process printed on SIGQUIT, log lines before it included.
///
/// # Errors
/// There is no dump, or it was cut; the text says what.
pub fn parse_quit(text: &str) -> Result<ParsedGoroutines, String> {
    let begins = |(at, _): &(usize, &str)| *at == 0 || text.as_bytes().get(at - 1) == Some(&b'\n');
    let begin = text.match_indices(QUIT).filter(begins).last();
    let Some((begin, _)) = begin else {
        return Err("it printed no goroutines on SIGQUIT: it handles the signal itself, or its standard error goes elsewhere".into());
    };
    let dump = &text[begin..];
    let is_last = |line: &str| LAST_REGISTERS.iter().any(|name| line.starts_with(name));
    if !dump.lines().rev().take(64).any(is_last) {
        return Err("its dump of the goroutines was cut".into());
    }
    let parsed = parse_full(dump.as_bytes())?;
    if parsed.truncated {
        return Err("its dump of the goroutines was cut".into());
    }
    // `debug=2` leaves the runtime's own root out, by which every stack would be the same.
    let mut groups = Groups::default();
    for (mut stack, _, ids) in parsed.groups {
        if stack.frames.len() > 1
            && stack
                .root()
                .is_some_and(|root| root.function == "runtime.goexit")
        {
            stack.frames.pop();
        }
        for id in ids {
            groups.add(stack.clone(), 1, Some(id));
        }
    }
    Ok(ParsedGoroutines {
        groups: groups.of,
        ..parsed
    })
}

/// Names under which Go services export their number of goroutines: the Prometheus client's, and
/// those of the two generations of OpenTelemetry's runtime metrics.
const METRICS: [&str; 3] = [
    "go_goroutines",
    "go_goroutine_count",
    "process_runtime_go_goroutines",
];

/// The number of goroutines on a page of metrics in Prometheus' text format; nothing if there is
/// none, or several that differ: then the page speaks for other processes, too.
#[must_use]
pub fn parse_total(page: &str) -> Option<u64> {
    METRICS.iter().find_map(|name| {
        let values = page.lines().filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            // Labels may hold anything but a brace that ends them early.
            let value = match rest.strip_prefix('{') {
                Some(labels) => labels.rsplit_once('}')?.1,
                None => rest.strip_prefix([' ', '\t'])?,
            };
            value.split_ascii_whitespace().next()?.parse::<f64>().ok()
        });
        let mut values = values.filter(|value| (0.0..1e12).contains(value));
        let first = values.next()?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and 1e12"
        )]
        let total = first as u64;
        values
            .all(|value| (value - first).abs() < 0.5)
            .then_some(total)
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

    /// As Go 1.26 prints it on amd64, shortened.
    const DUMP: &str = "ready\nSIGQUIT: quit\nPC=0x40866e m=0 sigcode=0\n\n\
        goroutine 1 gp=0x3ff m=nil [chan send]:\nmain.push(0x1)\n\t/src/a.go:9 +0x1\n\
        runtime.goexit({})\n\t/go/src/runtime/asm_amd64.s:1771 +0x1\n\
        created by main.main in goroutine 1\n\t/src/main.go:3 +0x2\n\n\
        rax    0x5\nrip    0x40866e\nrflags 0x246\n";

    #[test]
    fn a_dump_on_sigquit_is_read_to_its_last_register() {
        let parsed = parse_quit(DUMP).expect("a dump");
        assert_eq!((parsed.total, parsed.truncated), (1, false));
        assert_eq!(parsed.groups[0].0.state.as_deref(), Some("chan send"));
        let root = parsed.groups[0].0.root().map(|root| root.function.as_str());
        assert_eq!(root, Some("main.push"));
    }

    #[test]
    fn a_dump_that_was_cut_or_never_came_is_none() {
        let last = DUMP.find("rip ").expect("a register");
        for cut in [40, 80, 130, last] {
            let error = parse_quit(&DUMP[..cut]).expect_err("cut");
            assert!(error.contains("was cut"), "{cut}: {error}");
        }
        for text in ["", "got SIGQUIT: quit\n", "caught signal quit, bye\n"] {
            let error = parse_quit(text).expect_err("no dump");
            assert!(error.contains("handles the signal itself"), "{error}");
        }
    }

    #[test]
    fn the_number_is_read_from_a_page_of_metrics() {
        for (page, total) in [
            (
                "# TYPE go_goroutines gauge\ngo_goroutines 24\ngo_info 1\n",
                Some(24),
            ),
            ("go_goroutines{job=\"a}b\"} 7 1700000000\n", Some(7)),
            ("process_runtime_go_goroutines 1.2e+01\n", Some(12)),
            ("go_goroutine_count 3\n", Some(3)),
            (
                "go_goroutines{pod=\"a\"} 7\ngo_goroutines{pod=\"b\"} 9\n",
                None,
            ),
            ("go_goroutines_total 7\n", None),
            ("go_goroutines NaN\n", None),
            ("go_goroutines -1\n", None),
            ("go_goroutines{\n", None),
            ("", None),
        ] {
            assert_eq!(parse_total(page), total, "{page}");
        }
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

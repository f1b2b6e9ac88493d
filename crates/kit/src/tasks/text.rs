//! A dump in the forms of Go's goroutine profile, so that every tool for those reads it, and as a
//! page for people.
//!
//! Where Go has a goroutine, this has a task. Frames print as Go prints them, `name(...)` and a
//! place, and keep their Rust names.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use shakedown_pprof::{Label, LabelValue, Line, LocationId, Profile};

use super::{Dump, Frame, Seen, State};

/// `debug=2`: each task with its stack.
pub fn goroutines(dump: &Dump) -> String {
    let mut text = String::new();
    for task in &dump.tasks {
        let _ = write!(text, "goroutine {} [{}]", task.id, wait(task));
        if !task.labels.is_empty() {
            let _ = write!(text, " {}", label_set(&task.labels));
        }
        text.push_str(":\n");
        for frame in stack(task) {
            let _ = writeln!(text, "{}(...)", name(&frame));
            let _ = writeln!(text, "\t{}:{}", place(&frame.file), frame.line);
        }
        let (file, line) = task.spawned_at;
        let _ = match &task.parent {
            Some((id, function)) => writeln!(text, "created by {function} in goroutine {id}"),
            None => writeln!(text, "created by {CREATED_OUTSIDE}"),
        };
        let _ = writeln!(text, "\t{file}:{line}\n");
    }
    text
}

/// The creator of a task that no registered task spawned.
const CREATED_OUTSIDE: &str = "main";

/// `debug=1`: tasks counted by stack and labels, without the trace: that would make each request a
/// group of its own.
pub fn counts(dump: &Dump) -> String {
    let mut text = format!("goroutine profile: total {}\n", dump.tasks.len());
    for group in groups(dump, |label| label != "trace_id") {
        let _ = write!(text, "{} @", group.count);
        for frame in &group.stack {
            let _ = write!(text, " {:#x}", frame.address);
        }
        text.push('\n');
        if !group.labels.is_empty() {
            let _ = writeln!(text, "# labels: {}", label_set(&group.labels));
        }
        for frame in &group.stack {
            let _ = writeln!(
                text,
                "#\t{:#x}\t{}+0x0\t{}:{}",
                frame.address,
                name(frame),
                place(&frame.file),
                frame.line
            );
        }
        text.push('\n');
    }
    text
}

/// `debug=0`: profile.proto, not compressed.
pub fn profile(dump: &Dump) -> Vec<u8> {
    let mut profile = Profile::new(&[("goroutine", "count")]);
    let mut functions = BTreeMap::new();
    let mut locations: BTreeMap<(usize, String, u32), LocationId> = BTreeMap::new();
    for group in groups(dump, |_| true) {
        let mut stack = Vec::with_capacity(group.stack.len());
        for frame in &group.stack {
            let function = *functions
                .entry((name(frame), frame.file.clone()))
                .or_insert_with_key(|(name, file)| profile.push_function(name, file, 0));
            let key = (frame.address, name(frame), frame.line);
            let location = *locations.entry(key).or_insert_with(|| {
                let line = Line {
                    function,
                    line: i64::from(frame.line),
                    column: 0,
                };
                profile.push_location(frame.address as u64, None, &[line])
            });
            stack.push(location);
        }
        let labels: Vec<Label> = group
            .labels
            .iter()
            .map(|(key, value)| Label {
                key: profile.intern(key),
                value: LabelValue::Text(profile.intern(value)),
            })
            .collect();
        profile.push_sample(&stack, &[group.count], &labels);
    }
    profile.encode()
}

/// For people: what each task is for, how old it is, and every stack of it.
pub fn page(dump: &Dump, unregistered: Option<usize>) -> String {
    let mut text = format!("{} tasks, asked in {:.1?}\n", dump.tasks.len(), dump.took);
    if let Some(unregistered) = unregistered {
        let _ = writeln!(
            text,
            "{unregistered} more that nobody registered: bare tokio::spawn, here or in a library"
        );
    }
    if dump.unanswered > 0 {
        let _ = writeln!(
            text,
            "{} did not answer: they run without awaiting, or their workers are busy",
            dump.unanswered
        );
    }
    for task in &dump.tasks {
        let (file, line) = task.spawned_at;
        let _ = write!(
            text,
            "\n{} {} {}, {}, {} old, polled {} times\n  spawned at {file}:{line}",
            task.kind.name(),
            task.id,
            task.function,
            wait(task),
            age(task.age),
            task.polls
        );
        if let Some((id, function)) = &task.parent {
            let _ = write!(text, " by {id} {function}");
        }
        text.push('\n');
        if !task.labels.is_empty() {
            let _ = writeln!(text, "  {}", label_set(&task.labels));
        }
        for (number, stack) in task.stacks.iter().enumerate() {
            if task.stacks.len() > 1 {
                let _ = writeln!(text, "  waits for {} of {}:", number + 1, task.stacks.len());
            }
            for frame in stack {
                let _ = match frame.file.as_str() {
                    "" => writeln!(text, "    {}", name(frame)),
                    file => writeln!(text, "    {}  {file}:{}", name(frame), frame.line),
                };
            }
        }
    }
    text
}

/// Tasks with the same stack and labels.
struct Group {
    count: i64,
    stack: Vec<Frame>,
    labels: Vec<(String, String)>,
}

/// Groups by stack and by the labels that are wanted, the largest first.
fn groups(dump: &Dump, wanted: impl Fn(&str) -> bool) -> Vec<Group> {
    let mut counted: BTreeMap<_, Group> = BTreeMap::new();
    for task in &dump.tasks {
        let stack = stack(task);
        let lines: Vec<_> = stack
            .iter()
            .map(|frame| (frame.address, name(frame), frame.line))
            .collect();
        let labels = task.labels.iter().filter(|(name, _)| wanted(name));
        let labels: Vec<_> = labels.cloned().collect();
        counted
            .entry((lines, labels.clone()))
            .or_insert_with(|| Group {
                count: 0,
                stack,
                labels,
            })
            .count += 1;
    }
    let mut groups: Vec<Group> = counted.into_values().collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.count));
    groups
}

/// The await chain; its outermost frame is always the task's own function, which stands alone where
/// no chain was seen. Of a task that could not be asked the innermost one says why, because the
/// counted form has no word for what a task does.
fn stack(task: &Seen) -> Vec<Frame> {
    let mut stack = task.stacks.first().cloned().unwrap_or_default();
    if matches!(task.state, State::Running | State::Runnable) {
        stack.push(Frame {
            address: 0,
            function: format!("kit::{}", task.state.name()),
            file: task.spawned_at.0.to_owned(),
            line: task.spawned_at.1,
        });
    }
    if stack
        .last()
        .is_none_or(|outermost| outermost.function != task.function)
    {
        stack.push(Frame {
            address: 0,
            function: task.function.clone(),
            file: task.spawned_at.0.to_owned(),
            line: task.spawned_at.1,
        });
    }
    stack
}

/// What a task waits for, in Go's words where Go has one.
fn wait(task: &Seen) -> &'static str {
    /// Part of a leaf's name, and the word for it.
    const LEAVES: [(&str, &str); 9] = [
        ("tokio::time::", "sleep"),
        ("::mpsc::", "chan receive"),
        ("::broadcast::", "chan receive"),
        ("::oneshot::", "chan receive"),
        ("::watch::", "chan receive"),
        ("::notify::", "chan receive"),
        ("::batch_semaphore::", "semacquire"),
        ("::runtime::io::", "IO wait"),
        ("::task::join::", "join"),
    ];
    if task.state != State::Waiting {
        return task.state.name();
    }
    match task.stacks.as_slice() {
        [] => "await",
        [stack] => stack
            .iter()
            .find_map(|frame| {
                let leaf = LEAVES
                    .iter()
                    .find(|(part, _)| frame.function.contains(part));
                leaf.map(|(_, word)| *word)
            })
            .unwrap_or("await"),
        _ => "select",
    }
}

fn name(frame: &Frame) -> String {
    match frame.function.as_str() {
        "" => format!("{:#x}", frame.address),
        function => function.to_owned(),
    }
}

fn place(file: &str) -> &str {
    if file.is_empty() { "?" } else { file }
}

/// `{"rpc":"orders.v1.Orders/Get"}`, as Go prints labels in its profiles.
fn label_set(labels: &[(String, String)]) -> String {
    let pairs: Vec<String> = labels
        .iter()
        .map(|(name, value)| format!("{}: {}", quoted(name), quoted(value)))
        .collect();
    format!("{{{}}}", pairs.join(", "))
}

fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    crate::json::push_text(&mut quoted, text);
    quoted
}

fn age(age: Duration) -> String {
    let seconds = age.as_secs();
    match seconds {
        0 => format!("{} ms", age.as_millis()),
        1..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

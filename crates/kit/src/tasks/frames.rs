//! Names for the addresses of a captured stack, and which of its frames tell something.
//!
//! Symbols are read once and kept: a dump of ten thousand tasks has some hundred addresses.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use super::registry::lock;

/// Addresses whose names are kept. A program has fewer await points than this.
const KNOWN_MAX: usize = 65_536;

static KNOWN: LazyLock<Mutex<HashMap<usize, Arc<[Frame]>>>> = LazyLock::new(Mutex::default);

/// A function on a stack.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Frame {
    /// Where the code returns to; what is inlined there shares it.
    pub address: usize,
    /// The function, without hash; empty where the executable has no symbol.
    pub function: String,
    /// The source file; empty without debug information.
    pub file: String,
    /// The line; 0 without debug information.
    pub line: u32,
}

/// Names the frames of a captured stack and leaves out what every such stack has: our hook at the
/// inner end, the runtime at the outer one, and the plumbing of futures in between.
pub(super) fn resolve(stack: &[usize]) -> Vec<Frame> {
    let all: Vec<Frame> = stack
        .iter()
        .flat_map(|address| frames_at(*address).to_vec())
        .collect();
    let is_hook = |frame: &Frame| frame.function.contains("tasks::capture::");
    let is_root = |frame: &Frame| frame.function.contains("tasks::tracked::Tracked");
    let task = match all.iter().position(is_root) {
        Some(root) => &all[..root],
        None => &all[..],
    };
    // The hook is called inside, the poll that installed it outside of the task's own frames.
    let inner = task
        .iter()
        .position(|frame| frame.function.contains("tasks::capture::clone"))
        .map_or(0, |hook| hook + 1);
    let rest = &task[inner..];
    let outer = rest.iter().position(is_hook).unwrap_or(rest.len());
    let own = &rest[..outer];
    let telling: Vec<Frame> = own
        .iter()
        .filter(|frame| !is_plumbing(frame))
        .cloned()
        .collect();
    if telling.is_empty() {
        own.to_vec()
    } else {
        telling
    }
}

/// Frames that stand in every chain of awaits and say nothing of this one.
fn is_plumbing(frame: &Frame) -> bool {
    const PLUMBING: [&str; 6] = [
        "core::",
        "std::",
        "alloc::",
        "<core::",
        "<alloc::",
        "tracing::instrument::",
    ];
    let function = frame.function.as_str();
    PLUMBING.iter().any(|start| function.starts_with(start))
        || function.starts_with("<tracing::instrument::")
        || function.contains("shakedown_kit::scope::InScope")
}

/// The function at an address, and what is inlined there, innermost first.
fn frames_at(address: usize) -> Arc<[Frame]> {
    if let Some(known) = lock(&KNOWN).get(&address) {
        return Arc::clone(known);
    }
    let mut frames = Vec::new();
    // The address is where the call returns to; the call itself is the byte before.
    backtrace::resolve(address.wrapping_sub(1) as *mut _, |symbol| {
        frames.push(Frame {
            address,
            function: symbol
                .name()
                .map(|name| readable(&format!("{name:#}")))
                .unwrap_or_default(),
            file: symbol
                .filename()
                .map(|file| file.display().to_string())
                .unwrap_or_default(),
            line: symbol.lineno().unwrap_or(0),
        });
    });
    let frames: Arc<[Frame]> = frames.into();
    let mut known = lock(&KNOWN);
    if known.len() < KNOWN_MAX {
        known.insert(address, Arc::clone(&frames));
    }
    frames
}

/// A name as people write it: an async function is called like itself, not like the closure that
/// the compiler makes of it.
pub(super) fn readable(name: &str) -> String {
    let mut name = name;
    while let Some(shorter) = name
        .strip_suffix("::{{closure}}")
        .or_else(|| name.strip_suffix("::{closure#0}"))
    {
        name = shorter;
    }
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_async_function_is_called_like_itself() {
        assert_eq!(
            readable("orders::get::{{closure}}::{{closure}}"),
            "orders::get"
        );
        assert_eq!(readable("orders::get::{closure#0}"), "orders::get");
        assert_eq!(
            readable("<T as orders::Get>::get"),
            "<T as orders::Get>::get"
        );
    }

    #[test]
    fn an_address_of_nowhere_has_no_name_and_does_no_harm() {
        assert_eq!(resolve(&[0, 1, usize::MAX]).len(), 0);
    }
}

//! Names for the addresses of a captured stack, and which of its frames tell something.
//!
//! Symbols are read once and kept: a dump of ten thousand tasks has some hundred addresses.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use super::registry::lock;
use crate::profile::symbolize;

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

/// Reads the names of all addresses that are not known yet, in one go: opening the executable's
/// debug information is what takes long.
pub(super) fn learn<'s>(stacks: impl Iterator<Item = &'s Vec<usize>>) {
    let unknown: Vec<usize> = {
        let known = lock(&KNOWN);
        let mut unknown: Vec<usize> = stacks
            .flatten()
            .copied()
            .filter(|address| !known.contains_key(address))
            .collect();
        unknown.sort_unstable();
        unknown.dedup();
        unknown
    };
    // The address is where the call returns to; the call itself is the byte before.
    let calls: Vec<u64> = unknown
        .iter()
        .map(|address| address.wrapping_sub(1) as u64)
        .collect();
    let names = symbolize::resolve(&calls);
    let mut known = lock(&KNOWN);
    for (address, frames) in unknown.into_iter().zip(names) {
        if known.len() >= KNOWN_MAX {
            return;
        }
        let frames = frames.into_iter().map(|frame| Frame {
            address,
            function: readable(&frame.function),
            file: frame.file,
            line: frame.line,
        });
        known.insert(address, frames.collect());
    }
}

/// The function at an address, and what is inlined there, innermost first; none if nobody learned it.
fn frames_at(address: usize) -> Arc<[Frame]> {
    lock(&KNOWN).get(&address).cloned().unwrap_or_default()
}

/// What the compiler calls the body of an async function or block, in the forms of its manglings and
/// of its debug information.
const GENERATED: [&str; 4] = ["{{closure}}", "{closure#", "{async_fn#", "{async_block#"];

/// A name as people write it: an async function is called like itself, not like the closure that
/// the compiler makes of it.
pub(super) fn readable(name: &str) -> String {
    let mut name = name;
    while let Some((shorter, last)) = name.rsplit_once("::")
        && GENERATED.iter().any(|start| last.starts_with(start))
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
        let nowhere = vec![0, 1, usize::MAX];
        learn(std::iter::once(&nowhere));
        assert_eq!(resolve(&nowhere).len(), 0);
    }
}

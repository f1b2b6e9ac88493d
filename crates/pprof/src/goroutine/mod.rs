//! Go's goroutine profiles: what every goroutine of a process does.
//!
//! | form | where from | read by |
//! |---|---|---|
//! | one by one | `/debug/pprof/goroutine?debug=2`, SIGQUIT, panic | [`Dump::decode`] |
//! | counted by stack, text | `?debug=1`, `goroutineleak?debug=1`, threadcreate | [`Counts::decode`] |
//! | counted by stack, profile.proto | without `debug` | [`Counts::from_profile`] |
//!
//! Only the first has ids, states, waiting times and creators; it stops at
//! exactly 64 MiB without a word ([`Dump::truncated`]). Call arguments and code
//! offsets are dropped. Texts and stacks that come often are kept once.
//!
//! Source: the Go runtime, `runtime/traceback.go` (`goroutineheader`,
//! `traceback2`), `runtime/mprof.go`, `runtime/pprof/pprof.go`; Go 1.21 to 1.27.

mod counts;
mod dump;
mod header;
mod labels;
mod pool;

use std::sync::Arc;

pub use counts::{Counts, Group};
pub use dump::{Dump, Truncation};

/// A call on a goroutine's stack.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Frame {
    /// Function with its package path: `net/http.(*conn).serve`.
    pub function: Arc<str>,
    /// Source file as it was compiled; empty is unknown.
    pub file: Arc<str>,
    /// Line of the call; 0 is unknown.
    pub line: u32,
}

/// A profiler label (`pprof.Do`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Label {
    /// Its name.
    pub key: Arc<str>,
    /// Its value.
    pub value: Arc<str>,
}

/// The `go` statement that made a goroutine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Creation {
    /// Function, file and line of the `go` statement.
    pub frame: Frame,
    /// Id of the goroutine that ran it (Go 1.21 and later).
    pub parent: Option<u64>,
}

/// One goroutine of a dump.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Goroutine {
    /// Its id; never reused within a process.
    pub id: u64,
    /// What it waits for or does, without the marks below: `chan receive`,
    /// `select`, `IO wait`, `running`, `chan receive (nil chan)`, …
    pub state: Arc<str>,
    /// Full minutes in this state, 0 below one. The clock starts with the first
    /// garbage collection after the goroutine blocked, so this may be too small.
    pub wait_minutes: u64,
    /// Bound to its thread (`runtime.LockOSThread`).
    pub locked_to_thread: bool,
    /// The runtime has proven that it can never run again (goroutine-leak profile).
    pub leaked: bool,
    /// Being scanned by the garbage collector.
    pub scanning: bool,
    /// Durably blocked, within a `testing/synctest` bubble.
    pub durable: bool,
    /// The `testing/synctest` bubble it belongs to.
    pub bubble: Option<u64>,
    /// Profiler labels, in the dump's order. Only since Go 1.27, or Go 1.26 with
    /// `GODEBUG=tracebacklabels=1`.
    pub labels: Arc<[Label]>,
    /// The stack, leaf first.
    pub frames: Arc<[Frame]>,
    /// Where it was made; the main goroutine and the runtime's own have none.
    pub created_by: Option<Creation>,
    /// Frames are missing after this many: the runtime prints the 50 innermost
    /// and, since Go 1.21, the 50 outermost.
    pub elided_after: Option<usize>,
    /// It ran on another thread and its stack could not be read.
    pub stack_unavailable: bool,
    /// The input ended within it.
    pub incomplete: bool,
}

impl Goroutine {
    /// The function that the `go` statement started; `None` where the outermost
    /// frames are not in the dump.
    pub fn root(&self) -> Option<&Frame> {
        if self.incomplete || self.elided_after == Some(self.frames.len()) {
            return None;
        }
        // GOTRACEBACK=system shows the runtime's own bottom of each stack.
        let bottom = |f: &&Frame| &*f.function != "runtime.goexit";
        self.frames.iter().rfind(bottom)
    }
}

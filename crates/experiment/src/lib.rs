//! What to do next: pure state machines that decide the next probe.
//!
//! An experiment looks at the evidence so far and at the time, and answers with a [`Step`]. It
//! never performs anything: the acquiring side does, and records what came. So every experiment
//! is tested against a simulated service, without sockets and without waiting.
//!
//! To add one: a file here with a type that implements [`Experiment`], one line in the plan of
//! the run (`shakedown-checklist`, `plan.rs`).

mod action;
mod audit;
mod batches;
mod bystanders;
mod in_flight;
mod jitter;
mod locate;
mod oracle;
mod quiet;
mod quit_audit;
mod readiness;
mod rehearsal;
mod stop;
mod window;

pub use action::{Action, CallPlan};
pub use audit::Audit;
pub use batches::Batches;
pub use bystanders::Bystanders;
pub use jitter::ShortWindows;
pub use locate::Locate;
pub use quiet::Quiet;
pub use quit_audit::QuitAudit;
pub use readiness::{Decision, Identify, Look, Watch};
pub use stop::Terminate;
pub use window::{Connections, Contention, CpuWindow, Heap, TraceWindow, Traffic};

use shakedown_evidence::{At, Evidence};

/// What an experiment wants to happen now.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Perform this, then ask again.
    Do(Action),
    /// Ask again at this time, or earlier if evidence arrives.
    Wait(At),
    /// Nothing more; the reason stands in the log book.
    Done(String),
}

/// Decides the next probe from what was seen.
pub trait Experiment: Send {
    /// Name for the log book and the progress bar.
    fn name(&self) -> String;

    /// The next step.
    fn next(&mut self, seen: &Evidence, now: At) -> Step;
}

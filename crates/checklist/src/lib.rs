//! The checklist: configuration, the run loop, precedence and the gate.
//!
//! [`run`] is the only place where deciding meets doing; [`assess`] turns evidence into a report
//! and is all that a replay needs.

mod assess;
mod attach;
pub mod config;
mod further_starts;
mod lanes;
mod launch;
mod placeholder;
mod plan;
mod precedence;
mod quit_audits;
mod quote;
mod redact;
mod run;
mod settings;
mod start;
mod world;

pub use assess::{assess, rules_named};
pub use attach::NotFound;
pub use run::{Outcome, Progress, RunError, run};
pub use settings::{Attach, Dependency, Settings, Start};

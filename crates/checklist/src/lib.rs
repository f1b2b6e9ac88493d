//! The checklist: configuration, the run loop, precedence and the gate.
//!
//! [`run`] is the only place where deciding meets doing; [`assess`] turns evidence into a report
//! and is all that a replay needs.

mod assess;
pub mod config;
mod further_starts;
mod lanes;
mod launch;
mod placeholder;
mod plan;
mod precedence;
mod quote;
mod redact;
mod run;
mod settings;
mod start;

pub use assess::{assess, rules_named};
pub use run::{Outcome, Progress, RunError, run};
pub use settings::{Dependency, Settings, Start};

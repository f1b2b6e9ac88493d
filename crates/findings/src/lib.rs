//! What rules find: plain data that analysis fills and reports render.
//!
//! This crate knows neither evidence nor sockets nor terminals. Its serialised form is the
//! published JSON report (`schema` 1): a field that is renamed here is a breaking change.

mod exhibit;
mod finding;
mod report;
mod rule;
mod verdict;

pub use exhibit::{Exhibit, Moment, Point, SourceLine};
pub use finding::{BecauseOf, Certainty, Finding, Location, Severity};
pub use report::{HotSpot, HotSpotTable, HotSpots, MarkRow, RuleRow, RunReport, SCHEMA, TargetRow};
pub use rule::{Item, Outcome, RuleMeta};
pub use verdict::{Gate, Verdict, verdict};

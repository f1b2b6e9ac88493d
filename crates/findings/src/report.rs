//! The whole result of one run, as every format renders it.

use serde::{Deserialize, Serialize};

use crate::{Finding, Item, Location, Outcome, Verdict};

/// Version of the JSON report. It changes when a field changes its meaning or goes away.
pub const SCHEMA: u32 = 1;

/// Everything that a report shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    /// Version of this layout, [`SCHEMA`].
    pub schema: u32,
    /// Version of the tool that wrote it.
    pub tool: String,
    /// The word at the top.
    pub verdict: Verdict,
    /// Why a run in which nothing is open still cannot be READY (`--quick`, `--only`).
    pub not_ready_because: Option<String>,
    /// What was checked.
    pub target: TargetRow,
    /// When the run began, in milliseconds since 1970 (UTC).
    pub started_unix_ms: u64,
    /// How long the run took, in milliseconds.
    pub took_ms: u64,
    /// One row a rule, in the order of the rule table.
    pub rules: Vec<RuleRow>,
    /// What is wrong, most severe first.
    pub findings: Vec<Finding>,
    /// Where processor time and memory went.
    pub hot_spots: HotSpots,
    /// The log book of the run.
    pub marks: Vec<MarkRow>,
    /// What went wrong with the run itself: a service that ended early, an interrupted run.
    pub troubles: Vec<String>,
    /// Where the evidence lies.
    pub bundle: Option<String>,
}

/// What was checked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetRow {
    /// Short name.
    pub name: String,
    /// Command as started, secrets cut.
    pub command: Vec<String>,
    /// The process that owns the listeners.
    pub pid: Option<u32>,
    /// Go version of the executable.
    pub go: Option<String>,
    /// Main module and version.
    pub module: Option<String>,
    /// Revision of the source, with `+dirty` where it was modified.
    pub revision: Option<String>,
    /// Libraries worth knowing, as `grpc-go 1.85.0`.
    pub libraries: Vec<String>,
    /// Listeners, as `127.0.0.1:8080 http`.
    pub listeners: Vec<String>,
}

/// One rule and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleRow {
    /// Stable code.
    pub code: String,
    /// Name.
    pub name: String,
    /// Item it is filed under.
    pub item: Item,
    /// Whether READY needs it.
    pub required: bool,
    /// `passed`, `failed`, `inconclusive`, `not exercised`, `not applicable`, `waived`.
    pub outcome: String,
    /// One sentence.
    pub reason: String,
    /// The flag or line that would prove an unproven rule.
    pub to_prove: Option<String>,
}

impl RuleRow {
    /// Puts a rule and its outcome into one row.
    #[must_use]
    pub fn new(meta: &crate::RuleMeta, outcome: &Outcome) -> Self {
        Self {
            code: meta.code.into(),
            name: meta.name.into(),
            item: meta.item,
            required: meta.required,
            outcome: outcome.name().into(),
            reason: outcome.reason().into(),
            to_prove: outcome.to_prove().map(Into::into),
        }
    }
}

/// Where processor time and memory went during the window.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct HotSpots {
    /// Processor time by function; values in nanoseconds.
    pub cpu: Option<HotSpotTable>,
    /// Live heap by site; values in bytes.
    pub inuse_space: Option<HotSpotTable>,
    /// Allocations by site since the process began; values are counts.
    pub alloc_objects: Option<HotSpotTable>,
}

/// The largest rows of one sample type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HotSpotTable {
    /// Sum over all samples, in the table's unit.
    pub total: i64,
    /// Length of the window in milliseconds, where one was taken.
    pub window_ms: Option<u64>,
    /// The largest rows, largest first.
    pub rows: Vec<HotSpot>,
}

/// One row of a [`HotSpotTable`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HotSpot {
    /// Where.
    pub location: Location,
    /// Value of the place itself.
    pub flat: i64,
    /// Value of the place and all that it called.
    pub cum: i64,
}

/// One mark: a named action at a known time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkRow {
    /// Time since the run began, in microseconds.
    pub at_us: u64,
    /// What was done.
    pub name: String,
}

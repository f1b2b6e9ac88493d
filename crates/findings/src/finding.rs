//! What is wrong, where, how sure that is, and what to do about it.

use serde::{Deserialize, Serialize};

use crate::Exhibit;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Should be mended; does not stop a launch unless the gate says so.
    Warning,
    /// Stops a launch.
    Error,
}

impl Severity {
    /// The severity's word in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// How sure a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "level", rename_all = "lowercase")]
pub enum Certainty {
    /// It could not be otherwise.
    Proven,
    /// A chance event could look the same with this probability.
    Probable {
        /// Probability of seeing at least this much by chance.
        p: f64,
    },
    /// Read in the source alone.
    Static,
}

/// A place in the source of the service.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Location {
    /// Fully qualified function, as the runtime prints it.
    pub function: Option<String>,
    /// File as recorded in the executable.
    pub file: Option<String>,
    /// Line, counted from 1.
    pub line: Option<u32>,
}

/// A shallower finding that a deeper one explains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BecauseOf {
    /// Code of the explained rule.
    pub code: String,
    /// Name of the explained rule.
    pub rule: String,
    /// What the explained finding said.
    pub message: String,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Code of the rule.
    pub code: String,
    /// Name of the rule.
    pub rule: String,
    /// How bad it is.
    pub severity: Severity,
    /// How sure it is.
    pub certainty: Certainty,
    /// What it is about: a method, a route, a log template, a listener.
    pub subject: String,
    /// Where in the source, as far as the evidence has it.
    pub location: Option<Location>,
    /// What happened, in sentences that a tired person reads first.
    pub message: String,
    /// The evidence.
    pub exhibits: Vec<Exhibit>,
    /// Requests in which alone it happened, none of which a span of our trace entered: it may be a
    /// consequence of that. For precedence; reports have it in the message.
    #[serde(skip)]
    pub only_without_span: Vec<String>,
    /// Shallower findings that this one explains.
    pub because_of: Vec<BecauseOf>,
    /// What to change.
    pub fix: String,
    /// A command that shows it again.
    pub repeat: String,
}

//! What a rule is, and what came of it in one run.

use serde::{Deserialize, Serialize};

use crate::Severity;

/// One of the four things that debugging in production stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Item {
    /// Profiles can be taken, on a private listener, for long enough.
    Profile,
    /// Context enters, crosses goroutines, reaches logs and leaves with calls.
    Trace,
    /// Handlers stop when their caller's deadline passes or the caller leaves.
    Deadline,
    /// Requests, reloads and stops leave nothing behind.
    Lifecycle,
}

impl Item {
    /// All items, in the order of every report.
    pub const ALL: [Self; 4] = [Self::Profile, Self::Trace, Self::Deadline, Self::Lifecycle];

    /// The word used on the command line and in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Profile => "profile",
            Self::Trace => "trace",
            Self::Deadline => "deadline",
            Self::Lifecycle => "lifecycle",
        }
    }
}

/// What a rule is, for tables, help and reports.
#[derive(Debug)]
pub struct RuleMeta {
    /// Stable machine code such as `DLN001`; never reused for another rule.
    pub code: &'static str,
    /// Name that reads well after "allow", such as `deadline-ignored`.
    pub name: &'static str,
    /// The item it is filed under.
    pub item: Item,
    /// How bad a finding of it is at most.
    pub severity: Severity,
    /// READY needs this rule to have passed or not to apply.
    pub required: bool,
    /// The rule's page in Markdown; feeds `explain` and the manual.
    pub page: &'static str,
}

/// What came of one rule in one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// Looked at, and nothing is wrong.
    Passed {
        /// What was proven, with figures; one line.
        reason: String,
    },
    /// At least one finding.
    Failed {
        /// The findings in one line.
        reason: String,
    },
    /// It could not be looked at.
    Inconclusive {
        /// What stood in the way.
        reason: String,
        /// The flag or line of configuration that would prove it.
        to_prove: String,
    },
    /// Nothing in this run tested it.
    NotExercised {
        /// What was missing.
        reason: String,
        /// The flag or line of configuration that would prove it.
        to_prove: String,
    },
    /// It cannot go wrong in this service.
    NotApplicable {
        /// Why that is certain.
        reason: String,
    },
    /// A finding that somebody answers for until a date.
    Waived {
        /// Who, why and until when.
        reason: String,
    },
}

impl Outcome {
    /// The outcome's word in reports.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Passed { .. } => "passed",
            Self::Failed { .. } => "failed",
            Self::Inconclusive { .. } => "inconclusive",
            Self::NotExercised { .. } => "not exercised",
            Self::NotApplicable { .. } => "not applicable",
            Self::Waived { .. } => "waived",
        }
    }

    /// The sentence that goes with the word.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::Passed { reason }
            | Self::Failed { reason }
            | Self::Inconclusive { reason, .. }
            | Self::NotExercised { reason, .. }
            | Self::NotApplicable { reason }
            | Self::Waived { reason } => reason,
        }
    }

    /// What would prove an unproven rule.
    #[must_use]
    pub fn to_prove(&self) -> Option<&str> {
        match self {
            Self::Inconclusive { to_prove, .. } | Self::NotExercised { to_prove, .. } => {
                Some(to_prove)
            }
            _ => None,
        }
    }
}

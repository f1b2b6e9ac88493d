//! What a rule says of one run.

use shakedown_findings::{Certainty, Exhibit, Finding, Location, Outcome, RuleMeta};

/// An outcome with its findings; findings only if it failed.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// What came of the rule.
    pub outcome: Outcome,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

impl Judgement {
    pub(crate) fn passed(reason: impl Into<String>) -> Self {
        Self::of(Outcome::Passed {
            reason: reason.into(),
        })
    }

    pub(crate) fn not_applicable(reason: impl Into<String>) -> Self {
        Self::of(Outcome::NotApplicable {
            reason: reason.into(),
        })
    }

    pub(crate) fn inconclusive(reason: impl Into<String>, to_prove: impl Into<String>) -> Self {
        Self::of(Outcome::Inconclusive {
            reason: reason.into(),
            to_prove: to_prove.into(),
        })
    }

    pub(crate) fn not_exercised(reason: impl Into<String>, to_prove: impl Into<String>) -> Self {
        Self::of(Outcome::NotExercised {
            reason: reason.into(),
            to_prove: to_prove.into(),
        })
    }

    pub(crate) fn failed(findings: Vec<Finding>) -> Self {
        let subjects: Vec<&str> = findings
            .iter()
            .map(|finding| finding.subject.as_str())
            .collect();
        let reason = match subjects.as_slice() {
            [one] => (*one).to_owned(),
            [first, rest @ ..] => format!("{first} and {} more", rest.len()),
            [] => String::new(),
        };
        Self {
            outcome: Outcome::Failed { reason },
            findings,
        }
    }

    const fn of(outcome: Outcome) -> Self {
        Self {
            outcome,
            findings: Vec::new(),
        }
    }
}

/// What a rule has to say about one finding; the rest comes from its table entry.
pub(crate) struct Found {
    pub certainty: Certainty,
    pub subject: String,
    pub location: Option<Location>,
    pub message: String,
    pub exhibits: Vec<Exhibit>,
    pub fix: String,
    pub repeat: String,
}

impl Found {
    pub(crate) fn by(self, rule: &RuleMeta) -> Finding {
        Finding {
            code: rule.code.into(),
            rule: rule.name.into(),
            severity: rule.severity,
            certainty: self.certainty,
            subject: self.subject,
            location: self.location,
            message: self.message,
            exhibits: self.exhibits,
            only_without_span: Vec::new(),
            because_of: Vec::new(),
            fix: self.fix,
            repeat: self.repeat,
        }
    }
}

//! The word at the top of the report.

use serde::{Deserialize, Serialize};

use crate::{Finding, Item, Outcome, RuleMeta, Severity};

/// May this service be launched?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// Every required rule passed or cannot apply, and every applicable item has a pass.
    #[serde(rename = "READY")]
    Ready,
    /// A finding at or above the gate.
    #[serde(rename = "NOT READY")]
    NotReady,
    /// Anything else.
    #[serde(rename = "NOT PROVEN")]
    NotProven,
}

impl Verdict {
    /// The verdict in words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ready => "READY",
            Self::NotReady => "NOT READY",
            Self::NotProven => "NOT PROVEN",
        }
    }
}

/// What stops a launch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gate {
    /// Findings of this severity or worse refuse.
    pub fail_on: Severity,
    /// Whether this run may be READY at all (a shortened run may not).
    pub may_be_ready: bool,
}

/// Decides the verdict of a run. Nothing that was not looked at counts as a pass.
pub fn verdict<'a>(
    gate: Gate,
    judged: impl IntoIterator<Item = (&'a RuleMeta, &'a Outcome)>,
    findings: &[Finding],
) -> Verdict {
    if findings.iter().any(|found| found.severity >= gate.fail_on) {
        return Verdict::NotReady;
    }
    let mut open = false;
    let mut items = Item::ALL.map(|item| (item, ItemState::default()));
    for (meta, outcome) in judged {
        let Some((_, state)) = items.iter_mut().find(|(item, _)| *item == meta.item) else {
            continue;
        };
        match outcome {
            Outcome::Passed { .. } => state.passed = true,
            Outcome::NotApplicable { .. } => state.not_applicable = true,
            Outcome::Failed { .. } | Outcome::Waived { .. } => state.looked_at = true,
            Outcome::Inconclusive { .. } | Outcome::NotExercised { .. } => {
                open |= meta.required;
                state.looked_at = true;
            }
        }
    }
    let mut any_pass = false;
    for (_, state) in &items {
        any_pass |= state.passed;
        // An item is out of scope only when every one of its rules proved that it cannot apply.
        let out_of_scope = state.not_applicable && !state.looked_at;
        open |= !state.passed && !out_of_scope;
    }
    if gate.may_be_ready && any_pass && !open {
        Verdict::Ready
    } else {
        Verdict::NotProven
    }
}

#[derive(Default, Clone, Copy)]
struct ItemState {
    passed: bool,
    not_applicable: bool,
    looked_at: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Certainty;

    const GATE: Gate = Gate {
        fail_on: Severity::Error,
        may_be_ready: true,
    };

    fn meta(item: Item, required: bool) -> RuleMeta {
        RuleMeta {
            code: "XXX001",
            name: "x",
            item,
            severity: Severity::Error,
            required,
            page: "",
        }
    }

    fn passed() -> Outcome {
        Outcome::Passed {
            reason: "5 of 5".into(),
        }
    }

    fn open() -> Outcome {
        Outcome::NotExercised {
            reason: "none".into(),
            to_prove: "--http".into(),
        }
    }

    fn not_applicable() -> Outcome {
        Outcome::NotApplicable {
            reason: "no gRPC".into(),
        }
    }

    fn check(gate: Gate, outcomes: &[(Item, bool, Outcome)]) -> Verdict {
        let metas: Vec<_> = outcomes
            .iter()
            .map(|(item, required, _)| meta(*item, *required))
            .collect();
        verdict(
            gate,
            metas
                .iter()
                .zip(outcomes.iter().map(|(_, _, outcome)| outcome)),
            &[],
        )
    }

    fn all_passed() -> Vec<(Item, bool, Outcome)> {
        Item::ALL.map(|item| (item, true, passed())).to_vec()
    }

    fn finding(severity: Severity) -> Finding {
        Finding {
            code: "XXX001".into(),
            rule: "x".into(),
            severity,
            certainty: Certainty::Proven,
            subject: String::new(),
            location: None,
            message: String::new(),
            exhibits: vec![],
            only_without_span: vec![],
            because_of: vec![],
            fix: String::new(),
            repeat: String::new(),
        }
    }

    #[test]
    fn everything_passed_is_ready() {
        assert_eq!(check(GATE, &all_passed()), Verdict::Ready);
    }

    #[test]
    fn no_rule_at_all_is_not_proven() {
        assert_eq!(check(GATE, &[]), Verdict::NotProven);
    }

    #[test]
    fn an_item_that_nobody_looked_at_is_not_proven() {
        let mut outcomes = all_passed();
        outcomes.pop();
        assert_eq!(check(GATE, &outcomes), Verdict::NotProven);
    }

    #[test]
    fn one_open_required_rule_is_not_proven() {
        let mut outcomes = all_passed();
        outcomes.push((Item::Trace, true, open()));
        assert_eq!(check(GATE, &outcomes), Verdict::NotProven);
    }

    #[test]
    fn an_open_optional_rule_beside_a_pass_is_ready() {
        let mut outcomes = all_passed();
        outcomes.push((Item::Trace, false, open()));
        assert_eq!(check(GATE, &outcomes), Verdict::Ready);
    }

    #[test]
    fn an_item_that_cannot_apply_is_left_out_but_not_all_four() {
        let mut outcomes = all_passed();
        outcomes[2].2 = not_applicable();
        assert_eq!(check(GATE, &outcomes), Verdict::Ready);
        let none = Item::ALL.map(|item| (item, true, not_applicable()));
        assert_eq!(check(GATE, &none), Verdict::NotProven);
    }

    #[test]
    fn a_shortened_run_is_never_ready() {
        let gate = Gate {
            may_be_ready: false,
            ..GATE
        };
        assert_eq!(check(gate, &all_passed()), Verdict::NotProven);
    }

    #[test]
    fn a_finding_counts_from_the_gate_upwards() {
        let outcomes = all_passed();
        let metas: Vec<_> = outcomes
            .iter()
            .map(|(item, required, _)| meta(*item, *required))
            .collect();
        let judged = || {
            metas
                .iter()
                .zip(outcomes.iter().map(|(_, _, outcome)| outcome))
        };
        let at =
            |fail_on, severity| verdict(Gate { fail_on, ..GATE }, judged(), &[finding(severity)]);
        assert_eq!(at(Severity::Error, Severity::Error), Verdict::NotReady);
        assert_eq!(at(Severity::Error, Severity::Warning), Verdict::Ready);
        assert_eq!(at(Severity::Warning, Severity::Warning), Verdict::NotReady);
    }
}

//! Of two findings of which one explains the other, the deeper one is reported and the other is
//! attached to it.

use std::cmp::Reverse;

use shakedown_analyze::RULES;
use shakedown_findings::{BecauseOf, Exhibit, Finding};

/// The deeper rule, the shallower rule, and whether this pair has the same cause.
struct Precedence {
    deeper: &'static str,
    shallower: &'static str,
    same: fn(&Finding, &Finding) -> bool,
}

/// The flat table: one line a precedence (design, 3).
const TABLE: &[Precedence] = &[
    Precedence {
        deeper: "profile-window-refused",
        shallower: "pprof-incomplete",
        same: same_subject,
    },
    Precedence {
        deeper: "deadline-ignored",
        shallower: "cancel-ignored",
        same: same_subject,
    },
    Precedence {
        deeper: "deadline-ignored",
        shallower: "leak-per-request",
        same: stands_in_handler,
    },
    Precedence {
        deeper: "cancel-ignored",
        shallower: "leak-per-request",
        same: stands_in_handler,
    },
];

fn same_subject(deeper: &Finding, shallower: &Finding) -> bool {
    deeper.subject == shallower.subject
}

/// The goroutines that were counted are the handlers that go on.
fn stands_in_handler(deeper: &Finding, shallower: &Finding) -> bool {
    let Some((service, method)) = deeper.subject.split_once('/') else {
        return false;
    };
    let service = service.rsplit('.').next().unwrap_or(service);
    let frame = format!("_{service}_{method}_Handler");
    shallower.exhibits.iter().any(|exhibit| match exhibit {
        Exhibit::Stack { frames, .. } => frames.iter().any(|line| line.contains(&frame)),
        _ => false,
    })
}

/// Attaches what is explained to what explains it.
pub(crate) fn apply(findings: Vec<Finding>) -> Vec<Finding> {
    let explains = |deeper: &Finding, shallower: &Finding| {
        TABLE.iter().any(|row| {
            row.deeper == deeper.rule
                && row.shallower == shallower.rule
                && (row.same)(deeper, shallower)
        })
    };
    let parents: Vec<Option<usize>> = findings
        .iter()
        .map(|shallower| {
            findings
                .iter()
                .position(|deeper| explains(deeper, shallower))
        })
        .collect();
    let mut kept: Vec<(usize, Finding)> = Vec::new();
    let mut explained: Vec<(usize, BecauseOf)> = Vec::new();
    for (position, (finding, parent)) in findings.into_iter().zip(&parents).enumerate() {
        match parent {
            Some(parent) => {
                // The root of a chain carries all of it; the table has no cycles.
                let root = std::iter::successors(Some(*parent), |at| parents[*at])
                    .last()
                    .unwrap_or(*parent);
                explained.push((
                    root,
                    BecauseOf {
                        code: finding.code,
                        rule: finding.rule,
                        message: finding.message,
                    },
                ));
            }
            None => kept.push((position, finding)),
        }
    }
    for (root, because) in explained {
        if let Some((_, finding)) = kept.iter_mut().find(|(position, _)| *position == root) {
            finding.because_of.push(because);
        }
    }
    let mut findings: Vec<Finding> = kept.into_iter().map(|(_, finding)| finding).collect();
    // Most severe first, then in the order of the rule table.
    let place = |finding: &Finding| RULES.iter().position(|rule| rule.meta.code == finding.code);
    findings.sort_by_key(|finding| {
        (
            Reverse(finding.severity),
            place(finding),
            finding.subject.clone(),
        )
    });
    findings
}

#[cfg(test)]
mod tests {
    use shakedown_findings::{Certainty, Severity};

    use super::*;

    fn finding(rule: &str, subject: &str) -> Finding {
        Finding {
            code: format!("X-{rule}"),
            rule: rule.into(),
            severity: Severity::Error,
            certainty: Certainty::Proven,
            subject: subject.into(),
            location: None,
            message: format!("{rule} on {subject}"),
            exhibits: vec![],
            because_of: vec![],
            fix: String::new(),
            repeat: String::new(),
        }
    }

    fn check(findings: &[(&str, &str)]) -> Vec<(String, usize)> {
        let findings = findings
            .iter()
            .map(|(rule, subject)| finding(rule, subject))
            .collect();
        apply(findings)
            .into_iter()
            .map(|finding| (finding.rule, finding.because_of.len()))
            .collect()
    }

    #[test]
    fn the_deeper_finding_carries_the_other() {
        assert_eq!(
            check(&[("deadline-ignored", "a.B/C"), ("cancel-ignored", "a.B/C")]),
            [("deadline-ignored".to_owned(), 1)]
        );
    }

    #[test]
    fn another_subject_stays_on_its_own() {
        assert_eq!(
            check(&[("deadline-ignored", "a.B/C"), ("cancel-ignored", "a.B/D")]).len(),
            2
        );
    }
}

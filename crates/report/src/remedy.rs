//! What would prove the rules of which nothing was learned.

use shakedown_findings::{RuleRow, RunReport};

use crate::standing::left_open;

/// The open rules, required ones first; those of one item that the same flag would prove are one
/// group. No group is empty.
pub(crate) fn remedies(report: &RunReport) -> Vec<Vec<&RuleRow>> {
    let mut open: Vec<_> = left_open(report).collect();
    open.sort_by_key(|rule| !rule.required);
    let mut groups: Vec<Vec<&RuleRow>> = Vec::new();
    for rule in open {
        let same = |group: &&mut Vec<&RuleRow>| {
            let first = group[0];
            let key = |rule: &RuleRow| (rule.item, rule.required, rule.to_prove.clone());
            first.to_prove.is_some() && key(first) == key(rule)
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.push(rule),
            None => groups.push(vec![rule]),
        }
    }
    groups
}

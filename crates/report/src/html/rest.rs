//! What was not proven and what would prove it, and the outcome of every rule.

use shakedown_findings::{RuleRow, RunReport};

use super::markup::Markup;
use crate::remedy::remedies;
use crate::sentences::paragraphs;
use crate::summary;

/// Paragraphs of a reason, which should be one.
const PARAGRAPHS: usize = 8;

/// Adds the flag or line that would prove each open rule, required rules first.
pub(super) fn to_prove(page: &mut Markup, report: &RunReport) {
    let remedies = remedies(report);
    if remedies.is_empty() {
        return;
    }
    page.element("section", &[("aria-labelledby", "open")], |page| {
        page.leaf("h2", &[("id", "open")], "Not proven, and how to prove it");
        page.element("ul", &[("class", "open")], |page| {
            for rules in remedies {
                page.element("li", &[], |page| remedy(page, &rules));
            }
        });
    });
}

/// Rules that the same line would prove, and that line.
fn remedy(page: &mut Markup, rules: &[&RuleRow]) {
    let Some(first) = rules.first() else { return };
    page.element("p", &[], |page| {
        page.leaf("strong", &[], first.item.name());
        page.text(": ");
        let names: Vec<_> = rules.iter().map(|rule| rule.name.as_str()).collect();
        page.text(&names.join(", "));
        let need = if first.required { "" } else { " (optional)" };
        page.leaf("span", &[("class", "faint")], need);
    });
    let mut said: Vec<&str> = Vec::new();
    for reason in rules.iter().map(|rule| rule.reason.trim()) {
        if !reason.is_empty() && !said.contains(&reason) {
            page.leaf("p", &[], reason);
            said.push(reason);
        }
    }
    let remedy = first.to_prove.as_deref().unwrap_or_default();
    if !remedy.trim().is_empty() {
        page.element("p", &[("class", "remedy")], |page| {
            page.leaf("span", &[("class", "faint")], "prove it with ");
            page.leaf("code", &[], remedy.trim());
        });
    }
}

/// Adds every rule and what came of it, folded: who doubts the cards looks here.
pub(super) fn every_rule(page: &mut Markup, report: &RunReport) {
    if report.rules.is_empty() {
        return;
    }
    page.element("details", &[("class", "fold")], |page| {
        page.element("summary", &[], |page| {
            page.leaf("h2", &[], "Every rule");
            page.text(" ");
            page.leaf("span", &[("class", "faint")], &counts(report));
        });
        page.element("ul", &[("class", "rules")], |page| {
            for rule in &report.rules {
                page.element("li", &[], |page| row(page, rule));
            }
        });
    });
}

fn row(page: &mut Markup, rule: &RuleRow) {
    let (class, sign) = match rule.outcome.as_str() {
        "passed" => ("good", "✓"),
        "failed" => ("bad", "✗"),
        "inconclusive" | "not exercised" => ("doubt", "?"),
        _ => ("faint", "–"),
    };
    page.element("p", &[], |page| {
        page.element("span", &[("class", class)], |page| {
            page.leaf("span", &[("aria-hidden", "true")], sign);
            page.text(" ");
            page.text(&rule.outcome);
        });
        page.text(" ");
        page.leaf("strong", &[], &rule.name);
        page.text(" ");
        let need = if rule.required {
            "required"
        } else {
            "optional"
        };
        let beside = format!("{}, {}, {need}", rule.code, rule.item.name());
        page.leaf("span", &[("class", "faint")], &beside);
    });
    for paragraph in paragraphs(&rule.reason).take(PARAGRAPHS) {
        page.leaf("p", &[], paragraph);
    }
}

/// `5 passed, 3 failed`, in the order in which they first occur.
fn counts(report: &RunReport) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for rule in &report.rules {
        match counts.iter_mut().find(|(name, _)| *name == rule.outcome) {
            Some((_, count)) => *count += 1,
            None => counts.push((&rule.outcome, 1)),
        }
    }
    let counts = counts.into_iter();
    let counts: Vec<_> = counts
        .map(|(name, count)| summary::counted(count, name, name))
        .collect();
    counts.join(", ")
}

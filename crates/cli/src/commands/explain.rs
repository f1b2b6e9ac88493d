//! `shakedown explain RULE`: the rule's page.

use std::fmt::Write as _;

use shakedown_analyze::RULES;
use shakedown_checklist::rules_named;
use shakedown_report::explain;

use crate::exit::{self, Ended};
use crate::terminal;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name, code or item: deadline-ignored, DLN001, deadline. Without one, all rules are listed
    rule: Option<String>,
}

pub(crate) fn run(args: &Args) -> Ended {
    let Some(word) = &args.rule else {
        terminal::show(&list())?;
        return Ok(exit::READY);
    };
    let rules = rules_named(word);
    if rules.is_empty() {
        anyhow::bail!("no rule is called {word:?}; these exist:\n{}", list());
    }
    for rule in rules {
        terminal::show(&explain::render(rule.meta.page, terminal::style()))?;
    }
    Ok(exit::READY)
}

fn list() -> String {
    RULES.iter().fold(String::new(), |mut text, rule| {
        let meta = &rule.meta;
        let required = if meta.required {
            ", required for READY"
        } else {
            ""
        };
        let _ = writeln!(
            text,
            "  {}  {:<24} {:<10} {}{required}",
            meta.code,
            meta.name,
            meta.item.name(),
            meta.severity.name()
        );
        text
    })
}

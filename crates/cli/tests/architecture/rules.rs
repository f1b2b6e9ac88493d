//! Every rule has its page, its place, a code that fits, and a row in the README.

use std::collections::BTreeSet;

use shakedown_analyze::RULES;
use shakedown_findings::{Item, RuleMeta, Severity};

use crate::{assert_none, files, read, root};

/// The letters of a code, by the item.
const fn letters(item: Item) -> &'static str {
    match item {
        Item::Profile => "PRF",
        Item::Trace => "TRC",
        Item::Deadline => "DLN",
        Item::Lifecycle => "LIF",
    }
}

/// Where a rule's page lies, without its ending; the rule itself lies beside it.
fn place(meta: &RuleMeta) -> String {
    let name = meta.name.replace('-', "_");
    format!("crates/analyze/src/{}/{name}", meta.item.name())
}

fn has_fitting_code(meta: &RuleMeta) -> bool {
    let digits = meta
        .code
        .strip_prefix(letters(meta.item))
        .unwrap_or_default();
    digits.len() == 3 && digits.bytes().all(|byte| byte.is_ascii_digit()) && digits != "000"
}

/// The third line of a page says the severity, and whether READY needs the rule.
fn says_what_the_table_says(meta: &RuleMeta) -> bool {
    let line = meta.page.lines().nth(2).unwrap_or_default();
    let word = line.split([' ', ',', ';']).next().unwrap_or_default();
    word == meta.severity.name() && line.contains("required for READY") == meta.required
}

/// The row of the README's table, up to its last column.
fn row(meta: &RuleMeta) -> String {
    let required = if meta.required { "yes" } else { "no" };
    format!(
        "| {} | {} | {} | {} | {required} |",
        meta.code,
        meta.name,
        meta.item.name(),
        meta.severity.name()
    )
}

/// Rows of the table that no rule has, and rules that have no row.
fn differences(readme: &str, rows: &BTreeSet<String>) -> Vec<String> {
    let is_row = |line: &&str| {
        Item::ALL
            .iter()
            .any(|item| line.starts_with(&format!("| {}", letters(*item))))
    };
    let found: BTreeSet<String> = readme
        .lines()
        .filter(is_row)
        .map(|line| line.split_inclusive('|').take(6).collect())
        .collect();
    let missing = rows
        .difference(&found)
        .map(|row| format!("the README has no row {row}"));
    let stale = found
        .difference(rows)
        .map(|row| format!("no rule has the row {row}"));
    missing.chain(stale).collect()
}

#[test]
fn every_rule_lies_beside_its_page() {
    for rule in RULES {
        let place = place(&rule.meta);
        assert!(root().join(format!("{place}.rs")).exists(), "{place}.rs");
        assert_eq!(
            read(&format!("{place}.md")),
            rule.meta.page,
            "{place}.md is another page"
        );
    }
}

#[test]
fn every_page_has_its_rule() {
    let pages: BTreeSet<String> = files("crates/analyze/src", ".md").into_iter().collect();
    let wanted = RULES
        .iter()
        .map(|rule| format!("{}.md", place(&rule.meta)))
        .collect();
    assert_eq!(pages, wanted);
}

#[test]
fn every_code_fits_its_item() {
    for rule in RULES {
        assert!(has_fitting_code(&rule.meta), "{}", rule.meta.code);
    }
}

#[test]
fn every_page_says_what_the_table_says() {
    for rule in RULES {
        let line = rule.meta.page.lines().nth(2);
        assert!(
            says_what_the_table_says(&rule.meta),
            "{}: {line:?}",
            rule.meta.name
        );
    }
}

#[test]
fn the_readme_lists_every_rule() {
    let rows = RULES.iter().map(|rule| row(&rule.meta)).collect();
    assert_none(&differences(&read("README.md"), &rows));
}

/// A rule with its faults.
fn meta(code: &'static str, page: &'static str) -> RuleMeta {
    RuleMeta {
        code,
        name: "deadline-ignored",
        item: Item::Deadline,
        severity: Severity::Error,
        required: true,
        page,
    }
}

#[test]
fn a_code_of_another_item_is_seen() {
    assert!(has_fitting_code(&meta("DLN001", "")));
    for code in ["PRF001", "DLN1", "DLN0001", "DLN00x", "DLN000", "dln001"] {
        assert!(!has_fitting_code(&meta(code, "")), "{code}");
    }
}

#[test]
fn a_page_that_says_something_else_is_seen() {
    let check = |page| says_what_the_table_says(&meta("DLN001", page));
    assert!(check("# x\n\nerror, required for READY; gRPC methods\n"));
    assert!(check("# x\n\nerror on a listener; required for READY\n"));
    for page in [
        "# x\n\nwarning, required for READY\n",
        "# x\n\nerror\n",
        "# x\n\nerrors, required for READY\n",
        "# x\nerror, required for READY\n",
        "",
    ] {
        assert!(!check(page), "{page:?}");
    }
}

#[test]
fn a_missing_and_a_stale_row_are_seen() {
    let wanted: BTreeSet<String> = [row(&meta("DLN001", ""))].into();
    let row = "| DLN001 | deadline-ignored | deadline | error | yes | it runs on |";
    assert_eq!(differences(row, &wanted), [""; 0]);
    assert_eq!(differences("", &wanted).len(), 1);
    assert_eq!(
        differences(&row.replace("error", "warning"), &wanted).len(),
        2
    );
    assert_eq!(
        differences(&format!("{row}\n{}", row.replace("001", "009")), &wanted).len(),
        1
    );
}

//! What a report must say, and how a report is compared with it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use shakedown_testkit::BY_FLAG;

use crate::table::{CASES, Case};

/// The rules of the checklist, in the order of every report.
const RULES: &[&str] = &[
    "pprof-missing",
    "pprof-public",
    "pprof-incomplete",
    "profile-window-refused",
    "profile-window-too-short",
    "contention-profile-off",
    "secret-in-cmdline",
    "jitter-burst",
    "log-without-trace",
    "span-id-without-trace-id",
    "context-not-forwarded",
    "request-without-span",
    "incoming-context-ignored",
    "tracing-missing",
    "deadline-ignored",
    "cancel-ignored",
    "wrong-status",
    "leak-per-request",
    "sigterm-ignored",
    "in-flight-dropped",
    "drain-too-slow",
    "fd-leak",
    "heap-growth",
];

/// The case of a name.
pub(crate) fn case(name: &str) -> &'static Case {
    let mut cases = CASES.iter();
    cases
        .find(|case| case.name == name)
        .unwrap_or_else(|| panic!("the table has no case {name}"))
}

fn outcome_of<'a>(report: &'a Value, rule: &str) -> &'a str {
    let mut rows = report["rules"].as_array().expect("a list").iter();
    let row = rows.find(|row| row["name"] == rule);
    row.and_then(|row| row["outcome"].as_str()).unwrap_or("")
}

impl Case {
    /// Compares a report with the table: verdict, outcomes and findings, nothing more and nothing
    /// less.
    pub(crate) fn check(&self, report: &Value) {
        assert_eq!(
            said(report),
            self.expected(report),
            "{} (left: the report; right: the table)\ntroubles: {}\nreasons:\n{}",
            self.name,
            report["troubles"],
            reasons(report)
        );
        for finding in report["findings"].as_array().expect("a list") {
            self.check_place(finding);
        }
    }

    /// The table's rows as text. Where it allows two outcomes, the one that the report has.
    fn expected(&self, report: &Value) -> String {
        let mut text = format!("verdict {}\n", self.verdict);
        for rule in RULES {
            let mut others = self.but.iter().chain(self.alike.iter().copied().flatten());
            let outcome = others.find(|(name, _)| name == rule);
            let usual = match BY_FLAG.contains(rule) {
                true => "not exercised",
                false => "passed",
            };
            let allowed = outcome.map_or(usual, |(_, words)| words);
            let had = outcome_of(report, rule);
            let word = allowed.split(" or ").find(|word| *word == had);
            let _ = writeln!(text, "{rule}: {}", word.unwrap_or(allowed));
        }
        for found in self.findings {
            let _ = writeln!(
                text,
                "{} {}: {}{}",
                found.severity,
                found.rule,
                found.subject,
                explains(found.because_of.iter().copied())
            );
        }
        text
    }

    /// The culprit's file ends as the table says, and its line has the text that the table says:
    /// line numbers may change, the fault may not.
    fn check_place(&self, finding: &Value) {
        let rule = text(&finding["rule"]);
        let subject = without_ports(text(&finding["subject"]));
        let mut rows = self.findings.iter();
        let row = rows.find(|row| row.rule == rule && row.subject == subject);
        let place = &finding["location"];
        match row.and_then(|row| row.at) {
            None => assert!(
                place.is_null(),
                "{}: {rule} has a place: {place}",
                self.name
            ),
            Some((file, code)) => {
                let found = text(&place["file"]);
                assert!(found.ends_with(file), "{}: {rule} is at {place}", self.name);
                let line = usize::try_from(place["line"].as_u64().unwrap_or(0)).unwrap_or(0);
                let source = fs::read_to_string(source_of(file).join(file));
                let source = source.expect("the fixture's source");
                let line = source.lines().nth(line.wrapping_sub(1)).unwrap_or("");
                assert!(
                    line.contains(code),
                    "{}: {rule} at {place}: {line}",
                    self.name
                );
            }
        }
    }
}

/// The folder that a fixture's file lies in, by its language.
fn source_of(file: &str) -> PathBuf {
    if !file.ends_with(".rs") {
        return shakedown_testkit::source();
    }
    let fixture = shakedown_testkit::rust_source();
    if fixture.join(file).is_file() {
        return fixture;
    }
    shakedown_testkit::template_source()
}

/// The report in the words of the table.
fn said(report: &Value) -> String {
    let mut said = format!("verdict {}\n", text(&report["verdict"]));
    for rule in report["rules"].as_array().expect("a list") {
        let _ = writeln!(said, "{}: {}", text(&rule["name"]), text(&rule["outcome"]));
    }
    for finding in report["findings"].as_array().expect("a list") {
        let explained = finding["because_of"].as_array().expect("a list");
        let explained = explained.iter().map(|because| text(&because["rule"]));
        let _ = writeln!(
            said,
            "{} {}: {}{}",
            text(&finding["severity"]),
            text(&finding["rule"]),
            without_ports(text(&finding["subject"])),
            explains(explained)
        );
    }
    said
}

fn explains<'a>(rules: impl Iterator<Item = &'a str>) -> String {
    rules.fold(String::new(), |all, rule| all + " < " + rule)
}

fn reasons(report: &Value) -> String {
    let rules = report["rules"].as_array().expect("a list").iter();
    rules
        .map(|rule| format!("  {}: {}\n", text(&rule["name"]), text(&rule["reason"])))
        .collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}

/// Ports are the system's choice: `127.0.0.1:38599` becomes `127.0.0.1:PORT`.
fn without_ports(text: &str) -> String {
    const HOST: &str = "127.0.0.1:";
    let mut parts = text.split(HOST);
    let mut out = parts.next().unwrap_or("").to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|letter: char| letter.is_ascii_digit());
        let _ = write!(out, "{HOST}PORT{rest}");
    }
    out
}

/// The JSON report has the keys that were promised, and no finding or rule without one of them.
pub(crate) fn check_keys(report: &Value) {
    let keys = |value: &Value| -> BTreeSet<String> {
        value
            .as_object()
            .expect("an object")
            .keys()
            .cloned()
            .collect()
    };
    let has = |value: &Value, wanted: &[&str]| {
        let there = keys(value);
        for key in wanted {
            assert!(there.contains(*key), "no {key} in {there:?}");
        }
    };
    let promised = [
        "schema",
        "verdict",
        "rules",
        "findings",
        "hot_spots",
        "marks",
        "target",
    ];
    has(report, &promised);
    assert_eq!(report["schema"], 1);
    for rule in report["rules"].as_array().expect("a list") {
        has(
            rule,
            &["code", "name", "item", "outcome", "reason", "to_prove"],
        );
    }
    for finding in report["findings"].as_array().expect("a list") {
        has(
            finding,
            &[
                "code",
                "rule",
                "severity",
                "certainty",
                "subject",
                "location",
            ],
        );
        has(
            finding,
            &["message", "exhibits", "because_of", "fix", "repeat"],
        );
        if !finding["location"].is_null() {
            has(&finding["location"], &["function", "file", "line"]);
        }
    }
}

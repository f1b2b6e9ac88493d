//! Bursts, which only a flag looks for: a service with one every 20 s, one that is merely busy, and
//! one that is healthy.

use serde_json::Value;
use shakedown_testkit::{Ended, Run, orders};

use crate::live::PROGRAM;

/// Bursts come 20 s apart, so two of them are seen, wherever the look begins.
const LOOK: &str = "50s";

fn check(faults: &[&str]) -> (Ended, Value) {
    let ended = Run::of(PROGRAM)
        .config(&orders(faults).grace("4s"))
        .flags(["check", "--window", "6s", "--until-jitter", LOOK])
        .flags(["--only", "profile", "--format", "json"])
        .end();
    let report = ended.report();
    (ended, report)
}

fn row<'a>(report: &'a Value, rule: &str) -> &'a Value {
    let mut rows = report["rules"].as_array().expect("a list").iter();
    rows.find(|row| row["name"] == rule).expect("the rule")
}

#[test]
fn a_burst_that_comes_again_is_found_and_explains_the_window() {
    let (ended, report) = check(&["jitter-burst"]);
    let findings = report["findings"].as_array().expect("a list");
    let [finding] = findings.as_slice() else {
        panic!("{findings:#?}\n{}", report["rules"]);
    };
    assert_eq!(finding["rule"], "jitter-burst");
    assert_eq!(finding["severity"], "warning");
    let file = finding["location"]["file"].as_str().expect("a place");
    assert!(file.ends_with("internal/orders/compact.go"), "{finding:#}");
    assert_eq!(finding["subject"], "orders.compactBlocks");
    let explained = finding["because_of"].as_array().expect("a list");
    assert_eq!(
        explained[0]["rule"], "profile-window-too-short",
        "{finding:#}"
    );
    // A warning is below the gate, and a run of one item is never READY.
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
}

#[test]
fn what_is_merely_busy_is_no_burst() {
    for faults in [&["busy"][..], &[]] {
        let (_, report) = check(faults);
        assert_eq!(report["findings"], Value::Array(vec![]), "{faults:?}");
        let outcome = &row(&report, "jitter-burst")["outcome"];
        assert_eq!(outcome, "passed", "{faults:?} {}", report["rules"]);
        let window = row(&report, "profile-window-too-short");
        assert_eq!(window["outcome"], "passed", "{window}");
        let reason = window["reason"].as_str().expect("a reason");
        assert!(
            reason.contains("escapes a window of 6 s with probability 0.90"),
            "{reason}"
        );
    }
}

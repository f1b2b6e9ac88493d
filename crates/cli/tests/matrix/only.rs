//! `--only RULE`, as each finding says how it is seen again: the same finding, without the steps
//! that nothing of it rests on.

use shakedown_testkit::{Run, orders};

use crate::expected;
use crate::live::PROGRAM;

/// Of the fault of that name the same finding as in a whole run; `left_out` are lanes.
fn check(fault: &str, rule: &str, left_out: &[&str]) {
    let case = expected::case(fault);
    let ended = Run::of(PROGRAM)
        .config(&orders(case.faults).grace("4s"))
        .flags([
            "check", "--only", rule, "--window", "6s", "--format", "json",
        ])
        .end();
    let report = ended.report();
    let findings = report["findings"].as_array().expect("a list");
    let subjects: Vec<_> = findings
        .iter()
        .map(|finding| (&finding["rule"], &finding["subject"]))
        .collect();
    let whole = case.findings.iter().find(|found| found.rule == rule);
    let whole = whole.expect("it is one of the case");
    assert_eq!(subjects, [(&rule.into(), &whole.subject.into())]);
    assert_eq!(report["troubles"], serde_json::json!([]));
    let events = ended.bundled("events.jsonl");
    for lane in left_out {
        assert!(!events.contains(&format!("lane {lane}")), "{lane}");
    }
}

#[test]
fn what_is_dropped_at_the_stop_needs_no_batches() {
    let left_out = ["batches", "deadlines", "cancels"];
    check("in-flight-dropped", "in-flight-dropped", &left_out);
}

#[test]
fn what_goes_on_without_its_caller_needs_no_stop() {
    let left_out = ["batches", "deadlines", "stop"];
    check("http-cancel-ignored", "cancel-ignored", &left_out);
}

#[test]
fn what_is_left_by_each_request_needs_no_audits() {
    let left_out = ["deadlines", "cancels", "stop"];
    check("fd-leak", "fd-leak", &left_out);
}

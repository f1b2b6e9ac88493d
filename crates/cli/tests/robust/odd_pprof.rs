//! pprof endpoints that answer oddly: what cannot be looked at is said, and does not pass.

use std::time::Duration;

use serde_json::Value;
use shakedown_testkit::{Ended, Run};

use crate::PROGRAM;
use crate::peak::Peak;

/// A run on `oddpprof`, in one of its modes.
fn run(flags: &[&str]) -> Ended {
    let live = Run::of(PROGRAM)
        .flags(["check", "--format", "json", "--window", "1s"])
        .command(["bin/oddpprof", "-http", "127.0.0.1:0", "-mode"])
        .command(flags)
        .at_once()
        .start();
    let peak = Peak::of(live.pid());
    let ended = live.wait();
    peak.stays_below(300);
    ended
}

fn outcome<'a>(report: &'a Value, rule: &str) -> (&'a str, &'a str) {
    let rows = report["rules"].as_array().expect("rows");
    let row = rows.iter().find(|row| row["name"] == rule);
    let row = row.unwrap_or_else(|| panic!("{rule} is not in {report}"));
    let text = |name: &str| row[name].as_str().unwrap_or_default();
    (text("outcome"), text("reason"))
}

/// Pages that are no pprof: the service has none, and that is proven.
fn missing(mode: &str) {
    let ended = run(&[mode]);
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    let report = ended.report();
    assert_eq!(outcome(&report, "pprof-missing").0, "failed");
    assert_eq!(outcome(&report, "pprof-public").0, "inconclusive");
    assert_eq!(report["troubles"], Value::Array(vec![]), "{mode}");
}

#[test]
fn a_page_random_bytes_and_a_body_without_end_are_no_pprof() {
    missing("html");
    missing("garbage");
    missing("endless");
}

#[test]
fn an_endpoint_that_hangs_is_neither_there_nor_missing() {
    let ended = run(&["hang"]);
    // It has no tracing SDK either.
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    let report = ended.report();
    let (missing, reason) = outcome(&report, "pprof-missing");
    assert_eq!(missing, "inconclusive");
    let hangs = "/debug/pprof/: no answer within 2s";
    assert!(reason.contains(hangs), "{reason}");
    assert!(report["troubles"].to_string().contains(hangs));
    assert_eq!(outcome(&report, "pprof-public").0, "inconclusive");
    assert!(ended.took < Duration::from_secs(60), "{:?}", ended.took);
}

/// The index is real, and so are goroutines; the profiles are told to be what they are.
fn unusable(mode: &str, says: &[&str]) {
    let ended = run(&[mode, "-index"]);
    let report = ended.report();
    assert_eq!(outcome(&report, "pprof-missing").0, "passed", "{mode}");
    assert_eq!(report["hot_spots"]["cpu"], Value::Null, "{mode}");
    let troubles = report["troubles"].to_string();
    for text in ["/debug/pprof/profile?seconds=1", "; "].iter().chain(says) {
        assert!(troubles.contains(text), "{text:?} is missing in {troubles}");
    }
    assert!(ended.took < Duration::from_secs(60), "{:?}", ended.took);
    let text = ended.bundled("report.txt");
    let odd = |letter: char| letter.is_control() && letter != '\n';
    assert!(!text.contains(odd), "{text:?}");
}

#[test]
fn a_profile_that_is_none_is_told_with_the_remedy() {
    unusable("html", &["HTML page (Orders)", "give the path"]);
    unusable("garbage", &["malformed profile", "something else"]);
    unusable("endless", &["longer than 64 MiB", "something else"]);
    unusable(
        "busy",
        &[
            "cpu profiling already in use",
            "stop the continuous profiler",
        ],
    );
}

#[test]
fn a_profile_that_never_comes_ends_the_wait() {
    unusable("hang", &["no answer within 11s", "does the handler hang"]);
}

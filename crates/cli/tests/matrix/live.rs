//! Each fault, live: exactly its findings and outcomes, and what every run must hold besides.
//!
//! With `SHAKEDOWN_FREEZE=DIR` each run's bundle is left in `DIR`, frozen, for `frozen.rs`.

use std::path::Path;
use std::process::Command;

use shakedown_report::FORMATS;
use shakedown_testkit::{Ended, Run, freeze};

use crate::expected;
use crate::table::CASES;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_shakedown");

#[test]
fn healthy() {
    let ended = check("healthy");
    let text = ended.bundled("report.txt");
    let lines = text.lines().count();
    assert!(lines <= 24, "{lines} lines are more than a screen:\n{text}");
    let widest = text.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(100), "{widest:?} columns:\n{text}");
}

#[test]
fn pprof_missing() {
    check("pprof-missing");
}

#[test]
fn cancel_without_pprof() {
    check("cancel-without-pprof");
}

#[test]
fn leak_without_pprof() {
    check("leak-without-pprof");
}

#[test]
fn pprof_public() {
    check("pprof-public");
}

#[test]
fn pprof_incomplete() {
    check("pprof-incomplete");
}

#[test]
fn profile_window_refused() {
    check("profile-window-refused");
}

#[test]
fn contention_profile_off() {
    check("contention-profile-off");
}

#[test]
fn secret_in_cmdline() {
    let ended = check("secret-in-cmdline");
    let secret = "harbour-4711-never-shown";
    let source =
        shakedown_testkit::source().join("internal/orders/credential_secret_in_cmdline.go");
    let source = std::fs::read_to_string(source).expect("the fixture's source");
    assert!(
        source.contains(secret),
        "the value that is looked for is the fixture's"
    );
    ended.bundle_lacks(secret);
}

#[test]
fn log_without_trace() {
    check("log-without-trace");
}

#[test]
fn span_id_without_trace_id() {
    check("span-id-without-trace-id");
}

#[test]
fn request_without_span() {
    check("request-without-span");
}

#[test]
fn incoming_context_ignored() {
    check("incoming-context-ignored");
}

#[test]
fn tracing_missing() {
    check("tracing-missing");
}

#[test]
fn sampled_away() {
    let ended = check("sampled-away");
    let report = ended.report();
    for rule in report["rules"].as_array().expect("a list") {
        let reason = rule["reason"].as_str().unwrap_or_default();
        let names_the_cause = reason.contains("most likely a sampler set in code");
        // Without spans a status is seen only if the answer comes before the reset.
        let reads_no_span = rule["name"] == "wrong-status";
        assert!(
            rule["outcome"] != "inconclusive" || names_the_cause || reads_no_span,
            "{reason}"
        );
    }
}

#[test]
fn context_not_forwarded() {
    check("context-not-forwarded");
}

#[test]
fn deadline_ignored() {
    check("deadline-ignored");
}

#[test]
fn cancel_ignored() {
    check("cancel-ignored");
}

#[test]
fn wrong_status() {
    check("wrong-status");
}

#[test]
fn http_cancel_ignored() {
    check("http-cancel-ignored");
}

#[test]
fn leak_per_request() {
    check("leak-per-request");
}

#[test]
fn sigterm_ignored() {
    check("sigterm-ignored");
}

#[test]
fn in_flight_dropped() {
    check("in-flight-dropped");
}

#[test]
fn drain_too_slow() {
    check("drain-too-slow");
}

#[test]
fn fd_leak() {
    check("fd-leak");
}

#[test]
fn heap_growth() {
    check("heap-growth");
}

#[test]
fn no_case_of_the_table_is_left_out() {
    let tests = include_str!("live.rs");
    for case in CASES {
        let name = case.name;
        assert!(tests.contains(&format!("check({name:?})")), "{name}");
    }
}

fn check(name: &str) -> Ended {
    let case = expected::case(name);
    // A service that ignores SIGTERM is waited for that long; the healthy one needs 0.3 s.
    let service = (case.service)(case.faults).grace("4s");
    let ended = Run::of(PROGRAM)
        .config(&service)
        .flags(["check", "--window", "6s", "--format", "json"])
        .end();
    let report = ended.report();
    case.check(&report);
    assert_eq!(ended.code, Some(case.code), "{}", ended.stderr);
    expected::check_keys(&report);
    assert_eq!(ended.stdout, ended.bundled("report.json"));
    for format in FORMATS.iter().map(|format| format.name) {
        let file = format!("report.{}", if format == "text" { "txt" } else { format });
        let again = replay(&ended, format, case.code);
        assert!(
            again == ended.bundled(&file),
            "{file} is not what it was:\n{again}"
        );
    }
    if let Some(to) = std::env::var_os("SHAKEDOWN_FREEZE") {
        freeze(&ended.bundle(), ended.folder(), &Path::new(&to).join(name));
    }
    ended
}

/// `replay` of the run's bundle, in an environment as bare as the run's own: width and colour are
/// those of no terminal.
fn replay(ended: &Ended, format: &str, code: i32) -> String {
    let output = Command::new(PROGRAM)
        .args(["replay", "--format", format, "bundle"])
        .current_dir(ended.folder())
        .env_clear()
        .output()
        .expect("shakedown starts");
    assert_eq!(output.status.code(), Some(code), "the exit code of replay");
    String::from_utf8(output.stdout).expect("a report is text")
}

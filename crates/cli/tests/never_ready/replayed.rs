//! The healthy run, of which something was not recorded.

use std::fmt::Write as _;
use std::io::BufReader;
use std::path::Path;

use serde_json::Value;
use shakedown_checklist::assess;
use shakedown_evidence::bundle;
use shakedown_findings::{RunReport, Verdict};
use shakedown_testkit::thawed_events;

/// Cut points over the whole of the bundle.
const CUTS: usize = 60;
/// The last events are looked at one by one: there a run is nearly whole.
const LAST: usize = 20;

/// The events of the healthy run, one a line; the first line says what the file is.
fn healthy() -> Vec<String> {
    bundle_of("healthy")
}

fn bundle_of(case: &str) -> Vec<String> {
    let bundles = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bundles");
    let lines = thawed_events(&bundles.join(case));
    lines.lines().map(str::to_owned).collect()
}

fn judge<'a>(lines: impl IntoIterator<Item = &'a String>) -> RunReport {
    let mut text = String::new();
    for line in lines {
        let _ = writeln!(text, "{line}");
    }
    let mut reader = BufReader::new(text.as_bytes());
    let evidence = bundle::read_events(&mut reader, Path::new("events.jsonl"));
    assess(&evidence.expect("cut short is not damaged"))
}

fn is(line: &str, event: &str) -> bool {
    line.starts_with(&format!("{{\"event\":\"{event}\""))
}

/// What a run that does not notice its own loss writes at its end.
fn finished(lines: &[String]) -> &String {
    let last = lines.last().expect("a whole bundle");
    assert!(is(last, "finished"), "{last}");
    last
}

/// Where to cut: evenly, and before each of the last events.
fn cuts(length: usize) -> impl Iterator<Item = usize> {
    let even = (0..CUTS).map(move |cut| 1 + cut * (length - 1) / CUTS);
    even.chain(length - LAST..length)
}

fn assert_not_ready(report: &RunReport, what: &str) {
    assert_ne!(report.verdict, Verdict::Ready, "{what}");
    let mut rules = report.rules.iter();
    let said = rules.any(|rule| rule.outcome != "passed") || report.not_ready_because.is_some();
    assert!(said, "{what}: without a reason");
}

#[test]
fn the_whole_bundle_is_ready() {
    assert_eq!(judge(&healthy()).verdict, Verdict::Ready);
}

#[test]
fn a_bundle_cut_short_anywhere() {
    let lines = healthy();
    for cut in cuts(lines.len()) {
        let what = format!("the first {cut} of {} lines", lines.len());
        assert_not_ready(&judge(&lines[..cut]), &what);
    }
}

/// Even if it says that it came to its end: what is missing is enough.
#[test]
fn a_run_that_left_out_its_later_steps() {
    let lines = healthy();
    let finished = finished(&lines);
    let canary = lines.iter().rposition(|line| line.contains("\"canary\""));
    let whole = canary.expect("the last look at the receiver");
    for cut in cuts(lines.len()).filter(|cut| *cut <= whole) {
        let what = format!("the first {cut} of {} lines and the last", lines.len());
        assert_not_ready(&judge(lines[..cut].iter().chain([finished])), &what);
    }
}

/// Each kind of event is needed: a probe that never worked proves nothing.
#[test]
fn a_run_without_one_kind_of_evidence() {
    let lines = healthy();
    for kind in [
        "run",
        "listener",
        "listener-facts",
        "line",
        "spans",
        "receiver",
        "call-sent",
        "call-ended",
        "pprof",
        "profile",
        "stack",
        "snapshot",
        "stop",
        "finished",
    ] {
        let without = lines.iter().filter(|line| !is(line, kind));
        assert_not_ready(&judge(without), &format!("without {kind}"));
    }
}

#[test]
fn a_receiver_that_died_half_way() {
    let lines = healthy();
    let (before, after) = lines.split_at(lines.len() / 2);
    let died =
        r#"{"event":"receiver","of":{"what":"died","at":15000000,"why":"accepting failed"}}"#;
    let died = died.to_owned();
    let after = after
        .iter()
        .filter(|line| !is(line, "spans") && !is(line, "receiver"));
    let report = judge(before.iter().chain([&died]).chain(after));
    assert_not_ready(&report, "without the later spans");
    let reason = &report
        .rules
        .iter()
        .find(|rule| rule.name == "context-not-forwarded");
    let reason = reason.expect("the rule").reason.as_str();
    assert!(
        reason.contains("spans were lost: accepting failed"),
        "{reason}"
    );
}

/// A listener that speaks TLS may have pprof, or not: nobody could look.
#[test]
fn a_listener_that_speaks_tls() {
    for (case, rule) in [
        ("healthy", "pprof-public"),
        ("pprof-missing", "pprof-missing"),
    ] {
        let tls = bundle_of(case).into_iter().map(|line| {
            let is_http = is(&line, "listener-facts") && !line.contains("pprof");
            if is_http {
                line.replace("http1", "tls")
            } else {
                line
            }
        });
        let report = judge(&tls.collect::<Vec<_>>());
        assert_not_ready(&report, case);
        let row = report.rules.iter().find(|row| row.name == rule);
        let row = row.expect("the rule");
        assert_eq!(row.outcome, "inconclusive", "{row:?}");
        assert!(row.reason.contains("speaks TLS"), "{row:?}");
    }
}

/// What the inventory does with our traces says nothing of the service that called it.
#[test]
fn spans_of_another_service_alone() {
    let lines = healthy().into_iter().map(|line| {
        if !is(&line, "spans") {
            return line;
        }
        let mut event: Value = serde_json::from_str(&line).expect("an event");
        let spans = event["of"]["spans"].as_array_mut().expect("a list");
        spans.retain(|span| span["service"] != "orders");
        // As if it called somebody in turn.
        let calls: Vec<Value> = spans
            .iter()
            .map(|span| {
                let mut call = span.clone();
                call["parent_id"] = span["span_id"].clone();
                call["kind"] = "client".into();
                call
            })
            .collect();
        spans.extend(calls);
        // The kind of event stands first.
        format!("{{\"event\":\"spans\",\"of\":{}}}", event["of"])
    });
    let lines: Vec<String> = lines.collect();
    let report = judge(&lines);
    assert_not_ready(&report, "without the spans of orders");
}

#[test]
fn log_lines_that_were_dropped() {
    let lines = healthy();
    let dropped = r#"{"event":"lines-dropped","of":7}"#.to_owned();
    let (before, last) = lines.split_at(lines.len() - 1);
    let report = judge(before.iter().chain([&dropped]).chain(last));
    assert_not_ready(&report, "7 lines dropped");
}

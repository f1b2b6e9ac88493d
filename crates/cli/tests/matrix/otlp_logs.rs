//! A service that writes no line of its log to a pipe: all of it is exported over OTLP.

use serde_json::Value;
use shakedown_testkit::{Ended, Run, Service};

fn run(more: &[&'static str]) -> Ended {
    let mut command = vec![
        "bin/bridge",
        "-http",
        "127.0.0.1:0",
        "-admin",
        "127.0.0.1:0",
    ];
    command.extend(more);
    let service = Service::new("bridge", command).http("GET /greetings/ann");
    Run::of(env!("CARGO_BIN_EXE_shakedown"))
        .config(&service)
        .flags(["check", "--window", "6s", "--format", "json"])
        .end()
}

#[test]
fn records_with_ids_are_enough() {
    let report = run(&[]).report();
    assert_eq!(report["verdict"], "READY", "{}", report["rules"]);
}

#[test]
fn a_record_without_its_context_is_found_at_its_line() {
    let report = run(&["-without-context"]).report();
    assert_eq!(report["verdict"], "NOT READY", "{}", report["rules"]);
    let findings = report["findings"].as_array().expect("a list");
    let [finding] = findings.as_slice() else {
        panic!("{findings:?}");
    };
    assert_eq!(finding["rule"], "log-without-trace");
    assert_eq!(finding["subject"], "\"name looked up\"");
    let said = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    assert!(said(&finding["message"]).contains("over OTLP"), "{finding}");
    let file = said(&finding["location"]["file"]);
    assert!(file.ends_with("cmd/bridge/main.go"), "{finding}");
}

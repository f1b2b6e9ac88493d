//! A service without reflection, stripped: its methods and messages stand in the executable.

use std::process::Command;

use serde_json::Value;
use shakedown_testkit::{Ended, Run, orders_alone, source};

use crate::live::PROGRAM;

/// A run on the stripped service without reflection, with words for the check.
fn check(words: &[&str]) -> Ended {
    let service = orders_alone(&[])
        .program("bin/stripped")
        .with(&["-reflection=false"]);
    let run = Run::of(PROGRAM).config(&service);
    let built = Command::new("go")
        .args(["build", "-trimpath", "-ldflags=-s -w", "-o"])
        .arg(run.folder().join("bin/stripped"))
        .arg("./cmd/orders")
        .current_dir(source())
        .output()
        .expect("live tests need Go");
    assert!(built.status.success(), "{built:?}");
    run.flags(["check", "--window", "1s", "--format", "json"])
        .flags(words.iter().copied())
        .end()
}

fn calls(ended: &Ended) -> Vec<Value> {
    let events = ended.bundled("events.jsonl");
    let events = events
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let ends = events.filter(|event| event["event"] == "call-ended");
    ends.map(|event| event["of"]["end"].clone()).collect()
}

#[test]
fn a_request_with_data_needs_no_reflection() {
    let words = ["--only", "deadline-ignored"];
    let request = ["--grpc", "orders.v1.Orders/Get", "--data", r#"{"id":"7"}"#];
    let ended = check(&[&words[..], &request].concat());
    let calls = calls(&ended);
    assert!(calls.len() > 4, "{calls:?}");
    // Without an id the answer would be INVALID_ARGUMENT.
    assert!(calls.iter().any(|end| end["code"] == 0), "{calls:?}");
    let refused = calls.iter().any(|end| end["code"] == 3);
    assert!(!refused, "{calls:?}");
    assert_eq!(ended.report()["troubles"], serde_json::json!([]));
}

#[test]
fn a_mistake_in_the_data_names_the_fields_that_there_are() {
    let words = ["--only", "deadline-ignored"];
    let request = [
        "--grpc",
        "orders.v1.Orders/Get",
        "--data",
        r#"{"ident":"7"}"#,
    ];
    let ended = check(&[&words[..], &request].concat());
    let troubles = ended.report()["troubles"].to_string();
    assert!(
        troubles.contains("no field `ident`; it has id"),
        "{troubles}"
    );
}

#[test]
fn a_service_that_nobody_declares_is_an_error_with_the_remedies() {
    let words = ["--only", "deadline-ignored"];
    let request = ["--grpc", "shop.v1.Shop/Buy", "--data", r#"{"id":"7"}"#];
    let ended = check(&[&words[..], &request].concat());
    let troubles = ended.report()["troubles"].to_string();
    for wanted in [
        "no reflection",
        "bin/stripped declares no shop.v1.Shop; it has orders.v1.Orders",
        "--proto-set FILE",
    ] {
        assert!(troubles.contains(wanted), "{wanted}: {troubles}");
    }
    assert!(
        !troubles.contains("inventory.v1"),
        "only its own: {troubles}"
    );
}

#[test]
fn without_a_request_one_is_made_up_and_shown_and_not_sent() {
    let ended = check(&["--only", "deadline-ignored"]);
    let report = ended.report();
    let rules = report["rules"].as_array().expect("a list");
    let rule = rules.iter().find(|rule| rule["name"] == "deadline-ignored");
    let to_prove = rule.expect("judged")["to_prove"].to_string();
    let wanted = r#"--grpc orders.v1.Orders/Get --data '{\"id\":\"1\"}'"#;
    assert!(to_prove.contains(wanted), "{to_prove}");
    let sent = ended.bundled("events.jsonl");
    let log = |line: &&str| line.contains(r#""event":"line""#);
    assert!(
        !sent
            .lines()
            .filter(log)
            .any(|line| line.contains("order found"))
    );
}

//! A service behind a shell, `go run` or a daemon's double fork is judged as if it had been started
//! directly, and signals go to the process that answers the requests.

use std::collections::BTreeMap;

use serde_json::Value;
use shakedown_testkit::{BY_FLAG, Ended, Run, orders_alone, source};

use crate::PROGRAM;

const GET: [&str; 4] = ["--grpc", "orders.v1.Orders/Get", "--data", r#"{"id":"7"}"#];
const ORDERS: &str = "bin/orders -http 127.0.0.1:0 -grpc 127.0.0.1:0 -admin 127.0.0.1:0 \
    -inventory 127.0.0.1:{port.inventory}";

/// A run with the dependency as the configuration has it, and this in place of the command.
fn run(command: &[&str]) -> Ended {
    Run::of(PROGRAM)
        .config(&orders_alone(&[]))
        .flags(["check", "--format", "json", "--window", "1s"])
        .flags(GET)
        .command(command)
        .end()
}

/// Every rule passed, and the process that was told to stop is the one that answered.
fn check(ended: &Ended) {
    let report = ended.report();
    assert_eq!(report["findings"], Value::Array(vec![]));
    assert_eq!(report["troubles"], Value::Array(vec![]));
    let rows = report["rules"].as_array().expect("rows");
    let outcomes: BTreeMap<&str, &str> = rows
        .iter()
        .filter_map(|row| Some((row["name"].as_str()?, row["outcome"].as_str()?)))
        .collect();
    let open: Vec<_> = outcomes
        .iter()
        .filter(|(name, outcome)| **outcome != "passed" && !BY_FLAG.contains(name))
        .collect();
    assert_eq!(open, [], "{report:#}");
    assert_eq!(
        ended.code,
        Some(3),
        "nothing but the short window stands against READY"
    );
    let module = report["target"]["module"].as_str().unwrap_or_default();
    assert!(module.starts_with("shakedown.test/fixtures"), "{module}");

    let events = events(ended);
    let call = of(&events, "call-sent", |call| call["purpose"] == "traffic");
    let listener = of(&events, "listener", |listener| {
        listener["reach"] == call["reach"]
    });
    let stop = of(&events, "stop", |_| true);
    assert_eq!(
        stop["pid"], listener["pid"],
        "SIGTERM went to another process"
    );
    assert_eq!(report["target"]["pid"], listener["pid"]);
}

fn events(ended: &Ended) -> Vec<Value> {
    let events = ended.bundled("events.jsonl");
    let events = events.lines().skip(1);
    events
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

fn of<'a>(events: &'a [Value], kind: &str, wanted: impl Fn(&Value) -> bool) -> &'a Value {
    let mut of_kind = events.iter().filter(|event| event["event"] == kind);
    let found = of_kind.find(|event| wanted(&event["of"]));
    &found.unwrap_or_else(|| panic!("no {kind}"))["of"]
}

#[test]
fn directly() {
    let words: Vec<&str> = ORDERS.split_whitespace().collect();
    check(&run(&words));
}

#[test]
fn behind_a_shell_that_started_the_dependency_too() {
    let script =
        format!("bin/inventory -grpc 127.0.0.1:{{port.inventory}} & sleep 0.3; exec {ORDERS}");
    let ended = Run::of(PROGRAM)
        .flags(["check", "--format", "json", "--window", "1s"])
        .flags(GET)
        .command(["sh", "-c", &script])
        .end();
    check(&ended);
}

#[test]
fn behind_a_shell_that_waits() {
    check(&run(&["sh", "-c", &format!("{ORDERS}; exit $?")]));
}

#[test]
fn in_a_process_group_of_its_own() {
    let script = format!("set -m; {ORDERS} & wait $!");
    check(&run(&["bash", "-c", &script]));
}

#[test]
fn in_a_session_of_its_own() {
    let mut words = vec!["setsid"];
    words.extend(ORDERS.split_whitespace());
    check(&run(&words));
}

#[test]
fn as_a_daemon_whose_parent_has_ended() {
    check(&run(&[
        "sh",
        "-c",
        &format!("(setsid {ORDERS} &) ; exit 0"),
    ]));
}

#[test]
fn by_go_run() {
    let source = source().display().to_string();
    let mut words = vec!["go", "run", "-C", &source, "./cmd/orders"];
    words.extend(ORDERS.split_whitespace().skip(1));
    check(&run(&words));
}

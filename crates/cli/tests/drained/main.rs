//! Twenty stops of a healthy service under kept-alive clients, and twenty of one that exits where
//! it stands: the first always passes in-flight-dropped, the second never does.
//!
//! A quarter of an hour, so it is not part of the ordinary tests:
//! `cargo test -p shakedown-cli --test drained -- --ignored --nocapture`.

mod clients;

use std::net::{SocketAddr, TcpListener};

use serde_json::Value;
use shakedown_testkit::{Run, Service};

use clients::Clients;

const PROGRAM: &str = env!("CARGO_BIN_EXE_shakedown");
const STOPS: usize = 20;
const CLIENTS: usize = 16;

/// A free port, told to the service before it starts.
fn free() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address")
}

/// The example service on a known address.
fn service(http: SocketAddr, fault: &str) -> Service {
    let inventory = "127.0.0.1:{port.inventory}";
    let http = http.to_string();
    let mut command = vec!["bin/orders", "-http", &http];
    for flag in ["-grpc", "-admin"] {
        command.extend([flag, "127.0.0.1:0"]);
    }
    command.extend(["-inventory", inventory]);
    if !fault.is_empty() {
        command.extend(["-fault", fault]);
    }
    Service::new("orders", command)
        .needs(
            "inventory",
            &["bin/inventory", "-grpc", inventory],
            Some(&format!("grpc://{inventory}")),
        )
        .grpc("orders.v1.Orders/Get", r#"{"id":"7"}"#)
        .http("GET /orders/7")
}

/// The outcome of a rule, with its reason.
fn outcome(report: &Value, rule: &str) -> (String, String) {
    let rules = report["rules"].as_array().expect("a list");
    let row = rules.iter().find(|row| row["name"] == rule);
    let text = |key: &str| {
        row.expect("the rule")[key]
            .as_str()
            .expect("text")
            .to_owned()
    };
    (text("outcome"), text("reason"))
}

/// How often in-flight-dropped came to `wanted` under the clients.
#[expect(
    clippy::print_stderr,
    reason = "whoever runs this wants to see each stop"
)]
fn stops(fault: &str, wanted: &str) -> usize {
    let mut right = 0;
    for stop in 1..=STOPS {
        let http = free();
        let mut live = Run::of(PROGRAM)
            .config(&service(http, fault))
            .flags(["check", "--quick", "--format", "json"])
            .start();
        // Before that they would only disturb what other rules count.
        live.until_recorded("lane stop");
        let clients = Clients::start(http, "/orders/7", CLIENTS);
        let ended = live.wait();
        let (answered, broken) = clients.stop();
        assert!(answered > 0, "the clients were never answered");
        let (word, reason) = outcome(&ended.report(), "in-flight-dropped");
        let (sigterm, _) = outcome(&ended.report(), "sigterm-ignored");
        eprintln!(
            "{stop:2} {word}: {reason}; clients: {answered} answered, {broken} connections broken"
        );
        assert_eq!(sigterm, "passed");
        right += usize::from(word == wanted);
    }
    right
}

#[test]
#[ignore = "ten minutes"]
fn a_healthy_shutdown_passes_every_time() {
    assert_eq!(stops("", "passed"), STOPS);
}

#[test]
#[ignore = "ten minutes"]
fn an_exit_fails_every_time() {
    assert_eq!(stops("in-flight-dropped", "failed"), STOPS);
}

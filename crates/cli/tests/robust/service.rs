//! Services that end early, are never ready, or talk too much.

use std::net::TcpListener;

use serde_json::Value;
use shakedown_testkit::{Ended, Run};

use crate::PROGRAM;
use crate::peak::Peak;

fn run(command: &[&str]) -> Run {
    Run::of(PROGRAM)
        .flags(["check", "--format", "json", "--window", "1s"])
        .command(command)
}

/// NOT PROVEN, and this is said of the run itself.
fn check(ended: &Ended, says: &[&str]) {
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    let report = ended.report();
    assert_eq!(report["findings"], Value::Array(vec![]));
    let troubles = report["troubles"].to_string();
    for text in says {
        assert!(troubles.contains(text), "{text:?} is missing in {troubles}");
    }
    let text = ended.bundled("report.txt");
    assert!(text.contains("NOT PROVEN"), "{text}");
}

#[test]
fn a_panic_for_a_missing_variable_names_it() {
    let ended = run(&["bin/needsenv"]).at_once().end();
    check(&ended, &["code 2", "--env PAYMENTS_URL=VALUE", "panic: "]);
    let ended = run(&["bin/needsenv"])
        .flags(["--env", "PAYMENTS_URL=http://payments"])
        .at_once()
        .end();
    check(&ended, &["code 0", "payments are at http://payments"]);
}

#[test]
fn a_service_that_is_never_ready_is_reported_with_its_answer() {
    let ended = run(&["bin/neverready", "-http", "127.0.0.1:{port.http}"])
        .flags(["--ready", "http://127.0.0.1:{port.http}/healthz"])
        .flags(["--ready-timeout", "3s"])
        .at_once()
        .end();
    check(
        &ended,
        &[
            "never became ready",
            "/healthz: answered 503",
            "listening http=",
        ],
    );
    assert!(ended.took.as_secs() < 20, "{:?}", ended.took);
}

#[test]
fn a_dependency_that_is_never_ready_is_an_error_with_its_last_lines() {
    let config = "schema = 1\n[[service]]\nname = \"orders\"\nstart = { cmd = [\"bin/worker\"] }\n\
        [[service.dependency]]\nname = \"inventory\"\ncmd = [\"bin/needsenv\"]\n";
    let ended = Run::of(PROGRAM)
        .file("shakedown.toml", config.as_bytes())
        .flags(["check"])
        .at_once()
        .end();
    assert_eq!(ended.code, Some(2), "{}", ended.stdout);
    for text in ["dependency inventory", "code 2", "PAYMENTS_URL"] {
        assert!(ended.stderr.contains(text), "{}", ended.stderr);
    }
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("it is bound").to_string();
    let port = taken.local_addr().expect("it is bound").port();
    let ended = run(&["bin/neverready", "-http", &address]).at_once().end();
    let remedy = format!("port {port} is taken");
    check(&ended, &["code 1", "address already in use", &remedy]);
    // The text report has all of the remedy, however long.
    let text = ended.bundled("report.txt");
    assert!(
        text.contains(&remedy) && text.contains("ss -ltnp"),
        "{text}"
    );
    assert!(!text.contains(&format!("sport = :{port}')…")), "{text}");
}

#[test]
fn the_ports_of_a_collector_may_be_taken() {
    // By a collector of this machine, or by another run, or now by us.
    let _taken = ["127.0.0.1:4317", "127.0.0.1:4318"].map(TcpListener::bind);
    let ended = run(&["bin/worker"]).at_once().end();
    let report = ended.report();
    assert_eq!(report["troubles"], Value::Array(vec![]));
    assert_eq!(report["verdict"], "NOT READY", "no pprof");
}

/// A tracing backend listens there itself: it has the first try.
#[test]
fn the_ports_of_a_collector_are_taken_after_the_service_is_ready() {
    let ended = run(&["bin/worker"]).at_once().end();
    let events = ended.bundled("events.jsonl");
    let at = |text: &str| events.lines().position(|line| line.contains(text));
    let ready = at(r#""event":"ready""#).expect("it became ready");
    for port in ["127.0.0.1:4317", "127.0.0.1:4318"] {
        // Nowhere, if another run has them.
        assert!(at(port).is_none_or(|taken| taken > ready), "{port}");
    }
}

#[test]
fn a_service_that_floods_its_log_is_heard_to_its_end() {
    let live = run(&["bin/flood", "-http", "127.0.0.1:0"])
        .at_once()
        .start();
    let peak = Peak::of(live.pid());
    let ended = live.wait();
    peak.stays_below(300);
    assert_eq!(ended.report()["verdict"], "NOT READY", "no pprof");
    assert!(ended.took.as_secs() < 60, "{:?}", ended.took);
}

#[test]
fn a_flood_that_is_too_much_is_told_with_its_last_lines() {
    let script = "yes 'the queue is empty' & exec bin/oddlog -http 127.0.0.1:0 -admin 127.0.0.1:0";
    let live = run(&["sh", "-c", script]).at_once().start();
    let peak = Peak::of(live.pid());
    let ended = live.wait();
    peak.stays_below(300);
    let report = ended.report();
    assert_eq!(report["verdict"], "NOT READY", "no tracing SDK");
    let troubles = report["troubles"].to_string();
    for text in [
        "flooded its log",
        "set its log level",
        "last lines:\\n  the queue is empty",
    ] {
        assert!(troubles.contains(text), "{text:?} is missing in {troubles}");
    }
}

#[test]
fn requests_that_never_succeed_are_not_sent_in_batches() {
    let ended = run(&["bin/neverready", "-http", "127.0.0.1:0"])
        .flags(["--http", "GET /healthz"])
        .at_once()
        .end();
    let report = ended.report();
    let troubles = report["troubles"].to_string();
    assert!(
        troubles.contains("was answered well: HTTP 503"),
        "{troubles}"
    );
    let rows = report["rules"].as_array().expect("rows");
    let leaks = rows.iter().find(|row| row["name"] == "leak-per-request");
    let leaks = leaks.expect("a row").to_string();
    assert!(
        leaks.contains("none of the requests given was answered well"),
        "{leaks}"
    );
}

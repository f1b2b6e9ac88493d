//! Runs that lack something.

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use serde_json::Value;
use shakedown_testkit::{BY_FLAG, Ended, Run, Service, Signal, orders, orders_alone};

const NOT_PROVEN: (&str, i32) = ("NOT PROVEN", 3);
const NOT_READY: (&str, i32) = ("NOT READY", 1);

/// A check with a window that is long enough to be READY, so that nothing but the case is missing.
fn run() -> Run {
    Run::of(env!("CARGO_BIN_EXE_shakedown")).flags(["check", "--format", "json", "--window", "6s"])
}

/// Verdict, exit code and reasons: all stand in the text report, which people read.
fn check(ended: &Ended, (verdict, code): (&str, i32), reasons: &[&str]) -> Value {
    let report = ended.report();
    // The text is wrapped to its width.
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = words(&ended.bundled("report.txt"));
    assert_eq!(report["verdict"], verdict, "{text}");
    assert_eq!(ended.code, Some(code), "{text}");
    assert!(text.contains(verdict), "{text}");
    for reason in reasons {
        assert!(text.contains(reason), "no {reason:?} in:\n{text}");
    }
    report
}

/// Nothing but what the case leaves out keeps the run from being READY.
fn whole(report: &Value) {
    assert_eq!(report["not_ready_because"], Value::Null);
}

fn outcome<'a>(report: &'a Value, rule: &str) -> &'a str {
    let mut rules = report["rules"].as_array().expect("a list").iter();
    let row = rules.find(|row| row["name"] == rule).expect("the rule");
    row["outcome"].as_str().expect("a word")
}

#[test]
fn without_traffic() {
    let ended = run().config(&orders_alone(&[])).end();
    let reasons = [
        "no request was given",
        "--http 'GET /path'",
        "--grpc pkg.Service/Method",
    ];
    whole(&check(&ended, NOT_PROVEN, &reasons));
}

#[test]
fn without_pprof() {
    let ended = run().config(&orders(&["pprof-missing"])).end();
    let reason = "None of its 2 listeners serves net/http/pprof";
    let report = check(&ended, NOT_READY, &[reason]);
    whole(&report);
    for rule in ["pprof-public", "profile-window-refused", "heap-growth"] {
        assert_eq!(outcome(&report, rule), "inconclusive", "{rule}");
    }
    // Goroutines are seen in other ways, too.
    for rule in ["deadline-ignored", "cancel-ignored", "leak-per-request"] {
        assert_eq!(outcome(&report, rule), "passed", "{rule}");
    }
}

#[test]
fn without_otlp() {
    // `env` stands nearer to the service than the variables that the run sets.
    let elsewhere = ["env", "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:9"];
    let ended = run().config(&orders(&[]).behind(&elsewhere)).end();
    // The inventory, which it calls, exports to us all the same.
    let reasons = ["no span of our requests arrived", "inventory exports to us"];
    let report = check(&ended, NOT_PROVEN, &reasons);
    whole(&report);
    for rule in ["log-without-trace", "context-not-forwarded"] {
        assert_eq!(outcome(&report, rule), "inconclusive", "{rule}");
    }
}

#[test]
fn with_the_receiver_killed_half_way() {
    let mut live = run().config(&orders(&[])).start();
    live.until_recorded("lane batches");
    live.shut_receiver();
    let ended = live.wait();
    let report = check(&ended, NOT_PROVEN, &["spans were lost", "accepting failed"]);
    whole(&report);
    assert_eq!(outcome(&report, "context-not-forwarded"), "inconclusive");
}

#[test]
fn quick() {
    let run = Run::of(env!("CARGO_BIN_EXE_shakedown"));
    let run = run.flags(["check", "--format", "json", "--quick"]);
    let ended = run.config(&orders(&[])).end();
    let report = check(&ended, NOT_PROVEN, &["--quick shortens the windows"]);
    // Nothing else is missing: the flag alone is enough.
    all_passed_but(&report, &[]);
}

/// Every rule passed, apart from those that only a flag asks for, and those that were inconclusive.
fn all_passed_but(report: &Value, inconclusive: &[&str]) {
    for rule in report["rules"].as_array().expect("a list") {
        let outcomes: &[&str] = match rule["name"].as_str().unwrap_or_default() {
            name if inconclusive.contains(&name) => &["inconclusive"],
            name if BY_FLAG.contains(&name) => &["not exercised", "inconclusive"],
            _ => &["passed"],
        };
        let outcome = rule["outcome"].as_str().unwrap_or_default();
        assert!(outcomes.contains(&outcome), "{rule}");
    }
}

#[test]
fn only_one_item() {
    let ended = run()
        .flags(["--only", "lifecycle"])
        .config(&orders(&[]))
        .end();
    let report = check(&ended, NOT_PROVEN, &["--only left rules out"]);
    assert_eq!(outcome(&report, "leak-per-request"), "passed");
    assert_eq!(outcome(&report, "pprof-missing"), "not exercised");
}

#[test]
fn a_short_window() {
    let run = Run::of(env!("CARGO_BIN_EXE_shakedown"));
    let run = run.flags(["check", "--format", "json", "--window", "3s"]);
    let ended = run.config(&orders(&[])).end();
    check(
        &ended,
        NOT_PROVEN,
        &["a window of 3000 ms is too short", "--window 6s"],
    );
}

/// It answers, but it is not Go's, it has no pprof, and it exports no spans.
#[test]
fn a_server_in_python() {
    let port = "{port.web}";
    let command = [
        "python3",
        "-u",
        "-m",
        "http.server",
        "--bind",
        "127.0.0.1",
        port,
    ];
    let service = Service::new("web", command).http("GET /");
    let reasons = [
        "the executable is not Go's",
        "no span of our requests arrived",
    ];
    whole(&check(&run().config(&service).end(), NOT_PROVEN, &reasons));
}

#[test]
fn a_server_in_python_by_flags_alone() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
    let port = port.expect("a port").port().to_string();
    let ended = run().command(["python3", "-m", "http.server", &port]).end();
    whole(&check(&ended, NOT_PROVEN, &["no request was given"]));
}

#[test]
fn a_sleep() {
    let ended = run().command(["sleep", "1000"]).end();
    whole(&check(&ended, NOT_PROVEN, &["the executable is not Go's"]));
}

#[test]
fn a_worker_without_listener() {
    let ended = run().command(["bin/worker"]).end();
    let report = check(&ended, NOT_READY, &["no listener at all"]);
    whole(&report);
    for rule in ["log-without-trace", "deadline-ignored", "leak-per-request"] {
        assert_ne!(outcome(&report, rule), "passed", "{rule}");
    }
}

#[test]
fn a_fast_handler() {
    let ended = run().config(&orders_alone(&[]).http("GET /healthz")).end();
    let report = check(&ended, NOT_PROVEN, &["too fast to be caught"]);
    whole(&report);
    assert_ne!(outcome(&report, "cancel-ignored"), "passed");
}

/// It has everything, but what was asked of it does not exist.
#[test]
fn requests_that_lead_nowhere() {
    let service = orders_alone(&[]).http("GET /nowhere");
    let ended = run()
        .config(&service.grpc("orders.v1.Orders/Nothing", "{}"))
        .end();
    let reasons = [
        "GET /nowhere: no listener knows it: HTTP 404",
        "has no method `Nothing`; it has Get, Search",
    ];
    let report = check(&ended, NOT_PROVEN, &reasons);
    whole(&report);
    for rule in ["deadline-ignored", "cancel-ignored", "leak-per-request"] {
        assert_ne!(outcome(&report, rule), "passed", "{rule}");
    }
}

/// Somebody else takes a profile all the time: the window that READY rests on is not to be had.
#[test]
fn a_cpu_profile_that_is_taken_by_another() {
    let mut live = run().config(&orders(&[])).start();
    live.until_recorded(r#""event":"pprof""#);
    let found = &live.recorded("pprof")[0]["of"];
    let mut other = TcpStream::connect(found["reach"].as_str().expect("an address"));
    let other = other.as_mut().expect("pprof answers");
    let ask = "GET /debug/pprof/profile?seconds=60 HTTP/1.1\r\nhost: other\r\n\r\n";
    other.write_all(ask.as_bytes()).expect("it is asked");
    live.until_recorded("lane batches");
    other.shutdown(Shutdown::Both).expect("it goes");
    let reasons = ["the CPU window could not be taken whole", "already in use"];
    let report = check(&live.wait(), NOT_PROVEN, &reasons);
    all_passed_but(&report, &["profile-window-refused"]);
}

#[test]
fn a_service_that_dies_in_the_middle() {
    let mut live = run().config(&orders(&[])).start();
    live.until_recorded("lane batches");
    live.signal_service(Signal::KILL);
    let ended = live.wait();
    assert!(ended.took < Duration::from_secs(60), "{:?}", ended.took);
    let report = check(&ended, NOT_PROVEN, &["the service was ended by signal 9"]);
    assert_ne!(outcome(&report, "sigterm-ignored"), "passed");
}

//! A service that sends its spans to 127.0.0.1:4317 whatever its environment says: we listen
//! there, if nobody else does.

use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use shakedown_testkit::{Ended, Run, orders};

const COLLECTOR: &str = "127.0.0.1:4317";
/// Another run may have the port for its own length.
const PATIENCE: Duration = Duration::from_secs(240);

fn run() -> Run {
    Run::of(env!("CARGO_BIN_EXE_shakedown"))
        .config(&orders(&["collector-hard-coded"]))
        .flags(["check", "--window", "6s", "--format", "json"])
}

fn reasons(ended: &Ended) -> Vec<(String, String)> {
    let report = ended.report();
    let rules = report["rules"].as_array().expect("a list").iter();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    rules
        .map(|rule| (text(&rule["outcome"]), text(&rule["reason"])))
        .collect()
}

#[test]
fn its_port_is_ours_where_it_is_free() {
    let ended = run().own_network().end();
    assert_eq!(ended.report()["verdict"], "READY", "{:?}", reasons(&ended));
}

#[test]
fn another_collector_is_named_as_the_cause() {
    let collector = Collector::start();
    let ended = run().end();
    drop(collector);
    assert_eq!(ended.report()["verdict"], "NOT PROVEN");
    let reasons = reasons(&ended);
    // Beside the rules of the item trace: wrong-status, if no answer of a handler was seen.
    let open = reasons
        .iter()
        .filter(|(outcome, why)| outcome == "inconclusive" && !why.contains("status was not seen"));
    let mut count = 0;
    for (_, reason) in open {
        assert!(reason.contains("connected to 127.0.0.1:4317"), "{reason}");
        assert!(reason.contains("WithEndpoint"), "{reason}");
        count += 1;
    }
    assert_eq!(count, 5, "{reasons:?}");
}

/// Takes connections and says nothing.
struct Collector(Arc<AtomicBool>);

impl Collector {
    fn start() -> Self {
        let began = Instant::now();
        let listener = loop {
            match TcpListener::bind(COLLECTOR) {
                Ok(listener) => break listener,
                Err(error) => assert!(began.elapsed() < PATIENCE, "{COLLECTOR}: {error}"),
            }
            sleep(Duration::from_millis(5));
        };
        let gone = Arc::new(AtomicBool::new(false));
        let is_gone = Arc::clone(&gone);
        spawn(move || {
            let mut held: Vec<TcpStream> = Vec::new();
            while !is_gone.load(Ordering::Acquire) {
                held.extend(listener.accept().map(|(stream, _)| stream));
            }
        });
        Self(gone)
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
        // It waits for a connection.
        let _ = TcpStream::connect(COLLECTOR);
    }
}

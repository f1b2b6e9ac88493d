//! Stopping the program at any moment leaves no process of its own and a readable bundle.
//!
//! The moments are read off what the run records, so that they are the same on a slow machine.

use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use shakedown_testkit::{Live, Run, Signal, orders_alone};

use crate::PROGRAM;

/// A name, and what stands in the bundle when the moment has come.
const MOMENTS: [(&str, &str); 10] = [
    ("start", r#""event":"receiver""#),
    ("dependency", r#""role":{"dependency":"inventory"}"#),
    ("service", r#""role":"target""#),
    ("identify", "lane look"),
    ("window", "lane window"),
    ("traffic", r#""purpose":"traffic""#),
    ("batches", r#""purpose":"batch""#),
    ("deadline audit", r#""purpose":"deadline""#),
    ("cancel audit", r#""purpose":"cancel""#),
    ("stop", "SIGTERM sent to process"),
];
const SIGNALS: [Signal; 3] = [Signal::KILL, Signal::INT, Signal::TERM];
/// Runs side by side: nothing is measured in them, and most of their time is waiting.
const AT_ONCE: usize = 5;
/// From Ctrl-C to the prompt, at most.
const PROMPT: Duration = Duration::from_secs(5);

type Case = (Signal, (&'static str, &'static str));

#[test]
fn a_signal_at_any_moment_leaves_no_process_and_a_readable_bundle() {
    let cases = MOMENTS
        .iter()
        .rev()
        .flat_map(|moment| SIGNALS.map(|signal| (signal, *moment)));
    let cases: Mutex<Vec<Case>> = Mutex::new(cases.collect());
    let next = || cases.lock().expect("no check holds it").pop();
    let failed: Vec<String> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                scope.spawn(move || {
                    let mut failed = Vec::new();
                    while let Some(case) = next() {
                        failed.extend(check_named(case));
                    }
                    failed
                })
            })
            .collect();
        let failed = workers.into_iter().map(|worker| worker.join());
        failed
            .flat_map(|failed| failed.expect("checks are caught"))
            .collect()
    });
    assert_eq!(failed, [""; 0]);
}

/// The name of a case that fails; what was wrong is printed under the same name.
fn check_named((signal, moment): Case) -> Option<String> {
    let name = format!("{signal:?} at the moment {:?}", moment.0);
    let thread = std::thread::Builder::new().name(name.clone());
    let checked = thread
        .spawn(move || check(signal, moment.1))
        .expect("a thread");
    checked.join().err().map(|_| name)
}

fn check(signal: Signal, recorded: &str) {
    let mut live = run();
    live.until_recorded(recorded);
    let sent = Instant::now();
    live.signal(signal);
    // No process of the run may be left: the testkit looks for them in all of /proc.
    let ended = live.wait();
    let took = sent.elapsed();
    if signal != Signal::KILL {
        assert_eq!(ended.code, Some(130), "{}", ended.stderr);
        assert!(took < PROMPT, "{took:?}");
        assert!(ended.stdout.contains("interrupted"), "{}", ended.stdout);
    }
    let replayed = Command::new(PROGRAM)
        .args(["replay", "--format", "json"])
        .arg(ended.bundle())
        .output()
        .expect("shakedown starts");
    // Nothing is wrong with the service, but nothing may be READY that did not come to its end.
    let said = String::from_utf8_lossy(&replayed.stderr);
    assert_eq!(replayed.status.code(), Some(3), "{said}");
    assert_eq!(said, "");
}

fn run() -> Live {
    let service = orders_alone(&[]).grpc("orders.v1.Orders/Get", r#"{"id":"7"}"#);
    Run::of(PROGRAM)
        .config(&service)
        .flags(["check", "--window", "1s"])
        .at_once()
        .start()
}

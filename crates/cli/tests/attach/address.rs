//! By its addresses.

use std::process::Command;

use shakedown_testkit::{Ended, Run};

use crate::PROGRAM;
use crate::expected::{STOP_BY_ADDRESS, by_address, check, run};
use crate::outside::Outside;

#[test]
fn what_only_a_process_shows_stays_open() {
    let run = run();
    let mut outside = Outside::start(&run, &[]);
    let ended = by_address(run, &outside).end();
    let private = format!("--private {}", outside.admin);
    check(
        &ended,
        "NOT PROVEN",
        &[
            ("pprof-public", "inconclusive", &private),
            // Its environment cannot be seen, so nobody knows where it sends its spans.
            (
                "log-without-trace",
                "inconclusive",
                "OTEL_EXPORTER_OTLP_ENDPOINT",
            ),
            (
                "context-not-forwarded",
                "inconclusive",
                "OTEL_EXPORTER_OTLP_ENDPOINT",
            ),
            ("deadline-ignored", "not exercised", "--consent audits"),
            ("cancel-ignored", "not exercised", "--consent audits"),
            ("leak-per-request", "not exercised", "--consent load"),
            STOP_BY_ADDRESS,
        ],
    );
    assert!(outside.is_alive());
}

#[test]
fn with_consent_everything_but_the_stop_is_proven() {
    let run = run();
    let mut outside = Outside::start(&run, &[]);
    let ended = by_address(run, &outside)
        .flags(["--logs", "orders.log", "--consent", "load,audits"])
        .flags(["--private", &outside.admin])
        .end();
    check(
        &ended,
        "NOT PROVEN",
        &[
            (
                "log-without-trace",
                "inconclusive",
                "OTEL_EXPORTER_OTLP_ENDPOINT",
            ),
            (
                "context-not-forwarded",
                "inconclusive",
                "OTEL_EXPORTER_OTLP_ENDPOINT",
            ),
            STOP_BY_ADDRESS,
        ],
    );
    assert!(outside.is_alive());
}

#[test]
fn pprof_beside_the_application_is_public_at_any_address() {
    let run = run();
    let outside = Outside::start(&run, &["-fault", "pprof-public"]);
    let ended = run
        .flags([
            "--http".to_owned(),
            format!("GET http://{}/orders/7", outside.http),
        ])
        .end();
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    assert_eq!(ended.report()["findings"][0]["rule"], "pprof-public");
}

#[test]
fn no_pprof_at_the_addresses_given_is_no_proof_that_there_is_none() {
    let run = run();
    let outside = Outside::start(&run, &[]);
    let ended = run.flags(["--address", &outside.grpc]).end();
    let report = ended.report();
    let rows = report["rules"].as_array().expect("rows");
    let row = rows.iter().find(|row| row["name"] == "pprof-missing");
    let row = row.expect("a row");
    assert_eq!(row["outcome"], "inconclusive", "{row}");
    assert!(row["to_prove"].to_string().contains("--pprof"), "{row}");
}

fn refused(words: &[&str]) -> Ended {
    let ended = Run::of(PROGRAM)
        .flags(["check"])
        .flags(words.iter().copied())
        .at_once()
        .end();
    assert_eq!(ended.code, Some(2), "{words:?}: {}", ended.stdout);
    assert!(!ended.bundle().exists(), "nothing was begun");
    ended
}

#[test]
fn what_cannot_be_attached_to_is_refused_with_its_remedy() {
    for (words, says) in [
        (&["--pid", "4194999"][..], "pgrep"),
        (&["--address", "127.0.0.1:1"], "nothing listens there"),
        (&["--address", "orders"], "HOST:PORT"),
        (
            &["--address", "127.0.0.1:1", "--consent", "stop"],
            "--pid PID",
        ),
        (
            &["--address", "127.0.0.1:1", "--consent", "everything"],
            "load, audits, stop",
        ),
        (
            &["--address", "127.0.0.1:1", "--env", "A=b"],
            "runs already",
        ),
        (&["--consent", "load", "--", "bin/worker"], "needs none"),
        (&["--pid", "1", "--", "bin/worker"], "not both"),
        (
            &["--logs", "absent.log", "--address", "127.0.0.1:1"],
            "nothing listens there",
        ),
        (&["--logs", "", "--", "bin/worker"], "journald:UNIT"),
        (&["--", "docker", "run", "orders"], "--logs -"),
        (
            &["--", "sudo", "systemctl", "start", "orders"],
            "journald:UNIT",
        ),
    ] {
        let ended = refused(words);
        assert!(ended.stderr.contains(says), "{words:?}: {}", ended.stderr);
    }
}

#[test]
fn another_users_process_is_refused_with_both_ways_out() {
    // The first process of the machine is root's; as root everything may be looked into.
    let root = Command::new("id").arg("-u").output().expect("id is there");
    if root.stdout.starts_with(b"0\n") {
        return;
    }
    let ended = refused(&["--pid", "1"]);
    for says in ["uid 0", "sudo", "--address"] {
        assert!(ended.stderr.contains(says), "{}", ended.stderr);
    }
}

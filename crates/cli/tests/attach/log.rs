//! The log of a service that runs already, and of one that writes no log to its pipes.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;
use shakedown_testkit::{Ended, orders};

use crate::expected::{by_pid, check, run};
use crate::outside::Outside;

fn row(ended: &Ended, rule: &str) -> Value {
    let report = ended.report();
    let rows = report["rules"].as_array().expect("rows");
    let row = rows.iter().find(|row| row["name"] == rule);
    row.expect("a row").clone()
}

#[test]
fn without_a_log_nothing_is_said_about_lines() {
    let run = run();
    let outside = Outside::start(&run, &[]);
    let ended = by_pid(run, &outside).end();
    let row = row(&ended, "log-without-trace");
    assert_eq!(row["outcome"], "inconclusive", "{row}");
    assert!(row["to_prove"].to_string().contains("--logs FILE"), "{row}");
}

#[test]
fn a_line_without_its_trace_is_found_in_a_followed_log() {
    let run = run();
    let outside = Outside::start(&run, &["-fault", "log-without-trace"]);
    let ended = by_pid(run, &outside).flags(["--logs", "orders.log"]).end();
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    assert_eq!(ended.report()["findings"][0]["rule"], "log-without-trace");
}

#[test]
fn a_log_that_ends_early_proves_nothing() {
    // The standard input of a test is empty.
    let run = run();
    let outside = Outside::start(&run, &[]);
    let ended = by_pid(run, &outside).flags(["--logs", "-"]).end();
    let row = row(&ended, "log-without-trace");
    assert_eq!(row["outcome"], "inconclusive", "{row}");
    let reason = row["reason"].to_string();
    assert!(
        reason.contains("standard input came to its end"),
        "{reason}"
    );
}

#[test]
fn a_started_service_may_log_to_a_file() {
    let script = r#"exec bin/orders "$@" > service.log 2>&1"#;
    let config = orders(&[]).behind(&["sh", "-c", script]);
    let ended = run().config(&config).flags(["--logs", "service.log"]).end();
    check(&ended, "READY", &[]);
}

#[test]
fn the_journal_is_followed_by_its_reader() {
    // Stands for journalctl: what it is asked is checked, and it gives lines as the real one does.
    let reader = "#!/bin/sh\ncase \"$*\" in *--follow*--output=json*orders.service) ;; *) echo \"asked $*\" >&2; exit 1;; esac\n\
        tail -n 0 -f orders.log\n";
    let run = run().file("bin/journalctl", reader.as_bytes());
    let journalctl = run.folder().join("bin/journalctl");
    fs::set_permissions(&journalctl, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let path = std::env::var("PATH").expect("a path");
    let path = format!("{}:{path}", run.folder().join("bin").display());
    let outside = Outside::start(&run, &[]);
    let ended = by_pid(run, &outside)
        .env("PATH", path)
        .flags(["--logs", "journald:orders.service"])
        .end();
    let row = row(&ended, "log-without-trace");
    assert_eq!(row["outcome"], "passed", "{row}");
}

#[test]
fn a_unit_that_nobody_knows_is_refused() {
    let reader = "#!/bin/sh\necho 'No journal files were found.' >&2\nexit 1\n";
    let run = run().file("bin/journalctl", reader.as_bytes());
    let journalctl = run.folder().join("bin/journalctl");
    fs::set_permissions(&journalctl, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let path = format!("{}:/usr/bin:/bin", run.folder().join("bin").display());
    let outside = Outside::start(&run, &[]);
    let ended = by_pid(run, &outside)
        .env("PATH", path)
        .flags(["--logs", "journald:absent"])
        .at_once()
        .end();
    assert_eq!(ended.code, Some(2), "{}", ended.stdout);
    for says in ["absent", "No journal files were found.", "systemd-journal"] {
        assert!(ended.stderr.contains(says), "{}", ended.stderr);
    }
}

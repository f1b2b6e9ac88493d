//! Our own standard streams may be closed, full, or read by somebody who leaves.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;
use tempfile::TempDir;

use crate::PROGRAM;
use crate::said::{finish, folder};

/// A bundle of a run that was cut short: NOT PROVEN.
fn bundle() -> TempDir {
    let mut events = "{\"shakedown_bundle\":1}\n".to_owned();
    for at in 0..20_000 {
        let mark = json!({"event": "mark", "of": {"at": at, "name": format!("batch {at}")}});
        events.push_str(&format!("{mark}\n"));
    }
    folder(&[("events.jsonl", events.as_bytes())])
}

/// What a shell makes of a line in which `shakedown` is the program and `b` the bundle.
fn shell(folder: &Path, line: &str) -> Command {
    let mut command = Command::new("bash");
    let line = format!("shakedown() {{ \"$PROGRAM\" \"$@\"; }}; {line}");
    command.args(["-c", &line]).env("PROGRAM", PROGRAM);
    command.current_dir(folder);
    command
}

#[test]
fn a_reader_that_leaves_is_no_error_and_changes_no_verdict() {
    let bundle = bundle();
    for (line, code) in [
        // The report is longer than a pipe holds.
        ("shakedown replay . --format json | head -1", 0),
        (
            "set -o pipefail; shakedown replay . --format json | head -1 >/dev/null",
            3,
        ),
        (
            "shakedown replay . --format json | true; exit ${PIPESTATUS[0]}",
            3,
        ),
        ("shakedown explain | true; exit ${PIPESTATUS[0]}", 0),
        (
            "shakedown explain deadline | true; exit ${PIPESTATUS[0]}",
            0,
        ),
        ("shakedown --help | true; exit ${PIPESTATUS[0]}", 0),
        ("shakedown sail 2>&1 | true; exit ${PIPESTATUS[0]}", 2),
    ] {
        let said = finish(shell(bundle.path(), line));
        assert_eq!(said.code, Some(code), "{line}: {said:?}");
        assert_eq!(said.err, "", "{line}");
    }
}

#[test]
fn a_report_that_cannot_be_written_is_an_error() {
    let bundle = bundle();
    let said = finish(shell(bundle.path(), "shakedown replay . > /dev/full"));
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.err.contains("No space left"), "{said:?}");
    let said = finish(shell(bundle.path(), "shakedown replay . --out /dev/full"));
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.err.contains("/dev/full: No space left"), "{said:?}");
}

#[test]
fn streams_that_are_closed_hold_nothing_up() {
    let bundle = bundle();
    for (line, code) in [
        ("shakedown replay . <&-", 3),
        ("shakedown replay . >&-", 3),
        ("shakedown replay . 2>&-", 3),
        ("shakedown replay . <&- >&- 2>&-", 3),
        ("shakedown check --bundle a -- true <&-", 3),
        ("shakedown check --bundle b -- true <&- >&- 2>&-", 3),
        ("shakedown check --bundle c -- ./no-such <&- >&- 2>&-", 2),
    ] {
        let said = finish(shell(bundle.path(), line));
        assert_eq!(said.code, Some(code), "{line}: {said:?}");
    }
    let report = fs::read_to_string(bundle.path().join("b/report.txt")).expect("it is kept");
    assert!(report.contains("ended by itself with code 0"), "{report}");
}

#[test]
fn progress_that_nobody_reads_does_not_hold_a_run_up() {
    let folder = folder(&[]);
    let mut child = Command::new(PROGRAM)
        .args(["check", "--bundle", "run", "--", "sleep", "1"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(File::create(folder.path().join("out")).expect("a file"))
        .stderr(Stdio::piped())
        .spawn()
        .expect("shakedown starts");
    let mut progress = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut first = String::new();
    progress.read_line(&mut first).expect("it says something");
    assert!(first.contains("starting the service"), "{first}");
    drop(progress);
    let status = child.wait().expect("it ends");
    assert_eq!(status.code(), Some(3));
}

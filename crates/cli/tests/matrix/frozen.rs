//! Each fault, from the bundle of a run that was frozen: rules and reports are held to every byte,
//! in seconds and without Go.
//!
//! After a change of rules or reports that is meant: `SHAKEDOWN_BLESS=1 cargo test -p
//! shakedown-cli --test matrix frozen_one` writes the reports anew, and the diff shows what changed.
//! After a change of what is recorded: `crates/cli/tests/freeze.sh`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use shakedown_testkit::{thaw, thawed_events};

use crate::expected;
use crate::table::{CASES, Case};

const EVENTS: &str = "events.jsonl.gz";
/// What the evidence of one case may take: it stays in the history for ever.
const BYTES_MAX: u64 = 120_000;

fn frozen(case: &Case) -> PathBuf {
    let bundles = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bundles");
    bundles.join(case.name)
}

#[test]
fn each_report_is_the_frozen_one() {
    for case in CASES {
        let folder = tempfile::tempdir().expect("a temporary folder");
        thaw(&frozen(case), &folder.path().join("bundle"));
        for (format, name) in [("json", "report.json"), ("text", "report.txt")] {
            let report = replay(folder.path(), format, case.code);
            let path = frozen(case).join(name);
            if std::env::var_os("SHAKEDOWN_BLESS").is_some() {
                fs::write(&path, &report).expect("the report can be written");
            }
            let kept = fs::read_to_string(&path).expect("a frozen report");
            assert!(
                report == kept,
                "{}: the report is not the frozen one; see the top of frozen.rs\n{report}",
                path.display()
            );
        }
    }
}

#[test]
fn each_report_is_what_the_table_says() {
    for case in CASES {
        let report = fs::read_to_string(frozen(case).join("report.json")).expect("a report");
        let report = serde_json::from_str(&report).expect("it is JSON");
        case.check(&report);
        expected::check_keys(&report);
    }
}

#[test]
fn nothing_of_the_machine_is_frozen() {
    for case in CASES {
        let events = thawed_events(&frozen(case));
        for root in ["/tmp/", "/home/", "/root/", "/Users/", "/var/", "/opt/"] {
            let at = events.find(root);
            let around = at.map(|at| &events[at.saturating_sub(40)..(at + 60).min(events.len())]);
            assert_eq!(around, None, "{}", case.name);
        }
    }
}

#[test]
fn each_is_small() {
    for case in CASES {
        let blobs = fs::read_dir(frozen(case).join("blobs"));
        let blobs = blobs
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.path()));
        let size = |path: PathBuf| fs::metadata(path).expect("a file").len();
        let size: u64 = blobs.chain([frozen(case).join(EVENTS)]).map(size).sum();
        assert!(size <= BYTES_MAX, "{}: {size} bytes", case.name);
    }
}

fn replay(folder: &Path, format: &str, code: i32) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_shakedown"))
        .args(["replay", "--format", format, "bundle"])
        .current_dir(folder)
        .env_clear()
        .output()
        .expect("shakedown starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    String::from_utf8(output.stdout).expect("a report is text")
}

//! The same bytes as `go tool pprof` on random command lines, seed fixed.
//!
//! `xtask pprof-oracle` compares many more, with google/pprof's own program beside.

mod support;

use std::path::Path;

use support::oracle::{ERRORS, Goal, Original, compare};

/// A run of the original takes a quarter of a second.
const GOAL: Goal = Goal {
    per_command: 4,
    per_option: 0,
    all: 60,
    runs: 1,
    our_runs: 2,
};

#[test]
fn random_command_lines_print_the_originals_bytes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pprof/tests");
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let originals = [Original::of_go()];
    let tally = compare(&folder, scratch.path(), 1, &GOAL, &originals, |_| {});
    assert!(tally.different.is_empty(), "{}", tally.different.join("\n"));
    let missed = tally.missed(&GOAL);
    assert!(missed.is_empty(), "{}", missed.join("\n"));
    assert_eq!(tally.errors, ERRORS.len());
}

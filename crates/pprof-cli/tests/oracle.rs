//! The same bytes as `go tool pprof` on random command lines, seed fixed.
//!
//! `xtask pprof-oracle` runs as many as one likes.

mod support;

use std::path::Path;

/// A run takes about a quarter of a second of the original's time per case.
const CASES: usize = 60;

#[test]
fn random_command_lines_print_the_originals_bytes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pprof/tests");
    let tally = support::oracle::compare(&folder, 1, CASES, |_| {});
    assert!(tally.different.is_empty(), "{}", tally.different.join("\n"));
    assert!(tally.equal.len() > CASES / 2, "{}", tally.equal.len());
}

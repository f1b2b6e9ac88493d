//! Chores of the repository.
//!
//! `xtask pprof-oracle [COUNT] [SEED]` compares with `go tool pprof`; without a
//! seed it draws one and prints it.

#[path = "../../crates/pprof-cli/tests/support/mod.rs"]
mod support;

use std::path::Path;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        Some("pprof-oracle") => pprof_oracle(args.get(1..).unwrap_or(&[])),
        _ => {
            eprintln!("xtask pprof-oracle [COUNT] [SEED]");
            ExitCode::FAILURE
        }
    }
}

fn pprof_oracle(args: &[String]) -> ExitCode {
    let number = |i: usize| args.get(i).and_then(|a| a.parse::<u64>().ok());
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let fresh = now.map_or(0, |d| u64::from(d.subsec_nanos()));
    let (count, seed) = (number(0).unwrap_or(300), number(1).unwrap_or(fresh));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/pprof/tests");
    println!("seed {seed}");
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let tally = support::oracle::compare(&folder, seed, count, |told| println!("{told}"));
    println!(
        "{} cases: {} distinct equal outputs, {} errors on both sides, {} unstable, {} different",
        tally.cases,
        tally.equal.len(),
        tally.errors,
        tally.unstable.len(),
        tally.different.len()
    );
    for line in tally.unstable {
        println!("unstable: {line}");
    }
    match tally.different.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

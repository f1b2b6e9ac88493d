//! Chores of the repository.
//!
//! `xtask pprof-oracle [COUNT] [SEED]` compares with `go tool pprof`; without a
//! seed it draws one and prints it. `xtask pprof-scale-up` makes the large profiles
//! that `bench/pprof.py` measures with. `xtask gunzip` unpacks with the decoder that
//! `shakedown pprof` uses, and does nothing else: what it costs is a floor.

#[path = "../../crates/pprof-cli/tests/support/mod.rs"]
mod support;

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use shakedown_pprof::Profile;
use support::oracle::{Goal, Original, compare};
use support::scale_up;

const USAGE: &str = "\
xtask pprof-oracle [COUNT] [SEED]
xtask pprof-scale-up IN OUT BYTES SEED COPIES [labelled]
xtask gunzip FILE";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        Some("pprof-oracle") => pprof_oracle(args.get(1..).unwrap_or(&[])),
        Some("pprof-scale-up") => done(pprof_scale_up(args.get(1..).unwrap_or(&[]))),
        Some("gunzip") => done(gunzip(args.get(1..).unwrap_or(&[]))),
        _ => {
            eprintln!("{USAGE}");
            ExitCode::FAILURE
        }
    }
}

/// The version of google/pprof whose output is held against ours, beside that of Go.
const GOOGLE_PPROF: &str = "v0.0.0-20261016150608-1facf8f91b50";

fn pprof_oracle(args: &[String]) -> ExitCode {
    let number = |i: usize| args.get(i).and_then(|a| a.parse::<u64>().ok());
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let fresh = now.map_or(0, |d| u64::from(d.subsec_nanos()));
    let (all, seed) = (number(0).unwrap_or(300), number(1).unwrap_or(fresh));
    let goal = Goal {
        per_command: 15,
        per_option: 10,
        all: usize::try_from(all).unwrap_or(usize::MAX),
        runs: 3,
        our_runs: 20,
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/pprof/tests");
    let scratch = std::env::temp_dir().join(format!("pprof-oracle-{}", std::process::id()));
    std::fs::create_dir_all(&scratch).expect("a scratch folder");
    println!("seed {seed}");
    let originals = [
        Original::of_go(),
        Original::of_google(GOOGLE_PPROF, &scratch),
    ];
    let tally = compare(&folder, &scratch, seed, &goal, &originals, |told| {
        println!("{told}");
    });
    // A folder left behind costs room, not truth.
    let _ = std::fs::remove_dir_all(&scratch);
    println!(
        "{} distinct equal outputs over {} profiles, {} of them without -symbolize=none; \
         {} mistakes refused by both, {} unstable, {} as the later version, {} different",
        tally.equal.len(),
        tally.profiles.len(),
        tally.symbolized[0],
        tally.errors,
        tally.unstable.len(),
        tally.later.len(),
        tally.different.len()
    );
    println!("commands: {:?}", tally.commands);
    println!("options with an effect: {:?}", tally.options);
    for line in &tally.unstable {
        println!("unstable: {line}");
    }
    for line in &tally.later {
        println!("as the later version: {line}");
    }
    let missed = tally.missed(&goal);
    for line in &missed {
        println!("MISSED {line}");
    }
    match tally.different.is_empty() && missed.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn done(result: Result<(), String>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn pprof_scale_up(args: &[String]) -> Result<(), String> {
    let [from, to, bytes, seed, copies, rest @ ..] = args else {
        return Err(USAGE.to_owned());
    };
    let number = |text: &String| text.parse::<usize>().map_err(|e| format!("{text}: {e}"));
    let wanted = scale_up::Wanted {
        bytes: number(bytes)?,
        seed: number(seed)? as u64,
        copies: number(copies)?,
        labelled: rest == ["labelled"],
    };
    let packed = std::fs::read(from).map_err(|e| format!("{from}: {e}"))?;
    let real = Profile::decode(&packed).map_err(|e| format!("{from}: {e}"))?;
    let large = scale_up::scale_up(&real, &wanted);
    let plain = large.encode();
    println!(
        "{to}: {} samples, {} bytes",
        large.samples().len(),
        plain.len()
    );
    let file = std::fs::File::create(to).map_err(|e| format!("{to}: {e}"))?;
    let mut packer = flate2::write::GzEncoder::new(file, flate2::Compression::default());
    let written = packer.write_all(&plain).and_then(|()| packer.finish());
    written.map(drop).map_err(|e| format!("{to}: {e}"))
}

fn gunzip(args: &[String]) -> Result<(), String> {
    let [file] = args else {
        return Err(USAGE.to_owned());
    };
    let packed = std::fs::read(file).map_err(|e| format!("{file}: {e}"))?;
    let mut plain = Vec::new();
    let mut reader = flate2::read::MultiGzDecoder::new(&*packed);
    reader
        .read_to_end(&mut plain)
        .map_err(|e| format!("{file}: {e}"))?;
    println!("{}", plain.len());
    Ok(())
}

//! `go tool pprof`'s command line, over a world that its caller gives.
//!
//! [`main`] takes arguments and a [`World`] and answers an exit code; the whole
//! pipeline stands in `run`. Reports themselves are made by `shakedown-pprof`.
//! The interactive shell, the web page and disassembly are not here.

mod arguments;
mod binaries;
mod flags;
mod gathered;
mod go_sources;
mod jitter;
mod output;
mod remote;
mod saved;
mod sources;
mod symbolize;
mod url;
mod usage;
mod world;

pub use shakedown_pprof::report::Zone;
pub use world::{Request, Tls, World};

use arguments::Arguments;
use shakedown_pprof::report;

/// The exit code of a failure, as `go tool pprof` has it.
const FAILED: i32 = 2;

/// The exit code where `-until-jitter` saw nothing odd.
const NOTHING_ODD: i32 = 1;

/// Runs the command; `args` do not hold the program's name.
pub fn main(args: &[String], world: &mut dyn World) -> i32 {
    keep_freed_memory();
    match run(args, world) {
        Ok(()) => 0,
        Err(Stop::Help) => {
            world.stderr(&usage::usage());
            0
        }
        Err(Stop::Usage(why)) => {
            world.stderr(&format!("{why}\n{}", usage::usage()));
            FAILED
        }
        Err(Stop::Failed(why)) => {
            world.stderr(&format!("{why}\n"));
            FAILED
        }
        Err(Stop::NothingOdd(why)) => {
            world.stderr(&format!("{why}\n"));
            NOTHING_ODD
        }
    }
}

/// The largest block from which glibc learns, less what it puts around one.
const BLOCK: usize = (32 << 20) - (64 << 10);

/// Lets memory that was given back be used again: files, what they unpack to and tables
/// follow each other, and glibc would ask the kernel for each, which clears every page.
/// After it saw a block of some size come and go it keeps smaller ones for itself; the
/// block is not written, so it costs nothing. Other allocators may not care.
fn keep_freed_memory() {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(BLOCK)));
}

/// Why the command ends early.
enum Stop {
    /// Help was asked for.
    Help,
    /// The flags are wrong.
    Usage(String),
    /// It could not be done.
    Failed(String),
    /// It was looked for, and is not there.
    NothingOdd(String),
}

impl Stop {
    fn failed(why: impl std::fmt::Display) -> Self {
        Stop::Failed(why.to_string())
    }
}

fn run(args: &[String], world: &mut dyn World) -> Result<(), Stop> {
    let parsed = flags::parse(args)?;
    let arguments = Arguments::from_flags(parsed, world)?;
    let profile = match arguments.until_jitter {
        Some(lasting) => jitter::watch(&arguments, lasting, world)?,
        None => sources::fetch(&arguments, world)?,
    };
    let mut options = arguments.options.clone();
    options.zone = world.zone(profile.time_nanos.div_euclid(1_000_000_000));
    let mut notes = Vec::new();
    let written = output::write(&arguments, world, |files, out| {
        let (command, notes) = (&arguments.command, &mut notes);
        report::run_to(profile, command, &options, files, notes, out).map_err(Stop::failed)
    });
    for note in notes {
        world.stderr(&format!("{note}\n"));
    }
    written
}

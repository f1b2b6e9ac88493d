//! The commands: one file each, one line each in [`Commands`].

mod check;
mod container;
mod demo;
mod explain;
mod output;
pub(crate) mod pprof;
mod replay;
mod run_dir;
mod settings;
mod several;
mod target;

use clap::{ArgMatches, Parser, Subcommand};

use crate::exit::Ended;

/// The check that every microservice passes before it is launched.
#[derive(Debug, Parser)]
#[command(
    name = "shakedown",
    version,
    about,
    propagate_version = true,
    max_term_width = 100
)]
pub(crate) struct Commands {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Prove or refute the four items on a running service.
    Check(Box<check::Args>),
    /// See it work: a healthy and a faulty example service.
    Demo(demo::Args),
    /// Report again from the bundle of an earlier run.
    Replay(replay::Args),
    /// Everything `go tool pprof` prints, with its flags: shakedown pprof -top cpu.pb.gz
    #[command(disable_help_flag = true)]
    Pprof(pprof::Args),
    /// Why a rule exists, how it is proven, how to fix what it finds.
    Explain(explain::Args),
}

/// Runs what was parsed; `matches` holds the order of the words.
pub(crate) fn run(commands: Commands, matches: &ArgMatches) -> Ended {
    match commands.command {
        Command::Check(args) => {
            let words = matches.subcommand_matches("check").unwrap_or(matches);
            check::run(*args, words)
        }
        Command::Demo(args) => demo::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Pprof(args) => pprof::run(&args),
        Command::Explain(args) => explain::run(&args),
    }
}

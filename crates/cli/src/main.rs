//! The command `shakedown`: arguments in, reports out.
//!
//! One file a command in `commands/`; everything printed goes through `terminal`, every exit code
//! comes from `exit`.

mod commands;
mod exit;
mod progress;
mod terminal;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

fn main() -> ExitCode {
    let mut words = std::env::args_os();
    // The guardian must be single-threaded and small: it comes before everything else.
    if words
        .nth(1)
        .is_some_and(|word| word == shakedown_acquire::process::GUARDIAN)
    {
        let code = shakedown_acquire::process::guardian_main(words.collect());
        return ExitCode::from(u8::try_from(code).unwrap_or(exit::OUR_BUG));
    }
    exit::guard(|| {
        let command = commands::Commands::command();
        let matches = match command.try_get_matches() {
            Ok(matches) => matches,
            Err(error) => return exit::usage(&error),
        };
        match commands::Commands::from_arg_matches(&matches) {
            Ok(parsed) => commands::run(parsed, &matches),
            Err(error) => exit::usage(&error),
        }
    })
}

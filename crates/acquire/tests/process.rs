//! Services that are really started, under real guardians: what is recorded, and that nothing is
//! left whatever happens.
//!
//! A main of its own: the guardian is this very executable, and so is an owner that can be killed.

mod live;

use std::ffi::OsString;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use shakedown_acquire::process::{GUARDIAN, guardian_main};

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    let words: Vec<_> = args.iter().map(|arg| arg.to_str()).collect();
    match words[..] {
        [Some(GUARDIAN), ..] => {
            let code = guardian_main(args[1..].to_vec());
            u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from)
        }
        [Some(live::OWNER), Some(mark), Some(script)] => live::own(mark, script),
        _ => {
            let trial = |(name, test): &(&'static str, fn())| {
                let test = *test;
                Trial::test(*name, move || {
                    test();
                    Ok(())
                })
            };
            let trials = live::TESTS.iter().map(trial).collect();
            libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
        }
    }
}

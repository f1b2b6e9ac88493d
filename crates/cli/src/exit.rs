//! Exit codes, decided in this one place (design, 5).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use shakedown_findings::Verdict;

use crate::terminal;

/// Ready.
pub(crate) const READY: u8 = 0;
/// A finding at or above the gate.
pub(crate) const NOT_READY: u8 = 1;
/// Wrong usage or configuration, or a service that could not be started.
pub(crate) const USAGE: u8 = 2;
/// Something required could not be checked or was not exercised.
pub(crate) const NOT_PROVEN: u8 = 3;
/// Our own bug.
pub(crate) const OUR_BUG: u8 = 70;
/// Ended by Ctrl-C, as shells count it: 128 + SIGINT.
pub(crate) const INTERRUPTED: u8 = 130;

/// The code of a verdict.
pub(crate) const fn of(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Ready => READY,
        Verdict::NotReady => NOT_READY,
        Verdict::NotProven => NOT_PROVEN,
    }
}

/// What a command ends with.
pub(crate) type Ended = anyhow::Result<u8>;

/// Turns what a command ended with into the process's exit code; an error is said on stderr.
pub(crate) fn guard(command: impl FnOnce() -> Ended) -> ExitCode {
    match catch_unwind(AssertUnwindSafe(command)) {
        Ok(Ok(code)) => ExitCode::from(code),
        Ok(Err(error)) => {
            terminal::complain(&format!("shakedown: {}", chain(&error)));
            ExitCode::from(USAGE)
        }
        Err(_) => {
            terminal::complain(
                "shakedown: this is our bug, not yours; the bundle of the run, if there is one, helps to find it",
            );
            ExitCode::from(OUR_BUG)
        }
    }
}

/// What clap says: help and version are no mistakes.
pub(crate) fn usage(error: &clap::Error) -> Ended {
    let _ = error.print();
    Ok(if error.use_stderr() { USAGE } else { READY })
}

/// An error and its causes in one line, without saying the same twice.
pub(crate) fn chain(error: &anyhow::Error) -> String {
    let mut said = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        if !said.contains(&cause) {
            said.push_str(": ");
            said.push_str(&cause);
        }
    }
    said
}

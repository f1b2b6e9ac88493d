//! The last step before the service runs: `__guardian launch PARENT -- CMD ARGS…`.
//!
//! A process of its own, because the parent-death signal can only be set by the process that is
//! to receive it, and nothing but `exec` may follow. It survives `exec`, except into a set-user-id
//! program. Descendants of the service do not inherit it: the guardian is their subreaper.
//!
//! Its standard input is a pipe to the guardian. It closes when the command has taken over; an
//! errno in it says why the command could not.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Signal, getppid, set_parent_process_death_signal};
use rustix::stdio::dup2_stdin;

use super::protocol::GUARDIAN;

/// First argument after [`GUARDIAN`].
pub(super) const LAUNCH: &str = "launch";
/// A file that was written just now may still be open in a process that is about to become another
/// (golang.org/issue/22315); that lasts milliseconds.
const BUSY_TIME: Duration = Duration::from_millis(500);
const BUSY_AGAIN: Duration = Duration::from_millis(5);

/// Starts the command in a process group of its own.
///
/// # Errors
/// What `fork` or `exec` answered.
pub(super) fn start(command: &[OsString]) -> io::Result<u32> {
    let (mut failure, failure_writer) = io::pipe()?;
    // Not by its name: the file may have been replaced since we began.
    let mut launcher = Command::new("/proc/self/exe");
    launcher
        .args([GUARDIAN, LAUNCH])
        .arg(std::process::id().to_string())
        .arg("--")
        .args(command)
        .stdin(failure_writer)
        .stdout(Stdio::inherit())
        .stderr(Stdio::inherit())
        .process_group(0);
    let child = launcher.spawn()?;
    // It holds our end of the pipe's writing side.
    drop(launcher);
    let mut errno = Vec::new();
    failure.read_to_end(&mut errno)?;
    match errno.try_into() {
        Ok(errno) => Err(io::Error::from_raw_os_error(i32::from_ne_bytes(errno))),
        Err(_) => Ok(child.id()),
    }
}

/// Becomes the command. Returns only if it could not.
pub(super) fn become_command(parent: &str, command: &[OsString]) -> io::Error {
    let (mut failure, error) = match prepare(parent) {
        Ok(failure) => {
            let error = exec(command);
            (failure, error)
        }
        Err(error) => return error,
    };
    let errno = error.raw_os_error().unwrap_or(Errno::NOENT.raw_os_error());
    // Nobody is left to tell if this fails.
    let _ = failure.write_all(&errno.to_ne_bytes());
    error
}

fn prepare(parent: &str) -> io::Result<File> {
    // The duplicate closes on exec; standard input itself would not.
    let failure = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    dup2_stdin(File::open("/dev/null")?)?;
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // The guardian may have died before the signal was armed.
    let alive = getppid().is_some_and(|pid| pid.as_raw_nonzero().to_string() == parent);
    if alive {
        Ok(failure)
    } else {
        Err(io::Error::other("the guardian is gone"))
    }
}

fn exec(command: &[OsString]) -> io::Error {
    let [program, args @ ..] = command else {
        return Errno::NOENT.into();
    };
    let until = Instant::now() + BUSY_TIME;
    loop {
        let error = Command::new(program).args(args).exec();
        let busy = error.kind() == io::ErrorKind::ExecutableFileBusy;
        if !busy || Instant::now() >= until {
            return error;
        }
        thread::sleep(BUSY_AGAIN);
    }
}

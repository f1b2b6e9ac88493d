//! Starts an executable with descriptors 3, 4, and so on.
//!
//! `std::process::Command` cannot do it: `LISTEN_PID` is known only after the fork, and the pipe on
//! which it learns that the start failed may have one of the very numbers that are wanted. So this is
//! fork and exec by hand. Everything is made before the fork; what runs between the two allocates
//! nothing, takes no lock and calls only what a signal handler may (signal-safety(7)), because other
//! threads of the old process may hold any lock at that moment.

#![expect(unsafe_code, reason = "forks and executes")]

use std::ffi::{CString, OsString, c_char, c_int};
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;
use std::time::Duration;

use super::inherited::FIRST;

/// The variables that are of one process only; systemd 259 has the last.
const SAID: [&str; 4] = [
    "LISTEN_PID",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
    "LISTEN_PIDFDID",
];
const LISTEN_PID: &[u8] = b"LISTEN_PID=";
/// As many digits as a process id can have, and the end of the string.
const PID_ROOM: usize = 11;
/// How long a process that closed its pipe may take to end by itself: what it says of a failure may take
/// its time, and its exit code tells more than a kill.
const END_PATIENCE: Duration = Duration::from_secs(15);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A process that was started. It is killed when this is dropped, unless it was let go.
#[derive(Debug)]
pub(super) struct Child {
    /// None: it has ended and was waited for, or was let go.
    pid: Option<libc::pid_t>,
    id: u32,
}

impl Child {
    pub(super) fn pid(&self) -> u32 {
        self.id
    }

    /// Lets it live.
    pub(super) fn let_go(mut self) -> u32 {
        self.pid = None;
        self.id
    }

    /// Waits for its end, ends it if that does not come, and says how it was.
    pub(super) async fn ended(&mut self) -> String {
        let until = tokio::time::Instant::now() + END_PATIENCE;
        while tokio::time::Instant::now() < until {
            if let Some(how) = self.wait(libc::WNOHANG) {
                return how;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        self.kill();
        "it closed the pipe on which it was to say so, and was ended".to_owned()
    }

    /// How it ended, if it has.
    fn wait(&mut self, options: c_int) -> Option<String> {
        let pid = self.pid?;
        let mut status = 0;
        // SAFETY: waits for a child of ours that nobody has waited for; writes into `status`.
        match unsafe { libc::waitpid(pid, &raw mut status, options) } {
            0 => return None,
            -1 if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => return None,
            // Somebody else of this process waited for it: it has ended, and who knows how.
            -1 => {
                self.pid = None;
                return Some("it ended".to_owned());
            }
            _ => self.pid = None,
        }
        Some(if libc::WIFEXITED(status) {
            format!("it ended with exit code {}", libc::WEXITSTATUS(status))
        } else {
            format!("it was ended by signal {}", libc::WTERMSIG(status))
        })
    }

    fn kill(&mut self) {
        while let Some(pid) = self.pid {
            // SAFETY: a child of ours that was not waited for, so nobody else has its number. Killed,
            // it ends at once, and is waited for.
            unsafe { libc::kill(pid, libc::SIGKILL) };
            self.wait(0);
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Starts an executable with our arguments and environment, and with these descriptors.
pub(super) fn start(executable: &Path, handed: &[(&str, BorrowedFd<'_>)]) -> io::Result<Child> {
    let after = FIRST + handed.len() as RawFd;
    // None has a number that another is to get.
    let sources = handed
        .iter()
        .map(|(_, descriptor)| above(descriptor, after));
    let sources: Vec<OwnedFd> = sources.collect::<io::Result<_>>()?;
    let (mut failure, writer) = io::pipe()?;
    let failed = above(&writer.as_fd(), after)?;
    drop(writer);

    let program = c_string(executable.as_os_str().to_owned())?;
    let arguments = std::env::args_os().map(c_string);
    let arguments: Vec<CString> = arguments.collect::<io::Result<_>>()?;
    let environment: Vec<CString> = environment(handed).collect::<io::Result<_>>()?;
    let mut listen_pid = LISTEN_PID.to_vec();
    listen_pid.resize(LISTEN_PID.len() + PID_ROOM, 0);

    let argv = pointers(&arguments, None);
    let digits = listen_pid.as_mut_ptr();
    let envp = pointers(&environment, Some(digits.cast()));
    let plan = Plan {
        program: program.as_ptr(),
        argv: argv.as_ptr(),
        envp: envp.as_ptr(),
        digits,
        sources: &sources,
        failed: failed.as_raw_fd(),
    };
    // SAFETY: the child does nothing but `execute`, which keeps to what is allowed there.
    let pid = unsafe { libc::fork() };
    let id = match u32::try_from(pid) {
        Err(_) => return Err(io::Error::last_os_error()),
        // SAFETY: this is the child, alone on its thread, and everything in the plan lives.
        Ok(0) => unsafe { execute(&plan) },
        Ok(id) => id,
    };
    let mut child = Child { pid: Some(pid), id };
    drop(failed);
    let mut errno = [0; size_of::<c_int>()];
    // Executing closes the pipe, so this ends either way.
    match failure.read_exact(&mut errno) {
        Err(_) => Ok(child),
        Ok(()) => {
            child.kill();
            Err(io::Error::from_raw_os_error(c_int::from_ne_bytes(errno)))
        }
    }
}

/// What the child needs, all of it made before there is one.
struct Plan<'p> {
    program: *const c_char,
    argv: *const *const c_char,
    envp: *const *const c_char,
    /// `LISTEN_PID=` and room for the digits.
    digits: *mut u8,
    sources: &'p [OwnedFd],
    failed: RawFd,
}

/// Becomes the executable.
///
/// # Safety
/// Only in a child that was just forked; the pointers are strings and arrays as execve(2) wants them.
unsafe fn execute(plan: &Plan<'_>) -> ! {
    // SAFETY: system calls over memory that was made before the fork, and a write into the room that
    // `digits` has for it. What the signal mask and SIGPIPE were is what the threads of the old
    // process wanted, and not what a program expects to start with.
    unsafe {
        for (source, number) in plan.sources.iter().zip(FIRST..) {
            // The new one has no close-on-exec flag.
            if libc::dup2(source.as_raw_fd(), number) == -1 {
                fail(plan.failed);
            }
        }
        write_number(
            libc::getpid().unsigned_abs(),
            plan.digits.add(LISTEN_PID.len()),
        );
        let mut none = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
        libc::execve(plan.program, plan.argv, plan.envp);
        fail(plan.failed);
    }
}

/// Writes a number's digits and a zero byte.
///
/// # Safety
/// There is room for [`PID_ROOM`] bytes.
unsafe fn write_number(number: u32, to: *mut u8) {
    let mut scale = 1u32;
    while number / scale >= 10 {
        scale *= 10;
    }
    let mut place = to;
    while scale > 0 {
        // SAFETY: a number has at most ten digits.
        unsafe {
            place.write(b'0' + (number / scale % 10) as u8);
            place = place.add(1);
        }
        scale /= 10;
    }
    // SAFETY: the eleventh.
    unsafe { place.write(0) };
}

/// Says why to the old process.
///
/// # Safety
/// As [`execute`].
unsafe fn fail(to: RawFd) -> ! {
    // SAFETY: errno is the thread's own; the pipe is open, and a failure to write is one of two.
    unsafe {
        let errno = *libc::__errno_location();
        libc::write(to, (&raw const errno).cast(), size_of::<c_int>());
        libc::_exit(127)
    }
}

/// A second descriptor of the same, with a number of at least this.
fn above(descriptor: &BorrowedFd<'_>, least: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: makes a new descriptor of one that is open.
    let second = unsafe { libc::fcntl(descriptor.as_raw_fd(), libc::F_DUPFD_CLOEXEC, least) };
    if second == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it is new, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(second) })
}

/// Our environment, with what is said of the descriptors; without `LISTEN_PID`, which comes later.
fn environment(handed: &[(&str, BorrowedFd<'_>)]) -> impl Iterator<Item = io::Result<CString>> {
    let names: Vec<&str> = handed.iter().map(|(name, _)| *name).collect();
    let ours = std::env::vars_os().filter(|(name, _)| !SAID.iter().any(|said| name == said));
    let ours = ours.map(|(name, value)| {
        let mut variable = name;
        variable.push("=");
        variable.push(value);
        variable
    });
    let said = [
        format!("LISTEN_FDS={}", handed.len()).into(),
        format!("LISTEN_FDNAMES={}", names.join(":")).into(),
    ];
    ours.chain(said).map(c_string)
}

fn c_string(text: OsString) -> io::Result<CString> {
    CString::new(text.into_vec()).map_err(io::Error::from)
}

/// As execve(2) wants it: an array that ends with a null pointer.
fn pointers(strings: &[CString], last: Option<*const c_char>) -> Vec<*const c_char> {
    let strings = strings.iter().map(|string| string.as_ptr());
    strings.chain(last).chain([std::ptr::null()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_process_id_is_written() {
        for number in [0, 1, 9, 10, 4_194_304, 99_999, 100_000, u32::MAX] {
            let mut room = [0xff; PID_ROOM];
            // SAFETY: it is as long as is wanted.
            unsafe { write_number(number, room.as_mut_ptr()) };
            let text = std::ffi::CStr::from_bytes_until_nul(&room).expect("it ends");
            assert_eq!(text.to_str(), Ok(number.to_string().as_str()));
        }
    }

    #[test]
    fn what_cannot_be_executed_is_an_error_and_no_process() {
        for path in ["/nowhere/at/all", "/dev/null", "/"] {
            let (reader, _writer) = io::pipe().expect("there are descriptors");
            let handed = [("a", reader.as_fd())];
            assert!(start(Path::new(path), &handed).is_err(), "{path}");
        }
    }

    #[test]
    fn names_and_numbers_are_said_once() {
        let (reader, writer) = io::pipe().expect("there are descriptors");
        let handed = [("a", reader.as_fd()), ("b", writer.as_fd())];
        let said: Vec<_> = environment(&handed)
            .map(|said| said.expect("no zero byte"))
            .collect();
        let listen = said
            .iter()
            .filter(|said| said.to_bytes().starts_with(b"LISTEN_"));
        let listen: Vec<_> = listen
            .map(|said| said.to_str().expect("it is text"))
            .collect();
        assert_eq!(listen, ["LISTEN_FDS=2", "LISTEN_FDNAMES=a:b"]);
    }
}

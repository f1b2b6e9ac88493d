//! The guardian: a process of ours that owns the service, so that nothing outlives us.
//!
//! It is the subreaper of everything that the service begins, daemons too; it lives in a session
//! of its own, where no Ctrl-C reaches it; and it ends everything when it is told to or when its
//! control socket closes, which the kernel does for us even after kill -9. It runs single-threaded
//! and without a runtime: the parent-death signal of the service follows the thread that began it.
//!
//! It never prints: its standard output and error are the service's, and closed once that runs.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitOptions, getpid, kill_process_group, set_child_subreaper, setsid, wait,
};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM};

use super::launch::{self, LAUNCH};
use super::protocol::{Ended, KILL_TIME, ORPHAN_GRACE, Order, Report};
use super::tree;

/// How often what is being killed is looked for again: a process may have begun another meanwhile.
const KILL_AGAIN: Duration = Duration::from_millis(5);
/// Orders are short; more without a line end is not from us.
const ORDER_MAX: usize = 256;

/// The hidden subcommand: `args` is what follows [`GUARDIAN`](super::GUARDIAN) on the command
/// line. Must be called before any thread is begun. Returns the exit code.
#[must_use]
pub fn guardian_main(args: Vec<OsString>) -> i32 {
    let words: Vec<_> = args.iter().map(|arg| arg.to_str()).collect();
    let outcome = match words[..] {
        [Some("--"), ..] => guard(&args[1..]),
        [Some(LAUNCH), Some(parent), Some("--"), ..] => {
            Err(launch::become_command(parent, &args[3..]))
        }
        _ => Err(io::Error::from(Errno::INVAL)),
    };
    // 70: our own bug. What the owner needs to know went through the control socket.
    outcome.map_or(70, |()| 0)
}

fn guard(command: &[OsString]) -> io::Result<()> {
    let mut control = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let started = prepare().and_then(|child_ended| {
        let pid = launch::start(command)?;
        // Else the service's pipes would never come to their end.
        let null = File::options().read(true).write(true).open("/dev/null")?;
        dup2_stdout(&null)?;
        dup2_stderr(&null)?;
        Ok((child_ended, pid))
    });
    let (child_ended, service) = match started {
        Ok(started) => started,
        Err(error) => {
            let errno = error.raw_os_error().unwrap_or(Errno::IO.raw_os_error());
            return control.write_all(Report::Failed(errno).to_string().as_bytes());
        }
    };
    control.set_nonblocking(true)?;
    let mut guardian = Guardian {
        control: Some(control),
        child_ended,
        pending: Vec::new(),
        service,
        service_ended: false,
        phase: Phase::Watching,
    };
    guardian.report(&Report::Started(service));
    guardian.run()
}

/// Takes what makes it a guardian; answers with a socket that is readable when a child ended.
fn prepare() -> io::Result<UnixStream> {
    if fs::read_dir("/proc/self/task")?.count() != 1 {
        return Err(io::Error::other("a guardian must be single-threaded"));
    }
    dup2_stdin(File::open("/dev/null")?)?;
    // Fails only for a group leader, which is out of the reach of Ctrl-C as well.
    let _ = setsid();
    set_child_subreaper(Some(getpid()))?;
    // Handlers rather than SIG_IGN, which the service would inherit. Nobody reads the flag.
    let ignored = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP, SIGQUIT] {
        signal_hook::flag::register(signal, Arc::clone(&ignored))?;
    }
    let (read, write) = UnixStream::pair()?;
    read.set_nonblocking(true)?;
    write.set_nonblocking(true)?;
    signal_hook::low_level::pipe::register(SIGCHLD, write)?;
    Ok(read)
}

struct Guardian {
    /// Nothing once the owner has closed its end.
    control: Option<UnixStream>,
    child_ended: UnixStream,
    /// An order of which the line end is still to come.
    pending: Vec<u8>,
    service: u32,
    service_ended: bool,
    phase: Phase,
}

#[derive(Clone, Copy)]
enum Phase {
    /// Until told to end.
    Watching,
    /// SIGTERM was sent.
    Ending { until: Instant },
    /// SIGKILL is sent, again and again.
    Killing { until: Instant },
}

impl Guardian {
    fn run(&mut self) -> io::Result<()> {
        loop {
            let childless = self.reap();
            let now = Instant::now();
            match self.phase {
                Phase::Watching => {}
                // Whoever descends from us and lost its parent became our child: no child, nobody.
                _ if childless => break self.gone(Vec::new()),
                Phase::Ending { until } if now >= until => {
                    self.phase = Phase::Killing {
                        until: now + KILL_TIME,
                    };
                    continue;
                }
                Phase::Ending { .. } => {}
                Phase::Killing { until } => {
                    let left = kill_descendants();
                    if now >= until {
                        break self.gone(left);
                    }
                }
            }
            self.wait()?;
        }
    }

    /// Waits for an order, a child's end or the next step of the phase.
    fn wait(&mut self) -> io::Result<()> {
        let patience = match self.phase {
            Phase::Watching => None,
            Phase::Ending { until } => Some(until.saturating_duration_since(Instant::now())),
            Phase::Killing { .. } => Some(KILL_AGAIN),
        };
        let patience = patience.and_then(|patience| Timespec::try_from(patience).ok());
        let mut polled = vec![PollFd::new(&self.child_ended, PollFlags::IN)];
        polled.extend(
            self.control
                .iter()
                .map(|control| PollFd::new(control, PollFlags::IN)),
        );
        match poll(&mut polled, patience.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut wakes = [0; 64];
        while matches!((&self.child_ended).read(&mut wakes), Ok(1..)) {}
        self.listen();
        Ok(())
    }

    fn listen(&mut self) {
        let mut bytes = [0; 64];
        while let Some(control) = &mut self.control {
            match control.read(&mut bytes) {
                Ok(length @ 1..) if self.pending.len() < ORDER_MAX => {
                    self.pending.extend(&bytes[..length]);
                    self.obey();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // The owner is gone, or speaks nonsense.
                Ok(_) | Err(_) => {
                    self.control = None;
                    self.end(ORPHAN_GRACE);
                }
            }
        }
    }

    fn obey(&mut self) {
        while let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.pending.drain(..=end).collect();
            if let Ok(Order::End(grace)) = String::from_utf8_lossy(&line).parse() {
                self.end(grace);
            }
        }
    }

    /// Begins to end everything, or hastens it.
    fn end(&mut self, grace: Duration) {
        // A grace beyond what the clock can say is as good as a year.
        let until = Instant::now() + grace.min(Duration::from_secs(366 * 86400));
        match self.phase {
            Phase::Watching => {
                self.terminate();
                self.phase = Phase::Ending { until };
            }
            Phase::Ending { until: before } => {
                self.phase = Phase::Ending {
                    until: until.min(before),
                };
            }
            Phase::Killing { .. } => {}
        }
    }

    /// SIGTERM to the service's group, and to whoever left it.
    fn terminate(&self) {
        let group = i32::try_from(self.service).ok().and_then(Pid::from_raw);
        // Until we have waited for the service, its id and its group's id are no one else's.
        let group = group.filter(|_| !self.service_ended);
        if let Some(group) = group {
            // It may have ended just now.
            let _ = kill_process_group(group, Signal::TERM);
        }
        for process in tree::descendants(std::process::id()) {
            if group.is_none() || process.group != self.service {
                let _ = process.signal(Signal::TERM);
            }
        }
    }

    /// Waits for every child that has ended; true if there is none left.
    fn reap(&mut self) -> bool {
        loop {
            let (pid, status) = match wait(WaitOptions::NOHANG) {
                Ok(Some(ended)) => ended,
                Ok(None) => return false,
                Err(Errno::INTR) => continue,
                Err(_) => return true,
            };
            if pid.as_raw_nonzero().get().unsigned_abs() != self.service || self.service_ended {
                continue;
            }
            let ended = match (status.exit_status(), status.terminating_signal()) {
                (Some(code), _) => Ended::Code(code),
                (None, Some(signal)) => Ended::Signal(signal),
                (None, None) => continue,
            };
            self.service_ended = true;
            self.report(&Report::Exited(ended));
        }
    }

    fn gone(&mut self, left: Vec<u32>) -> io::Result<()> {
        self.report(&Report::Gone(left));
        Ok(())
    }

    /// Reports are a few dozen bytes a run: the socket's buffer holds them all, so that an owner
    /// who does not read cannot hold us up. One who is gone needs none.
    fn report(&mut self, report: &Report) {
        if let Some(control) = &mut self.control {
            let _ = control.write_all(report.to_string().as_bytes());
        }
    }
}

/// SIGKILL to everything below us; answers with what was there.
fn kill_descendants() -> Vec<u32> {
    let descendants = tree::descendants(std::process::id());
    for process in &descendants {
        // It may have ended just now; what cannot be killed is reported in the end.
        let _ = process.signal(Signal::KILL);
    }
    descendants.iter().map(|process| process.pid).collect()
}

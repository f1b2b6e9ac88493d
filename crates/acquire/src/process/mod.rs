//! The service's processes: one that we start, with its log and its end, or one that ran before us.
//!
//! [`Target`] is whichever it is. [`Attached`] is a process that is not ours and stays as it is.
//! [`Service`] is the handle of one that we started; the process itself belongs to a guardian (see [`guardian_main`]),
//! so that nothing is left behind whatever happens to us: dropping the handle, a panic and
//! kill -9 all close the guardian's control socket.

mod attached;
mod error;
mod guardian;
mod launch;
pub(crate) mod lines;
mod pidfd;
mod protocol;
mod remedy;
mod supervise;
mod target;
mod tree;

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

pub use attached::{AttachError, Attached, Running};
pub use error::StartError;
pub use guardian::guardian_main;
pub use pidfd::Handle;
pub use protocol::GUARDIAN;
pub use remedy::remedy;
/// What can be sent to a process of the service.
pub use rustix::process::Signal;
pub use target::Target;

use shakedown_evidence::log::Stream;
use shakedown_evidence::{At, Event, Exit, ProcessStarted, Role};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::Recorder;
use lines::Log;
use protocol::{COOKIE, KILL_TIME, Order, Report};

/// The guardian answers within milliseconds; a machine that needs longer runs nothing.
const START_TIME: Duration = Duration::from_secs(10);

/// We and every process that we began, directly or not.
pub(crate) fn ours() -> Vec<u32> {
    family(std::process::id())
}

/// A process, and every one that it began, directly or not.
pub(crate) fn family(pid: u32) -> Vec<u32> {
    let begun = tree::descendants(pid);
    let begun = begun.iter().map(|process| process.pid);
    std::iter::once(pid).chain(begun).collect()
}

/// What to run, and how.
#[derive(Debug, Clone, Default)]
pub struct Launch {
    /// Command and arguments.
    pub command: Vec<String>,
    /// Variables on top of our own environment.
    pub env: Vec<(String, String)>,
    /// Variables of our own environment that it must not inherit.
    pub env_remove: Vec<String>,
    /// Working directory, if not ours. A relative command is looked for there.
    pub cwd: Option<PathBuf>,
    /// Executable that calls [`guardian_main`]; our own if not given.
    pub guardian: Option<PathBuf>,
}

/// A service that we started. Dropping it ends the service, without waiting for it.
pub struct Service {
    pid: u32,
    /// Dropping it closes the socket in this direction, which is the order to end everything.
    control: OwnedWriteHalf,
    shared: Arc<Shared>,
    /// Nothing once it was awaited.
    supervisor: Option<JoinHandle<()>>,
}

/// What the handle and its supervisor both know.
struct Shared {
    recorder: Recorder,
    role: Role,
    log: Log,
    cookie: String,
    /// Its id while it is ours; zero once it has ended.
    guardian: AtomicU32,
    /// We asked for the end.
    expected: AtomicBool,
    exit: watch::Sender<Option<Exit>>,
}

impl Service {
    /// Starts the command under a guardian and records its process, its lines and its end.
    ///
    /// # Errors
    /// The command cannot be run; nothing is left of it.
    pub async fn start(
        recorder: Recorder,
        role: Role,
        launch: &Launch,
    ) -> Result<Self, StartError> {
        let (program, cwd) = (launch.command.first(), launch.cwd.as_deref());
        let program = program.ok_or(StartError::NoCommand)?;
        if let Some(cwd) = cwd.filter(|cwd| !cwd.is_dir()) {
            let cwd = cwd.to_owned();
            return Err(StartError::Folder { cwd });
        }
        let executable = guardian_executable(launch.guardian.as_deref());
        let failed = |source| StartError::Guardian {
            guardian: executable.clone(),
            source,
        };
        let cookie = cookie();
        let (mut child, control) = spawn(&executable, launch, &cookie).map_err(failed)?;
        let (reader, control) = control.into_split();
        let mut reports = BufReader::new(reader).lines();
        let report = tokio::time::timeout(START_TIME, next_report(&mut reports)).await;
        let pid = match report {
            Ok(Some(Report::Started(pid))) => pid,
            Ok(Some(Report::Failed(errno))) => {
                drop(control);
                reap(&mut child).await;
                return Err(StartError::of(errno, program, cwd));
            }
            Ok(_) => {
                let source = io::Error::other(format!(
                    "it ended without a word: {}",
                    last_words(child).await
                ));
                return Err(failed(source));
            }
            // Closing the control socket ends it, if it ever answers.
            Err(_) => return Err(failed(io::ErrorKind::TimedOut.into())),
        };
        let guardian = child.id().unwrap_or_default();
        let shared = Arc::new(Shared {
            log: Log::new(recorder.clone(), role.clone()),
            cookie,
            guardian: AtomicU32::new(guardian),
            expected: AtomicBool::new(false),
            exit: watch::Sender::new(None),
            recorder,
            role,
        });
        shared.recorder.record(Event::Process(ProcessStarted {
            at: shared.recorder.now(),
            role: shared.role.clone(),
            pid,
        }));
        let pipes = read_pipes(&shared, &mut child);
        let supervise = supervise::supervise(Arc::clone(&shared), child, reports, pipes);
        Ok(Self {
            pid,
            control,
            shared,
            supervisor: Some(tokio::spawn(supervise)),
        })
    }

    /// The process that was started. For a wrapper this is the wrapper, not the owner of the
    /// listeners.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Its part in the run.
    #[must_use]
    pub fn role(&self) -> &Role {
        &self.shared.role
    }

    /// The service's processes: the one that was started and all that descend from it, daemons
    /// too, parents first. Empty once all have ended.
    #[must_use]
    pub fn tree(&self) -> Vec<u32> {
        match self.shared.guardian.load(Ordering::Acquire) {
            0 => Vec::new(),
            guardian => {
                let tree = tree::descendants(guardian);
                tree.iter().map(|process| process.pid).collect()
            }
        }
    }

    /// The last lines of its log, oldest first; at most fifty are kept.
    #[must_use]
    pub fn last_lines(&self, count: usize) -> Vec<String> {
        self.shared.log.last(count)
    }

    /// Lines that were counted but not recorded, because the service flooded its log.
    #[must_use]
    pub fn dropped_lines(&self) -> u64 {
        self.shared.log.dropped()
    }

    /// How the started process ended, if it has.
    #[must_use]
    pub fn exit(&self) -> Option<Exit> {
        self.shared.exit.borrow().clone()
    }

    /// Waits for the started process to end; nothing if it is still there after so long.
    pub async fn wait_exit(&self, timeout: Duration) -> Option<Exit> {
        let mut exit = self.shared.exit.subscribe();
        let ended = tokio::time::timeout(timeout, exit.wait_for(Option::is_some)).await;
        ended.ok()?.ok()?.clone()
    }

    /// Tells when the started process has ended.
    pub(crate) fn ending(&self) -> watch::Receiver<Option<Exit>> {
        self.shared.exit.subscribe()
    }

    /// A handle to a process of the service; nothing if it has ended or is not the service's.
    ///
    /// # Errors
    /// The system has no handles left.
    pub fn handle(&self, pid: u32) -> io::Result<Option<Handle>> {
        match self.shared.guardian.load(Ordering::Acquire) {
            0 => Ok(None),
            guardian => Handle::open(pid, guardian),
        }
    }

    /// Sends a signal to a process of the service; false if it has ended or is not the service's.
    /// After a signal that ends by convention, the service's end counts as expected.
    ///
    /// # Errors
    /// We may not: the process runs as another user.
    pub fn signal(&self, pid: u32, signal: Signal) -> io::Result<bool> {
        let Some(handle) = self.handle(pid)? else {
            return Ok(false);
        };
        // HUP asks for a reload.
        if [Signal::TERM, Signal::INT, Signal::QUIT, Signal::KILL].contains(&signal) {
            self.shared.expected.store(true, Ordering::Release);
        }
        handle.signal(signal)
    }

    /// Waits for a process of the service to end, and says when it was gone; nothing if it is
    /// still there after so long. To signal a process and await its end, take a [`Handle`] first.
    pub async fn wait_gone(&self, pid: u32, timeout: Duration) -> Option<At> {
        match self.handle(pid) {
            Ok(Some(handle)) if !handle.gone(timeout).await => None,
            Err(_) => None,
            Ok(_) => Some(self.shared.recorder.now()),
        }
    }

    /// Ends every process of the service: SIGTERM, after the grace SIGKILL. Returns when all are
    /// gone and the log is read to its end; at the latest some seconds after the grace, with a
    /// trouble recorded that names what could not be ended.
    pub async fn end(&mut self, grace: Duration) {
        let Some(supervisor) = self.supervisor.as_mut() else {
            return;
        };
        self.shared.expected.store(true, Ordering::Release);
        // The guardian may be gone already; its supervisor sees to that.
        let _ = self
            .control
            .write_all(Order::End(grace).to_string().as_bytes())
            .await;
        let patience = grace + KILL_TIME + START_TIME;
        if tokio::time::timeout(patience, &mut *supervisor)
            .await
            .is_err()
        {
            // A guardian that does not answer is stopped or starved; the supervisor ends the rest.
            let guardian = self.shared.guardian.load(Ordering::Acquire);
            if let Some(guardian) = tree::Seen::read(guardian) {
                // It may have ended just now.
                let _ = guardian.signal(Signal::KILL);
            }
            let _ = tokio::time::timeout(2 * KILL_TIME, supervisor).await;
        }
        self.supervisor = None;
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the record, which is all that was ever seen.
        let mut debug = f.debug_struct("Service");
        let debug = debug.field("pid", &self.pid).field("role", self.role());
        debug.finish_non_exhaustive()
    }
}

/// Starts the guardian; answers with our end of its control socket.
fn spawn(executable: &Path, launch: &Launch, cookie: &str) -> io::Result<(Child, UnixStream)> {
    let (ours, theirs) = StdStream::pair()?;
    ours.set_nonblocking(true)?;
    let mut command = Command::new(executable);
    command
        .args([GUARDIAN, "--"])
        .args(&launch.command)
        .envs(launch.env.iter().map(|(name, value)| (name, value)))
        .env(COOKIE, cookie)
        .stdin(OwnedFd::from(theirs))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    for name in launch
        .env_remove
        .iter()
        .filter(|name| launch.env.iter().all(|(set, _)| set != *name))
    {
        command.env_remove(name);
    }
    if let Some(cwd) = &launch.cwd {
        command.current_dir(cwd);
    }
    let child = command.spawn()?;
    Ok((child, UnixStream::from_std(ours)?))
}

fn guardian_executable(given: Option<&Path>) -> PathBuf {
    let given = given.map(|path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned()));
    let own = || std::env::current_exe().ok().filter(|path| path.exists());
    // Our file may have been replaced since we began.
    given
        .or_else(own)
        .unwrap_or_else(|| PathBuf::from("/proc/self/exe"))
}

/// A value that no other process has in its environment.
fn cookie() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let since_epoch = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{}-{}-{count}", std::process::id(), since_epoch.as_nanos())
}

async fn next_report(reports: &mut Lines<BufReader<OwnedReadHalf>>) -> Option<Report> {
    reports.next_line().await.ok()??.parse().ok()
}

/// The two tasks that read the service's log.
fn read_pipes(shared: &Arc<Shared>, child: &mut Child) -> Vec<JoinHandle<()>> {
    let mut tasks = Vec::new();
    if let Some(pipe) = child.stdout.take() {
        let shared = Arc::clone(shared);
        tasks.push(tokio::spawn(async move {
            shared.log.read(pipe, Stream::Stdout).await;
        }));
    }
    if let Some(pipe) = child.stderr.take() {
        let shared = Arc::clone(shared);
        tasks.push(tokio::spawn(async move {
            shared.log.read(pipe, Stream::Stderr).await;
        }));
    }
    tasks
}

async fn reap(child: &mut Child) {
    // It has closed its socket, which is the last thing that it does.
    let _ = tokio::time::timeout(KILL_TIME, child.wait()).await;
}

/// What a program that is no guardian had to say, such as its usage.
async fn last_words(child: Child) -> String {
    let output = tokio::time::timeout(KILL_TIME, child.wait_with_output()).await;
    let Ok(Ok(output)) = output else {
        return "it is still running".to_owned();
    };
    let stderr = String::from_utf8_lossy(&output.stderr);
    format!(
        "{}; {}",
        output.status,
        stderr.lines().next().unwrap_or_default()
    )
}

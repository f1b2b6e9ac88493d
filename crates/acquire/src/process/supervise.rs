//! The task behind a [`Service`](super::Service): it hears what the guardian reports, records the
//! service's end, and takes the guardian's place if that was killed.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use shakedown_evidence::{Event, Exit};
use tokio::io::{BufReader, Lines};
use tokio::net::unix::OwnedReadHalf;
use tokio::process::Child;
use tokio::task::JoinHandle;

use super::lines::Log;
use super::protocol::{COOKIE, Ended, KILL_TIME, Report};
use super::tree::{self, Seen};
use super::{Shared, next_report, reap};

/// After the process has ended its pipes hold at most a few MB; only a daemon holds them open. So
/// long after the last line nothing more is awaited.
const DRAIN: Duration = Duration::from_millis(500);
/// A daemon that goes on writing is not awaited for longer.
const DRAIN_MAX: u32 = 20;
/// How often the processes of a killed guardian are looked for.
const SWEEP_AGAIN: Duration = Duration::from_millis(10);

/// How often the processes that a launcher left are looked for.
const LAUNCHED_AGAIN: Duration = Duration::from_millis(50);
/// Name of the mark.
const LAUNCHED: &str =
    "the command ended with code 0 and left processes behind: they are taken for the service";

/// Runs until the guardian has ended and the service's log is read to its end.
pub(super) async fn supervise(
    shared: Arc<Shared>,
    mut guardian: Child,
    mut reports: Lines<BufReader<OwnedReadHalf>>,
    mut pipes: Vec<JoinHandle<()>>,
) {
    let mut left = None;
    // The command ended well, and what it launched lives on.
    let mut launched = false;
    loop {
        let report = tokio::select! {
            report = next_report(&mut reports) => report,
            () = all_gone(&shared), if launched => {
                launched = false;
                ended_with(&shared, Ended::Code(0), &mut pipes).await;
                continue;
            }
        };
        match report {
            Some(Report::Exited(Ended::Code(0))) if lives_on(&shared) => {
                launched = true;
                shared.recorder.mark(LAUNCHED);
            }
            Some(Report::Exited(ended)) => ended_with(&shared, ended, &mut pipes).await,
            Some(Report::Gone(pids)) => left = Some(pids),
            Some(Report::Started(_) | Report::Failed(_)) => {}
            None => break,
        }
    }
    if launched {
        ended_with(&shared, Ended::Code(0), &mut pipes).await;
    }
    // Once it is waited for, its id may be given to another process.
    let pid = shared.guardian.swap(0, Ordering::AcqRel);
    reap(&mut guardian).await;
    let left = match left {
        Some(left) => left,
        None => replace_guardian(&shared, pid).await,
    };
    let unheard = shared.exit.borrow().is_none();
    if unheard && left.is_empty() {
        // The parent-death signal, or our own.
        ended_with(&shared, Ended::Signal(Signal::KILL.as_raw()), &mut pipes).await;
    }
    drain(&shared.log, &mut pipes).await;
    pipes.iter().for_each(JoinHandle::abort);
    if !left.is_empty() {
        shared.recorder.trouble(format!(
            "processes {left:?} of the service could not be ended (another user's, or stuck in the kernel); end them by hand"
        ));
    }
}

/// Processes of the service are there although the one that was started has ended: a daemon's, or
/// those of a command that changes its session in a child, as setsid(1) does.
fn lives_on(shared: &Shared) -> bool {
    let guardian = shared.guardian.load(Ordering::Acquire);
    !tree::descendants(guardian).is_empty()
}

async fn all_gone(shared: &Shared) {
    while lives_on(shared) {
        tokio::time::sleep(LAUNCHED_AGAIN).await;
    }
}

/// Records the end, after the last lines.
async fn ended_with(shared: &Shared, ended: Ended, pipes: &mut Vec<JoinHandle<()>>) {
    let at = shared.recorder.now();
    let (code, signal) = match ended {
        Ended::Code(code) => (Some(code), None),
        Ended::Signal(signal) => (None, Some(signal)),
    };
    let exit = Exit {
        at,
        role: shared.role.clone(),
        code,
        signal,
        expected: shared.expected.load(Ordering::Acquire),
    };
    drain(&shared.log, pipes).await;
    shared.recorder.record(Event::Exit(exit.clone()));
    shared.exit.send_replace(Some(exit));
}

/// Waits for the pipes to end, not for long; those that have are taken out.
async fn drain(log: &Log, pipes: &mut Vec<JoinHandle<()>>) {
    for _ in 0..DRAIN_MAX {
        let before = log.lines();
        let all = async {
            while let Some(pipe) = pipes.last_mut() {
                // A reader that panicked has ended as well.
                let _ = pipe.await;
                pipes.pop();
            }
        };
        let ended = tokio::time::timeout(DRAIN, all).await.is_ok();
        if ended || log.lines() == before {
            return;
        }
    }
}

/// The guardian was killed: says so and ends what it left. Answers with what cannot be ended.
async fn replace_guardian(shared: &Arc<Shared>, guardian: u32) -> Vec<u32> {
    shared.recorder.trouble(
        "the guardian process was killed from outside, and the service with it; the run ends here",
    );
    let cookie = format!("{COOKIE}={}", shared.cookie);
    let swept = tokio::task::spawn_blocking(move || sweep(guardian, &cookie));
    swept.await.unwrap_or_default()
}

/// Kills what bears the guardian's session or cookie until nothing does, or for [`KILL_TIME`].
fn sweep(guardian: u32, cookie: &str) -> Vec<u32> {
    let until = Instant::now() + KILL_TIME;
    loop {
        let left: Vec<Seen> = tree::all()
            .into_iter()
            .filter(|process| !process.zombie && process.pid != std::process::id())
            .filter(|process| process.session == guardian || bears(process.pid, cookie))
            .collect();
        for process in &left {
            // It may have ended just now; what cannot be killed is reported in the end.
            let _ = process.signal(Signal::KILL);
        }
        if left.is_empty() || Instant::now() >= until {
            return left.iter().map(|process| process.pid).collect();
        }
        std::thread::sleep(SWEEP_AGAIN);
    }
}

/// Looks for one variable; nothing else of a stranger's environment is kept.
fn bears(pid: u32, cookie: &str) -> bool {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let mut variables = environment.split(|byte| *byte == 0);
    variables.any(|variable| variable == cookie.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU32};

    use shakedown_evidence::Role;
    use tokio::sync::watch;

    use super::super::lines::Log;
    use super::*;
    use crate::Recorder;

    fn shared() -> Arc<Shared> {
        let recorder = Recorder::new(Instant::now(), None);
        Arc::new(Shared {
            log: Log::new(recorder.clone(), Role::Target),
            cookie: String::new(),
            guardian: AtomicU32::new(0),
            expected: AtomicBool::new(true),
            exit: watch::Sender::new(None),
            recorder,
            role: Role::Target,
        })
    }

    /// Ends a service with one reader; answers what was marked when the end was recorded.
    async fn check(
        reader: impl Future<Output = ()> + Send + 'static,
        shared: Arc<Shared>,
    ) -> usize {
        let mut pipes = vec![tokio::spawn(reader)];
        ended_with(&shared, Ended::Code(0), &mut pipes).await;
        let exit = shared.exit.borrow().clone();
        assert!(exit.is_some_and(|exit| exit.expected && exit.code == Some(0)));
        pipes.iter().for_each(JoinHandle::abort);
        shared.recorder.read(|evidence| evidence.marks.len())
    }

    #[tokio::test]
    async fn the_last_lines_come_before_the_end() {
        let shared = shared();
        let recorder = shared.recorder.clone();
        let reader = async move {
            // A reader that is late, as on a loaded machine.
            tokio::time::sleep(Duration::from_millis(50)).await;
            recorder.mark("the last line");
        };
        assert_eq!(check(reader, shared).await, 1);
    }

    #[tokio::test]
    async fn a_daemon_that_holds_the_pipe_does_not_hold_up_the_end() {
        assert_eq!(check(std::future::pending(), shared()).await, 0);
    }
}

//! Nothing is left, whoever ends first.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use shakedown_acquire::process::Signal;

use super::{Live, MARK, OWNER, PATIENCE, alive, kill, parent, run, status, until};

/// A child in the same group, a daemon in a session of its own whose parent has ended, and one
/// more that ignores SIGTERM.
const FAMILY: &str = "sleep 1000 & (setsid sleep 1001 >/dev/null 2>&1 &) ; \
    (setsid sh -c 'trap \"\" TERM HUP INT; while :; do sleep 0.05; done' >/dev/null 2>&1 &) ; \
    echo up; exec sleep 1002";

/// Ends the service and sees that nothing is left and nobody is blamed.
async fn check_end(mut live: Live, grace: Duration) -> Duration {
    let guardian = live.guardian();
    let before = alive(&live.mark);
    assert!(
        before.contains(&guardian) && before.len() >= 2,
        "{before:?}"
    );
    let begun = Instant::now();
    live.service.end(grace).await;
    let took = begun.elapsed();
    assert_eq!(alive(&live.mark), [0; 0]);
    assert_eq!(live.service.tree(), [0; 0]);
    assert_eq!(parent(guardian), None, "the guardian is waited for");
    live.recorder.read(|evidence| {
        assert_eq!(evidence.troubles, []);
        assert!(evidence.exits[0].expected);
    });
    took
}

pub(super) fn a_wrapper_and_its_child_are_ended() {
    run(async {
        let script = "sleep 1000 & echo up; exec sleep 1000";
        let live = Live::start("wrapper", script).await;
        live.until_it_says("up").await;
        until(|| live.service.tree().len() == 2).await;
        assert_eq!(live.service.tree()[0], live.service.pid());
        let took = check_end(live, PATIENCE).await;
        assert!(
            took < Duration::from_secs(5),
            "SIGTERM was enough: {took:?}"
        );
    });
}

pub(super) fn a_daemon_is_ended() {
    run(async {
        let live = Live::start(
            "daemon",
            "(setsid sleep 1000 >/dev/null 2>&1 &) ; echo up; exec sleep 1001",
        )
        .await;
        live.until_it_says("up").await;
        let guardian = live.guardian();
        // The daemon's parent has ended, and it is still ours.
        until(|| {
            let tree = live.service.tree();
            tree.len() == 2 && tree.iter().all(|pid| parent(*pid) == Some(guardian))
        })
        .await;
        let took = check_end(live, PATIENCE).await;
        assert!(
            took < Duration::from_secs(5),
            "SIGTERM was enough: {took:?}"
        );
    });
}

pub(super) fn a_service_that_ignores_sigterm_is_killed_after_the_grace() {
    run(async {
        let live = Live::start(
            "deaf",
            "trap '' TERM; echo up; while :; do sleep 0.05; done",
        )
        .await;
        live.until_it_says("up").await;
        let recorder = live.recorder.clone();
        let grace = Duration::from_millis(700);
        let took = check_end(live, grace).await;
        assert!(
            took >= grace && took < grace + Duration::from_secs(4),
            "{took:?}"
        );
        let signal = recorder.read(|evidence| evidence.exits[0].signal);
        assert_eq!(signal, Some(9));
    });
}

pub(super) fn a_service_that_keeps_forking_is_ended() {
    run(async {
        let script = "trap '' TERM; echo up; while :; do sleep 1000 & sleep 0.002; done";
        let live = Live::start("forking", script).await;
        live.until_it_says("up").await;
        until(|| live.service.tree().len() > 20).await;
        check_end(live, Duration::from_millis(100)).await;
    });
}

pub(super) fn a_service_that_has_ended_leaves_no_zombie() {
    run(async {
        let mut live = Live::start("zombie", "sleep 0.01 & sleep 0.02 & exit 0").await;
        until(|| alive(&live.mark).len() == 1).await;
        let guardian = alive(&live.mark)[0];
        assert_eq!(parent(guardian), Some(std::process::id()));
        // Zombies are children too.
        let children = format!("/proc/{guardian}/task/{guardian}/children");
        until(|| fs::read_to_string(&children).is_ok_and(|children| children.is_empty())).await;
        assert_eq!(live.service.tree(), [0; 0]);
        live.service.end(Duration::ZERO).await;
        assert_eq!(parent(guardian), None);
    });
}

pub(super) fn a_dropped_handle_ends_the_service() {
    run(async {
        let Live {
            service,
            mark,
            recorder,
        } = Live::start("dropped", FAMILY).await;
        until(|| alive(&mark).len() >= 5).await;
        drop(service);
        until(|| alive(&mark).is_empty()).await;
        // Nobody asked for it by name, but nobody is left to care either.
        until(|| recorder.read(|evidence| evidence.exits.len() == 1)).await;
    });
}

/// An owner in a process of its own, with a family of six: guardian, service, child, two daemons
/// and what the second of them runs.
struct Owner {
    owner: Child,
    mark: String,
    service: u32,
}

impl Owner {
    async fn start(case: &str) -> Self {
        let mark = format!("{case}-{}", std::process::id());
        // Whoever starts the tests in the background of a shell has them ignore SIGINT.
        let mut command = Command::new("env");
        command
            .arg("--default-signal=INT")
            .arg(std::env::current_exe().expect("a test has a file"))
            .args([OWNER, &mark, FAMILY])
            .stdout(Stdio::piped())
            .process_group(0);
        let mut owner = command.spawn().expect("starts");
        let mut line = String::new();
        let mut stdout = BufReader::new(owner.stdout.take().expect("is piped"));
        stdout.read_line(&mut line).expect("says who runs");
        let service = line.trim().parse().expect("a process id");
        until(|| alive(&mark).len() >= 5).await;
        Self {
            owner,
            mark,
            service,
        }
    }

    async fn check_gone(mut self) {
        until(|| matches!(status(self.owner.id(), "State"), Some(state) if state.starts_with('Z')))
            .await;
        self.owner.wait().expect("has ended");
        let begun = Instant::now();
        until(|| alive(&self.mark).is_empty()).await;
        let took = begun.elapsed();
        // SIGTERM, a second of grace, SIGKILL.
        assert!(took < Duration::from_secs(10), "{took:?}");
        assert_eq!(parent(self.service), None);
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        // Where a case failed; its guardian does the rest.
        let _ = self.owner.kill();
        let _ = self.owner.wait();
    }
}

pub(super) fn a_killed_owner_leaves_nothing() {
    run(async {
        for signal in [Signal::KILL, Signal::TERM] {
            let owner = Owner::start(&format!("owner-{}", signal.as_raw())).await;
            kill(owner.owner.id(), signal);
            owner.check_gone().await;
        }
    });
}

pub(super) fn ctrl_c_to_the_whole_group_leaves_nothing() {
    run(async {
        let owner = Owner::start("ctrl-c").await;
        let group = rustix::process::Pid::from_child(&owner.owner);
        rustix::process::kill_process_group(group, Signal::INT).expect("is running");
        owner.check_gone().await;
    });
}

pub(super) fn a_killed_guardian_leaves_nothing() {
    run(async {
        let mut live = Live::start("guardian", FAMILY).await;
        until(|| alive(&live.mark).len() >= 5).await;
        kill(live.guardian(), Signal::KILL);
        until(|| alive(&live.mark).is_empty()).await;
        let exit = live.service.wait_exit(PATIENCE).await.expect("is noticed");
        assert_eq!((exit.signal, exit.expected), (Some(9), false));
        live.recorder.read(|evidence| {
            assert_eq!(evidence.troubles.len(), 1);
            assert!(evidence.troubles[0].what.contains("guardian"));
        });
        live.service.end(Duration::ZERO).await;
        assert_eq!(live.recorder.read(|evidence| evidence.exits.len()), 1);
    });
}

pub(super) fn a_guardian_ignores_the_signals_of_a_terminal() {
    run(async {
        let live = Live::start("terminal", FAMILY).await;
        live.until_it_says("up").await;
        let guardian = live.guardian();
        for signal in [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT] {
            kill(guardian, signal);
        }
        // They were delivered, all of them, and both are still there.
        until(|| {
            status(guardian, "SigPnd").is_some_and(|pending| pending.trim_matches('0').is_empty())
        })
        .await;
        assert_eq!(parent(live.service.pid()), Some(guardian));
        check_end(live, Duration::from_millis(100)).await;
    });
}

pub(super) fn an_end_without_a_service_is_quick() {
    run(async {
        let mut live = Live::start("quick", "exit 0").await;
        live.service
            .wait_exit(PATIENCE)
            .await
            .expect("ends by itself");
        let begun = Instant::now();
        live.service.end(PATIENCE).await;
        live.service.end(PATIENCE).await;
        assert!(begun.elapsed() < Duration::from_secs(5));
        assert_eq!(alive(&live.mark), [0; 0]);
        assert_eq!(MARK, "SHAKEDOWN_TEST");
    });
}

//! What a dump shows, and that tools for Go's dumps read it.

use std::future::Future;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use shakedown_kit::labels::Labels;
use shakedown_kit::scope::Scope;
use shakedown_kit::tasks::{self, Dump, Kind, Seen, State};
use shakedown_pprof::Profile;
use shakedown_pprof::goroutine;
use tokio::sync::{Mutex, mpsc};

use crate::{alone, runtime, until};

const PATIENCE: Duration = Duration::from_secs(10);

async fn sleeps() {
    tokio::time::sleep(Duration::from_secs(600)).await;
}

async fn receives(mut channel: mpsc::Receiver<()>) {
    channel.recv().await;
}

async fn calls_on() {
    sleeps().await;
}

async fn chooses(lock: std::sync::Arc<Mutex<()>>) {
    tokio::select! {
        () = sleeps() => {}
        _ = lock.lock() => {}
    }
}

fn find<'d>(dump: &'d Dump, function: &str) -> &'d Seen {
    let found = dump
        .tasks
        .iter()
        .find(|task| task.function.ends_with(function));
    found.unwrap_or_else(|| panic!("no {function} in {dump:#?}"))
}

/// The functions of a task's first stack, innermost first, without their paths.
fn chain(task: &Seen) -> Vec<&str> {
    let stack = task.stacks.first().map_or(&[][..], Vec::as_slice);
    stack
        .iter()
        .map(|frame| frame.function.rsplit("::").next().unwrap_or_default())
        .collect()
}

#[test]
fn a_dump_shows_where_each_task_waits() {
    let _alone = alone();
    let runtime = runtime();
    let dump = runtime.block_on(async {
        let (_sender, receiver) = mpsc::channel(1);
        let lock = std::sync::Arc::new(Mutex::new(()));
        let _held = lock.lock().await;
        shakedown_kit::spawn(sleeps());
        shakedown_kit::spawn(receives(receiver));
        shakedown_kit::spawn(calls_on());
        shakedown_kit::spawn(chooses(std::sync::Arc::clone(&lock)));
        shakedown_kit::spawn_detached(std::future::pending::<()>());
        tokio::time::sleep(Duration::from_millis(50)).await;
        tasks::dump(PATIENCE).await
    });
    let task = find(&dump, "::calls_on");
    assert_eq!((task.kind, task.state), (Kind::Background, State::Waiting));
    assert!(
        task.spawned_at.0.ends_with("tasks.rs"),
        "{:?}",
        task.spawned_at
    );
    let chain = chain(task);
    let position = |name| chain.iter().position(|frame| *frame == name);
    assert!(
        position("sleeps").is_some() && position("sleeps") < position("calls_on"),
        "the chain of awaits: {chain:?}"
    );
    let place = task.stacks[0]
        .iter()
        .find(|frame| frame.function.ends_with("::sleeps"));
    assert!(place.is_some_and(|frame| frame.file.ends_with("tasks.rs") && frame.line > 0));
    assert_eq!(find(&dump, "::chooses").stacks.len(), 2, "both branches");
    assert_eq!(dump.unanswered, 0);

    let text = tasks::goroutines(&dump);
    let read = goroutine::Dump::decode(text.as_bytes()).expect("it reads as Go's");
    assert_eq!(read.goroutines.len(), dump.tasks.len());
    assert_eq!(read.unread_lines, 0, "{text}");
    let state = |function: &str| {
        let id = find(&dump, function).id;
        let task = read.goroutines.iter().find(|task| task.id == id);
        task.expect("it is there").state.to_string()
    };
    assert_eq!(state("::sleeps"), "sleep");
    assert_eq!(state("::receives"), "chan receive");
    assert_eq!(state("::chooses"), "select");

    let counts = goroutine::Counts::decode(tasks::counts(&dump).as_bytes()).expect("debug=1");
    assert_eq!(counts.counted(), dump.tasks.len() as u64);
    assert_eq!(counts.unread_lines, 0);
    let profile = Profile::decode(&tasks::profile(&dump)).expect("debug=0");
    let total: i64 = profile.samples().map(|sample| sample.values[0]).sum();
    assert_eq!(total, dump.tasks.len() as i64);
    assert!(tasks::page(&dump, Some(3)).contains("3 more that nobody registered"));
}

#[test]
fn blocked_workers_do_not_block_a_dump() {
    let _alone = alone();
    let runtime = runtime();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = std::sync::Arc::new(std::sync::Mutex::new(released));
    let context = runtime.enter();
    for _ in 0..2 {
        let released = std::sync::Arc::clone(&released);
        shakedown_kit::spawn(async move {
            let _ = released
                .lock()
                .map(|released| released.recv_timeout(Duration::from_secs(30)));
        });
    }
    let waits = shakedown_kit::spawn(sleeps());
    drop(context);
    let elsewhere = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let dump = elsewhere.expect("a runtime").block_on(async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        tasks::dump(Duration::from_millis(200)).await
    });
    let running = dump
        .tasks
        .iter()
        .filter(|task| task.state == State::Running)
        .count();
    assert_eq!(running, 2, "{dump:#?}");
    assert!(dump.unanswered >= 2);
    assert!(dump.took < Duration::from_secs(5));
    drop(release);
    waits.abort();
}

#[test]
fn tasks_that_nobody_registered_are_a_number() {
    let _alone = alone();
    let runtime = runtime();
    runtime.block_on(async {
        let handle = tokio::runtime::Handle::current();
        assert_eq!(tasks::unregistered(&handle), 0);
        let bare: Vec<_> = (0..3).map(|_| tokio::spawn(sleeps())).collect();
        let ours = shakedown_kit::spawn(sleeps());
        assert_eq!(tasks::unregistered(&handle), 3);
        for task in bare {
            task.abort();
        }
        until("the bare ones have ended", || {
            tasks::unregistered(&handle) == 0
        })
        .await;
        assert_eq!(tasks::registered(), 1);
        ours.abort();
        until("ours has ended", || tasks::registered() == 0).await;
    });
}

/// The register under everything that touches it at once: spawns and ends on several threads, tasks
/// that end by themselves, by abort and with a panic, requests that cancel their children, and dumps.
#[test]
fn tasks_come_and_go_during_dumps() {
    const CHURNS: usize = 4;
    const ROUNDS: usize = 150;
    const TASKS: usize = 21;
    let _alone = alone();
    // Panics are part of this test, and of nobody's log.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(CHURNS)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let churns: Vec<_> = (0..CHURNS)
            .map(|_| tokio::spawn(churn(ROUNDS, TASKS)))
            .collect();
        let mut dumps = 0;
        while churns.iter().any(|churn| !churn.is_finished()) {
            let dump = tasks::dump(PATIENCE).await;
            dumps += 1;
            assert!(dump.tasks.len() <= CHURNS * TASKS, "{}", dump.tasks.len());
            let ids: std::collections::BTreeSet<u64> =
                dump.tasks.iter().map(|task| task.id).collect();
            assert_eq!(ids.len(), dump.tasks.len(), "one task twice");
        }
        for churn in churns {
            churn.await.expect("nothing panics but what was told to");
        }
        assert!(dumps > 0);
        until("the register is empty", || tasks::registered() == 0).await;
        let handle = tokio::runtime::Handle::current();
        until("the runtime is, too", || {
            handle.metrics().num_alive_tasks() == 0
        })
        .await;
    });
    std::panic::set_hook(hook);
}

/// Runs this within a scope.
fn within<T>(scope: &Scope, work: impl FnOnce() -> T) -> T {
    let mut run = std::pin::pin!(scope.clone().run(async { work() }));
    let mut context = Context::from_waker(Waker::noop());
    match run.as_mut().poll(&mut context) {
        Poll::Ready(done) => done,
        Poll::Pending => unreachable!("it awaits nothing"),
    }
}

async fn churn(rounds: usize, tasks: usize) {
    for _ in 0..rounds {
        let scope = Scope::new(None, Labels::default());
        let spawned: Vec<_> = (0..tasks)
            .map(|n| match n % 4 {
                0 => shakedown_kit::spawn(tokio::task::yield_now()),
                1 => shakedown_kit::spawn(sleeps()),
                2 => shakedown_kit::spawn(async { panic!("on purpose") }),
                // Cancelled with its scope below.
                _ => within(&scope, || shakedown_kit::spawn(sleeps())),
            })
            .collect();
        tokio::task::yield_now().await;
        scope.cancel();
        for (n, task) in spawned.into_iter().enumerate() {
            if n % 4 == 1 {
                task.abort();
            }
            assert_eq!(task.await.is_ok(), n % 4 == 0, "{n}");
        }
        assert_eq!(scope.children_running(), 0);
    }
}

#[test]
fn blocking_code_is_seen() {
    let _alone = alone();
    let runtime = runtime();
    runtime.block_on(async {
        let (release, released) = std::sync::mpsc::channel::<()>();
        let task = shakedown_kit::spawn_blocking(move || released.recv().is_err());
        let dump = tasks::dump(PATIENCE).await;
        assert_eq!(
            (dump.tasks[0].kind, dump.tasks[0].state),
            (Kind::Blocking, State::Blocking)
        );
        drop(release);
        assert!(task.await.expect("it returns"));
        assert_eq!(tasks::registered(), 0);
    });
}

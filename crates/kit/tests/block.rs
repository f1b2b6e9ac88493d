//! The watchdog sees who holds a worker, and nobody else.

#![cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]

use std::hint::black_box;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use shakedown_kit::profile::block::{self, Poll, Watchdog};
use shakedown_kit::profile::threads;
use shakedown_pprof::{Granularity, LabelValue, Profile, top};

/// The profile is of the whole process.
static ONE: Mutex<()> = Mutex::new(());

/// By the thread's own clock: a busy machine gives it little of the time that passes.
#[inline(never)]
fn computes(for_how_long: Duration) {
    let before = cpu_time();
    while cpu_time() - before < for_how_long {
        for _ in 0..1000 {
            black_box((0..1000_u64).sum::<u64>());
        }
    }
}

/// How long this thread had a CPU.
fn cpu_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    let nanos = text.split(' ').next().and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.expect("nanoseconds"))
}

#[inline(never)]
fn sleeps(for_how_long: Duration) {
    std::thread::sleep(for_how_long);
    black_box(());
}

#[inline(never)]
fn comes_back_soon() {
    black_box((0..100_u64).sum::<u64>());
}

/// Polls and nanoseconds of the function whose name ends with `name`.
fn held_by(name: &str) -> (i64, i64) {
    let profile = Profile::decode(&block::profile().expect("a watchdog was there")).expect("ours");
    let cum = |kind| {
        let kind = profile.sample_type(Some(kind)).expect("as Go has them");
        let rows = top(&profile, kind, Granularity::Function).rows;
        rows.iter()
            .find(|row| row.name.ends_with(name))
            .map_or(0, |row| row.cum)
    };
    (cum("contentions"), cum("delay"))
}

#[test]
fn who_holds_a_worker_is_seen_in_the_act() {
    let _one = ONE.lock();
    let _watchdog = Watchdog::start().expect("SIGPROF is free");
    std::thread::scope(|scope| {
        for work in [computes, sleeps] {
            scope.spawn(move || {
                let _poll = Poll::begin();
                work(Duration::from_millis(400));
            });
        }
    });
    // A sleeping thread is not asked by a signal; elsewhere its stack cannot be walked without one.
    let seen = if cfg!(all(target_arch = "x86_64", target_env = "gnu")) {
        &["block::computes", "block::sleeps"][..]
    } else {
        &["block::computes"]
    };
    for name in seen {
        let (polls, nanos) = held_by(name);
        let held = Duration::from_nanos(nanos.unsigned_abs());
        assert!(polls <= 1 && nanos > 0, "{name}: {polls} polls, {held:?}");
        // The watchdog has to wait for a CPU, too: on a busy machine it sees less of a poll.
        assert!(held >= Duration::from_millis(50), "{name}: {held:?}");
    }
}

#[test]
fn a_healthy_worker_is_not_blamed() {
    let _one = ONE.lock();
    let _watchdog = Watchdog::start().expect("SIGPROF is free");
    let worker = std::thread::spawn(|| {
        let since = Instant::now();
        while since.elapsed() < Duration::from_millis(500) {
            let _poll = Poll::begin();
            comes_back_soon();
        }
        // Between two polls a worker may wait as long as it likes.
        sleeps_without_poll(Duration::from_millis(200));
    });
    worker.join().expect("no panic");
    assert_eq!(held_by("block::comes_back_soon"), (0, 0));
    assert_eq!(held_by("block::sleeps_without_poll"), (0, 0));
}

#[inline(never)]
fn sleeps_without_poll(for_how_long: Duration) {
    std::thread::sleep(for_how_long);
    black_box(());
}

#[test]
fn a_wait_that_is_watched_does_not_end_early() {
    use std::io::Read;
    let _one = ONE.lock();
    let _watchdog = Watchdog::start().expect("SIGPROF is free");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = listener.local_addr().expect("bound");
    let mut stream = std::net::TcpStream::connect(address).expect("connects");
    let limit = Duration::from_millis(300);
    stream.set_read_timeout(Some(limit)).expect("a limit");
    let _poll = Poll::begin();
    let since = Instant::now();
    let error = stream.read(&mut [0]).expect_err("nobody writes");
    // A signal would make it `Interrupted`, and early.
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    assert!(
        since.elapsed() >= limit - Duration::from_millis(20),
        "{:?}",
        since.elapsed()
    );
}

#[test]
fn each_thread_is_listed_with_its_name() {
    let (send, wait) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::Builder::new()
        .name("waits-for-us".to_owned())
        .spawn(move || {
            let _ = wait.recv();
        })
        .expect("a thread");
    let profile = Profile::decode(&threads::profile().expect("/proc is there")).expect("ours");
    let names: Vec<String> = profile
        .samples()
        .flat_map(|sample| sample.labels.to_vec())
        .filter_map(|label| match label.value {
            LabelValue::Text(text) => Some(profile.text(text).to_owned()),
            LabelValue::Number { .. } => None,
        })
        .collect();
    assert!(names.iter().any(|name| name == "waits-for-us"), "{names:?}");
    assert_eq!(names.len(), profile.samples().len());
    drop(send);
    thread.join().expect("no panic");
}

//! Both profilers at once, while threads start and end, memory changes hands and the process forks.
//!
//! For ten minutes with a thousand threads:
//! `cargo test -p shakedown-kit --release --test stress -- --ignored`, or for as long as
//! `KIT_STRESS_SECONDS` says.

#![cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
#![expect(unsafe_code, reason = "forks without exec, as some services do")]

use std::hint::black_box;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::time::{Duration, Instant};

use shakedown_kit::profile::{NotMeasured, block, cpu, heap, threads};
use shakedown_pprof::Profile;

#[global_allocator]
static ALLOCATOR: heap::Sampler<std::alloc::System> = heap::Sampler::new(std::alloc::System);

/// The profiles are of the whole process.
static ONE: Mutex<()> = Mutex::new(());

#[test]
fn threads_that_come_and_go_do_no_harm() {
    stress(Duration::from_secs(3), 100);
}

#[test]
#[ignore = "ten minutes"]
fn ten_minutes_of_a_thousand_threads() {
    let seconds = std::env::var("KIT_STRESS_SECONDS").ok();
    let seconds = seconds.and_then(|seconds| seconds.parse().ok());
    stress(Duration::from_secs(seconds.unwrap_or(600)), 1000);
}

/// Sets it at the end, also when an assertion fails: scoped threads are waited for.
struct Sets<'s>(&'s AtomicBool);

impl Drop for Sets<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn stress(for_how_long: Duration, threads_at_once: usize) {
    let _one = ONE.lock();
    let options = heap::Options {
        // Sixteen times as often as services are sampled.
        mean_bytes: 32 * 1024,
        seed: None,
    };
    match heap::start(options) {
        Ok(()) | Err(NotMeasured::Busy) => {}
        Err(error) => panic!("{error}"),
    }
    let _watchdog = block::Watchdog::start().expect("SIGPROF is free");
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _stop = Sets(&stop);
        for _ in 0..4 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    generation(threads_at_once / 4);
                }
            });
        }
        let since = Instant::now();
        let (mut samples, mut rounds) = (0, 0);
        // On a busy machine a round may bring nothing.
        while since.elapsed() < for_how_long || (samples == 0 && rounds < 20) {
            samples += one_round();
            rounds += 1;
        }
        assert!(samples > 0, "no sample in {rounds} rounds");
    });
}

/// Threads that allocate, and release what others allocated.
fn generation(count: usize) {
    let (send, receive): (SyncSender<Vec<u8>>, Receiver<Vec<u8>>) = mpsc::sync_channel(1024);
    let threads: Vec<_> = (0..count)
        .map(|n| {
            let send = send.clone();
            std::thread::spawn(move || {
                let _poll = block::Poll::begin();
                for size in 1..20 {
                    let mut block: Vec<u8> = Vec::with_capacity(size * 64 + n);
                    block.reserve(black_box(4096));
                    // A full channel throws it away here.
                    let _ = send.try_send(block);
                }
            })
        })
        .collect();
    drop(send);
    drop(receive.iter().collect::<Vec<_>>());
    for thread in threads {
        thread.join().expect("no panic");
    }
}

/// Every profile once, a process and a fork, and how many CPU samples came.
fn one_round() -> usize {
    let session = cpu::start(cpu::Options { hz: 250 }).expect("nobody else profiles");
    std::thread::sleep(Duration::from_millis(200));
    let child = std::process::Command::new("true")
        .status()
        .expect("a child");
    assert!(child.success());
    fork_and_allocate();
    for profile in [
        heap::profile(heap::Kind::Heap),
        block::profile(),
        threads::profile(),
    ] {
        let profile = profile.expect("all are installed");
        let profile = Profile::decode(&profile).expect("we wrote it");
        let is_sound = profile
            .samples()
            .all(|sample| sample.values.iter().all(|value| *value >= 0));
        assert!(is_sound);
    }
    let profile = Profile::decode(&session.finish()).expect("we wrote it");
    profile.samples().len()
}

/// A fork without exec: the child goes on with the allocator and the tables as they were.
fn fork_and_allocate() {
    // SAFETY: the child is of one thread; it allocates, which the C library allows after a fork,
    // and ends without running anybody's destructors.
    unsafe {
        let child = libc::fork();
        assert!(child >= 0, "no child");
        if child == 0 {
            let mut kept = Vec::new();
            for size in 1..2000 {
                let mut block: Vec<u8> = Vec::with_capacity(black_box(size));
                block.reserve(black_box(2 * size));
                kept.push(block);
            }
            drop(black_box(kept));
            libc::_exit(0);
        }
        let mut status = 0;
        let since = Instant::now();
        while libc::waitpid(child, &raw mut status, libc::WNOHANG) == 0 {
            assert!(since.elapsed() < Duration::from_secs(60), "the child hangs");
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(status, 0, "the child failed");
    }
}

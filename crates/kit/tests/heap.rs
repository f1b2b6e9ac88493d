//! Heap estimates are what sampling says they must be, in a program whose allocations are known.
//!
//! One test function: the allocator and its seed belong to the whole process.

#![expect(
    clippy::print_stderr,
    reason = "what was found, for whoever runs it with --nocapture"
)]
#![cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};

use shakedown_kit::profile::heap;
use shakedown_pprof::{Granularity, Profile, top};

/// Refuses to move blocks when asked to.
struct Stubborn;

static REFUSES: AtomicBool = AtomicBool::new(false);

#[expect(unsafe_code, reason = "is an allocator")]
// SAFETY: passes everything on to `System`, or refuses as an allocator may.
unsafe impl GlobalAlloc for Stubborn {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(block, layout) };
    }
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if size > 32 << 20 && REFUSES.load(Ordering::Relaxed) {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(block, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: heap::Sampler<Stubborn> = heap::Sampler::new(Stubborn);

const MEAN: u64 = 64 * 1024;
const KEPT: usize = 40_000;
const KEPT_BYTES: usize = 1000;
const THROWN_AWAY: usize = 100_000;
const THROWN_AWAY_BYTES: usize = 300;

#[inline(never)]
fn keeps() -> Vec<Vec<u8>> {
    (0..KEPT)
        .map(|_| black_box(Vec::with_capacity(KEPT_BYTES)))
        .collect()
}

#[inline(never)]
fn throws_away() {
    for _ in 0..THROWN_AWAY {
        drop(black_box(Vec::<u8>::with_capacity(THROWN_AWAY_BYTES)));
    }
}

#[inline(never)]
fn grows() -> Vec<u8> {
    let mut text: Vec<u8> = Vec::with_capacity(1 << 20);
    text.reserve_exact(black_box(8 << 20));
    text
}

#[inline(never)]
fn written() -> Vec<u8> {
    heap::profile(heap::Kind::Heap).expect("it was started")
}

fn read() -> Profile {
    let bytes = written();
    Profile::decode(&bytes).expect("we wrote it")
}

/// The cumulative value of the function whose name ends with `name`.
fn value(profile: &Profile, name: &str, kind: &str) -> f64 {
    let kind = profile.sample_type(Some(kind)).expect("one of the four");
    let top = top(profile, kind, Granularity::Function);
    let row = top.rows.iter().find(|row| row.name.ends_with(name));
    row.map_or(0.0, |row| row.cum as f64)
}

/// Fails unless `estimate` is within three standard deviations of `truth`, both for `count` objects
/// of `size` bytes: each is seen with the probability p, and counts 1/p times.
fn assert_within_sampling_error(what: &str, estimate: f64, truth: f64, size: usize, count: usize) {
    let p = 1.0 - (-(size as f64) / MEAN as f64).exp();
    let relative = ((1.0 - p) / (p * count as f64)).sqrt();
    let error = estimate / truth - 1.0;
    eprintln!("{what}: {error:+.4}, a standard deviation is {relative:.4}");
    assert!(
        error.abs() < 3.0 * relative,
        "{what}: {estimate} for {truth}"
    );
}

#[test]
fn estimates_are_within_the_error_of_sampling() {
    assert!(!heap::is_installed());
    assert!(heap::profile(heap::Kind::Heap).is_err());
    let options = heap::Options {
        mean_bytes: MEAN,
        seed: Some(20_261_123),
    };
    heap::start(options.clone()).expect("it is the global allocator");
    assert!(heap::is_installed());
    assert!(heap::start(options).is_err(), "twice");

    let kept = keeps();
    throws_away();
    let profile = read();
    let check = |name, kind, truth: usize, size, count| {
        let estimate = value(&profile, name, kind);
        assert_within_sampling_error(
            &format!("{name} {kind}"),
            estimate,
            truth as f64,
            size,
            count,
        );
    };
    for (objects, space) in [
        ("alloc_objects", "alloc_space"),
        ("inuse_objects", "inuse_space"),
    ] {
        check("heap::keeps", objects, KEPT, KEPT_BYTES, KEPT);
        // With the vector that holds them, which is large enough to be seen for sure.
        let vector = KEPT * size_of::<Vec<u8>>();
        check(
            "heap::keeps",
            space,
            KEPT * KEPT_BYTES + vector,
            KEPT_BYTES,
            KEPT,
        );
    }
    let (size, count) = (THROWN_AWAY_BYTES, THROWN_AWAY);
    check("heap::throws_away", "alloc_objects", count, size, count);
    check(
        "heap::throws_away",
        "alloc_space",
        count * size,
        size,
        count,
    );
    assert_eq!(value(&profile, "heap::throws_away", "inuse_space"), 0.0);

    // The leaf is the code that wanted memory, not the way through the allocator.
    let first = profile.sample_type(None).expect("a default");
    let rows = top(&profile, first, Granularity::Function).rows;
    assert!(
        !rows.iter().any(|row| row.name.contains("Sampler")),
        "{rows:#?}"
    );

    // Nor is the writing of profiles part of it.
    assert_eq!(value(&read(), "heap::written", "alloc_objects"), 0.0);

    // What another thread releases is released.
    std::thread::spawn(move || drop(kept))
        .join()
        .expect("no panic");
    assert_eq!(value(&read(), "heap::keeps", "inuse_objects"), 0.0);

    // A block that grew is counted with its new size, and once.
    let grown = grows();
    let live = value(&read(), "heap::grows", "inuse_space");
    assert!((live / (8 << 20) as f64 - 1.0).abs() < 0.01, "{live}");
    // One that could not be moved is still there.
    let mut grown = grown;
    REFUSES.store(true, Ordering::Relaxed);
    assert!(grown.try_reserve_exact(64 << 20).is_err());
    REFUSES.store(false, Ordering::Relaxed);
    let after = value(&read(), "heap::grows", "inuse_space");
    assert_eq!(after, live);
    drop(grown);
    assert_eq!(value(&read(), "heap::grows", "inuse_space"), 0.0);
}

//! How many bytes a thread allocates until its next sample: exponentially distributed, so that the
//! chance of a byte does not depend on what was sampled before it.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

/// While nothing is sampled a thread looks again after so many bytes.
const LOOK_AGAIN: i64 = 64 * 1024;
/// In one gap in 10^19 a longer one would be drawn.
const GAPS_MAX: f64 = 44.0;

thread_local! {
    // Const and without destructors: there from a thread's first allocation to its last.
    static LEFT: Cell<i64> = const { Cell::new(0) };
    /// State of the generator; 0 before the thread's first gap.
    static RANDOM: Cell<u64> = const { Cell::new(0) };
}

/// Where the generators of threads begin, each somewhere else.
static SEED: AtomicU64 = AtomicU64::new(0);

/// Threads that are seeded from now on begin here. The calling thread is one of them.
pub(crate) fn seed(seed: u64) {
    SEED.store(seed, Ordering::Relaxed);
    RANDOM.set(0);
    LEFT.set(0);
}

/// Counts `size` bytes of this thread. True if the slow path has to look.
#[inline(always)]
pub(crate) fn spend(size: usize) -> bool {
    // A layout is never larger than isize::MAX; twice that in one gap would be the machine's last.
    let left = LEFT.get().wrapping_sub(size as i64);
    LEFT.set(left);
    left < 0
}

/// Nothing is sampled now; the thread looks again later.
pub(crate) fn pause() {
    RANDOM.set(0);
    LEFT.set(LOOK_AGAIN);
}

/// Begins a new gap, as if nothing had been allocated: what is left of a gap that was not looked at
/// is as long, on average, as a whole one.
pub(crate) fn renew(mean: u64) {
    if RANDOM.get() != 0 {
        LEFT.set(draw(mean));
    }
}

/// Decides on the allocation of `size` bytes that made [`spend`] true, and draws the next gap.
pub(crate) fn is_sampled(size: usize, mean: u64) -> bool {
    if RANDOM.get() == 0 {
        // The thread's first gap begins before this allocation.
        RANDOM.set(spread(SEED.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed)) | 1);
        let left = draw(mean).saturating_sub(i64::try_from(size).unwrap_or(i64::MAX));
        if left >= 0 {
            LEFT.set(left);
            return false;
        }
    }
    LEFT.set(draw(mean));
    true
}

fn draw(mean: u64) -> i64 {
    let mut x = RANDOM.get();
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    RANDOM.set(x);
    // 53 bits, never 0.
    let uniform = ((spread(x) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
    ((-uniform.ln()).min(GAPS_MAX) * mean as f64) as i64
}

/// The finisher of splitmix64.
fn spread(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// How many allocations of `size` bytes a sampled one stands for, at least 1.
pub(crate) fn weight(size: u64, mean: u64) -> f64 {
    -1.0 / (-(size as f64) / mean as f64).exp_m1()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// The seed is the process's.
    static ONE: Mutex<()> = Mutex::new(());

    /// How far the estimate is from the truth.
    fn error(with: u64, mean: u64, size: usize, count: u32) -> f64 {
        let run = move || {
            seed(with);
            let sampled = (0..count)
                .filter(|_| spend(size) && is_sampled(size, mean))
                .count();
            sampled as f64 * weight(size as u64, mean) / f64::from(count) - 1.0
        };
        let _one = ONE.lock();
        std::thread::spawn(run).join().expect("no panic")
    }

    #[test]
    fn samples_count_what_was_allocated() {
        // About 10,000 samples: a standard deviation is 1 %.
        assert!(error(7, 10_000, 100, 1_000_000).abs() < 0.03);
    }

    #[test]
    fn estimates_lean_to_neither_side() {
        for size in [10, 1_000, 10_000, 50_000] {
            // About 100 samples and more each; together a standard deviation is 1 %.
            let sum: f64 = (0..100)
                .map(|with| error(with, 10_000, size, 100_000 / size as u32 * 10))
                .sum();
            assert!((sum / 100.0).abs() < 0.03, "{size}: {}", sum / 100.0);
        }
    }

    #[test]
    fn large_blocks_are_always_seen_and_small_ones_stand_for_many() {
        let _one = ONE.lock();
        assert!((weight(100 << 20, 512 << 10) - 1.0).abs() < 1e-9);
        assert!((weight(1, 512 << 10) - 524_288.5).abs() < 1.0);
        std::thread::spawn(|| {
            seed(7);
            let all = (0..100).all(|_| spend(100 << 20) && is_sampled(100 << 20, 512 << 10));
            assert!(all);
        })
        .join()
        .expect("no panic");
    }
}

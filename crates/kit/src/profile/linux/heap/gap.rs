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
    use super::*;

    #[test]
    fn samples_count_what_was_allocated() {
        std::thread::spawn(|| {
            seed(7);
            let (mean, size, count) = (10_000, 100_usize, 1_000_000_u64);
            let sampled = (0..count)
                .filter(|_| spend(size) && is_sampled(size, mean))
                .count();
            let estimate = sampled as f64 * weight(size as u64, mean);
            // About 10,000 samples: a standard deviation is 1 %.
            let error = estimate / count as f64 - 1.0;
            assert!(error.abs() < 0.03, "{error}");
        })
        .join()
        .expect("no panic");
    }

    #[test]
    fn large_blocks_are_always_seen_and_small_ones_stand_for_many() {
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

//! Sampled blocks that are live: address → size and call site.
//!
//! A block has one owner at a time, and the allocator gives its address to nobody else before it is
//! forgotten. So two threads never work on one address, and the only contest is for a free place.

use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use super::call_sites::Site;

/// Room for a heap of 128 GiB at one sample in 512 KiB; the kernel gives pages as they are used.
const PLACES: usize = 1 << 18;
/// How many places an address may have. More would make a release that is none of ours slow; at
/// half of the room taken, all 32 of an address are taken once in 10^5.
const REACH: usize = 32;
/// 64 KiB: in the second-level cache, and one in 30 taken at 2,000 live samples, which is a heap of
/// 1 GiB.
const COUNTERS: usize = 1 << 16;
/// A counter that got so high stays there.
const STUCK: u8 = u8::MAX;

/// How many sampled addresses fall together: what a release looks at first.
pub(crate) struct Counts([AtomicU8; COUNTERS]);

/// In `.bss`, not allocated: it is read before anything was started.
pub(crate) static COUNTS: Counts = Counts::new();

impl Counts {
    const fn new() -> Self {
        Counts([const { AtomicU8::new(0) }; COUNTERS])
    }

    /// False for nearly every block that was not sampled: the fast path of a release.
    #[inline(always)]
    pub(crate) fn may_have(&self, address: usize) -> bool {
        // The address came from another thread by way of the program, which synchronised.
        self.of(address).load(Ordering::Relaxed) != 0
    }

    #[inline(always)]
    fn of(&self, address: usize) -> &AtomicU8 {
        &self.0[spread(address) >> (usize::BITS - COUNTERS.trailing_zeros())]
    }

    fn change(&self, address: usize, change: impl Fn(u8) -> u8) {
        let _ = self
            .of(address)
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| {
                (count != STUCK).then(|| change(count))
            });
    }
}

/// A sampled block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) size: u64,
    pub(crate) site: Site,
}

/// The table, in memory that was mapped for it.
pub(crate) struct Live {
    counts: &'static Counts,
    addresses: &'static [AtomicUsize],
    sizes: &'static [AtomicU64],
    sites: &'static [AtomicU32],
}

#[inline(always)]
fn spread(address: usize) -> usize {
    address.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl Live {
    /// Keeps `counts` true, of which it is the only user.
    pub(crate) fn new(counts: &'static Counts) -> Option<Self> {
        Some(Live {
            counts,
            addresses: super::walkers::zeroed(PLACES)?,
            sizes: super::walkers::zeroed(PLACES)?,
            sites: super::walkers::zeroed(PLACES)?,
        })
    }

    fn places(address: usize) -> impl Iterator<Item = usize> {
        let first = spread(address) >> (usize::BITS - PLACES.trailing_zeros());
        (first..first + REACH).map(|place| place % PLACES)
    }

    /// False if there is no room.
    pub(crate) fn insert(&self, address: usize, block: Block) -> bool {
        let free = Self::places(address).find(|&place| {
            let at = &self.addresses[place];
            at.load(Ordering::Relaxed) == 0
                && at
                    .compare_exchange(0, address, Ordering::Acquire, Ordering::Relaxed)
                    .is_ok()
        });
        let Some(place) = free else {
            return false;
        };
        self.sizes[place].store(block.size, Ordering::Relaxed);
        self.sites[place].store(block.site.number(), Ordering::Relaxed);
        self.counts.change(address, |count| count.saturating_add(1));
        true
    }

    pub(crate) fn remove(&self, address: usize) -> Option<Block> {
        let place = Self::places(address)
            .find(|&place| self.addresses[place].load(Ordering::Relaxed) == address)?;
        let block = Block {
            size: self.sizes[place].load(Ordering::Relaxed),
            site: Site::of(self.sites[place].load(Ordering::Relaxed)),
        };
        self.addresses[place].store(0, Ordering::Release);
        self.counts.change(address, |count| count.saturating_sub(1));
        Some(block)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fresh() -> Live {
        Live::new(Box::leak(Box::new(Counts::new()))).expect("memory")
    }

    fn block(size: u64) -> Block {
        Block {
            size,
            site: Site::of(size as u32 % 100),
        }
    }

    #[test]
    fn what_is_put_in_comes_out_once() {
        let live = fresh();
        // Addresses that no allocator gives, so that the counters of this process stay true.
        let addresses: Vec<usize> = (0..10_000)
            .map(|n| 0x6000_0000_0000_0001 + n * 4096)
            .collect();
        for (n, &address) in addresses.iter().enumerate() {
            assert!(live.insert(address, block(n as u64)));
            assert!(live.counts.may_have(address));
        }
        for (n, &address) in addresses.iter().enumerate() {
            assert_eq!(live.remove(address), Some(block(n as u64)));
            assert_eq!(live.remove(address), None);
        }
        let still = addresses
            .iter()
            .filter(|&&address| live.counts.may_have(address))
            .count();
        assert_eq!(still, 0);
    }

    #[test]
    fn a_full_table_refuses() {
        let live = fresh();
        let mut taken = 0;
        let refused = (0..2 * PLACES).any(|n| {
            let is_in = live.insert(0x6100_0000_0000_0001 + n * 64, block(1));
            taken += usize::from(is_in);
            !is_in
        });
        assert!(refused);
        assert!(taken > PLACES / 2, "{taken} of {PLACES}");
    }

    #[test]
    fn threads_do_not_lose_each_others_blocks() {
        let live = fresh();
        std::thread::scope(|scope| {
            for thread in 0..4_usize {
                let live = &live;
                scope.spawn(move || {
                    for n in 0..20_000_usize {
                        let address = 0x6200_0000_0000_0001 + (thread + 4 * (n % 512)) * 16;
                        assert!(live.insert(address, block(n as u64)));
                        assert_eq!(live.remove(address), Some(block(n as u64)));
                    }
                });
            }
        });
    }
}

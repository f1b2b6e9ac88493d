//! Stacks that allocated, and what they allocated.
//!
//! A table that only grows, by the hash of the stack. Two stacks with one 64-bit hash would count
//! as one: at a full table once in 10^11.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Different stacks; large services show some thousands.
const SITES: usize = 1 << 14;
/// How many places a stack may have.
const REACH: usize = 64;
/// Calls of a stack that are kept, as many as Go keeps.
pub(crate) const DEPTH: usize = 128;
/// Objects are counted in parts, because a sample stands for a fraction more than a whole number.
const PARTS: f64 = 4096.0;

/// A place in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Site(u32);

impl Site {
    /// Stacks for which there is no place.
    pub(crate) const OVER: Site = Site(0);
    /// Allocations whose stack could not be walked.
    pub(crate) const UNKNOWN: Site = Site(1);
    const FIRST: usize = 2;

    pub(crate) fn number(self) -> u32 {
        self.0
    }

    pub(crate) fn of(number: u32) -> Self {
        Site(number)
    }
}

/// All atomics, so that a profile can be written while others count.
pub(crate) struct Entry {
    /// 0 is a free place.
    hash: AtomicU64,
    /// 0 until `addresses` are complete.
    depth: AtomicU32,
    objects: AtomicU64,
    bytes: AtomicU64,
    freed_objects: AtomicU64,
    freed_bytes: AtomicU64,
    addresses: [AtomicU64; DEPTH],
}

/// What was allocated at a site and is not free again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Sums {
    pub(crate) alloc_objects: i64,
    pub(crate) alloc_bytes: i64,
    pub(crate) live_objects: i64,
    pub(crate) live_bytes: i64,
}

/// The table, in memory that was mapped for it.
pub(crate) struct CallSites {
    entries: &'static [Entry],
}

impl CallSites {
    pub(crate) fn new() -> Option<Self> {
        Some(CallSites {
            entries: super::walkers::zeroed(SITES)?,
        })
    }

    /// The place of a stack, leaf first.
    pub(crate) fn site(&self, stack: &[u64]) -> Site {
        if stack.is_empty() {
            return Site::UNKNOWN;
        }
        let stack = &stack[..stack.len().min(DEPTH)];
        let hash = hash(stack);
        let room = SITES - Site::FIRST;
        let first = (hash % room as u64) as usize;
        for place in (first..first + REACH).map(|place| Site::FIRST + place % room) {
            let entry = &self.entries[place];
            let found =
                match entry
                    .hash
                    .compare_exchange(0, hash, Ordering::Relaxed, Ordering::Relaxed)
                {
                    Ok(_) => {
                        for (to, &from) in entry.addresses.iter().zip(stack) {
                            to.store(from, Ordering::Relaxed);
                        }
                        entry.depth.store(stack.len() as u32, Ordering::Release);
                        true
                    }
                    Err(other) => other == hash,
                };
            if found {
                return Site(place as u32);
            }
        }
        Site::OVER
    }

    pub(crate) fn allocated(&self, site: Site, size: u64, weight: f64) {
        let entry = self.entry(site);
        let (objects, bytes) = (parts(weight), bytes(size, weight));
        entry.objects.fetch_add(objects, Ordering::Relaxed);
        entry.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn freed(&self, site: Site, size: u64, weight: f64) {
        let entry = self.entry(site);
        let (objects, bytes) = (parts(weight), bytes(size, weight));
        entry.freed_objects.fetch_add(objects, Ordering::Relaxed);
        entry.freed_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Takes [`Self::freed`] back.
    pub(crate) fn unfreed(&self, site: Site, size: u64, weight: f64) {
        let entry = self.entry(site);
        let (objects, bytes) = (parts(weight), bytes(size, weight));
        entry.freed_objects.fetch_sub(objects, Ordering::Relaxed);
        entry.freed_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    fn entry(&self, site: Site) -> &Entry {
        self.entries
            .get(site.0 as usize)
            .unwrap_or(&self.entries[0])
    }

    /// Hands each site that allocated anything to `visit`, with its stack.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(Site, &[u64], Sums)) {
        let mut stack = [0; DEPTH];
        for (place, entry) in self.entries.iter().enumerate() {
            // Releases first: what is allocated meanwhile may make the difference larger, and what
            // is released cannot make it negative.
            let freed_objects = entry.freed_objects.load(Ordering::Acquire);
            let freed_bytes = entry.freed_bytes.load(Ordering::Acquire);
            let objects = entry.objects.load(Ordering::Acquire);
            let bytes = entry.bytes.load(Ordering::Acquire);
            if objects == 0 {
                continue;
            }
            let depth = (entry.depth.load(Ordering::Acquire) as usize).min(DEPTH);
            for (to, from) in stack.iter_mut().zip(&entry.addresses) {
                *to = from.load(Ordering::Relaxed);
            }
            let sums = Sums {
                alloc_objects: whole(objects),
                alloc_bytes: bytes.cast_signed(),
                live_objects: whole(objects.saturating_sub(freed_objects)),
                live_bytes: bytes.saturating_sub(freed_bytes).cast_signed(),
            };
            visit(Site(place as u32), &stack[..depth], sums);
        }
    }
}

fn parts(weight: f64) -> u64 {
    (weight * PARTS).round() as u64
}

fn whole(parts: u64) -> i64 {
    (parts as f64 / PARTS).round() as i64
}

fn bytes(size: u64, weight: f64) -> u64 {
    (size as f64 * weight).round() as u64
}

/// FNV over whole words with a mixing finish; never 0.
fn hash(stack: &[u64]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for &address in stack {
        hash = (hash ^ address).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        hash ^= hash >> 29;
    }
    hash | 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums(sites: &CallSites) -> Vec<(Site, Vec<u64>, Sums)> {
        let mut all = Vec::new();
        sites.for_each(|site, stack, sums| all.push((site, stack.to_vec(), sums)));
        all
    }

    #[test]
    fn one_stack_has_one_place() {
        let sites = CallSites::new().expect("memory");
        let (a, b) = (sites.site(&[1, 2, 3]), sites.site(&[1, 2, 4]));
        assert_ne!(a, b);
        assert_eq!(sites.site(&[1, 2, 3]), a);
        sites.allocated(a, 100, 2.5);
        sites.allocated(a, 100, 2.5);
        sites.freed(a, 100, 2.5);
        let expected = Sums {
            alloc_objects: 5,
            alloc_bytes: 500,
            live_objects: 3,
            live_bytes: 250,
        };
        assert_eq!(sums(&sites), [(a, vec![1, 2, 3], expected)]);
    }

    #[test]
    fn more_stacks_than_room_are_counted_together() {
        let sites = CallSites::new().expect("memory");
        for n in 0..2 * SITES as u64 {
            sites.allocated(sites.site(&[n + 1, 7]), 1, 1.0);
        }
        let all = sums(&sites);
        let total: i64 = all.iter().map(|(_, _, sums)| sums.alloc_objects).sum();
        assert_eq!(total, 2 * SITES as i64);
        assert!(
            all.iter()
                .any(|(site, _, sums)| *site == Site::OVER && sums.alloc_objects > 0)
        );
    }

    #[test]
    fn a_deep_stack_is_cut_and_none_is_unknown() {
        let sites = CallSites::new().expect("memory");
        let deep: Vec<u64> = (1..=1000).collect();
        let site = sites.site(&deep);
        sites.allocated(site, 1, 1.0);
        assert_eq!(sums(&sites)[0].1, deep[..DEPTH]);
        assert_eq!(sites.site(&[]), Site::UNKNOWN);
    }
}

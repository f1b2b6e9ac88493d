//! What unwinds the stack of an allocation: made beforehand, and borrowed without a lock.

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use super::call_sites::DEPTH;
use crate::profile::linux::arch::Registers;
use crate::profile::linux::modules::Module;
use crate::profile::linux::unwind::Walker;
use crate::profile::linux::{memory, unwind};

/// Bytes of a stack that are read at once. Most walks need two reads.
const READ: usize = 8 * 1024;

/// Types of which zeroed memory is a valid value, and which are shared without a lock.
pub(crate) trait Atomic {}
impl Atomic for AtomicU32 {}
impl Atomic for AtomicU64 {}
impl Atomic for AtomicUsize {}
impl Atomic for super::call_sites::Entry {}

/// `count` zeroed values that live as long as the process, from the kernel and not from an
/// allocator.
pub(crate) fn zeroed<T: Atomic>(count: usize) -> Option<&'static [T]> {
    let at = memory::reserve(count.checked_mul(size_of::<T>())?)?;
    // SAFETY: fresh memory that is never given back, of that length, aligned to a page; all zero is
    // valid for such types.
    Some(unsafe { std::slice::from_raw_parts(at.cast(), count) })
}

struct Place {
    is_taken: AtomicBool,
    walker: UnsafeCell<Walker>,
    copy: UnsafeCell<[MaybeUninit<u8>; READ]>,
}

// SAFETY: whoever sets `is_taken` is the only one to touch the cells until it is cleared.
unsafe impl Sync for Place {}

/// As many walkers as threads may be sampled at one moment. One that was at work when the process
/// forked stays taken in the child.
pub(crate) struct Walkers {
    places: Vec<Place>,
}

impl Walkers {
    pub(crate) fn new(count: usize, modules: &[Module]) -> Self {
        let place = || Place {
            is_taken: AtomicBool::new(false),
            walker: UnsafeCell::new(Walker::new(modules)),
            copy: UnsafeCell::new([MaybeUninit::uninit(); READ]),
        };
        Walkers {
            places: (0..count).map(|_| place()).collect(),
        }
    }

    /// Walks the stack of the calling thread. The depth is 0 where all walkers are at work.
    pub(crate) fn walk(&self, from: Registers, into: &mut [u64; DEPTH]) -> usize {
        self.borrow(|walker, copy| {
            let (mut start, mut length) = (0, 0);
            let read = |at: u64| {
                let is_known = at >= start && at.saturating_add(8) <= start + length as u64;
                if !is_known {
                    start = at;
                    length = memory::read_stack(at, copy);
                }
                unwind::read_copy(memory::written(copy, length), start, at)
            };
            // A panic must not leave an allocator. None is known, but the tables come from files.
            std::panic::catch_unwind(AssertUnwindSafe(|| walker.walk(from, read, into).depth))
                .unwrap_or(0)
        })
        .unwrap_or(0)
    }

    /// Makes the walkers know the modules that are loaded now. Not for the sampler.
    pub(crate) fn renew(&self, modules: &[Module]) {
        let walkers: Vec<Walker> = self.places.iter().map(|_| Walker::new(modules)).collect();
        for (place, mut new) in self.places.iter().zip(walkers) {
            if place.is_taken.swap(true, Ordering::Acquire) {
                // At work, or lost by a fork: it goes on with what it knows.
                continue;
            }
            // SAFETY: taken by us.
            unsafe { std::ptr::swap(place.walker.get(), &raw mut new) };
            place.is_taken.store(false, Ordering::Release);
        }
    }

    fn borrow<T>(
        &self,
        work: impl FnOnce(&mut Walker, &mut [MaybeUninit<u8>; READ]) -> T,
    ) -> Option<T> {
        let place = self.places.iter().find(|place| {
            !place.is_taken.load(Ordering::Relaxed) && !place.is_taken.swap(true, Ordering::Acquire)
        })?;
        // SAFETY: taken by us.
        let result = unsafe { work(&mut *place.walker.get(), &mut *place.copy.get()) };
        place.is_taken.store(false, Ordering::Release);
        Some(result)
    }
}

//! Heap profile: a wrapper over any allocator that samples who allocates, as Go's runtime does.
//!
//! Each byte that is allocated has the same chance to be sampled, one in 512 KiB on average. A
//! sample stands for all allocations like it: one of `size` bytes is seen with the probability
//! p = 1 − e^(−size/mean), so it counts 1/p times. That is unbiased, whatever is allocated.
//!
//! ```
//! use shakedown_kit::profile::{NotMeasured, heap};
//!
//! #[global_allocator]
//! static ALLOCATOR: heap::Sampler<std::alloc::System> = heap::Sampler::new(std::alloc::System);
//!
//! fn main() -> Result<(), NotMeasured> {
//! #   if cfg!(not(all(target_os = "linux", target_arch = "x86_64"))) { return Ok(()) }
//!     heap::start(heap::Options::default())?;
//!     let profile: Vec<u8> = heap::profile(heap::Kind::Heap)?;
//! #   assert!(shakedown_pprof::Profile::decode(&profile).is_ok());
//!     Ok(())
//! }
//! ```
//!
//! The sampler runs inside of the allocator. So it allocates nothing, takes no lock and cannot
//! panic: its tables are memory that was mapped by [`start`], open-addressed, with an atomic word a
//! place; a fork at any moment leaves them readable in the child. Stacks are unwound with memory
//! that [`start`] made, and read through the kernel, so that nobody has to know their bounds.
//!
//! What it cannot see: what was allocated before [`start`], and memory that does not come from the
//! global allocator (C libraries, `mmap`).
#![expect(unsafe_code, reason = "is an allocator")]

mod call_sites;
mod exact;
mod export;
mod gap;
mod live;
mod sampler;
mod walkers;

use std::alloc::{GlobalAlloc, Layout};

pub use crate::profile::contract::{HeapOptions as Options, Kind};
pub use exact::live_bytes;
pub use export::profile;
pub(crate) use sampler::Unseen;
pub use sampler::{is_installed, start};

/// A global allocator that samples what goes through it to `A`.
///
/// It costs a subtraction for each allocation and a load for each release, and nothing more is done
/// until [`start`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Sampler<A> {
    inner: A,
}

impl<A> Sampler<A> {
    /// Wraps an allocator: `std::alloc::System`, jemalloc, mimalloc or any other.
    pub const fn new(inner: A) -> Self {
        Sampler { inner }
    }
}

// SAFETY: every request goes to `inner` as it came, and its answer back as it is; the sampler only
// looks at addresses and sizes.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Sampler<A> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is passed on.
        let block = unsafe { self.inner.alloc(layout) };
        sampler::allocated(block, layout.size());
        block
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is passed on.
        let block = unsafe { self.inner.alloc_zeroed(layout) };
        sampler::allocated(block, layout.size());
        block
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // Before the block is given back: a moment later another thread may get the same address.
        let _ = sampler::forget(block);
        // SAFETY: the caller's promise is passed on.
        unsafe { self.inner.dealloc(block, layout) };
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // As for `dealloc`; if the block could not be moved it is still there, and remembered again.
        let forgotten = sampler::forget(block);
        // SAFETY: the caller's promise is passed on.
        let moved = unsafe { self.inner.realloc(block, layout, size) };
        if !moved.is_null() {
            sampler::allocated(moved, size);
        } else if let Some(forgotten) = forgotten {
            sampler::remember(block, forgotten);
        }
        moved
    }
}

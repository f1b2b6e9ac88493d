//! What happens at each allocation and release: nearly always nothing.

use std::cell::Cell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};
use std::time::SystemTime;

use super::call_sites::{CallSites, DEPTH};
use super::live::{Block, COUNTS, Live};
use super::walkers::Walkers;
use super::{Options, gap};
use crate::profile::NotMeasured;
use crate::profile::linux::{arch, modules, signal};

/// What was made by [`start`] and stays for good; null before.
static SAMPLING: AtomicPtr<Sampling> = AtomicPtr::new(std::ptr::null_mut());
/// Set by the sampler itself: it is what the program allocates through.
static IS_INSTALLED: AtomicBool = AtomicBool::new(false);
/// Starts are one after another.
static STARTING: Mutex<()> = Mutex::new(());

thread_local! {
    /// True while this thread is in the slow path; const and without a destructor, as in `gap`.
    static IS_SAMPLING: Cell<bool> = const { Cell::new(false) };
}

/// The tables of the sampler.
pub(crate) struct Sampling {
    pub(crate) mean_bytes: u64,
    pub(crate) began: SystemTime,
    pub(crate) sites: CallSites,
    live: Live,
    pub(crate) walkers: Walkers,
    /// Which modules the walkers know.
    pub(crate) generation: AtomicU64,
    /// Live samples for which there was no place.
    pub(crate) dropped: AtomicU64,
}

/// Begins to sample, for the rest of the process's life. Best done first in `main`: what was
/// allocated before is not seen.
///
/// The tables take 22 MiB of addresses. Of memory they take what is used: 1 KiB for each call site
/// that was seen, up to 5 MiB for live samples, and 50 KiB for each of the walkers, which are two a
/// CPU.
///
/// # Errors
/// [`NotMeasured::NotInstalled`] if [`Sampler`](super::Sampler) is not the global allocator,
/// [`NotMeasured::Busy`] if it was called before, [`NotMeasured::Refused`] where the system gives no
/// memory.
pub fn start(options: Options) -> Result<(), NotMeasured> {
    let _one = STARTING
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    if is_installed() {
        return Err(NotMeasured::Busy);
    }
    let refused = || signal::refused("mapping memory for the heap profile");
    let modules = modules::loaded();
    let threads = std::thread::available_parallelism().map_or(4, usize::from);
    let sampling = Box::new(Sampling {
        mean_bytes: options.mean_bytes.max(1),
        began: SystemTime::now(),
        sites: CallSites::new().ok_or_else(refused)?,
        live: Live::new(&COUNTS).ok_or_else(refused)?,
        walkers: Walkers::new((2 * threads).clamp(4, 64), &modules),
        generation: AtomicU64::new(modules::generation()),
        dropped: AtomicU64::new(0),
    });
    let seed = options.seed.unwrap_or_else(|| {
        use std::hash::BuildHasher;
        std::collections::hash_map::RandomState::new().hash_one(0)
    });
    SAMPLING.store(Box::into_raw(sampling), Ordering::Release);
    gap::seed(seed);
    // Goes through the sampler if it is there. This thread's first gap is drawn again after it, so
    // that a seed decides on all that follows.
    drop(std::hint::black_box(Box::new([0_u8; 64])));
    gap::seed(seed);
    if !IS_INSTALLED.load(Ordering::Acquire) {
        let sampling = SAMPLING.swap(std::ptr::null_mut(), Ordering::AcqRel);
        // SAFETY: from the box above, and nobody else allocates through the sampler.
        drop(unsafe { Box::from_raw(sampling) });
        return Err(NotMeasured::NotInstalled(
            "heap::Sampler is not the global allocator of this program",
        ));
    }
    Ok(())
}

/// True once [`start`] has found that the program allocates through
/// [`Sampler`](super::Sampler).
pub fn is_installed() -> bool {
    IS_INSTALLED.load(Ordering::Acquire) && sampling().is_some()
}

pub(crate) fn sampling() -> Option<&'static Sampling> {
    // SAFETY: null, or a box that is never freed once the sampler is installed.
    unsafe { SAMPLING.load(Ordering::Acquire).as_ref() }
}

/// While it lives, what this thread allocates is not sampled: writing a profile takes megabytes,
/// which are not the service's.
pub(crate) struct Unseen {
    before: bool,
    /// It belongs to the thread that began it.
    _not_send: std::marker::PhantomData<*const ()>,
}

impl Unseen {
    pub(crate) fn begin() -> Self {
        Unseen {
            before: IS_SAMPLING.replace(true),
            _not_send: std::marker::PhantomData,
        }
    }
}

impl Drop for Unseen {
    fn drop(&mut self) {
        IS_SAMPLING.set(self.before);
        if let (false, Some(sampling)) = (self.before, sampling()) {
            gap::renew(sampling.mean_bytes);
        }
    }
}

/// A block of `size` bytes was allocated, unless it is null.
#[inline(always)]
pub(crate) fn allocated(block: *mut u8, size: usize) {
    if gap::spend(size) && !block.is_null() {
        look(block, size);
    }
}

/// A block is about to be released: forgets it, and says what was known.
#[inline(always)]
pub(crate) fn forget(block: *mut u8) -> Option<Block> {
    if COUNTS.may_have(block as usize) {
        return take(block as usize);
    }
    None
}

#[cold]
#[inline(never)]
fn look(block: *mut u8, size: usize) {
    let Some(sampling) = sampling() else {
        gap::pause();
        return;
    };
    IS_INSTALLED.store(true, Ordering::Release);
    // The writing of a profile, or a panic hook below here.
    if IS_SAMPLING.replace(true) {
        return;
    }
    if gap::is_sampled(size, sampling.mean_bytes) {
        let mut stack = [0; DEPTH];
        let depth = sampling.walkers.walk(arch::here(), &mut stack);
        let site = sampling.sites.site(&stack[..depth]);
        let size = size as u64;
        let weight = gap::weight(size, sampling.mean_bytes);
        sampling.sites.allocated(site, size, weight);
        if !sampling.live.insert(block as usize, Block { size, site }) {
            sampling.sites.freed(site, size, weight);
            sampling.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
    IS_SAMPLING.set(false);
}

#[cold]
#[inline(never)]
fn take(address: usize) -> Option<Block> {
    let sampling = sampling()?;
    let block = sampling.live.remove(address)?;
    let weight = gap::weight(block.size, sampling.mean_bytes);
    sampling.sites.freed(block.site, block.size, weight);
    Some(block)
}

/// A block that was forgotten is still there.
#[cold]
#[inline(never)]
pub(crate) fn remember(block: *mut u8, known: Block) {
    let Some(sampling) = sampling() else {
        return;
    };
    if sampling.live.insert(block as usize, known) {
        let weight = gap::weight(known.size, sampling.mean_bytes);
        sampling.sites.unfreed(known.site, known.size, weight);
    } else {
        sampling.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

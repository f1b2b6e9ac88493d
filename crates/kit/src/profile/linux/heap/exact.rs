//! How much is live, exactly: not from samples, but from the C library's allocator, where that is what
//! gives memory out.
//!
//! Samples find who allocates; what has leaked over a hundred requests is below their noise.

use std::hint::black_box;

/// A block that no other thread is likely to ask for in the same moment.
const TRY_BYTES: usize = 96 * 1024 + 4321;
/// Other threads allocate and free meanwhile.
const NOISE_BYTES: u64 = 32 * 1024;
/// Looks that must agree.
const TRIES: usize = 3;

/// Bytes that are live in the whole process, as its allocator counts them; `None` where the global
/// allocator does not end in the C library's, or that has no such count (musl).
///
/// What lies in the caches of threads counts as live, which is up to some hundred kilobytes each.
pub fn live_bytes() -> Option<u64> {
    let of_c = || (0..TRIES).all(|_| counts_us().unwrap_or(false));
    of_c().then(in_use)?
}

/// Whether what the global allocator gives out is counted there: a block of ours comes and goes.
fn counts_us() -> Option<bool> {
    let before = in_use()?;
    let block = black_box(Vec::<u8>::with_capacity(TRY_BYTES));
    let with = in_use()?;
    drop(block);
    let after = in_use()?;
    let near = |difference: u64| difference.abs_diff(TRY_BYTES as u64) <= NOISE_BYTES;
    Some(near(with.saturating_sub(before)) && near(with.saturating_sub(after)))
}

/// What glibc's allocator has given out: in its arenas, and by `mmap`.
#[cfg(target_env = "gnu")]
fn in_use() -> Option<u64> {
    type Mallinfo2 = unsafe extern "C" fn() -> libc::mallinfo2;
    // Since glibc 2.33; asked for by name, so that the program links with an older one, too.
    // SAFETY: the name is a C string; the answer is null or a function of the process.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"mallinfo2".as_ptr()) };
    if found.is_null() {
        return None;
    }
    // SAFETY: mallinfo2(3) has this type, takes glibc's own locks and may be called at any time outside
    // of a signal handler.
    let info = unsafe { std::mem::transmute::<*mut libc::c_void, Mallinfo2>(found)() };
    Some((info.uordblks as u64).saturating_add(info.hblkhd as u64))
}

#[cfg(not(target_env = "gnu"))]
fn in_use() -> Option<u64> {
    None
}

#[cfg(all(test, target_env = "gnu"))]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_counted() {
        // Other tests allocate at the same time: one look in some is undisturbed.
        let is_exact = || {
            let before = live_bytes()?;
            let kept: Vec<Vec<u8>> = (0..4000).map(|_| black_box(vec![1; 1000])).collect();
            let grown = live_bytes()?.checked_sub(before)?;
            drop(kept);
            (4_000_000..5_000_000).contains(&grown).then_some(())
        };
        assert!(
            (0..50).any(|_| is_exact().is_some()),
            "never 4 MB and little more"
        );
    }
}

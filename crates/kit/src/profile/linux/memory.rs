//! Reading stacks that may end anywhere, and memory that no allocator knows of.
//!
//! Nothing here allocates or takes a lock: signal handlers and the allocator's sampler call it.
#![expect(unsafe_code, reason = "reads stacks and maps memory")]

use std::mem::MaybeUninit;

/// The kernel gives no page smaller than this.
const PAGE: usize = 4096;

/// Copies what lies from `from` upwards and returns how many bytes there were.
///
/// The kernel copies (`process_vm_readv` on ourselves, which needs no privilege): where the stack
/// ends, or where there is no memory at all, the copy ends and nothing faults. So nobody has to
/// know the true bounds of a stack, be it of a thread, a coroutine or a signal. Where a sandbox
/// refuses the call, what is left of the page at `from` is read directly: a stack pointer always
/// points into its stack.
pub(crate) fn read_stack(from: u64, into: &mut [MaybeUninit<u8>]) -> usize {
    if let Some(copied) = copy(from, into) {
        return copied;
    }
    let from = from as usize;
    let rest = (PAGE - from % PAGE).min(into.len());
    // SAFETY: `from` is the stack pointer of this thread, so its page is mapped, and `rest` ends
    // with the page.
    unsafe {
        std::ptr::copy_nonoverlapping(from as *const u8, into.as_mut_ptr().cast(), rest);
    }
    rest
}

/// The same of another thread's stack, which may be gone: nothing where a sandbox refuses.
pub(crate) fn read_stack_of_another(from: u64, into: &mut [MaybeUninit<u8>]) -> usize {
    copy(from, into).unwrap_or(0)
}

/// The first `length` bytes of a buffer that one of the reads above has written.
pub(crate) fn written(buffer: &[MaybeUninit<u8>], length: usize) -> &[u8] {
    let length = length.min(buffer.len());
    // SAFETY: the callers pass what the read returned, so these bytes were written.
    unsafe { std::slice::from_raw_parts(buffer.as_ptr().cast(), length) }
}

/// None if the kernel refused, and not because there is no memory.
fn copy(from: u64, into: &mut [MaybeUninit<u8>]) -> Option<usize> {
    let from = usize::try_from(from).ok()?;
    if from == 0 || into.is_empty() {
        return Some(0);
    }
    let local = libc::iovec {
        iov_base: into.as_mut_ptr().cast(),
        iov_len: into.len(),
    };
    let remote = libc::iovec {
        iov_base: from as *mut libc::c_void,
        iov_len: into.len(),
    };
    // SAFETY: `local` is `into`, which is ours to write; the kernel checks `remote`.
    // A raw call: the libc crate has no wrapper for it on every libc.
    let copied = unsafe {
        libc::syscall(
            libc::SYS_process_vm_readv,
            libc::getpid(),
            &raw const local,
            1_usize,
            &raw const remote,
            1_usize,
            0_usize,
        )
    };
    if let Ok(copied) = usize::try_from(copied) {
        return Some(copied.min(into.len()));
    }
    // SAFETY: errno is this thread's own.
    let errno = unsafe { *libc::__errno_location() };
    (errno == libc::EFAULT).then_some(0)
}

/// True if whole stacks can be copied, and not only the page of the stack pointer.
pub(crate) fn stacks_are_readable() -> bool {
    let mut probe = [MaybeUninit::uninit(); 2 * PAGE];
    let here = super::arch::here().sp;
    let reach = PAGE - here as usize % PAGE + 1;
    read_stack(here, &mut probe[..reach]) == reach
}

/// Maps `bytes` of zeroed memory that lives as long as the process. Pages that nobody touches
/// cost nothing.
pub(crate) fn reserve(bytes: usize) -> Option<*mut u8> {
    // SAFETY: asks for fresh memory at no particular place.
    let at = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            bytes,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
            -1,
            0,
        )
    };
    (at != libc::MAP_FAILED).then_some(at.cast())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_ends_where_memory_ends() {
        let map = reserve(3 * PAGE).expect("three pages");
        // SAFETY: the last of the three pages, which nobody uses.
        unsafe {
            libc::munmap(map.add(2 * PAGE).cast(), PAGE);
            map.add(2 * PAGE - 1).write(7);
        }
        let mut into = [MaybeUninit::new(0); 2 * PAGE];
        let from = map as u64 + PAGE as u64 + 100;
        assert_eq!(read_stack(from, &mut into), PAGE - 100);
        // SAFETY: written by the copy.
        assert_eq!(unsafe { into[PAGE - 101].assume_init() }, 7);
    }

    #[test]
    fn nothing_is_read_where_there_is_nothing() {
        let mut into = [MaybeUninit::uninit(); 64];
        assert_eq!(read_stack(0, &mut into), 0);
        assert_eq!(read_stack(8, &mut into), 0);
        assert_eq!(read_stack(u64::MAX - 3, &mut into), 0);
        assert!(stacks_are_readable());
    }
}

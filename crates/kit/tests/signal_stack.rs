//! The handler of the CPU profile fits on the smallest signal stack that Rust gives a thread.
//!
//! That is 8,192 bytes on machines without wide registers; the kernel's own frame takes its part of
//! it. What the handler needs beside that frame is measured against a handler that does nothing.

#![cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
#![expect(unsafe_code, reason = "makes a signal stack and sends signals")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use shakedown_kit::profile::{cpu, threads};
use shakedown_pprof::{Granularity, Profile, top};

const STACK: usize = 8192;
/// What the handler may need.
const MOST: usize = 2048;
/// More than a page of any of our machines, never mapped: who needs more than the stack has, dies.
const GUARD: usize = 64 * 1024;
const UNTOUCHED: u8 = 0xa5;

/// A signal stack of the thread that makes it.
struct SignalStack {
    bottom: *mut u8,
    before: libc::stack_t,
}

impl SignalStack {
    fn new() -> Self {
        // SAFETY: maps fresh memory, and makes a part of it this thread's signal stack; nobody else
        // knows of it.
        unsafe {
            let map = libc::mmap(
                std::ptr::null_mut(),
                GUARD + STACK,
                libc::PROT_NONE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            );
            assert_ne!(map, libc::MAP_FAILED);
            let bottom = map.cast::<u8>().add(GUARD);
            let access = libc::PROT_READ | libc::PROT_WRITE;
            assert_eq!(libc::mprotect(bottom.cast(), STACK, access), 0);
            bottom.write_bytes(UNTOUCHED, STACK);
            let mut before: libc::stack_t = std::mem::zeroed();
            let stack = libc::stack_t {
                ss_sp: bottom.cast(),
                ss_flags: 0,
                ss_size: STACK,
            };
            assert_eq!(libc::sigaltstack(&raw const stack, &raw mut before), 0);
            SignalStack { bottom, before }
        }
    }

    /// Bytes that were ever written to, from the top.
    fn used(&self) -> usize {
        // SAFETY: mapped above, and written as a whole.
        let bytes = unsafe { std::slice::from_raw_parts(self.bottom, STACK) };
        let untouched = bytes.iter().take_while(|byte| **byte == UNTOUCHED);
        STACK - untouched.count()
    }
}

impl Drop for SignalStack {
    fn drop(&mut self) {
        // SAFETY: what this thread had before. The memory stays: it is one test.
        unsafe { libc::sigaltstack(&raw const self.before, std::ptr::null_mut()) };
    }
}

extern "C" fn does_nothing(_: libc::c_int, _: *mut libc::siginfo_t, _: *mut libc::c_void) {}

/// What a handler that does nothing takes: the kernel's frame.
fn frame() -> usize {
    let stack = SignalStack::new();
    // SAFETY: handles a signal that nobody else in this test uses.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = does_nothing as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        assert_eq!(
            libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut()),
            0
        );
        assert_eq!(libc::raise(libc::SIGUSR1), 0);
    }
    stack.used()
}

#[inline(never)]
fn burns(for_how_long: Duration) {
    let since = Instant::now();
    while since.elapsed() < for_how_long {
        black_box((0..1000_u64).sum::<u64>());
    }
}

#[test]
fn the_handler_needs_less_than_two_kib_of_a_small_stack() {
    let frame = frame();
    assert!(frame > 0, "the signal came, and came here");
    // As a sample of a profile.
    let stack = SignalStack::new();
    let session = cpu::start(cpu::Options { hz: 250 }).expect("nobody else profiles");
    burns(Duration::from_millis(400));
    let profile = Profile::decode(&session.finish()).expect("we wrote it");
    let sampled = stack.used();
    drop(stack);
    let kind = profile.sample_type(Some("cpu")).expect("a CPU profile");
    let rows = top(&profile, kind, Granularity::Function).rows;
    assert!(
        rows.iter().any(|row| row.name.ends_with("::burns")),
        "samples came from here"
    );
    // As the answer of a thread that runs.
    let (tell, told) = std::sync::mpsc::channel();
    let (stop, is_stopped) = std::sync::mpsc::channel::<()>();
    let asked = std::thread::spawn(move || {
        let stack = SignalStack::new();
        let _ = tell.send(());
        while is_stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
            burns(Duration::from_millis(1));
        }
        stack.used()
    });
    told.recv().expect("it runs");
    // It may be just about to wait for a CPU; in one of some looks it is not.
    for _ in 0..20 {
        threads::profile().expect("/proc is there");
    }
    drop(stop);
    let asked = asked.join().expect("no panic");
    eprintln!("frame {frame}, sampled {sampled}, asked {asked}");
    for (what, used) in [("sampled", sampled), ("asked", asked)] {
        assert!(used > frame, "{what}: no signal came");
        let own = used - frame;
        assert!(
            own < MOST,
            "{what}: {own} bytes beside the kernel's {frame}"
        );
    }
}

//! The one signal handler: it copies where its thread stands, and nothing else.
//!
//! It runs wherever a thread happened to be, within the allocator or holding a lock. So it
//! allocates nothing, takes no lock, calls nothing but two system calls that are safe there, keeps
//! errno, and needs less than 2 KiB of the signal stack.
//!
//! Once installed it stays: a signal that is delivered late would end the process by default.
#![expect(unsafe_code, reason = "installs and is a signal handler")]

use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicU32, Ordering};

use super::slots::{self, Seen};
use super::{arch, memory};
use crate::labels;
use crate::profile::NotMeasured;

/// In the upper half of what a signal carries: it is ours.
const TAG: u64 = 0x5344_4b54 << 32;

/// The CPU profile that is being taken; 0 is none.
pub(crate) static SESSION: AtomicU32 = AtomicU32::new(0);
/// Ticks for which there was no free slot.
pub(crate) static LOST: AtomicU32 = AtomicU32::new(0);

/// Installs the handler for SIGPROF, if it is not.
pub(crate) fn install() -> Result<(), NotMeasured> {
    if !slots::prepare() {
        return Err(refused("setting memory aside"));
    }
    // SAFETY: reads and sets the disposition of one signal; `handle` is made for it.
    unsafe {
        let mut before: libc::sigaction = std::mem::zeroed();
        if libc::sigaction(libc::SIGPROF, std::ptr::null(), &raw mut before) != 0 {
            return Err(refused("looking at SIGPROF"));
        }
        let ours = handle as *const () as usize;
        if before.sa_sigaction == ours {
            return Ok(());
        }
        if before.sa_sigaction != libc::SIG_DFL && before.sa_sigaction != libc::SIG_IGN {
            return Err(NotMeasured::SignalTaken);
        }
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = ours;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK;
        libc::sigfillset(&raw mut action.sa_mask);
        if libc::sigaction(libc::SIGPROF, &raw const action, std::ptr::null_mut()) != 0 {
            return Err(refused("handling SIGPROF"));
        }
    }
    Ok(())
}

pub(crate) fn refused(what: &'static str) -> NotMeasured {
    NotMeasured::Refused {
        what,
        why: std::io::Error::last_os_error().to_string(),
    }
}

/// What a timer of the session `session` shall carry.
pub(crate) fn value_of_session(session: u32) -> libc::sigval {
    libc::sigval {
        sival_ptr: (TAG | u64::from(session)) as *mut libc::c_void,
    }
}

/// Asks the thread `tid` of this process where it stands; the answer comes into the slot `index`.
pub(crate) fn ask(tid: libc::pid_t, index: usize) -> bool {
    // What rt_tgsigqueueinfo takes: three numbers, the sender, and the value.
    #[repr(C)]
    struct Queued {
        signal: libc::c_int,
        errno: libc::c_int,
        code: libc::c_int,
        pad: libc::c_int,
        pid: libc::pid_t,
        uid: libc::uid_t,
        value: u64,
        rest: [u64; 12],
    }
    const _: () = assert!(size_of::<Queued>() == size_of::<libc::siginfo_t>());
    // SAFETY: `info` is as long as a siginfo_t, and the kernel copies it.
    unsafe {
        let info = Queued {
            signal: libc::SIGPROF,
            errno: 0,
            code: libc::SI_QUEUE,
            pad: 0,
            pid: libc::getpid(),
            uid: libc::getuid(),
            value: TAG | index as u64,
            rest: [0; 12],
        };
        libc::syscall(
            libc::SYS_rt_tgsigqueueinfo,
            info.pid,
            tid,
            libc::SIGPROF,
            &raw const info,
        ) == 0
    }
}

extern "C" fn handle(
    _signal: libc::c_int,
    info: *const libc::siginfo_t,
    context: *const libc::c_void,
) {
    // SAFETY: errno is this thread's own; the kernel made `info` and `context`.
    unsafe {
        let errno = libc::__errno_location();
        let before = *errno;
        record(info, context.cast());
        *errno = before;
    }
}

/// # Safety
/// Both are what the kernel gave to the handler.
unsafe fn record(info: *const libc::siginfo_t, context: *const libc::ucontext_t) {
    // SAFETY: the caller's promise; both kinds of signal that get past the first look carry a value.
    let (code, value, overrun) = unsafe {
        let code = (*info).si_code;
        if code != libc::SI_TIMER && code != libc::SI_QUEUE {
            return;
        }
        let value = (*info).si_value().sival_ptr as u64;
        // Behind three numbers and their padding: the timer, and how often it went off unheard.
        let overrun = info.cast::<libc::c_int>().add(5).read();
        (code, value, overrun)
    };
    if value & !u64::from(u32::MAX) != TAG {
        return;
    }
    let number = value as u32;
    let fill = |session: u32, ticks: u32| {
        move |seen: &mut Seen, stack: &mut [MaybeUninit<u8>]| {
            // SAFETY: the caller's promise.
            let registers = unsafe { arch::from_context(context) };
            seen.session = session;
            seen.ticks = ticks;
            seen.labels = labels::current_id();
            seen.registers = registers;
            seen.copied = memory::read_stack(registers.sp, stack);
        }
    };
    if code == libc::SI_QUEUE {
        slots::fill_asked(number as usize, fill(0, 1));
    } else if number == SESSION.load(Ordering::Acquire) {
        let ticks = u32::try_from(overrun).unwrap_or(0).min(OVERRUN_MAX) + 1;
        if !slots::fill_free(fill(number, ticks)) {
            LOST.fetch_add(ticks, Ordering::Relaxed);
        }
    }
}

/// A thread that blocked the signal for so long had it for a reason of its own.
const OVERRUN_MAX: u32 = 1000;

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::profile::linux::slots::Answer;

    /// What Rust gave to threads before it asked the kernel, and what small hosts still have.
    const SIGNAL_STACK: usize = 8192;
    const PAINT: u8 = 0xa5;

    fn answered(answer: &Answer) -> bool {
        let since = Instant::now();
        while answer.get().is_none() && since.elapsed() < Duration::from_secs(10) {
            std::thread::yield_now();
        }
        answer.get().is_some()
    }

    fn tid() -> libc::pid_t {
        // SAFETY: asks for a number.
        unsafe { libc::gettid() }
    }

    #[test]
    fn the_handler_needs_less_than_2_kib_of_a_small_signal_stack() {
        install().expect("SIGPROF is free in tests");
        let used = std::thread::spawn(|| {
            let mut stack = vec![PAINT; SIGNAL_STACK];
            let ours = libc::stack_t {
                ss_sp: stack.as_mut_ptr().cast(),
                ss_flags: 0,
                ss_size: stack.len(),
            };
            let mut before = ours;
            let answer = Answer::reserve().expect("a free slot");
            // SAFETY: the stack outlives its use: the old one is set again before it goes.
            unsafe {
                assert_eq!(libc::sigaltstack(&raw const ours, &raw mut before), 0);
                assert!(ask(tid(), answer.index()));
                assert!(answered(&answer));
                assert_eq!(
                    libc::sigaltstack(&raw const before, std::ptr::null_mut()),
                    0
                );
            }
            let all = stack.iter().skip_while(|byte| **byte == PAINT).count();
            // The same with a handler that does nothing is what the kernel needs for itself.
            stack.fill(PAINT);
            // SAFETY: as above; SIGUSR2 is used by no other test.
            unsafe {
                extern "C" fn nothing(_: libc::c_int) {}
                let mut action: libc::sigaction = std::mem::zeroed();
                action.sa_sigaction = nothing as *const () as usize;
                action.sa_flags = libc::SA_ONSTACK;
                libc::sigaction(libc::SIGUSR2, &raw const action, std::ptr::null_mut());
                assert_eq!(libc::sigaltstack(&raw const ours, &raw mut before), 0);
                libc::syscall(libc::SYS_tgkill, libc::getpid(), tid(), libc::SIGUSR2);
                assert_eq!(
                    libc::sigaltstack(&raw const before, std::ptr::null_mut()),
                    0
                );
            }
            let kernel = stack.iter().skip_while(|byte| **byte == PAINT).count();
            (all, kernel)
        });
        let (all, kernel) = used.join().expect("no panic");
        eprintln!("{all} bytes, {kernel} of them the kernel's");
        assert!(kernel > 0 && all > kernel, "{all} {kernel}");
        assert!(all - kernel < 2048, "{all} {kernel}");
    }

    #[test]
    fn errno_is_kept_and_the_stack_is_there() {
        install().expect("SIGPROF is free in tests");
        let answer = Answer::reserve().expect("a free slot");
        // SAFETY: errno is this thread's own.
        unsafe {
            *libc::__errno_location() = 77;
            assert!(ask(tid(), answer.index()));
            assert!(answered(&answer));
            assert_eq!(*libc::__errno_location(), 77);
        }
        let (seen, stack) = answer.get().expect("it was answered");
        let here = arch::here().sp;
        assert!(seen.registers.sp.abs_diff(here) < 64 * 1024, "{seen:?}");
        assert!(stack.len() > 256, "{}", stack.len());
    }

    #[test]
    fn signals_of_others_are_left_alone() {
        install().expect("SIGPROF is free in tests");
        let lost = LOST.load(Ordering::Relaxed);
        // SAFETY: the handler ignores what does not carry its tag.
        unsafe {
            libc::syscall(libc::SYS_tgkill, libc::getpid(), tid(), libc::SIGPROF);
        }
        assert_eq!(LOST.load(Ordering::Relaxed), lost);
    }
}

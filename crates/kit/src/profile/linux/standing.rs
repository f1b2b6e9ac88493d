//! Where another thread of this process stands now.
//!
//! A thread that runs is asked by a signal. One that waits in the kernel is not: a signal would end
//! its wait early, and code that reads from a socket with a time limit would see an error that
//! nobody but us made. The kernel says where such a thread left the program
//! (/proc/self/task/TID/syscall); its stack is read from outside, and is trusted if it was the same
//! before and after.
//!
//! Of the registers only two are known then. On x86-64 with glibc that is enough, for the frame
//! pointer can be found again; musl, which has no unwind tables, and aarch64, where a leaf keeps its
//! return address in a register, show no more than the function that waits.

use std::mem::MaybeUninit;
use std::time::{Duration, Instant};

use super::arch::Registers;
use super::modules::{self, Module};
use super::slots::{Answer, STACK_MAX};
use super::unwind::{DEPTH_MAX, Walk, Walker, read_copy};
use super::{memory, signal};

/// How long a running thread may take to answer. On a busy machine it waits for a CPU first.
const PATIENCE: Duration = Duration::from_millis(50);

/// No frame is here, so that a walk that needs the frame pointer fails. 0 would pass for the root.
const UNKNOWN: u64 = 8;

/// What a thread was doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Leaf first.
    pub(crate) stack: Vec<u64>,
    /// Labels, if the thread was asked itself.
    pub(crate) labels: Option<u64>,
}

/// Looks at threads.
pub(crate) struct Onlooker {
    walker: Walker,
    modules: Vec<Module>,
    generation: u64,
    copy: Vec<MaybeUninit<u8>>,
}

impl Onlooker {
    pub(crate) fn new() -> Self {
        let modules = modules::loaded();
        Onlooker {
            walker: Walker::new(&modules),
            generation: modules::generation(),
            modules,
            copy: vec![MaybeUninit::uninit(); STACK_MAX],
        }
    }

    pub(crate) fn modules(&self) -> &[Module] {
        &self.modules
    }

    /// Where the thread `tid` stands; none if it ended, or could not be seen at one place.
    pub(crate) fn look(&mut self, tid: libc::pid_t) -> Option<Standing> {
        let generation = modules::generation();
        if generation != self.generation {
            *self = Onlooker::new();
        }
        match Wait::of(tid)? {
            Wait::Runs => self.ask(tid),
            Wait::At { ip, sp } => self.read(tid, ip, sp),
        }
    }

    /// The stack of the calling thread, from `here`.
    pub(crate) fn our_own(&mut self, here: Registers) -> Vec<u64> {
        let length = memory::read_stack(here.sp, &mut self.copy);
        walk(&mut self.walker, here, memory::written(&self.copy, length)).1
    }

    fn ask(&mut self, tid: libc::pid_t) -> Option<Standing> {
        let answer = Answer::reserve()?;
        if !signal::ask(tid, answer.index()) {
            return None;
        }
        let since = Instant::now();
        let (seen, stack) = loop {
            if let Some(answer) = answer.get() {
                break answer;
            }
            if since.elapsed() > PATIENCE {
                return None;
            }
            std::thread::sleep(Duration::from_micros(50));
        };
        let (_, addresses) = walk(&mut self.walker, seen.registers, stack);
        Some(Standing {
            stack: addresses,
            labels: Some(seen.labels),
        })
    }

    fn read(&mut self, tid: libc::pid_t, ip: u64, sp: u64) -> Option<Standing> {
        let length = memory::read_stack_of_another(sp, &mut self.copy);
        if Wait::of(tid)? != (Wait::At { ip, sp }) {
            return None;
        }
        let copy = memory::written(&self.copy, length);
        let registers = |fp| Registers { ip, sp, fp, lr: 0 };
        let (walked, mut best) = walk(&mut self.walker, registers(UNKNOWN), copy);
        if let (false, Some(&stuck)) = (walked.is_whole, best.last()) {
            // The frame pointer is not known, and functions that were compiled with one need it:
            // those of Rust's own library, and the C library of some systems.
            let found = frame_pointers(copy, sp, stuck)
                .map(|fp| walk(&mut self.walker, registers(fp), copy))
                .find(|(walked, stack)| walked.is_whole && stack.starts_with(&best));
            if let Some((_, stack)) = found {
                best = stack;
            }
        }
        Some(Standing {
            stack: best,
            labels: None,
        })
    }
}

fn walk(walker: &mut Walker, from: Registers, copy: &[u8]) -> (Walk, Vec<u64>) {
    let mut addresses = [0; DEPTH_MAX];
    let walked = walker.walk(from, |at| read_copy(copy, from.sp, at), &mut addresses);
    (walked, addresses[..walked.depth].to_vec())
}

/// Where the frame pointer of the function that runs `stuck` may point: below the address that the
/// function returns to, which stands behind a call of it. A guess counts only if the walk from it
/// reaches the root of the thread.
fn frame_pointers(copy: &[u8], sp: u64, stuck: u64) -> impl Iterator<Item = u64> {
    /// How far up the stack is looked: the frames of a few functions.
    const NEAR: u64 = 4096;
    const GUESSES: usize = 16;
    (0..NEAR)
        .step_by(8)
        .map(move |offset| sp + offset)
        .filter(move |&at| {
            read_copy(copy, sp, at + 8).is_ok_and(|return_to| is_behind_a_call(return_to, stuck))
        })
        .take(GUESSES)
}

/// True if the instruction before `return_to` calls, as far as that can be told, the function that
/// `inside` belongs to.
fn is_behind_a_call(return_to: u64, inside: u64) -> bool {
    /// Longer functions are not known.
    const FUNCTION_MAX: u64 = 64 * 1024;
    const LONGEST_CALL: u64 = 7;
    let mut code = [MaybeUninit::uninit(); LONGEST_CALL as usize];
    let Some(from) = return_to.checked_sub(LONGEST_CALL) else {
        return false;
    };
    if memory::read_stack_of_another(from, &mut code) != code.len() {
        return false;
    }
    let code = memory::written(&code, code.len());
    if let Some(&[0xe8, a, b, c, d]) = code.get(2..) {
        let distance = i32::from_le_bytes([a, b, c, d]);
        let called = return_to.wrapping_add_signed(distance.into());
        return inside.wrapping_sub(called) < FUNCTION_MAX;
    }
    // By way of a register or memory: nothing says of what.
    (0..=5).any(|at| code[at] == 0xff && code[at + 1] & 0x38 == 0x10)
}

/// What the kernel says of a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    Runs,
    /// It left the program here.
    At {
        ip: u64,
        sp: u64,
    },
}

impl Wait {
    fn of(tid: libc::pid_t) -> Option<Self> {
        let text = std::fs::read_to_string(format!("/proc/self/task/{tid}/syscall")).ok()?;
        Self::parse(&text)
    }

    /// `running`, or numbers of which the last two are the stack pointer and the address.
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text == "running" {
            return Some(Wait::Runs);
        }
        let mut words = text.rsplit(' ');
        let mut number = || u64::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok();
        let (ip, sp) = (number()?, number()?);
        (sp != 0).then_some(Wait::At { ip, sp })
    }
}

/// True if `tid` is a thread of this process.
pub(crate) fn is_there(tid: libc::pid_t) -> bool {
    std::fs::exists(format!("/proc/self/task/{tid}")).unwrap_or(false)
}

/// How long a thread was ready to run and had no CPU, since it began. Zero where the kernel does
/// not count it.
pub(crate) fn waited_for_cpu(tid: libc::pid_t) -> Duration {
    let text = std::fs::read_to_string(format!("/proc/self/task/{tid}/schedstat"));
    let nanos = text
        .as_deref()
        .ok()
        .and_then(|text| text.split(' ').nth(1)?.parse().ok());
    Duration::from_nanos(nanos.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc;

    use super::*;
    use crate::profile::linux::{clock, symbolize};

    fn names(standing: &Standing) -> String {
        let frames = symbolize::resolve(&standing.stack);
        let names = frames.into_iter().flatten().map(|frame| frame.function);
        names.collect::<Vec<_>>().join("\n")
    }

    fn look_until(tid: libc::pid_t, name: &str) -> Standing {
        let mut onlooker = Onlooker::new();
        let since = Instant::now();
        loop {
            let seen = onlooker.look(tid);
            match seen {
                Some(standing) if names(&standing).contains(name) => return standing,
                other if since.elapsed() > Duration::from_secs(20) => {
                    panic!("{name} is not in {:?}", other.as_ref().map(names));
                }
                _ => std::thread::sleep(Duration::from_millis(1)),
            }
        }
    }

    #[cfg(all(target_arch = "x86_64", target_env = "gnu"))]
    #[inline(never)]
    fn waits_for_a_word(words: &mpsc::Receiver<()>) {
        let _ = words.recv();
    }

    #[inline(never)]
    fn runs_until(stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            std::hint::black_box(());
        }
    }

    #[test]
    #[cfg(all(target_arch = "x86_64", target_env = "gnu"))]
    fn a_thread_that_waits_is_seen_without_a_signal() {
        let (send, words) = mpsc::channel();
        let (tell, told) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let _ = tell.send(clock::thread_id());
            waits_for_a_word(&words);
        });
        let tid = told.recv().expect("it is there");
        assert_eq!(look_until(tid, "waits_for_a_word").labels, None);
        drop(send);
        thread.join().expect("no panic");
    }

    #[test]
    fn a_thread_that_runs_is_asked() {
        signal::install().expect("SIGPROF is free in tests");
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let (tell, told) = mpsc::channel();
            let stop = &stop;
            scope.spawn(move || {
                let _ = tell.send(clock::thread_id());
                runs_until(stop);
            });
            let tid = told.recv().expect("it is there");
            assert_eq!(look_until(tid, "runs_until").labels, Some(0));
            stop.store(true, Ordering::Relaxed);
        });
    }

    #[test]
    fn what_the_kernel_says_is_read() {
        assert_eq!(Wait::parse("running\n"), Some(Wait::Runs));
        let at = Some(Wait::At {
            sp: 0x7ffd,
            ip: 0x7f01,
        });
        assert_eq!(Wait::parse("0 0x3 0x0 0x7ffd 0x7f01"), at);
        assert_eq!(Wait::parse("-1 0x7ffd 0x7f01"), at);
        for nonsense in [
            "",
            "0",
            "x y",
            "0x",
            "-1 0x0 0x1",
            "-1 0xfffffffffffffffff 0x1",
        ] {
            assert_eq!(Wait::parse(nonsense), None, "{nonsense}");
        }
        assert_eq!(Wait::of(-5), None);
    }

    #[test]
    fn a_thread_that_is_gone_is_not_seen() {
        assert_eq!(Onlooker::new().look(i32::MAX), None);
        assert_eq!(waited_for_cpu(i32::MAX), Duration::ZERO);
    }
}

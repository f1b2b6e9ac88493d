//! Memory that was set aside for what signal handlers see.
//!
//! A slot goes from free to writing to ready and back to free. Whoever moves it on owns it until
//! the next move, so that handlers of any number of threads and one reader need no lock. Slots are
//! never given back: a handler that comes late still writes into memory that is there.
#![expect(unsafe_code, reason = "hands out memory by the state of its slot")]

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use super::arch::Registers;
use super::memory;

/// Handlers that may wait to be read at one moment: the reader comes every 10 ms, in which each CPU
/// brings one sample at 100 Hz.
const COUNT: usize = 512;
/// How much of a stack is copied. perf takes 8 KiB by default and 64 KiB at most, and async stacks
/// are deep.
pub(crate) const STACK_MAX: usize = 64 * 1024;

const FREE: u32 = 0;
/// Reserved for a thread that was asked where it stands.
const ASKED: u32 = 1;
const WRITING: u32 = 2;
const READY: u32 = 3;

/// What a handler saw.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Seen {
    /// The CPU profile it belongs to; 0 for an answer to a question.
    pub(crate) session: u32,
    /// How often the timer went off.
    pub(crate) ticks: u32,
    pub(crate) labels: u64,
    pub(crate) registers: Registers,
    /// Bytes of the stack that were copied.
    pub(crate) copied: usize,
}

struct Slot {
    state: AtomicU32,
    seen: UnsafeCell<Seen>,
}

// SAFETY: `seen` is touched only by the owner of the slot, which `state` decides.
unsafe impl Sync for Slot {}

static SLOTS: [Slot; COUNT] = [const {
    Slot {
        state: AtomicU32::new(FREE),
        seen: UnsafeCell::new(Seen {
            session: 0,
            ticks: 0,
            labels: 0,
            registers: Registers {
                ip: 0,
                sp: 0,
                fp: 0,
                lr: 0,
            },
            copied: 0,
        }),
    }
}; COUNT];

/// Where the copies of stacks are, as an address; none where the kernel gave no memory.
static STACKS: OnceLock<Option<usize>> = OnceLock::new();

/// Sets the memory aside, if that was not done yet. Not for handlers.
pub(crate) fn prepare() -> bool {
    STACKS
        .get_or_init(|| memory::reserve(COUNT * STACK_MAX).map(|at| at as usize))
        .is_some()
}

fn stack_of(index: usize) -> Option<*mut u8> {
    let base = (*STACKS.get()?)?;
    Some((base + index * STACK_MAX) as *mut u8)
}

/// Takes a free slot and fills it. False where there is none. For handlers.
pub(crate) fn fill_free(fill: impl FnOnce(&mut Seen, &mut [MaybeUninit<u8>])) -> bool {
    let claimed = SLOTS.iter().position(|slot| claim(slot, FREE));
    claimed.is_some_and(|index| write(index, fill))
}

/// Fills the slot that was reserved for an answer. False if nobody waits for it any more.
pub(crate) fn fill_asked(
    index: usize,
    fill: impl FnOnce(&mut Seen, &mut [MaybeUninit<u8>]),
) -> bool {
    SLOTS.get(index).is_some_and(|slot| claim(slot, ASKED)) && write(index, fill)
}

fn claim(slot: &Slot, from: u32) -> bool {
    slot.state.load(Ordering::Relaxed) == from
        && slot
            .state
            .compare_exchange(from, WRITING, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
}

fn write(index: usize, fill: impl FnOnce(&mut Seen, &mut [MaybeUninit<u8>])) -> bool {
    let slot = &SLOTS[index];
    let Some(stack) = stack_of(index) else {
        slot.state.store(FREE, Ordering::Release);
        return false;
    };
    // SAFETY: the slot is WRITING by our hand, so nobody else touches it or its stack.
    let (seen, stack) = unsafe {
        let stack = std::slice::from_raw_parts_mut(stack.cast(), STACK_MAX);
        (&mut *slot.seen.get(), stack)
    };
    fill(seen, stack);
    slot.state.store(READY, Ordering::Release);
    true
}

/// Hands every slot that is ready and not an answer to `read`, and frees it. One reader at a time.
pub(crate) fn drain(mut read: impl FnMut(&Seen, &[u8])) {
    for (index, slot) in SLOTS.iter().enumerate() {
        if slot.state.load(Ordering::Acquire) == READY {
            let (seen, stack) = content(index);
            if seen.session != 0 {
                read(seen, stack);
                slot.state.store(FREE, Ordering::Release);
            }
        }
    }
}

/// True if a handler is writing right now.
pub(crate) fn is_being_written() -> bool {
    SLOTS
        .iter()
        .any(|slot| slot.state.load(Ordering::Acquire) == WRITING)
}

/// What a ready slot holds.
fn content(index: usize) -> (&'static Seen, &'static [u8]) {
    // SAFETY: callers have seen READY, and are the only ones who free such a slot; `copied` bytes
    // were written before.
    unsafe {
        let seen = &*SLOTS[index].seen.get();
        let stack = match stack_of(index) {
            Some(stack) => std::slice::from_raw_parts(stack, seen.copied.min(STACK_MAX)),
            None => &[],
        };
        (seen, stack)
    }
}

/// A slot that is reserved for the answer of one thread.
pub(crate) struct Answer {
    index: usize,
}

impl Answer {
    /// From the end of the table, where samples come last.
    pub(crate) fn reserve() -> Option<Self> {
        let index = SLOTS.iter().rposition(|slot| {
            slot.state
                .compare_exchange(FREE, ASKED, Ordering::Acquire, Ordering::Relaxed)
                .is_ok()
        })?;
        Some(Answer { index })
    }

    pub(crate) fn index(&self) -> usize {
        self.index
    }

    /// The answer, once it is there.
    pub(crate) fn get(&self) -> Option<(&Seen, &[u8])> {
        let is_ready = SLOTS[self.index].state.load(Ordering::Acquire) == READY;
        is_ready.then(|| content(self.index))
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        let state = &SLOTS[self.index].state;
        // Either nobody answered yet, and nobody will; or the answer is complete, or becomes so in
        // a moment: a handler is a few microseconds long and is not waited for by anything.
        while state
            .compare_exchange(ASKED, FREE, Ordering::AcqRel, Ordering::Acquire)
            .is_err()
        {
            if state.load(Ordering::Acquire) == READY {
                state.store(FREE, Ordering::Release);
                return;
            }
            std::thread::yield_now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_filled_once_and_only_while_it_is_awaited() {
        assert!(prepare());
        let answer = Answer::reserve().expect("a free slot");
        let index = answer.index();
        assert!(answer.get().is_none());
        assert!(fill_asked(index, |seen, stack| {
            seen.session = 0;
            seen.copied = 2;
            stack[0].write(1);
            stack[1].write(2);
        }));
        assert!(!fill_asked(index, |_, _| unreachable!("it was answered")));
        assert_eq!(answer.get().expect("ready").1, [1, 2]);
        drop(answer);
        assert!(!fill_asked(index, |_, _| unreachable!("nobody asks")));
        assert!(!fill_asked(COUNT, |_, _| unreachable!(
            "there is no such slot"
        )));
    }
}

//! Polls a future once and notes where it waits.
//!
//! A future that has to wait clones the waker of its context and leaves the clone with whatever it
//! waits for. So the stack at the moment of the clone is the chain of awaits, from the task's root
//! to the leaf. The waker used here notes that stack, and hands out a clone of the real waker.
//!
//! What registers nothing (`pending()`) shows no stack, and a future that waits for several things
//! at once shows one for each.

#![expect(
    unsafe_code,
    reason = "a waker whose clone is a hook needs a vtable: `std::task::Wake` has no such hook"
)]

use std::cell::RefCell;
use std::future::Future;
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

/// Frames kept of one stack; async chains of real services have some dozens.
const FRAMES_MAX: usize = 128;
/// Stacks kept of one task: branches of a `select!` or members of a `FuturesUnordered`.
const STACKS_MAX: usize = 16;

thread_local! {
    static CAPTURED: RefCell<Option<Vec<Vec<usize>>>> = const { RefCell::new(None) };
}

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake, forget);

/// Polls with the capturing waker; gives the result and the stacks, innermost frame first.
pub(super) fn poll<F: Future>(
    future: Pin<&mut F>,
    context: &Context<'_>,
) -> (Poll<F::Output>, Vec<Vec<usize>>) {
    /// Puts back what an outer capture has noted, also after a panic.
    struct Restore(Option<Vec<Vec<usize>>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            CAPTURED.replace(self.0.take());
        }
    }
    let real: &Waker = context.waker();
    // SAFETY: the vtable keeps the contract of `RawWaker` as long as `real` lives: `clone` gives a
    // clone of the real waker with the real vtable, `wake_by_ref` wakes the real one, and `drop`
    // has nothing to free. All of them read through a shared reference to a `Waker`, which is Sync.
    // The waker made here cannot outlive `real`: it is only ever lent, by reference, and what others
    // clone of it is the real waker.
    let waker = ManuallyDrop::new(unsafe {
        Waker::from_raw(RawWaker::new(std::ptr::from_ref(real).cast(), &VTABLE))
    });
    let _restore = Restore(CAPTURED.replace(Some(Vec::new())));
    let polled = future.poll(&mut Context::from_waker(&waker));
    let stacks = CAPTURED.take().unwrap_or_default();
    (polled, stacks)
}

/// Notes the stack and clones the real waker. The name is what [`super::frames`] cuts stacks at.
#[inline(never)]
fn clone(data: *const ()) -> RawWaker {
    note();
    // SAFETY: `data` is the `&Waker` that `poll` made this waker of, and `poll` has not returned.
    let real = ManuallyDrop::new(unsafe { &*data.cast::<Waker>() }.clone());
    RawWaker::new(real.data(), real.vtable())
}

fn wake(data: *const ()) {
    // SAFETY: as in `clone`. By value it is never called: nobody owns a waker with this vtable but
    // `poll`, which forgets it.
    unsafe { &*data.cast::<Waker>() }.wake_by_ref();
}

fn forget(_: *const ()) {}

/// The vtable's functions must not unwind into the future, so nothing here panics.
#[inline(never)]
fn note() {
    CAPTURED.with(|captured| {
        let Ok(mut captured) = captured.try_borrow_mut() else {
            return;
        };
        // None on another thread, to which a future lent its context: nobody waits for it there.
        let Some(stacks) = captured.as_mut().filter(|stacks| stacks.len() < STACKS_MAX) else {
            return;
        };
        let mut stack = Vec::with_capacity(64);
        backtrace::trace(|frame| {
            stack.push(frame.ip() as usize);
            stack.len() < FRAMES_MAX
        });
        stacks.push(stack);
    });
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Counting(AtomicUsize);

    impl Wake for Counting {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Keeps a clone of its waker, and wakes by reference, too.
    struct Leaf(Option<Waker>);

    impl Future for Leaf {
        type Output = ();
        fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
            context.waker().wake_by_ref();
            self.0 = Some(context.waker().clone());
            Poll::Pending
        }
    }

    #[test]
    fn the_clone_outlives_the_poll_and_is_the_real_one() {
        let counting = Arc::new(Counting::default());
        let real = Waker::from(Arc::clone(&counting));
        let mut leaf = Leaf(None);
        let (polled, stacks) = poll(Pin::new(&mut leaf), &Context::from_waker(&real));
        assert!(polled.is_pending());
        assert_eq!(stacks.len(), 1, "one clone, one stack");
        assert!(stacks[0].len() > 2);
        let kept = leaf.0.take().expect("the leaf kept its waker");
        // Miri gives a vtable another address each time that it is named.
        assert!(
            kept.will_wake(&real) || cfg!(miri),
            "it has the real vtable"
        );
        kept.wake();
        assert_eq!(counting.0.load(Ordering::Relaxed), 2);
        drop(real);
        assert_eq!(Arc::strong_count(&counting), 1, "no clone is lost");
    }

    #[test]
    fn what_registers_nothing_shows_nothing() {
        let waker = Waker::from(Arc::new(Counting::default()));
        let mut pending = std::future::pending::<()>();
        let (_, stacks) = poll(Pin::new(&mut pending), &Context::from_waker(&waker));
        assert!(stacks.is_empty());
    }

    #[test]
    fn a_panic_inside_leaves_nothing_behind() {
        let waker = Waker::from(Arc::new(Counting::default()));
        let poll_it = std::panic::AssertUnwindSafe(|| {
            let mut future = std::pin::pin!(async { panic!("on purpose") });
            let _: (Poll<()>, _) = poll(future.as_mut(), &Context::from_waker(&waker));
        });
        assert!(std::panic::catch_unwind(poll_it).is_err());
        assert!(CAPTURED.with_borrow(Option::is_none));
    }
}

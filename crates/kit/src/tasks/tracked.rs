//! The future that wraps a registered task.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tracing::Instrument;
use tracing::instrument::Instrumented;

use super::registry::{self, Entry};
use super::{capture, dump};
use crate::profile::block;
use crate::scope::{InScope, Scope};

thread_local! {
    static CURRENT: Cell<Option<(u64, &'static str)>> = const { Cell::new(None) };
}

/// The registered task that runs on this thread, and its function.
pub(super) fn current() -> Option<(u64, &'static str)> {
    CURRENT.get()
}

pin_project! {
    /// A task in the register, within its scope and span.
    pub(super) struct Tracked<F> {
        #[pin]
        future: InScope<Instrumented<F>>,
        // After the future: while its fields are dropped, the task is still there.
        entry: Entry,
        waker_kept: bool,
    }
}

impl<F> Tracked<F> {
    pub(super) fn new(entry: Entry, scope: Option<Scope>, future: F) -> Self {
        Tracked {
            future: InScope::of(scope, future.in_current_span()),
            entry,
            waker_kept: false,
        }
    }
}

/// Puts back which task runs, whatever the poll does.
struct Restore(Option<(u64, &'static str)>);

impl Drop for Restore {
    fn drop(&mut self) {
        CURRENT.set(self.0);
    }
}

impl<F: Future> Future for Tracked<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let meta = this.entry.meta();
        let _restore = Restore(CURRENT.replace(Some((meta.id, meta.function))));
        if !*this.waker_kept {
            // A spawned task has one waker all its life.
            meta.keep_waker(context.waker());
            *this.waker_kept = true;
        }
        let _polling = this.entry.polling();
        let _watched = block::Poll::begin();
        let wanted = dump::latest();
        if meta.seen_in.load(Ordering::Relaxed) == wanted {
            return this.future.poll(context);
        }
        let (polled, stacks) = capture::poll(this.future, context);
        *registry::lock(&meta.stacks) = stacks;
        meta.seen_in.store(wanted, Ordering::Release);
        polled
    }
}

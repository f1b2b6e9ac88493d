//! Which labels the running code carries, as a number that a signal handler can read.

use std::cell::Cell;

thread_local! {
    // Const and without a destructor: reading it allocates nothing and registers nothing, so that
    // a signal handler may.
    static CURRENT: Cell<u64> = const { Cell::new(0) };
}

/// The labels that this thread carries now; 0 is none.
#[inline]
pub fn current_id() -> u64 {
    CURRENT.with(Cell::get)
}

/// Makes `id` the labels of this thread and returns those before.
#[inline]
pub fn set_current(id: u64) -> u64 {
    CURRENT.with(|current| current.replace(id))
}

/// Name and value of each label of `id`; none where they are not known any more.
pub fn of(_id: u64) -> Vec<(String, String)> {
    Vec::new()
}

//! Rules of the item lifecycle.

mod batches;
pub(crate) mod drain_too_slow;
mod dropped;
pub(crate) mod fd_leak;
pub(crate) mod heap_growth;
pub(crate) mod in_flight_dropped;
mod leak_by_number;
pub(crate) mod leak_per_request;
pub(crate) mod sigterm_ignored;
mod stopping;

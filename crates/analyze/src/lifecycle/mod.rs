//! Rules of the item lifecycle.

pub(crate) mod drain_too_slow;
pub(crate) mod in_flight_dropped;
pub(crate) mod leak_per_request;
pub(crate) mod sigterm_ignored;
mod stopping;

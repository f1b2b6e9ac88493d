//! Rules of the item trace.

pub(crate) mod context_not_forwarded;
mod log_seen;
pub(crate) mod log_without_trace;
mod probe_spans;

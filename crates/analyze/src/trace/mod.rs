//! Rules of the item trace.

#[cfg(test)]
mod cases;
pub(crate) mod context_not_forwarded;
mod entries;
pub(crate) mod incoming_context_ignored;
mod log_seen;
pub(crate) mod log_without_trace;
mod probe_spans;
pub(crate) mod request_without_span;
pub(crate) mod span_id_without_trace_id;
mod timeline;
mod tracers;
pub(crate) mod tracing_missing;

//! Outgoing calls: they have a deadline, carry what is left of it on, and stay in the trace.
//!
//! [`CallLayer`] goes around any `tower` client over `http` types: a tonic `Channel`, hyper-util's
//! client. It does not retry: a call that may be repeated is the caller's knowledge.

mod layer;

pub use layer::{CallError, CallFuture, CallLayer, Calls};

//! Asking a service from outside: what it speaks, its profiles, and the requests of the run.
//!
//! | question | file |
//! |---|---|
//! | what does this listener speak? | [`identify`] |
//! | is it ready? | [`ask_ready`] |
//! | where do processor time, memory and goroutines go? | [`profile`], [`trace`], [`contention`], [`snapshot`], [`goroutine_total`] |
//! | what does it do with our requests? | [`Caller`] |
//! | which gRPC services and messages has it? | [`Reflection`], [`Schema`] |
//!
//! Every answer has a deadline and a bound, and becomes an event, if only a failure that says what
//! came instead and what to do. Credential headers are sent and never recorded. Nothing here
//! retries a request or follows a redirect, and TLS is entered only where whom to believe was said.

mod calls;
mod connect;
mod connections;
mod declared;
mod fetch;
mod greeting;
mod grpc;
mod h1;
mod half;
mod http;
mod identify;
mod message;
mod metrics;
mod pprof;
mod pprof_listing;
mod pprof_window;
mod ready;
mod reflect;
mod reflect_proto;
mod sample;
mod schema;
mod schemas;
mod settings;
mod stream;
mod tls;
mod traceparent;

pub use calls::Caller;
pub use connect::{reach_of, reachable};
pub use declared::Declared;
pub use fetch::{Fetch, fetch};
pub use identify::identify;
pub use metrics::goroutine_total;
pub use pprof::{contention, live_heap, profile, short_window, snapshot};
pub use pprof_window::trace;
pub use ready::ask_ready;
pub use reflect::{ReflectError, Reflection, Version};
pub use schema::{Schema, SchemaError};
pub use settings::{Headers, ProbeSettings};
pub use tls::{Credentials, Trust, TrustError, trust};
pub use traceparent::TraceParent;

/// How we name ourselves, so that our requests can be told apart in the service's logs.
pub(crate) const AGENT: &str = concat!("shakedown/", env!("CARGO_PKG_VERSION"));

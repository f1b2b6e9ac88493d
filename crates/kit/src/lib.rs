//! What a Go service has for debugging, for Rust services on tokio: profiles and task dumps on a
//! private listener, logs with trace ids, deadlines that end their handlers, a drain that ends.
//!
//! [`Kit::builder`] gives all of it; each part can be used alone:
//!
//! | part | does |
//! |---|---|
//! | [`admin`] | the private listener: `/debug/pprof/`, tasks, status, probes |
//! | [`profile`] | CPU, heap, threads, and who blocks a worker |
//! | [`tasks`] | [`spawn`]: tasks that dumps show, and that end with their request |
//! | [`logs`] | one JSON object a line, with `trace_id` and `span_id` |
//! | [`trace`] | a span for each request, in the caller's trace |
//! | [`mod@deadline`] | handlers that end at their deadline, or when the client leaves |
//! | [`outgoing`] | calls that carry the deadline and the trace on |
//! | [`lifecycle`] | signals, readiness, drain, generations of the configuration |
//!
//! Feature `otel`: ids are those of `tracing-opentelemetry`'s layer, so that log lines and the spans
//! that an exporter sends have the same. Feature `swap`: a new executable takes over the listeners of
//! the running one.
//!
//! Deliberately absent: TLS, metrics, and a span exporter. No type of axum, tonic or OpenTelemetry is
//! part of this interface; services of axum and tonic fit because they speak `tower` and `http`.

pub mod admin;
mod builder;
pub mod deadline;
mod error;
mod headers;
mod json;
mod kit;
pub mod labels;
pub mod lifecycle;
pub mod logs;
#[cfg(feature = "otel")]
pub mod otel;
pub mod outgoing;
pub mod profile;
mod request;
pub mod scope;
mod status;
#[cfg(feature = "swap")]
pub mod swap;
#[cfg(not(feature = "swap"))]
mod swap;
pub mod tasks;
pub mod trace;

pub use builder::Builder;
pub use deadline::{cancelled, deadline, remaining};
pub use error::Error;
pub use kit::Kit;
pub use status::Phase;
pub use tasks::{spawn, spawn_blocking, spawn_detached};

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

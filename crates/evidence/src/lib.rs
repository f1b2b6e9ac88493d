//! What was seen in one run, with where and when. No judgement.
//!
//! Everything that happens becomes an [`Event`]. Live runs and replays fold the same events into
//! the same [`Evidence`], so what was recorded is all that a rule can know. The [`bundle`] module
//! is the only part that touches files; nothing here opens a socket or reads a clock.
//!
//! To add a kind of evidence: a type in the module of its subject, one variant of [`Event`], one
//! arm of [`Evidence::apply`].

mod access;
pub mod bundle;
mod call;
pub mod caught;
pub mod drain;
mod event;
mod executable;
mod fold;
mod goroutines;
pub mod handler;
mod heap;
pub mod labels;
pub mod log;
mod process;
mod profile;
pub mod resources;
mod run;
pub mod secret;
mod source;
mod span;
mod stall;
pub mod task;
mod time;

pub use access::{Access, Consent, Way};
pub use call::{CallEnd, CallEnded, CallSent, Purpose};
pub use drain::{CallBody, Client, DrainLook, Gone, Signalled};
pub use event::Event;
pub use fold::{Call, Evidence};
pub use goroutines::{
    Frame, GoroutineGroup, Interner, ParsedGoroutines, Snapshot, SnapshotForm, Stack, parse_counts,
    parse_full,
};
pub use heap::{HeapSite, LiveHeap, ParsedHeap, parse_heap};
pub use process::{
    BuildInfo, Connections, Exit, Listener, ListenerFacts, Method, Methods, Module, ProcessStarted,
    Readiness, Role, Speaks, StopReport,
};
pub use profile::{
    PprofEndpoint, ProbeFailure, ProbeKind, ProfileKind, ProfileRecord, check_profile,
};
pub use resources::Resources;
pub use run::{Mark, Request, RequestKind, RunFacts, Trouble};
/// Why an executable could not be read.
pub use shakedown_symbols::BuildInfoError;
/// What an executable has in it about gRPC.
pub use shakedown_symbols::{Descriptors, descriptors_from};
pub use source::{SourceExcerpt, SourceLiteral};
pub use span::{ReceiverEvent, Span, SpanBatch, SpanKind, SpanLink};
pub use stall::{Answers, Stall, StallChange};
pub use task::Serves;
pub use time::At;

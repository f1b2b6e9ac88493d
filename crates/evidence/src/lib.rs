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
pub mod command_line;
mod contention;
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
mod quit_audit;
pub mod resources;
mod run;
pub mod secret;
mod source;
mod span;
mod stall;
pub mod task;
mod time;
mod window;

pub use access::{Access, Consent, Way};
pub use call::{CallEnd, CallEnded, CallSent, Purpose};
pub use command_line::CommandLine;
pub use contention::{Contention, Waiting, parse_contention};
pub use drain::{CallBody, Client, DrainLook, Gone, Signalled};
pub use event::Event;
pub use fold::{Call, Evidence};
pub use goroutines::{
    Frame, GoroutineGroup, Interner, ParsedGoroutines, Snapshot, SnapshotForm, Stack, parse_counts,
    parse_full, parse_quit, parse_total,
};
pub use heap::{Alive, HeapSite, LiveHeap, ParsedHeap, parse_heap};
pub use process::{
    BuildInfo, Connections, Exit, FurtherStart, Listener, ListenerFacts, Method, Methods, Module,
    ProcessStarted, Readiness, Role, Speaks, StopReport,
};
pub use profile::{
    EndpointAnswer, EndpointAsked, PprofEndpoint, ProbeFailure, ProbeKind, ProfileKind,
    ProfileRecord, check_profile, curl_at, url_at,
};
pub use quit_audit::QuitAudit;
pub use resources::Resources;
pub use run::{Mark, Request, RequestKind, RunFacts, Trouble, path_of};
/// How far an execution trace reaches, and its reader.
pub use shakedown_gotrace::{Ending, Extent, ExtentReader};
/// Why an executable could not be read.
pub use shakedown_symbols::BuildInfoError;
/// What an executable has in it about gRPC.
pub use shakedown_symbols::{Descriptors, descriptors_from};
pub use source::{SourceExcerpt, SourceLiteral};
pub use span::{ReceiverEvent, Span, SpanBatch, SpanKind, SpanLink};
pub use stall::{Answers, Stall, StallChange};
pub use task::Serves;
pub use time::At;
pub use window::{Window, WindowEnd, WindowKind};

//! Spans that the service and its dependencies exported to us.

use serde::{Deserialize, Serialize};

use crate::At;

/// Role of a span in a call, numbered as OTLP numbers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SpanKind {
    /// Not given.
    Unspecified,
    /// Work inside a service.
    Internal,
    /// A request that came in.
    Server,
    /// A request that goes out.
    Client,
    /// A message that goes out.
    Producer,
    /// A message that came in.
    Consumer,
}

impl SpanKind {
    /// Reads OTLP's number (opentelemetry/proto/trace/v1/trace.proto, `SpanKind`).
    #[must_use]
    pub const fn from_otlp(number: i32) -> Self {
        match number {
            1 => Self::Internal,
            2 => Self::Server,
            3 => Self::Client,
            4 => Self::Producer,
            5 => Self::Consumer,
            _ => Self::Unspecified,
        }
    }

    /// The name used in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unspecified => "UNSPECIFIED",
            Self::Internal => "INTERNAL",
            Self::Server => "SERVER",
            Self::Client => "CLIENT",
            Self::Producer => "PRODUCER",
            Self::Consumer => "CONSUMER",
        }
    }
}

/// A link to another trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpanLink {
    /// Trace id, 32 hex digits.
    pub trace_id: String,
    /// Span id, 16 hex digits.
    pub span_id: String,
}

/// One finished span.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Trace id, 32 hex digits.
    pub trace_id: String,
    /// Span id, 16 hex digits.
    pub span_id: String,
    /// Parent's span id; empty for a root.
    pub parent_id: String,
    /// Name.
    pub name: String,
    /// Role.
    pub kind: SpanKind,
    /// Start, by the service's clock, nanoseconds since the Unix epoch.
    pub start_unix_ns: u64,
    /// End, likewise.
    pub end_unix_ns: u64,
    /// OTLP flags: 0x100 says that 0x200 (parent is remote) is known.
    pub flags: u32,
    /// `service.name` of the resource.
    pub service: String,
    /// `process.pid` of the resource, where it says one.
    pub pid: Option<u32>,
    /// Instrumentation scope.
    pub scope: String,
    /// Links.
    pub links: Vec<SpanLink>,
    /// Text and number attributes, cut to a bound.
    pub attributes: Vec<(String, String)>,
}

impl Span {
    /// It began a trace.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.parent_id.is_empty()
    }
}

/// Spans that arrived together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpanBatch {
    /// When.
    pub at: At,
    /// How: `grpc` or `http`.
    pub by: String,
    /// The spans.
    pub spans: Vec<Span>,
}

/// What befell the receiver itself. Each of the losses downgrades every "missing" conclusion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum ReceiverEvent {
    /// It listens.
    Listening {
        /// When.
        at: At,
        /// Where.
        addr: String,
    },
    /// A request was refused or unreadable, so spans may be missing.
    Refused {
        /// When.
        at: At,
        /// Why.
        why: String,
    },
    /// It does not listen any more.
    Died {
        /// When.
        at: At,
        /// Why.
        why: String,
    },
    /// A span of our own was exported to it and arrived.
    Canary {
        /// When it arrived.
        at: At,
    },
}

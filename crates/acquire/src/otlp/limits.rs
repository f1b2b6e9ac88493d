//! Every bound of the receiver, in one place.

use std::time::Duration;

/// What the receiver takes before it refuses. The defaults are for live runs; tests shrink them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// One request, on the wire and inflated. Exporters send 0.2 MiB (512 spans of 365 bytes),
    /// and gRPC servers take 4 MiB unless told otherwise.
    pub request_bytes: usize,
    /// All requests that are being read at one time.
    pub buffered_bytes: usize,
    /// Connections at one time, on all ports together; a service holds one or two.
    pub connections: usize,
    /// Spans of the whole run.
    pub spans: usize,
    /// What the spans of the whole run take in memory, about.
    pub span_bytes: usize,
    /// Log records of the whole run; as many as lines of its log.
    pub records: usize,
    /// What the log records of the whole run take in memory, about.
    pub record_bytes: usize,
    /// Refusals that are written down one by one.
    pub refusals: usize,
    /// From the first byte of a request to its last.
    pub request_time: Duration,
    /// From the beginning of a connection to its first request.
    pub first_request: Duration,
    /// Without a request. Above the 90 s after which Go's own HTTP client closes an idle
    /// connection: whoever closes first must not race with an export.
    pub idle: Duration,
    /// For what is under way when the receiver is stopped.
    pub drain: Duration,
    /// For a span of our own, from connecting to its answer.
    pub canary: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_bytes: 16 << 20,
            buffered_bytes: 64 << 20,
            connections: 128,
            spans: 500_000,
            span_bytes: 512 << 20,
            records: 400_000,
            record_bytes: 64 << 20,
            refusals: 20,
            request_time: Duration::from_secs(30),
            first_request: Duration::from_secs(30),
            idle: Duration::from_secs(120),
            drain: Duration::from_millis(500),
            canary: Duration::from_secs(2),
        }
    }
}

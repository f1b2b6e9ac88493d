//! Trace and span ids: the kit's own, in W3C form, and how they cross a process boundary.
//!
//! Ids live in the extensions of `tracing` spans. A layer of the kit ([`crate::logs::JsonLayer`])
//! puts them there when a span begins: a child takes the trace of its parent, a root the context
//! that came with the request, or a new trace. Whoever has a span can ask for its ids.

mod carried;
mod layer;
mod traceparent;

use std::cell::Cell;

#[cfg(not(feature = "otel"))]
use tracing::Dispatch;
use tracing::span;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

pub(crate) use carried::Carried;
pub use layer::{TraceLayer, Traced, TracedBody, TracedFuture};
pub use traceparent::{BAGGAGE, TRACEPARENT, TRACESTATE};

/// Where a span stands in its trace.
///
/// ```
/// use http::{HeaderMap, HeaderValue};
/// use shakedown_kit::trace::{SpanContext, TRACEPARENT};
///
/// let mut headers = HeaderMap::new();
/// let sent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// headers.insert(TRACEPARENT, HeaderValue::from_static(sent));
/// let caller = SpanContext::from_headers(&headers).unwrap();
/// let ours = caller.child();
/// assert_eq!(ours.trace_id, caller.trace_id);
/// assert_ne!(ours.to_header(), sent);
/// assert_eq!(SpanContext::current(), None, "no span is here");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpanContext {
    /// Never 0.
    pub trace_id: u128,
    /// Never 0.
    pub span_id: u64,
    /// Whether whoever began the trace records it; handed on as it came.
    pub sampled: bool,
}

impl SpanContext {
    /// The root of a new trace.
    ///
    /// ```
    /// use shakedown_kit::trace::SpanContext;
    ///
    /// let root = SpanContext::root();
    /// assert!(root.sampled && root.trace_id != 0 && root.span_id != 0);
    /// ```
    pub fn root() -> Self {
        SpanContext {
            trace_id: fastrand::u128(1..),
            span_id: fastrand::u64(1..),
            sampled: true,
        }
    }

    /// Another span of the same trace.
    ///
    /// ```
    /// use shakedown_kit::trace::SpanContext;
    ///
    /// let root = SpanContext::root();
    /// assert_eq!(root.child().trace_id, root.trace_id);
    /// assert_ne!(root.child().span_id, root.span_id);
    /// ```
    #[must_use]
    pub fn child(self) -> Self {
        SpanContext {
            span_id: fastrand::u64(1..),
            ..self
        }
    }

    /// The ids of the current span, where a layer of the kit gave it any.
    ///
    /// ```
    /// use shakedown_kit::{logs::JsonLayer, trace::SpanContext};
    /// use tracing_subscriber::layer::SubscriberExt as _;
    ///
    /// let subscriber = tracing_subscriber::registry().with(JsonLayer::stdout());
    /// tracing::subscriber::with_default(subscriber, || {
    ///     let _span = tracing::info_span!("get order").entered();
    ///     assert!(SpanContext::current().is_some());
    /// });
    /// ```
    pub fn current() -> Option<Self> {
        let mut found = None;
        tracing::dispatcher::get_default(|dispatch| {
            let current = dispatch.current_span();
            let Some(id) = current.id() else { return };
            let registry = dispatch.downcast_ref::<tracing_subscriber::Registry>();
            found = registry
                .and_then(|registry| registry.span(id))
                .and_then(|span| of_span(&span, Some(dispatch)));
        });
        found
    }
}

/// The span of the caller, as an extension beside [`SpanContext`] on the first span of a request.
///
/// ```
/// use shakedown_kit::trace::RemoteParent;
///
/// // What a layer of your own finds in the extensions of a request's span.
/// let RemoteParent(span_id) = RemoteParent(0xcd);
/// assert_eq!(format!("{span_id:016x}"), "00000000000000cd");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemoteParent(pub u64);

thread_local! {
    /// The context that a root span takes over which is made right now, on this thread.
    static REMOTE: Cell<Option<SpanContext>> = const { Cell::new(None) };
}

/// Makes a span whose trace is the one that came with a request.
fn with_remote<T>(remote: Option<SpanContext>, make: impl FnOnce() -> T) -> T {
    /// Puts back what was there, whatever `make` does.
    struct Restore(Option<SpanContext>);
    impl Drop for Restore {
        fn drop(&mut self) {
            REMOTE.set(self.0);
        }
    }
    let _restore = Restore(REMOTE.replace(remote));
    make()
}

/// Gives a new span its ids, unless it has some.
pub(crate) fn identify<S>(span: &SpanRef<'_, S>, attributes: &span::Attributes<'_>)
where
    S: for<'l> LookupSpan<'l>,
{
    if span.extensions().get::<SpanContext>().is_some() {
        return;
    }
    let parent = span
        .parent()
        .and_then(|parent| parent.extensions().get::<SpanContext>().copied());
    let remote = if attributes.is_root() || parent.is_none() {
        REMOTE.get()
    } else {
        None
    };
    let context = match (parent, remote) {
        (_, Some(remote)) => remote.child(),
        (Some(parent), None) => parent.child(),
        (None, None) => SpanContext::root(),
    };
    let mut extensions = span.extensions_mut();
    if let Some(remote) = remote {
        extensions.insert(RemoteParent(remote.span_id));
    }
    extensions.insert(context);
}

/// The ids of a span. `dispatch` is the subscriber that knows it.
#[cfg(not(feature = "otel"))]
pub(crate) fn of_span<S>(span: &SpanRef<'_, S>, _dispatch: Option<&Dispatch>) -> Option<SpanContext>
where
    S: for<'l> LookupSpan<'l>,
{
    span.extensions().get::<SpanContext>().copied()
}

/// The ids of a span: those of OpenTelemetry's layer, where it has any.
#[cfg(feature = "otel")]
pub(crate) use crate::otel::of_span;

/// Lower-case hexadecimal digits, with zeros in front.
pub(crate) fn hex(value: u128, digits: usize) -> String {
    let mut text = String::with_capacity(digits);
    push_hex(&mut text, value, digits);
    text
}

/// As [`hex`], behind what is there; an even number of digits, 32 at most.
pub(crate) fn push_hex(text: &mut String, value: u128, digits: usize) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    // Each log line has 48 of them: made in place, and appended at once.
    let mut all = [0; 32];
    for (pair, byte) in all.chunks_exact_mut(2).zip(value.to_be_bytes()) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    let wanted = &all[all.len() - digits.min(all.len())..];
    text.push_str(std::str::from_utf8(wanted).expect("digits are ASCII"));
}

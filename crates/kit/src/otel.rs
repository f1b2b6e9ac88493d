//! Feature `otel`: the ids of `tracing-opentelemetry`'s layer instead of the kit's own.
//!
//! Where that layer is part of the subscriber, it makes the spans that an exporter sends, and gives
//! them their ids. Then log lines, [`SpanContext::current`], labels of tasks and `traceparent` of calls
//! have the same ids, and the span of a request ([`crate::trace::TraceLayer`]) continues the caller's
//! trace and says what was answered. Where it is not, or does not take a span, ids are the kit's own,
//! in the trace of the nearest span that it took.
//!
//! ```
//! use opentelemetry::trace::TracerProvider as _;
//! use tracing_subscriber::layer::SubscriberExt as _;
//!
//! let provider = opentelemetry_sdk::trace::SdkTracerProvider::builder().build(); // and an exporter
//! let spans = tracing_opentelemetry::layer().with_tracer(provider.tracer("orders"));
//! let json = shakedown_kit::logs::JsonLayer::stdout();
//! let subscriber = tracing_subscriber::registry().with(json).with(spans);
//! # drop(subscriber);
//! ```
//!
//! The layer has to be of version 0.34 of `tracing-opentelemetry`: a layer of another version is
//! another type, and its ids are not seen. There is no exporter in here, and no setting of
//! OpenTelemetry's: those are its SDK's.

use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use opentelemetry::Context;
use opentelemetry::trace::{
    SpanContext as OtelContext, SpanId, Status, TraceContextExt as _, TraceFlags, TraceId,
    TraceState,
};
use tracing::{Dispatch, Span, span};
use tracing_opentelemetry::{OpenTelemetrySpanExt as _, get_otel_context};
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use crate::request::Described;
use crate::trace::{SpanContext, TRACESTATE};

/// On a span whose ids were asked for: they are final, and stand beside this.
struct Resolved;

/// The ids of a span, asked for once and kept with it.
pub(crate) fn of_span<S>(span: &SpanRef<'_, S>, dispatch: Option<&Dispatch>) -> Option<SpanContext>
where
    S: for<'l> LookupSpan<'l>,
{
    let (own, resolved) = {
        let extensions = span.extensions();
        let own = extensions.get::<SpanContext>().copied();
        (own, extensions.get::<Resolved>().is_some())
    };
    let Some(dispatch) = dispatch.filter(|_| !resolved) else {
        return own;
    };
    // Asked for without any lock on the span held: the layer takes one itself.
    let ids = known(&span.id(), dispatch).or_else(|| {
        let own = own?;
        let mut above = span.scope().skip(1);
        let trace = above.find_map(|parent| known(&parent.id(), dispatch));
        Some(trace.map_or(own, |trace| SpanContext {
            span_id: own.span_id,
            ..trace
        }))
    })?;
    let mut extensions = span.extensions_mut();
    extensions.replace(ids);
    extensions.replace(Resolved);
    Some(ids)
}

/// What the layer says of a span that it took. From then on the span's parent is fixed.
fn known(span: &span::Id, dispatch: &Dispatch) -> Option<SpanContext> {
    let context = get_otel_context(span, dispatch)?;
    let span = context.span();
    let ids = span.span_context();
    ids.is_valid().then(|| SpanContext {
        trace_id: u128::from_be_bytes(ids.trace_id().to_bytes()),
        span_id: u64::from_be_bytes(ids.span_id().to_bytes()),
        sampled: ids.is_sampled(),
    })
}

/// The span of a request is made: it continues the caller's trace, before anybody asks for its ids.
pub(crate) fn begins<B>(
    span: &Span,
    remote: Option<SpanContext>,
    request: &Request<B>,
    described: &Described,
) {
    if let Some(remote) = remote {
        let states = request.headers().get_all(TRACESTATE).iter();
        let states: Result<Vec<&str>, _> = states.map(HeaderValue::to_str).collect();
        let state: Option<TraceState> =
            states.ok().and_then(|states| states.join(",").parse().ok());
        let flags = TraceFlags::default().with_sampled(remote.sampled);
        let parent = OtelContext::new(
            TraceId::from_bytes(remote.trace_id.to_be_bytes()),
            SpanId::from_bytes(remote.span_id.to_be_bytes()),
            flags,
            true,
            state.unwrap_or_default(),
        );
        // Refused where there is no such layer, or where it does not take the span.
        let _ = span.set_parent(Context::new().with_remote_span_context(parent));
    }
    describe(span, request.method(), described);
}

/// What is asked for: of us, or by us.
pub(crate) fn describe(span: &Span, method: &Method, described: &Described) {
    if described.grpc {
        span.set_attribute("rpc.system.name", "grpc");
        span.set_attribute("rpc.method", described.name.to_string());
    } else {
        span.set_attribute("http.request.method", method.to_string());
    }
}

/// A request has the head of its answer.
pub(crate) fn answers(span: &Span, status: StatusCode, headers: &HeaderMap) {
    if headers.contains_key(GRPC_STATUS) {
        ends(span, headers);
    } else if !is_grpc(headers) {
        span.set_attribute("http.response.status_code", i64::from(status.as_u16()));
        if status.is_server_error() {
            span.set_status(Status::error(""));
        }
    }
}

/// A gRPC request has its status: in the trailers, or in the head where there is no body.
pub(crate) fn ends(span: &Span, trailers: &HeaderMap) {
    let code = trailers
        .get(GRPC_STATUS)
        .and_then(|code| code.to_str().ok()?.parse::<usize>().ok());
    let Some((name, is_ours)) = code.and_then(|code| CODES.get(code)) else {
        return;
    };
    span.set_attribute("rpc.response.status_code", *name);
    if *is_ours {
        span.set_status(Status::error(""));
    }
}

/// A request has its whole answer, or its client has left: what is exported ends now.
pub(crate) fn over(span: &Span) {
    // Not the subscriber's span, which ends with its last clone.
    span.context().span().end();
}

const GRPC_STATUS: &str = "grpc-status";

fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(http::header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}

/// gRPC's status codes by number, and whether a server that answers so has failed (OpenTelemetry
/// semantic conventions, gRPC).
const CODES: [(&str, bool); 17] = [
    ("OK", false),
    ("CANCELLED", false),
    ("UNKNOWN", true),
    ("INVALID_ARGUMENT", false),
    ("DEADLINE_EXCEEDED", true),
    ("NOT_FOUND", false),
    ("ALREADY_EXISTS", false),
    ("PERMISSION_DENIED", false),
    ("RESOURCE_EXHAUSTED", false),
    ("FAILED_PRECONDITION", false),
    ("ABORTED", false),
    ("OUT_OF_RANGE", false),
    ("UNIMPLEMENTED", true),
    ("INTERNAL", true),
    ("UNAVAILABLE", true),
    ("DATA_LOSS", true),
    ("UNAUTHENTICATED", false),
];

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::{Ready, ready};
    use std::sync::{Arc, Mutex};
    use std::task::Poll;

    use http::Response;
    use http_body_util::Empty;
    use opentelemetry::trace::TracerProvider as _;
    use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
    use serde_json::Value;
    use tower_layer::Layer as _;
    use tower_service::Service;
    use tracing_subscriber::Layer as _;
    use tracing_subscriber::filter::filter_fn;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;
    use crate::logs::JsonLayer;
    use crate::trace::TraceLayer;

    const CALLER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    /// Answers at once, with this gRPC status if there is one.
    #[derive(Clone)]
    struct Answers(Option<&'static str>);

    impl Service<Request<()>> for Answers {
        type Response = Response<Empty<&'static [u8]>>;
        type Error = Infallible;
        type Future = Ready<Result<Self::Response, Infallible>>;

        fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request<()>) -> Self::Future {
            tracing::info!("asked");
            tracing::info_span!("unexported").in_scope(|| tracing::info!("deeper"));
            let mut response = Response::new(Empty::new());
            if let Some(status) = self.0 {
                let headers = response.headers_mut();
                headers.insert("grpc-status", http::HeaderValue::from_static(status));
            }
            ready(Ok(response))
        }
    }

    /// What a request leaves: its span as it was exported, and its log lines.
    fn ask(request: Request<()>, status: Option<&'static str>) -> (SpanData, Vec<Value>) {
        let exporter = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder()
            .with_simple_exporter(exporter.clone())
            .build();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&lines);
        let json = JsonLayer::new(move |line: &[u8]| {
            let line = serde_json::from_slice(line).expect("a line is JSON");
            sink.lock().expect("nobody panics").push(line);
        });
        let spans = tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("test"))
            .with_filter(filter_fn(|metadata| metadata.name() != "unexported"));
        let subscriber = tracing_subscriber::registry().with(json).with(spans);
        tracing::subscriber::with_default(subscriber, || {
            let mut service = TraceLayer::new().layer(Answers(status));
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            let future = std::pin::pin!(service.call(request));
            assert!(Future::poll(future, &mut context).is_ready());
        });
        let spans = exporter.get_finished_spans().expect("they were kept");
        let [span] = spans.as_slice() else {
            panic!("one span is exported: {spans:?}");
        };
        let lines = lines.lock().expect("nobody panics").clone();
        (span.clone(), lines)
    }

    fn grpc() -> Request<()> {
        Request::post("/orders.v1.Orders/Get")
            .header("content-type", "application/grpc")
            .header("traceparent", CALLER)
            .header("tracestate", "vendor=x")
            .header("tracestate", "other=y")
            .body(())
            .expect("it is a request")
    }

    fn attribute(span: &SpanData, name: &str) -> Option<String> {
        let mut attributes = span.attributes.iter();
        let found = attributes.find(|attribute| attribute.key.as_str() == name)?;
        Some(found.value.to_string())
    }

    #[test]
    fn lines_have_the_ids_of_the_span_that_is_exported() {
        let (span, lines) = ask(grpc(), None);
        assert_eq!(span.span_context.trace_id().to_string(), CALLER[3..35]);
        assert_eq!(span.parent_span_id.to_string(), CALLER[36..52]);
        let state = span.span_context.trace_state();
        assert_eq!(
            (state.get("vendor"), state.get("other")),
            (Some("x"), Some("y"))
        );
        assert_eq!(span.name, "orders.v1.Orders/Get");
        assert_eq!(span.span_kind, opentelemetry::trace::SpanKind::Server);
        assert_eq!(lines[0]["trace_id"], CALLER[3..35]);
        assert_eq!(lines[0]["span_id"], span.span_context.span_id().to_string());
    }

    #[test]
    fn a_span_that_the_layer_did_not_take_stays_in_its_trace() {
        let (span, lines) = ask(grpc(), None);
        assert_eq!(lines[1]["message"], "deeper");
        assert_eq!(lines[1]["trace_id"], CALLER[3..35]);
        assert_ne!(lines[1]["span_id"], span.span_context.span_id().to_string());
    }

    #[test]
    fn a_request_without_a_trace_begins_one() {
        let request = Request::get("/orders/7").body(()).expect("it is a request");
        let (span, lines) = ask(request, None);
        let trace = span.span_context.trace_id().to_string();
        assert_eq!(lines[0]["trace_id"], trace);
        assert_eq!(span.parent_span_id, SpanId::INVALID);
        assert_eq!(span.name, "GET /orders/{}");
        let status = attribute(&span, "http.response.status_code");
        assert_eq!(status.as_deref(), Some("200"));
    }

    #[tokio::test]
    async fn a_call_is_exported_under_the_name_of_what_it_asks_for() {
        let exporter = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder()
            .with_simple_exporter(exporter.clone())
            .build();
        let spans = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        let _default = tracing::subscriber::set_default(tracing_subscriber::registry().with(spans));
        let mut calls = crate::outgoing::CallLayer::new().layer(Answers(None));
        drop(calls.call(grpc()).await.expect("it answers"));
        let spans = exporter.get_finished_spans().expect("they were kept");
        let mut of_calls = spans.iter().filter(|span| span.name != "unexported");
        let (call, more) = (of_calls.next().expect("it has a span"), of_calls.next());
        assert!(more.is_none());
        assert_eq!(call.name, "orders.v1.Orders/Get");
        assert_eq!(call.span_kind, opentelemetry::trace::SpanKind::Client);
        assert_eq!(attribute(call, "rpc.system.name").as_deref(), Some("grpc"));
    }

    #[test]
    fn the_span_ends_with_the_answer_and_not_with_a_task_that_runs_on() {
        let exporter = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder()
            .with_simple_exporter(exporter.clone())
            .build();
        let spans = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(spans), || {
            let mut service = TraceLayer::new().layer(Answers(None));
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            let mut future = Box::pin(service.call(grpc()));
            let exported = || exporter.get_finished_spans().expect("they were kept");
            let Poll::Ready(Ok(response)) = future.as_mut().poll(&mut context) else {
                panic!("it answers at once");
            };
            let names: Vec<_> = exported()
                .iter()
                .map(|span| span.name.to_string())
                .collect();
            assert_eq!(names, ["unexported"], "the body is to come");
            drop(response);
            assert_eq!(exported().len(), 2, "though the future has the span still");
        });
    }

    #[test]
    fn the_span_says_what_was_answered() {
        let check = |code, name: &str, status: Status| {
            let (span, _) = ask(grpc(), Some(code));
            let said = attribute(&span, "rpc.response.status_code");
            assert_eq!(said.as_deref(), Some(name));
            assert_eq!(span.status, status);
        };
        check("0", "OK", Status::Unset);
        check("4", "DEADLINE_EXCEEDED", Status::error(""));
        check("5", "NOT_FOUND", Status::Unset);
        let (span, _) = ask(grpc(), Some("900"));
        assert_eq!(attribute(&span, "rpc.response.status_code"), None);
    }
}

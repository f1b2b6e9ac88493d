//! The layer that opens a span for each request, in the caller's trace.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;
use tracing::Span;
use tracing::field::Empty;

use super::{SpanContext, with_remote};
use crate::request::Described;

/// Opens a span around each request and its answer; the trace is the caller's (`traceparent`), or a
/// new one.
///
/// The span is called `request` and has the field `rpc` or `route`. Its ids come from a log layer of
/// the kit ([`crate::logs`]): without one there is a span, but it has no ids.
///
/// ```
/// use axum::{Router, routing::get};
/// use shakedown_kit::trace::TraceLayer;
///
/// let router: Router = Router::new().route("/", get(|| async { "hi" })).layer(TraceLayer::new());
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct TraceLayer(());

impl TraceLayer {
    /// The layer.
    pub fn new() -> Self {
        Self::default()
    }
}

impl<S> Layer<S> for TraceLayer {
    type Service = Traced<S>;

    fn layer(&self, inner: S) -> Traced<S> {
        Traced { inner }
    }
}

/// A service whose requests run in spans.
#[derive(Debug, Clone)]
pub struct Traced<S> {
    inner: S,
}

impl<S, B, R> Service<Request<B>> for Traced<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<TracedBody<R>>;
    type Error = S::Error;
    type Future = TracedFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let described = Described::of(&request);
        let remote = SpanContext::from_headers(request.headers());
        let span = with_remote(remote, || {
            // A root: what runs on this thread by chance is not the parent of a request.
            tracing::info_span!(parent: None, "request", otel.kind = "server", otel.name = &*described.name, rpc = Empty, route = Empty)
        });
        #[cfg(feature = "otel")]
        crate::otel::begins(&span, remote, &request, &described);
        let field = if described.grpc { "rpc" } else { "route" };
        span.record(field, &*described.name);
        request.extensions_mut().insert(described);
        let future = span.in_scope(|| self.inner.call(request));
        let span = Some(RequestSpan(span));
        TracedFuture { future, span }
    }
}

/// The span of a request, which ends with this. Tasks of the request have clones of the span itself, and
/// may run on: what is exported must not last as long as they do.
struct RequestSpan(Span);

impl Drop for RequestSpan {
    fn drop(&mut self) {
        #[cfg(feature = "otel")]
        crate::otel::over(&self.0);
    }
}

pin_project! {
    /// A request that runs in its span.
    pub struct TracedFuture<F> {
        #[pin]
        future: F,
        // None: it has been answered, and the body has the span.
        span: Option<RequestSpan>,
    }
}

impl<F, R, E> Future for TracedFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<TracedBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = {
            let _entered = this.span.as_ref().map(|span| span.0.enter());
            ready!(this.future.poll(context))
        };
        let span = this.span.take();
        #[cfg(feature = "otel")]
        if let (Ok(response), Some(span)) = (&result, &span) {
            crate::otel::answers(&span.0, response.status(), response.headers());
        }
        Poll::Ready(result.map(|response| response.map(|inner| TracedBody { inner, span })))
    }
}

pin_project! {
    /// A body that is made in the span of its request.
    pub struct TracedBody<B> {
        #[pin]
        inner: B,
        span: Option<RequestSpan>,
    }
}

impl<B: Body> Body for TracedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let _entered = this.span.as_ref().map(|span| span.0.enter());
        let polled = this.inner.poll_frame(context);
        #[cfg(feature = "otel")]
        if let (Poll::Ready(Some(Ok(frame))), Some(span)) = (&polled, &this.span)
            && let Some(trailers) = frame.trailers_ref()
        {
            crate::otel::ends(&span.0, trailers);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

//! The layer around a client.

use std::error::Error;
use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tokio::time::Sleep;
use tower_layer::Layer;
use tower_service::Service;
use tracing::Span;

use crate::deadline::grpc_timeout::{self, GRPC_TIMEOUT};
use crate::request::Described;
use crate::scope::Scope;
use crate::trace::{BAGGAGE, SpanContext, TRACEPARENT};

/// What a call may take that nobody gave a deadline.
const DEFAULT: Duration = Duration::from_secs(10);

/// Gives each call a deadline, and what the receiver needs to keep it and to stay in the trace.
///
/// The deadline is the nearest of: that of the current request, the layer's own, and one that the
/// call has already (`grpc-timeout`). When it passes the call is dropped, which resets its stream;
/// the timer runs until the response's head, and a body is read within the request's own deadline.
/// gRPC calls carry what is left as `grpc-timeout`; every call carries `traceparent`, and the
/// `baggage` that the request came with.
#[derive(Debug, Clone, Copy)]
pub struct CallLayer {
    timeout: Duration,
}

impl Default for CallLayer {
    fn default() -> Self {
        CallLayer { timeout: DEFAULT }
    }
}

impl CallLayer {
    /// No call takes longer than ten seconds.
    pub fn new() -> Self {
        Self::default()
    }

    /// No call takes longer than this.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        CallLayer { timeout }
    }
}

impl<S> Layer<S> for CallLayer {
    type Service = Calls<S>;

    fn layer(&self, inner: S) -> Calls<S> {
        Calls {
            inner,
            layer: *self,
        }
    }
}

/// A client whose calls have deadlines.
#[derive(Debug, Clone)]
pub struct Calls<S> {
    inner: S,
    layer: CallLayer,
}

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError<E: Error + 'static> {
    /// Its deadline passed; if there was no time left at all, nothing was sent.
    #[error("deadline exceeded after {after:?}")]
    DeadlineExceeded {
        /// How long the call took.
        after: Duration,
    },
    /// The client's own error.
    #[error(transparent)]
    Client(#[from] E),
}

impl<S, B, R> Service<Request<B>> for Calls<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Error + 'static,
{
    type Response = Response<R>;
    type Error = CallError<S::Error>;
    type Future = CallFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context).map_err(CallError::Client)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let began = Instant::now();
        let described = Described::of(&request);
        let scope = Scope::current();
        let left = [
            Some(self.layer.timeout),
            scope
                .as_ref()
                .and_then(Scope::deadline)
                .map(|deadline| deadline.saturating_duration_since(began)),
            request
                .headers()
                .get(GRPC_TIMEOUT)
                .and_then(|value| grpc_timeout::parse(value.as_bytes())),
        ];
        let left = left.into_iter().flatten().min().unwrap_or(DEFAULT);
        let span = tracing::info_span!("call", otel.kind = "client", to = &*described.name);
        let headers = request.headers_mut();
        if described.grpc {
            headers.insert(GRPC_TIMEOUT, grpc_timeout::value(left));
        }
        let context = span.in_scope(SpanContext::current);
        if let Some(context) = context {
            headers.insert(TRACEPARENT, context.to_header());
        }
        if let Some(baggage) = scope.as_ref().and_then(Scope::baggage)
            && !headers.contains_key(BAGGAGE)
        {
            headers.insert(BAGGAGE, baggage.clone());
        }
        // Without any time left nothing is sent: the receiver would only work for nobody.
        let call = (!left.is_zero()).then(|| span.in_scope(|| self.inner.call(request)));
        CallFuture {
            call,
            deadline: tokio::time::sleep(left),
            began,
            span,
        }
    }
}

pin_project! {
    /// A call that is under way.
    pub struct CallFuture<F> {
        // None: not sent, or dropped at the deadline.
        #[pin]
        call: Option<F>,
        #[pin]
        deadline: Sleep,
        began: Instant,
        span: Span,
    }
}

impl<F, R, E> Future for CallFuture<F>
where
    F: Future<Output = Result<R, E>>,
    E: Error + 'static,
{
    type Output = Result<R, CallError<E>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let _entered = this.span.enter();
        let exceeded = || {
            Err(CallError::DeadlineExceeded {
                after: this.began.elapsed(),
            })
        };
        let Some(call) = this.call.as_mut().as_pin_mut() else {
            return Poll::Ready(exceeded());
        };
        if let Poll::Ready(answer) = call.poll(context) {
            return Poll::Ready(answer.map_err(CallError::Client));
        }
        if this.deadline.poll(context).is_pending() {
            return Poll::Pending;
        }
        this.call.set(None);
        Poll::Ready(exceeded())
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::{Arc, Mutex};

    use http::HeaderMap;
    use tracing::Instrument as _;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;
    use crate::labels::Labels;
    use crate::logs::JsonLayer;

    /// A receiver that keeps the headers it got, and takes its time.
    #[derive(Clone, Default)]
    struct Receiver {
        got: Arc<Mutex<Vec<HeaderMap>>>,
        takes: Duration,
    }

    impl Service<Request<()>> for Receiver {
        type Response = Response<()>;
        type Error = Infallible;
        type Future = Pin<Box<dyn Future<Output = Result<Response<()>, Infallible>> + Send>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, request: Request<()>) -> Self::Future {
            self.got
                .lock()
                .expect("nobody panics")
                .push(request.headers().clone());
            let takes = self.takes;
            Box::pin(async move {
                tokio::time::sleep(takes).await;
                Ok(Response::new(()))
            })
        }
    }

    fn grpc() -> Request<()> {
        Request::post("http://inventory/inventory.v1.Inventory/Get")
            .header("content-type", "application/grpc")
            .body(())
            .expect("it is a request")
    }

    fn timeout_of(headers: &HeaderMap) -> Duration {
        let value = headers.get(GRPC_TIMEOUT).expect("every call has one");
        grpc_timeout::parse(value.as_bytes()).expect("it is well formed")
    }

    #[tokio::test]
    async fn a_call_carries_what_is_left_of_its_request() {
        let receiver = Receiver::default();
        let mut calls = CallLayer::new().layer(receiver.clone());
        let deadline = Instant::now() + Duration::from_secs(5);
        let baggage = http::HeaderValue::from_static("tenant=a");
        let scope = Scope::with_baggage(Some(deadline), Labels::default(), Some(baggage));
        scope
            .run(async {
                tokio::time::sleep(Duration::from_millis(20)).await;
                calls.call(grpc()).await.expect("it answers");
            })
            .await;
        calls.call(grpc()).await.expect("it answers");
        let got = receiver.got.lock().expect("nobody panics");
        assert!(timeout_of(&got[0]) <= Duration::from_millis(4_980));
        assert!(timeout_of(&got[0]) > Duration::from_secs(1));
        assert_eq!(got[0]["baggage"], "tenant=a");
        assert_eq!(timeout_of(&got[1]), DEFAULT, "outside of a request, too");
        assert!(!got[1].contains_key(BAGGAGE));
    }

    #[tokio::test]
    async fn the_nearest_deadline_counts_and_ends_the_call() {
        let receiver = Receiver {
            takes: Duration::from_secs(600),
            ..Receiver::default()
        };
        let layer = CallLayer::new().timeout(Duration::from_millis(30));
        let mut request = grpc();
        request
            .headers_mut()
            .insert(GRPC_TIMEOUT, grpc_timeout::value(Duration::from_secs(9)));
        let answer = layer.layer(receiver.clone()).call(request).await;
        let Err(CallError::DeadlineExceeded { after }) = answer else {
            panic!("it cannot have answered");
        };
        assert!(after >= Duration::from_millis(30));
        let sent = timeout_of(&receiver.got.lock().expect("nobody panics")[0]);
        assert_eq!(sent, Duration::from_millis(30));
    }

    #[tokio::test]
    async fn without_time_nothing_is_sent() {
        let receiver = Receiver::default();
        let mut calls = CallLayer::new().layer(receiver.clone());
        let scope = Scope::new(Some(Instant::now()), Labels::default());
        let answer = scope.run(async { calls.call(grpc()).await }).await;
        assert!(matches!(answer, Err(CallError::DeadlineExceeded { .. })));
        assert!(receiver.got.lock().expect("nobody panics").is_empty());
    }

    #[tokio::test]
    async fn a_call_stays_in_the_trace_of_its_request() {
        let receiver = Receiver::default();
        let mut calls = CallLayer::new().layer(receiver.clone());
        let subscriber = tracing_subscriber::registry().with(JsonLayer::new(|_: &[u8]| {}));
        let _default = tracing::subscriber::set_default(subscriber);
        let span = tracing::info_span!("request");
        let own = span.in_scope(SpanContext::current).expect("it has ids");
        async { calls.call(grpc()).await.expect("it answers") }
            .instrument(span)
            .await;
        let got = receiver.got.lock().expect("nobody panics");
        let sent = SpanContext::from_headers(&got[0]).expect("it is well formed");
        assert_eq!(sent.trace_id, own.trace_id);
        assert_ne!(sent.span_id, own.span_id, "the call is a span of its own");
    }
}

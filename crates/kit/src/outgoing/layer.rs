//! The layer around a client.

use std::error::Error;
use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tokio::time::Sleep;
use tower_layer::Layer;
use tower_service::Service;
use tracing::Span;

use super::EXCEEDED;
use super::body::{self, CallBody};
use super::retry::{Replayed, Retries, RetryingLayer};
use crate::deadline::grpc_timeout::{self, GRPC_TIMEOUT};
use crate::request::Described;
use crate::scope::Scope;
use crate::trace::{SpanContext, TRACEPARENT};

/// What a call may take that nobody gave a deadline.
const DEFAULT: Duration = Duration::from_secs(10);
/// More would overflow clocks; nobody waits so long.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

/// When the call is to be over; goes with the request to whoever repeats it.
#[derive(Debug, Clone, Copy)]
pub(super) struct CallDeadline(pub(super) Instant);

/// Gives each call a deadline, and what the receiver needs to keep it and to stay in the trace.
///
/// The deadline is the nearest of: that of the current request, the layer's own, and one that the
/// call has already (`grpc-timeout`). It holds for the answer's head and body. When it passes the
/// call is dropped, which resets its stream; a gRPC caller gets status 4, another one
/// [`CallError::DeadlineExceeded`]. gRPC calls carry what is left as `grpc-timeout`; every call
/// carries `traceparent`, and the `baggage` that the request came with. Its `tracestate` goes with calls
/// of the same trace.
///
/// ```
/// use std::time::Duration;
/// use shakedown_kit::outgoing::CallLayer;
/// use tower_layer::Layer;
///
/// # #[derive(Clone)] struct Channel;
/// # let channel = Channel;
/// // For a generated client: `InventoryClient::new(calls)`.
/// let calls = CallLayer::new().timeout(Duration::from_secs(2)).layer(channel);
/// ```
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

    /// No call takes longer than this, its answer's body and its repetitions included. A client of
    /// streams that are meant to stay open takes `Duration::MAX`, which becomes 30 days.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        CallLayer {
            timeout: timeout.min(LONGEST),
        }
    }

    /// Repeats calls that the receiver did not take, as `retries` says.
    ///
    /// Whoever asks for this knows that the calls of this client may be sent twice. `body` makes the
    /// body of each attempt for the client inside: `tonic::body::Body::new` for a tonic `Channel`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use shakedown_kit::outgoing::{CallLayer, Retries};
    ///
    /// let retries = Retries::new().wait_for_ready(Duration::from_secs(5));
    /// let layer = CallLayer::new().retries(retries, tonic::body::Body::new);
    /// ```
    #[must_use]
    pub fn retries<F, B>(self, retries: Retries, body: F) -> RetryingLayer<F>
    where
        F: Fn(Replayed) -> B + Clone,
    {
        RetryingLayer::new(self, retries, body)
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
    /// Its deadline passed; if there was no time left at all, nothing was sent. A gRPC call has an
    /// answer instead, of status 4.
    #[error("deadline exceeded after {after:?}")]
    DeadlineExceeded {
        /// How long the call took.
        after: Duration,
    },
    /// The client's own error.
    #[error("no answer: {0}")]
    Client(#[source] E),
}

impl<S, B, R> Service<Request<B>> for Calls<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Error + 'static,
    R: Body,
{
    type Response = Response<CallBody<R>>;
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
        let deadline = began + left;
        let name = &*described.name;
        let span = tracing::info_span!("call", otel.kind = "client", otel.name = name, to = name);
        #[cfg(feature = "otel")]
        crate::otel::describe(&span, request.method(), &described);
        request.extensions_mut().insert(CallDeadline(deadline));
        let headers = request.headers_mut();
        if described.grpc {
            headers.insert(GRPC_TIMEOUT, grpc_timeout::value(left));
        }
        let context = span.in_scope(SpanContext::current);
        if let Some(context) = context {
            headers.insert(TRACEPARENT, context.to_header());
        }
        if let Some(scope) = &scope {
            let trace_id = context.map_or(0, |context| context.trace_id);
            scope.carried().apply(headers, trace_id);
        }
        // Without any time left nothing is sent: the receiver would only work for nobody.
        let call = (!left.is_zero()).then(|| span.in_scope(|| self.inner.call(request)));
        CallFuture {
            call,
            timer: tokio::time::sleep_until(deadline.into()),
            began,
            deadline,
            grpc: described.grpc,
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
        timer: Sleep,
        began: Instant,
        deadline: Instant,
        grpc: bool,
        span: Span,
    }
}

impl<F, R, E> Future for CallFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Body,
    E: Error + 'static,
{
    type Output = Result<Response<CallBody<R>>, CallError<E>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let _entered = this.span.enter();
        if let Some(call) = this.call.as_mut().as_pin_mut() {
            if let Poll::Ready(answer) = call.poll(context) {
                let (deadline, grpc) = (*this.deadline, *this.grpc);
                return Poll::Ready(match answer {
                    Ok(answer) => Ok(answer.map(|body| CallBody::new(body, deadline, grpc))),
                    Err(error) => Err(CallError::Client(error)),
                });
            }
            if this.timer.poll(context).is_pending() {
                return Poll::Pending;
            }
            this.call.set(None);
        }
        EXCEEDED.fetch_add(1, Ordering::Relaxed);
        let after = this.began.elapsed();
        tracing::debug!(?after, "deadline exceeded: the call is dropped");
        Poll::Ready(if *this.grpc {
            Ok(body::exceeded())
        } else {
            Err(CallError::DeadlineExceeded { after })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::{Arc, Mutex};

    use bytes::Bytes;
    use http::{HeaderMap, StatusCode};
    use http_body::Frame;
    use http_body_util::{BodyExt as _, Empty};
    use tracing::Instrument as _;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;
    use crate::headers::Came;
    use crate::labels::Labels;
    use crate::logs::JsonLayer;
    use crate::trace::{BAGGAGE, Carried, TRACESTATE};

    /// A receiver that keeps the headers it got, and takes its time.
    #[derive(Clone, Default)]
    struct Receiver {
        got: Arc<Mutex<Vec<HeaderMap>>>,
        takes: Duration,
    }

    impl Service<Request<()>> for Receiver {
        type Response = Response<Empty<Bytes>>;
        type Error = Infallible;
        type Future =
            Pin<Box<dyn Future<Output = Result<Response<Empty<Bytes>>, Infallible>> + Send>>;

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
                Ok(Response::new(Empty::new()))
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
        let mut came = HeaderMap::new();
        came.insert(BAGGAGE, http::HeaderValue::from_static("tenant=a"));
        let carried = Carried::of(&Came::with(&came), 0);
        let scope = Scope::carrying(Some(deadline), Labels::default(), carried);
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
        let began = Instant::now();
        let answer = layer.layer(receiver.clone()).call(request).await;
        let answer = answer.expect("gRPC has a status for this");
        assert_eq!(answer.headers()["grpc-status"], "4");
        assert!(answer.into_body().is_end_stream());
        assert!(began.elapsed() >= Duration::from_millis(30));
        let sent = timeout_of(&receiver.got.lock().expect("nobody panics")[0]);
        assert_eq!(sent, Duration::from_millis(30));

        let plain = Request::get("http://inventory/").body(());
        let plain = plain.expect("it is a request");
        let answer = layer.layer(receiver).call(plain).await;
        let Err(CallError::DeadlineExceeded { after }) = answer else {
            panic!("it cannot have answered");
        };
        assert!(after >= Duration::from_millis(30));
    }

    #[tokio::test]
    async fn without_time_nothing_is_sent() {
        let receiver = Receiver::default();
        let mut calls = CallLayer::new().layer(receiver.clone());
        let scope = Scope::new(Some(Instant::now()), Labels::default());
        let answer = scope.run(async { calls.call(grpc()).await }).await;
        assert_eq!(
            answer.expect("a status").headers()["grpc-status"],
            "4",
            "as if it had been sent"
        );
        assert!(receiver.got.lock().expect("nobody panics").is_empty());
    }

    /// A body with a message each 5 ms, and no end.
    struct Ticks(Pin<Box<Sleep>>);

    impl Body for Ticks {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            std::task::ready!(self.0.as_mut().poll(context));
            self.0 = pause();
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"x")))))
        }
    }

    fn pause() -> Pin<Box<Sleep>> {
        Box::pin(tokio::time::sleep(Duration::from_millis(5)))
    }

    /// Answers at once, with such a body.
    #[derive(Clone)]
    struct Endless;

    impl Service<Request<()>> for Endless {
        type Response = Response<Ticks>;
        type Error = Infallible;
        type Future = std::future::Ready<Result<Self::Response, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request<()>) -> Self::Future {
            std::future::ready(Ok(Response::new(Ticks(pause()))))
        }
    }

    #[tokio::test]
    async fn an_answer_is_read_until_the_deadline_and_no_longer() {
        let layer = CallLayer::new().timeout(Duration::from_millis(60));
        for is_grpc in [true, false] {
            let request = if is_grpc { grpc() } else { Request::new(()) };
            let answer = layer.layer(Endless).call(request).await;
            let answer = answer.expect("the head comes in time");
            assert_eq!(answer.status(), StatusCode::OK);
            let mut body = std::pin::pin!(answer.into_body());
            let mut messages = 0;
            let end = loop {
                match body.frame().await {
                    Some(Ok(frame)) if frame.is_data() => messages += 1,
                    other => break other,
                }
            };
            assert!(messages > 0, "it flowed until then");
            match end {
                Some(Ok(frame)) if is_grpc => {
                    let trailers = frame.into_trailers().expect("trailers end it");
                    assert_eq!(trailers["grpc-status"], "4");
                }
                Some(Err(_)) if !is_grpc => {}
                other => panic!("{other:?}"),
            }
            assert!(body.frame().await.is_none(), "nothing follows");
        }
    }

    #[tokio::test]
    async fn a_call_stays_in_the_trace_of_its_request() {
        let receiver = Receiver::default();
        let mut calls = CallLayer::new().layer(receiver.clone());
        let subscriber = tracing_subscriber::registry().with(JsonLayer::new(|_: &[u8]| {}));
        let _default = tracing::subscriber::set_default(subscriber);
        let span = tracing::info_span!("request");
        let own = span.in_scope(SpanContext::current).expect("it has ids");
        let mut came = HeaderMap::new();
        came.insert(TRACEPARENT, own.child().to_header());
        came.insert(TRACESTATE, http::HeaderValue::from_static("vendor=x"));
        let carried = Carried::of(&Came::with(&came), own.trace_id);
        Scope::carrying(None, Labels::default(), carried)
            .run(async { calls.call(grpc()).await.expect("it answers") })
            .instrument(span)
            .await;
        let got = receiver.got.lock().expect("nobody panics");
        let sent = SpanContext::from_headers(&got[0]).expect("it is well formed");
        assert_eq!(sent.trace_id, own.trace_id);
        assert_ne!(sent.span_id, own.span_id, "the call is a span of its own");
        assert_eq!(got[0][TRACESTATE], "vendor=x");
    }
}

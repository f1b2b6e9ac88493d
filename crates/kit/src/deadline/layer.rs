//! The layer around a service.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::answer::{Status, answer};
use super::body::DeadlineBody;
use super::grpc_timeout;
use super::guard::{self, Guard};
use crate::headers::Came;
use crate::request::Described;
use crate::scope::{Entered, Scope};
use crate::trace::{Carried, SpanContext};

/// More would overflow clocks; nobody waits so long.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

/// Opens a [`Scope`] for each request and holds its handler to the deadline.
///
/// gRPC requests bring theirs along (`grpc-timeout`); a value that cannot be read is refused with
/// status 13, as grpc-go does. Others have the default, if one is set. When the deadline passes the
/// handler is dropped, and the answer is status 4 or 504; a response stream ends the same way. An
/// answer that comes too late, because the handler never awaited, is replaced and counted.
///
/// Works for any `tower` service over `http` types: axum routers, tonic servers.
///
/// ```
/// use std::time::Duration;
/// use axum::{Router, routing::get};
/// use shakedown_kit::deadline::DeadlineLayer;
///
/// // `Kit::serve` has this around what it serves; here it is alone.
/// let deadlines = DeadlineLayer::new()
///     .default_deadline(Duration::from_secs(2))
///     .longest(Duration::from_secs(30));
/// let router: Router = Router::new().route("/", get(|| async { "hi" })).layer(deadlines);
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct DeadlineLayer {
    default: Option<Duration>,
    longest: Option<Duration>,
}

impl DeadlineLayer {
    /// No default: requests that bring no deadline have none.
    pub fn new() -> Self {
        Self::default()
    }

    /// The deadline of requests that bring none.
    #[must_use]
    pub fn default_deadline(self, default: Duration) -> Self {
        DeadlineLayer {
            default: Some(default),
            ..self
        }
    }

    /// No request has longer than this, whatever it brings.
    #[must_use]
    pub fn longest(self, longest: Duration) -> Self {
        DeadlineLayer {
            longest: Some(longest),
            ..self
        }
    }

    /// How long a request has; an error is a malformed header.
    fn timeout(self, grpc: bool, came: &Came<'_>) -> Result<Option<Duration>, Malformed> {
        let brought = match came.grpc_timeout.filter(|_| grpc) {
            Some(value) => Some(grpc_timeout::parse(value.as_bytes()).ok_or(Malformed)?),
            None => None,
        };
        let timeout = brought.or(self.default);
        Ok(match (timeout, self.longest) {
            (Some(timeout), Some(longest)) => Some(timeout.min(longest)),
            (timeout, longest) => timeout.or(longest),
        }
        .map(|timeout| timeout.min(LONGEST)))
    }
}

struct Malformed;

impl<S> Layer<S> for DeadlineLayer {
    type Service = Bounded<S>;

    fn layer(&self, inner: S) -> Bounded<S> {
        Bounded {
            inner,
            layer: *self,
        }
    }
}

/// A service whose handlers are held to their deadlines.
#[derive(Debug, Clone)]
pub struct Bounded<S> {
    inner: S,
    layer: DeadlineLayer,
}

impl<S, B, R> Service<Request<B>> for Bounded<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Body,
{
    type Response = Response<DeadlineBody<R>>;
    type Error = S::Error;
    type Future = BoundedFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let came = Came::with(request.headers());
        let described = Described::by_kind(&request, || came.content_type);
        let Ok(timeout) = self.layer.timeout(described.grpc, &came) else {
            guard::count_malformed();
            return BoundedFuture::refused(described.grpc);
        };
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
        let trace_id = SpanContext::current().map_or(0, |context| context.trace_id);
        let carried = Carried::of(&came, trace_id);
        let scope = Scope::carrying(deadline, described.labels(trace_id), carried);
        let entered = Entered::enter(Some(scope));
        let handler = self.inner.call(request);
        let scope = entered.leave();
        BoundedFuture {
            handler: Some(handler),
            guard: scope.map(Guard::new),
            grpc: described.grpc,
        }
    }
}

pin_project! {
    /// A handler that runs, or the refusal of one.
    pub struct BoundedFuture<F> {
        // None: refused before it began, or dropped at its deadline.
        #[pin]
        handler: Option<F>,
        guard: Option<Guard>,
        grpc: bool,
    }
}

impl<F> BoundedFuture<F> {
    fn refused(grpc: bool) -> Self {
        BoundedFuture {
            handler: None,
            guard: None,
            grpc,
        }
    }
}

impl<F, R, E> Future for BoundedFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Body,
{
    type Output = Result<Response<DeadlineBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(guard) = this.guard.as_mut() else {
            return Poll::Ready(Ok(answer(*this.grpc, Status::Internal)));
        };
        guard.runs_here();
        let polled = {
            let _entered = guard.scope().map(Scope::enter);
            match this.handler.as_mut().as_pin_mut() {
                Some(handler) => handler.poll(context),
                None => Poll::Pending,
            }
        };
        let Poll::Ready(result) = polled else {
            ready!(guard.poll_deadline(context));
            // Dropped inside its scope and before the answer goes out: nothing of it runs on.
            let entered = guard.scope().map(Scope::enter);
            this.handler.set(None);
            drop(entered);
            guard.exceeded();
            return Poll::Ready(Ok(answer(*this.grpc, Status::DeadlineExceeded)));
        };
        let mut guard = this.guard.take().expect("it was there above");
        Poll::Ready(match result {
            Ok(_) if guard.is_past_deadline() => {
                guard.late();
                Ok(answer(*this.grpc, Status::DeadlineExceeded))
            }
            Ok(response) => Ok(response.map(|body| DeadlineBody::new(body, guard, *this.grpc))),
            Err(error) => {
                guard.answered();
                Err(error)
            }
        })
    }
}

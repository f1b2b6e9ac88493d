//! The service that sends calls again.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Request, Response};
use http_body::Body;
use tower_service::Service;

use super::Retries;
use super::decide::{Attempts, Kind, Next, any_in_chain};
use super::replay::{Recording, Replayed};
use crate::deadline::grpc_timeout::{self, GRPC_TIMEOUT};
use crate::outgoing::layer::CallDeadline;
use crate::outgoing::{REPEATED, WITHHELD};
use crate::request::Described;

const PREVIOUS: HeaderName = HeaderName::from_static("grpc-previous-rpc-attempts");
/// For a call that came without [`CallDeadline`], which no call does that went through `CallLayer`.
const DEFAULT: Duration = Duration::from_secs(10);

type BoxError = Box<dyn Error + Send + Sync>;

/// A client whose calls are sent again, as [`Retries`] says. It stands inside of
/// [`Calls`](crate::outgoing::Calls), which ends all of it at the deadline.
#[derive(Debug, Clone)]
pub struct Retried<S, F> {
    inner: S,
    retries: Retries,
    body: F,
}

impl<S, F> Retried<S, F> {
    pub(super) fn new(inner: S, retries: Retries, body: F) -> Self {
        Retried {
            inner,
            retries,
            body,
        }
    }
}

impl<S, F, X, B, R> Service<Request<X>> for Retried<S, F>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Error + Send + 'static,
    F: Fn(Replayed) -> B + Clone + Send + 'static,
    X: Body<Data = Bytes> + Send + 'static,
    X::Error: Into<BoxError>,
    B: Send + 'static,
    R: Send + 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    /// Always ready: waiting for the client belongs to the call, and so into its deadline.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<X>) -> Self::Future {
        let described = Described::of(&request);
        let kind = Kind::of(described.grpc, request.method());
        let (head, body) = request.into_parts();
        let began = Instant::now();
        let deadline = match head.extensions.get::<CallDeadline>() {
            Some(CallDeadline(deadline)) => *deadline,
            None => began + DEFAULT,
        };
        let call = Call {
            inner: self.inner.clone(),
            make_body: self.body.clone(),
            head,
            body: Recording::of(body),
            kind,
            deadline,
        };
        Box::pin(call.run(self.retries.clone(), Attempts::new(began, deadline)))
    }
}

/// A call and what is needed to send it again.
struct Call<S, F> {
    inner: S,
    make_body: F,
    head: Parts,
    body: Recording,
    kind: Kind,
    deadline: Instant,
}

impl<S, F> Call<S, F> {
    async fn run<B, R>(
        mut self,
        retries: Retries,
        mut attempts: Attempts,
    ) -> Result<Response<R>, S::Error>
    where
        S: Service<Request<B>, Response = Response<R>>,
        S::Error: Error + 'static,
        F: Fn(Replayed) -> B,
    {
        loop {
            let answer = self.attempt(attempts.sent()).await;
            let outcome = match &answer {
                Ok(answer) => self.kind.answered(answer),
                Err(error) => self.kind.failed(any_in_chain(error, retries.unreachable)),
            };
            let next = attempts.next(&retries, outcome, Instant::now(), fastrand::f64());
            let pause = match next {
                Next::GiveBack => return answer,
                Next::Withhold => {
                    WITHHELD.fetch_add(1, Ordering::Relaxed);
                    tracing::warn!(?outcome, "call not repeated: the retry budget is spent");
                    return answer;
                }
                Next::After(_) if !self.body.can_be_replayed() => return answer,
                Next::After(pause) => pause,
            };
            REPEATED.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(?outcome, ?pause, "call is repeated");
            // What came is not read: its stream is reset, and its connection free.
            drop(answer);
            tokio::time::sleep(pause).await;
        }
    }

    /// Sends it, as one that was sent `before` times.
    async fn attempt<B, R>(&mut self, before: u32) -> Result<Response<R>, S::Error>
    where
        S: Service<Request<B>, Response = Response<R>>,
        F: Fn(Replayed) -> B,
    {
        std::future::poll_fn(|context| self.inner.poll_ready(context)).await?;
        let mut head = self.head.clone();
        if self.kind.grpc {
            let left = self.deadline.saturating_duration_since(Instant::now());
            head.headers.insert(GRPC_TIMEOUT, grpc_timeout::value(left));
            if before > 0 {
                head.headers.insert(PREVIOUS, HeaderValue::from(before));
            }
        }
        let body = (self.make_body)(self.body.replay());
        self.inner.call(Request::from_parts(head, body)).await
    }
}

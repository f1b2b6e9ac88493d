//! The answer's body as the caller reads it: within the deadline of its call.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Instant;

use http::Response;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::time::Sleep;

use super::EXCEEDED;
use crate::deadline::answer::{Status, answer, cut_short};

pin_project! {
    /// An answer's body that ends at the deadline of its call.
    ///
    /// A gRPC answer ends with status 4 then, another one with [`DeadlineExceeded`](crate::deadline::DeadlineExceeded). What was still
    /// to come is dropped, which resets the stream: the other side learns that nobody reads on.
    #[derive(Debug)]
    pub struct CallBody<B> {
        // None: the deadline ended it, or there never was one.
        #[pin]
        inner: Option<B>,
        #[pin]
        deadline: Option<Sleep>,
        grpc: bool,
    }
}

impl<B: Body> CallBody<B> {
    pub(super) fn new(inner: B, deadline: Instant, grpc: bool) -> Self {
        // Whoever has its whole answer needs no timer.
        let open = !inner.is_end_stream();
        CallBody {
            inner: Some(inner),
            deadline: open.then(|| tokio::time::sleep_until(deadline.into())),
            grpc,
        }
    }
}

impl<B> Default for CallBody<B> {
    fn default() -> Self {
        CallBody {
            inner: None,
            deadline: None,
            grpc: false,
        }
    }
}

/// The answer to a gRPC call that took too long, in the words of the protocol, so that a generated
/// client gives the status that it gives for every other server.
pub(super) fn exceeded<B>() -> Response<CallBody<B>> {
    answer(true, Status::DeadlineExceeded)
}

impl<B> Body for CallBody<B>
where
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Data = B::Data;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, Self::Error>>> {
        let mut this = self.project();
        let Some(inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        // First the clock: a stream that is always ready would never let it be looked at. A timer is
        // set only where the answer has to be waited for.
        let timer = this.deadline.as_mut().as_pin_mut();
        let mut is_past = timer
            .as_ref()
            .is_some_and(|timer| timer.deadline() <= tokio::time::Instant::now());
        let mut polled = Poll::Pending;
        if !is_past {
            polled = inner.poll_frame(context);
            if polled.is_pending() {
                is_past = timer.is_some_and(|timer| timer.poll(context).is_ready());
            }
        }
        if is_past {
            this.inner.set(None);
            this.deadline.set(None);
            EXCEEDED.fetch_add(1, Ordering::Relaxed);
            return Poll::Ready(Some(cut_short(*this.grpc)));
        }
        let frame = std::task::ready!(polled);
        if frame.is_none() {
            this.deadline.set(None);
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            Some(inner) => inner.size_hint(),
            None => SizeHint::with_exact(0),
        }
    }
}

//! The answer's body, which is part of the request: a stream has the same deadline as its head.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::answer::cut_short;
use super::guard::Guard;
use crate::scope::Scope;

/// The deadline passed while an HTTP answer was on its way; its rest is not sent.
///
/// gRPC has words for this: there the stream ends with status 4. Seen by a service that sends
/// ([`DeadlineBody`]), and by a client that reads ([`CallBody`](crate::outgoing::CallBody)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("deadline exceeded while the answer was on its way")]
pub struct DeadlineExceeded;

pin_project! {
    /// A body that ends at its deadline.
    pub struct DeadlineBody<B> {
        // None: there is none, or the deadline ended it.
        #[pin]
        inner: Option<B>,
        guard: Option<Guard>,
        grpc: bool,
    }
}

impl<B> Default for DeadlineBody<B> {
    fn default() -> Self {
        DeadlineBody {
            inner: None,
            guard: None,
            grpc: false,
        }
    }
}

impl<B: Body> DeadlineBody<B> {
    pub(super) fn new(inner: B, mut guard: Guard, grpc: bool) -> Self {
        if inner.is_end_stream() {
            guard.answered();
        }
        DeadlineBody {
            inner: Some(inner),
            guard: Some(guard),
            grpc,
        }
    }
}

impl<B> Body for DeadlineBody<B>
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
        let Some(mut inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        let mut running = this.guard.as_mut().filter(|guard| guard.scope().is_some());
        let _entered = running
            .as_ref()
            .and_then(|guard| guard.scope())
            .map(Scope::enter);
        // First the clock: a stream that is always ready would never let it be looked at.
        let mut is_past = running
            .as_ref()
            .is_some_and(|guard| guard.is_past_deadline());
        let mut polled = Poll::Pending;
        if !is_past {
            polled = inner.as_mut().poll_frame(context);
            if let (true, Some(guard)) = (polled.is_pending(), &mut running) {
                is_past = guard.poll_deadline(context).is_ready();
            }
        }
        if let (true, Some(guard)) = (is_past, running) {
            this.inner.set(None);
            guard.exceeded();
            return Poll::Ready(Some(cut_short(*this.grpc)));
        }
        let frame = std::task::ready!(polled);
        // Whoever sends the answer does not ask again after its last frame.
        let is_last = match &frame {
            None | Some(Err(_)) => true,
            Some(Ok(frame)) => frame.is_trailers() || inner.is_end_stream(),
        };
        if let (true, Some(guard)) = (is_last, this.guard.as_mut()) {
            guard.answered();
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

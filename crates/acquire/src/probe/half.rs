//! A request of which only the head and half of the body go out at first: it is in flight, however
//! quick its handler is, until we send the rest.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use shakedown_evidence::{CallBody, Event};
use tokio::sync::watch;

use crate::Recorder;

/// The calls whose second half is held back, and the word that lets it go.
#[derive(Debug, Default)]
pub(super) struct Holds(Mutex<HashMap<u32, watch::Sender<bool>>>);

impl Holds {
    /// Holds a call.
    pub(super) fn hold(&self, id: u32) -> watch::Receiver<bool> {
        let go = watch::Sender::new(false);
        let told = go.subscribe();
        self.lock().insert(id, go);
        told
    }

    /// Lets a call's second half go.
    pub(super) fn finish(&self, id: u32) {
        if let Some(go) = self.lock().get(&id) {
            go.send_replace(true);
        }
    }

    /// A call has ended.
    pub(super) fn forget(&self, id: u32) {
        self.lock().remove(&id);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u32, watch::Sender<bool>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The second half of a body, held back.
pub(super) struct Rest {
    bytes: Bytes,
    first: u64,
    go: watch::Receiver<bool>,
    recorder: Recorder,
    id: u32,
}

impl Rest {
    /// Cuts a body in two; the first half may be empty.
    pub(super) fn cut(
        mut body: Bytes,
        go: watch::Receiver<bool>,
        recorder: Recorder,
        id: u32,
    ) -> (Bytes, Self) {
        let first = body.split_to(body.len() / 2);
        let rest = Self {
            bytes: body,
            first: first.len() as u64,
            go,
            recorder,
            id,
        };
        (first, rest)
    }

    /// The first half has gone out.
    pub(super) fn first_went_out(&self) {
        self.went_out(self.first);
    }

    /// Waits for the word, then gives the bytes.
    pub(super) async fn follow(&mut self) -> Bytes {
        // Whoever holds the word is gone only when the call is.
        if self.go.wait_for(|go| *go).await.is_err() {
            std::future::pending::<()>().await;
        }
        self.went_out(self.first + self.bytes.len() as u64);
        std::mem::take(&mut self.bytes)
    }

    fn went_out(&self, sent: u64) {
        self.recorder.record(Event::CallBody(CallBody {
            id: self.id,
            at: self.recorder.now(),
            sent,
            of: self.first + self.bytes.len() as u64,
        }));
    }
}

impl fmt::Debug for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rest")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// The body of an HTTP/1.1 request that comes in two halves, with its whole length said before.
pub(super) struct HalfBody {
    first: Option<Bytes>,
    rest: State,
    left: u64,
}

enum State {
    Held(Rest),
    Waiting(Pin<Box<dyn Future<Output = Bytes> + Send>>),
    Sent,
}

impl HalfBody {
    pub(super) fn new(first: Bytes, rest: Rest) -> Self {
        Self {
            left: (first.len() + rest.bytes.len()) as u64,
            first: Some(first).filter(|first| !first.is_empty()),
            rest: State::Held(rest),
        }
    }
}

impl Body for HalfBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(first) = self.first.take() {
            self.left -= first.len() as u64;
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        loop {
            match std::mem::replace(&mut self.rest, State::Sent) {
                State::Sent => return Poll::Ready(None),
                State::Held(mut rest) => {
                    // Asked for more: the head and the first half are written in the same turn.
                    rest.first_went_out();
                    self.rest = State::Waiting(Box::pin(async move { rest.follow().await }));
                }
                State::Waiting(mut waiting) => {
                    let Poll::Ready(bytes) = waiting.as_mut().poll(context) else {
                        self.rest = State::Waiting(waiting);
                        return Poll::Pending;
                    };
                    self.left -= bytes.len() as u64;
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

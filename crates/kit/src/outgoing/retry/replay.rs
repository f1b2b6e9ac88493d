//! The body of a call, kept while it is sent, so that it can be sent again.

use std::error::Error;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;

/// Bytes kept of one call; a longer one is sent once. grpc-go keeps as much for a call.
const KEPT_MAX: usize = if cfg!(miri) { 1024 } else { 256 * 1024 };

type BoxError = Box<dyn Error + Send + Sync>;

/// A call's body, for all its attempts.
#[derive(Debug, Clone)]
pub(super) struct Recording(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    /// None: it has ended.
    source: Option<UnsyncBoxBody<Bytes, BoxError>>,
    frames: Vec<Bytes>,
    kept: usize,
    trailers: Option<HeaderMap>,
    /// The attempt that may read on; earlier ones were given up.
    newest: u32,
    /// More came than is kept, or the source failed: this attempt is the last.
    only_once: bool,
}

impl Recording {
    pub(super) fn of<B>(body: B) -> Self
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let has_ended = body.is_end_stream();
        Recording(Arc::new(Mutex::new(Inner {
            source: (!has_ended).then(|| body.map_err(Into::into).boxed_unsync()),
            frames: Vec::new(),
            kept: 0,
            trailers: None,
            newest: 0,
            only_once: false,
        })))
    }

    /// The body from its beginning. Whoever still sends what an earlier call of this gave, fails.
    pub(super) fn replay(&self) -> Replayed {
        let mut inner = self.inner();
        inner.newest += 1;
        Replayed {
            recording: self.clone(),
            attempt: inner.newest,
            next: 0,
            trailers_sent: false,
        }
    }

    pub(super) fn can_be_replayed(&self) -> bool {
        !self.inner().only_once
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // A panic of the source leaves what was kept before it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn keep(&mut self, data: &Bytes) {
        self.kept = self.kept.saturating_add(data.len());
        if self.kept > KEPT_MAX {
            self.only_once = true;
            self.frames = Vec::new();
        } else {
            self.frames.push(data.clone());
        }
    }
}

/// The body of one attempt of a call, for the client that sends it.
#[derive(Debug)]
pub struct Replayed {
    recording: Recording,
    attempt: u32,
    /// How many of the kept frames were sent.
    next: usize,
    trailers_sent: bool,
}

/// The attempt was given up; its stream must not end as if it were whole.
#[derive(Debug, thiserror::Error)]
#[error("this attempt of the call was given up")]
struct GivenUp;

impl Body for Replayed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let mut inner = this.recording.inner();
        if inner.newest != this.attempt {
            return Poll::Ready(Some(Err(GivenUp.into())));
        }
        if let Some(data) = inner.frames.get(this.next) {
            this.next += 1;
            return Poll::Ready(Some(Ok(Frame::data(data.clone()))));
        }
        let Some(source) = inner.source.as_mut() else {
            let trailers = inner.trailers.clone().filter(|_| !this.trailers_sent);
            this.trailers_sent = true;
            return Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))));
        };
        let frame = ready!(Pin::new(source).poll_frame(context));
        match &frame {
            None => inner.source = None,
            Some(Err(_)) => inner.only_once = true,
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    inner.keep(data);
                    this.next = inner.frames.len();
                } else if let Some(trailers) = frame.trailers_ref() {
                    inner.trailers = Some(trailers.clone());
                    inner.source = None;
                    this.trailers_sent = true;
                }
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        let inner = self.recording.inner();
        inner.newest == self.attempt
            && self.next >= inner.frames.len()
            && (self.trailers_sent || inner.trailers.is_none())
            && inner.source.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let inner = self.recording.inner();
        let waiting: usize = inner.frames.iter().skip(self.next).map(Bytes::len).sum();
        let rest = inner.source.as_ref().map(Body::size_hint);
        let mut hint = rest.unwrap_or_else(|| SizeHint::with_exact(0));
        let waiting = waiting as u64;
        // Upper first: the lower bound may not be above it at any moment.
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper.saturating_add(waiting));
        }
        hint.set_lower(hint.lower().saturating_add(waiting));
        hint
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use http_body_util::{Empty, Full};

    use super::*;

    /// Frames one after another, without an end in sight.
    struct Frames(VecDeque<Result<Frame<Bytes>, &'static str>>);

    impl Body for Frames {
        type Data = Bytes;
        type Error = &'static str;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
            Poll::Ready(self.0.pop_front())
        }
    }

    fn data(length: usize) -> Result<Frame<Bytes>, &'static str> {
        Ok(Frame::data(Bytes::from(vec![7; length])))
    }

    #[tokio::test]
    async fn each_attempt_sends_the_whole_body() {
        let mut trailers = HeaderMap::new();
        trailers.insert("checksum", http::HeaderValue::from_static("7"));
        let frames = Frames([data(3), data(4), Ok(Frame::trailers(trailers))].into());
        let recording = Recording::of(frames);
        // The first one is given up in the middle.
        let mut first = recording.replay();
        let frame = first.frame().await.expect("there is more").expect("data");
        assert_eq!(frame.data_ref().map(Bytes::len), Some(3));
        for _ in 0..2 {
            let whole = recording.replay().collect().await.expect("it is whole");
            assert_eq!(whole.trailers().map(HeaderMap::len), Some(1));
            assert_eq!(whole.to_bytes().len(), 7);
        }
        let given_up = first.frame().await.expect("not ended");
        assert!(given_up.is_err(), "a cut body is not a whole one");
        assert!(recording.can_be_replayed());
    }

    #[tokio::test]
    async fn lengths_are_told_on_each_attempt() {
        let recording = Recording::of(Full::new(Bytes::from_static(b"abc")));
        for _ in 0..2 {
            let body = recording.replay();
            assert_eq!(body.size_hint().exact(), Some(3));
            assert!(!body.is_end_stream());
            assert_eq!(body.collect().await.expect("whole").to_bytes(), "abc");
        }
        let nothing = Recording::of(Empty::<Bytes>::new());
        assert!(nothing.replay().is_end_stream());
        assert_eq!(nothing.replay().size_hint().exact(), Some(0));
    }

    #[tokio::test]
    async fn what_is_too_long_is_sent_once_and_whole() {
        let recording = Recording::of(Frames([data(KEPT_MAX), data(1), data(5)].into()));
        let first = recording.replay();
        let sent = first.collect().await.expect("it is whole").to_bytes().len();
        assert_eq!(sent, KEPT_MAX + 6);
        assert!(!recording.can_be_replayed());
        assert!(recording.inner().frames.is_empty(), "nothing is kept");
    }

    #[tokio::test]
    async fn a_source_that_fails_is_not_asked_again() {
        let recording = Recording::of(Frames([data(1), Err("on purpose")].into()));
        assert!(recording.replay().collect().await.is_err());
        assert!(!recording.can_be_replayed());
    }
}

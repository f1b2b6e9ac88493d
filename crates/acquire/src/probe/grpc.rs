//! One gRPC call over HTTP/2, seen frame by frame.
//!
//! The deadline travels in the header only: what the server does at it is the evidence, so nothing
//! here ends a call at its deadline. A call is left by RST_STREAM, on a connection that lives on.

use std::future::{pending, poll_fn};
use std::time::Duration;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version};
use shakedown_evidence::CallEnd;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::connect::{Channel, go_away};
use super::half::Rest;
use super::message::{Frames, status, timeout_value};

/// No answer of ours is larger; a stream that never ends is left here.
const ANSWER_MAX: usize = 64 << 20;

/// What is asked.
#[derive(Debug, Clone)]
pub(crate) struct GrpcAsk {
    /// `/pkg.Service/Method`.
    pub(crate) path: String,
    /// Framed messages.
    pub(crate) body: Bytes,
    pub(crate) headers: HeaderMap,
    /// Travels as `grpc-timeout`.
    pub(crate) deadline: Option<Duration>,
}

/// How long we stay.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stay {
    /// Leave this long after the request went out.
    pub(crate) cancel_after: Option<Duration>,
    /// Give up after so long.
    pub(crate) patience: Duration,
}

impl Stay {
    pub(crate) const fn patience(patience: Duration) -> Self {
        Self {
            cancel_after: None,
            patience,
        }
    }
}

/// What is done with the messages of an answer.
#[derive(Debug)]
pub(crate) enum Keep<'a> {
    /// They are read and dropped.
    Nothing,
    /// They are kept.
    Messages(&'a mut Vec<Bytes>),
}

/// Makes one call. `sent` runs when the stream is open and its request on its way; it does not run
/// if that never happens.
pub(crate) async fn call(
    channel: &Channel,
    ask: GrpcAsk,
    stay: Stay,
    sent: impl FnOnce(),
    keep: Keep<'_>,
) -> CallEnd {
    carry(channel, ask, None, stay, sent, keep).await
}

/// The same, but `rest` of the body follows only when it is let go.
pub(super) async fn call_half(
    channel: &Channel,
    ask: GrpcAsk,
    rest: Rest,
    stay: Stay,
    sent: impl FnOnce(),
) -> CallEnd {
    carry(channel, ask, Some(rest), stay, sent, Keep::Nothing).await
}

async fn carry(
    channel: &Channel,
    ask: GrpcAsk,
    mut rest: Option<Rest>,
    stay: Stay,
    sent: impl FnOnce(),
    keep: Keep<'_>,
) -> CallEnd {
    let give_up = Instant::now() + stay.patience;
    let opened = match request(channel, &ask) {
        Ok(request) => {
            let open = open(channel.send.clone(), request, ask.body, rest.is_none());
            timeout_at(give_up, open).await
        }
        Err(why) => return CallEnd::Failed { why },
    };
    let (response, mut stream) = match opened {
        Err(_) => return CallEnd::TimedOut,
        Ok(Err(error)) => return broken(channel, &error).await,
        Ok(Ok(opened)) => opened,
    };
    sent();
    let leave = stay.cancel_after.map(|after| Instant::now() + after);
    let left = async {
        match leave {
            Some(leave) => sleep_until(leave).await,
            None => pending().await,
        }
    };
    if let Some(rest) = &rest {
        rest.first_went_out();
    }
    let followed = async {
        if let Some(rest) = &mut rest {
            let bytes = rest.follow().await;
            // Fails on a stream that has ended; how is seen by its answer.
            let _ = stream.send_data(bytes, true);
        }
        pending::<()>().await;
    };
    let end = tokio::select! {
        // An answer that is there counts, even if it is time to go.
        biased;
        end = drain(channel, response, keep) => end,
        () = followed => CallEnd::Left,
        () = left => CallEnd::Left,
        () = sleep_until(give_up) => CallEnd::TimedOut,
    };
    // Of no effect on a stream that has ended by itself.
    stream.send_reset(h2::Reason::CANCEL);
    end
}

fn request(channel: &Channel, ask: &GrpcAsk) -> Result<Request<()>, String> {
    let authority = channel.authority.as_str();
    let uri = Uri::builder()
        .scheme(channel.scheme)
        .authority(authority)
        .path_and_query(ask.path.as_str())
        .build()
        .map_err(|error| format!("cannot be sent to {authority}: `{}`: {error}", ask.path))?;
    let mut request = Request::new(());
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri;
    *request.version_mut() = Version::HTTP_2;
    let headers = request.headers_mut();
    *headers = ask.headers.clone();
    headers.insert("content-type", HeaderValue::from_static("application/grpc"));
    headers.insert("te", HeaderValue::from_static("trailers"));
    let deadline = ask.deadline.map(timeout_value);
    if let Some(Ok(value)) = deadline.map(HeaderValue::try_from) {
        headers.insert("grpc-timeout", value);
    }
    Ok(request)
}

/// Opens a stream: the server may allow fewer at a time than we have.
async fn open(
    send: SendRequest<Bytes>,
    request: Request<()>,
    body: Bytes,
    whole: bool,
) -> Result<(ResponseFuture, SendStream<Bytes>), h2::Error> {
    let mut send = send.ready().await?;
    let (response, mut stream) = send.send_request(request, false)?;
    // Fails if the server has answered the head already and closed the stream: then its answer is
    // there.
    let _ = stream.send_data(body, whole);
    poll_fn(|cx| send.poll_ready(cx)).await?;
    Ok((response, stream))
}

async fn drain(channel: &Channel, response: ResponseFuture, mut keep: Keep<'_>) -> CallEnd {
    let (head, mut body) = match response.await {
        Ok(response) => response.into_parts(),
        Err(error) => return broken(channel, &error).await,
    };
    if let Some(status) = status(&head.headers) {
        return ended(status);
    }
    let kind = head.headers.get("content-type");
    let kind = kind
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or("no content-type");
    if head.status.as_u16() >= 400 {
        return CallEnd::Http {
            status: head.status.as_u16(),
        };
    }
    if !kind.starts_with("application/grpc") {
        let status = head.status;
        let why = format!("the server speaks HTTP/2 but not gRPC: it answered {status}, {kind}");
        return CallEnd::Failed { why };
    }
    match messages(channel, &mut body, &mut keep).await {
        Err(end) => end,
        Ok(()) => match body.trailers().await {
            Err(error) => broken(channel, &error).await,
            Ok(trailers) => trailers.as_ref().and_then(status).map_or_else(
                || CallEnd::Failed {
                    why: "the answer ended without a grpc-status".to_owned(),
                },
                ended,
            ),
        },
    }
}

async fn messages(
    channel: &Channel,
    body: &mut RecvStream,
    keep: &mut Keep<'_>,
) -> Result<(), CallEnd> {
    let mut frames = Frames::default();
    let mut total = 0;
    while let Some(data) = body.data().await {
        let data = match data {
            Ok(data) => data,
            Err(error) => return Err(broken(channel, &error).await),
        };
        // Fails only for more than was received.
        let _ = body.flow_control().release_capacity(data.len());
        total += data.len();
        if total > ANSWER_MAX {
            let why = format!(
                "the answer is longer than {} MiB; we left it",
                ANSWER_MAX >> 20
            );
            return Err(CallEnd::Failed { why });
        }
        let Keep::Messages(kept) = keep else { continue };
        frames.push(&data);
        while let Some(message) = frames.next() {
            kept.push(message.map_err(|why| CallEnd::Failed { why })?);
        }
    }
    Ok(())
}

fn ended(status: Result<(u16, String), String>) -> CallEnd {
    match status {
        Ok((code, message)) => CallEnd::Status { code, message },
        Err(why) => CallEnd::Failed { why },
    }
}

/// How a stream broke. Where it knows only that its connection did, the connection knows why.
async fn broken(channel: &Channel, error: &h2::Error) -> CallEnd {
    match error.reason() {
        Some(reason) if error.is_reset() && error.is_remote() => {
            let reason = format!("{reason:?}");
            return CallEnd::Reset { reason };
        }
        Some(_) => {
            return CallEnd::Failed {
                why: go_away(error),
            };
        }
        None => {}
    }
    let said = channel.last_words().await.filter(|said| !said.is_empty());
    CallEnd::Failed {
        why: said.unwrap_or_else(|| go_away(error)),
    }
}

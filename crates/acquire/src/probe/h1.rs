//! One HTTP/1.1 request on a connection of its own.
//!
//! Nothing is kept alive: leaving a request is closing its connection, at that moment, and no idle
//! connection of ours delays the service's shutdown.

use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use super::connect;
use super::stream::Stream;

/// What is asked.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) method: http::Method,
    /// Path and query.
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Ask {
    pub(crate) fn get(path: &str, headers: HeaderMap) -> Self {
        Self {
            method: http::Method::GET,
            path: path.to_owned(),
            headers,
            body: Bytes::new(),
        }
    }

    /// The request with another body than its own.
    fn request<B>(self, authority: &str, body: B) -> Result<Request<B>, Failure> {
        let mut request = Request::builder()
            .method(self.method)
            .uri(&self.path)
            .body(body)
            .map_err(|error| Failure::Unsendable(format!("`{}`: {error}", self.path)))?;
        *request.headers_mut() = self.headers;
        let host = HeaderValue::try_from(authority)
            .map_err(|error| Failure::Unsendable(format!("`{authority}`: {error}")))?;
        let headers = request.headers_mut();
        headers.entry("host").or_insert(host);
        headers.insert("connection", HeaderValue::from_static("close"));
        Ok(request)
    }
}

/// What came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// There was more than the bound.
    pub(crate) more: bool,
}

impl Answer {
    pub(crate) fn content_type(&self) -> &str {
        let kind = self.headers.get("content-type");
        kind.and_then(|kind| kind.to_str().ok()).unwrap_or("")
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Why nothing whole came.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{0}")]
    Connect(String),
    #[error("cannot be sent: {0}")]
    Unsendable(String),
    #[error("no answer within {0:?}")]
    Silent(Duration),
    #[error("the connection was closed without an answer")]
    Empty,
    #[error("the answer is not HTTP/1.1 ({0})")]
    NotHttp(String),
    #[error("the answer broke off after {got} bytes ({why})")]
    Cut { got: usize, why: String },
    #[error("the answer had not ended after {within:?}; {got} bytes had come")]
    Slow { got: usize, within: Duration },
}

/// How much of an answer is read, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Kept in memory.
    pub(crate) keep: usize,
    /// Read at all; beyond this the connection is closed.
    pub(crate) read: usize,
}

impl Bounds {
    pub(crate) const fn whole(bytes: usize) -> Self {
        Self {
            keep: bytes,
            read: bytes,
        }
    }
}

/// Sees each piece of a body as it comes, and says whether more is wanted.
pub(crate) type Each<'a> = &'a mut (dyn FnMut(&[u8]) -> bool + Send);

/// Asks on a new connection and reads the answer, all `within` so long.
pub(crate) async fn ask(
    reach: &str,
    ask: Ask,
    bounds: Bounds,
    within: Duration,
) -> Result<Answer, Failure> {
    ask_through(reach, ask, bounds, within, &mut |_| true).await
}

/// The same, with each piece of the body shown to `each` as it comes, kept or not; reading ends where
/// `each` has had enough.
pub(crate) async fn ask_through(
    reach: &str,
    ask: Ask,
    bounds: Bounds,
    within: Duration,
    each: Each<'_>,
) -> Result<Answer, Failure> {
    let stream = connect::dial(reach).await.map_err(Failure::Connect)?;
    let mut got = None;
    let body = Full::new(ask.body.clone());
    let authority = connect::authority(reach);
    let exchange = exchange_through(stream, authority, ask, body, bounds, &mut got, each);
    match timeout(within, exchange).await {
        Ok(answer) => answer,
        Err(_) => Err(match got {
            None => Failure::Silent(within),
            Some(got) => Failure::Slow { got, within },
        }),
    }
}

/// One exchange over a connection that is closed when this ends or is dropped, with a body that may
/// take its time. `got` counts the bytes of the body from the moment that the answer's head has come.
pub(super) async fn exchange_body<B>(
    stream: Stream,
    authority: &str,
    ask: Ask,
    body: B,
    bounds: Bounds,
    got: &mut Option<usize>,
) -> Result<Answer, Failure>
where
    B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    exchange_through(stream, authority, ask, body, bounds, got, &mut |_| true).await
}

async fn exchange_through<B>(
    stream: Stream,
    authority: &str,
    ask: Ask,
    body: B,
    bounds: Bounds,
    got: &mut Option<usize>,
    each: Each<'_>,
) -> Result<Answer, Failure>
where
    B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    let request = ask.request(authority, body)?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| broken(&error, None))?;
    let answered = async {
        let response = sender.send_request(request).await;
        drain(
            response.map_err(|error| broken(&error, None))?,
            bounds,
            got,
            each,
        )
        .await
    };
    // No task of its own: whoever drops this closes the socket at that moment.
    let mut connection = pin!(connection);
    let mut answered = pin!(answered);
    let mut open = true;
    loop {
        tokio::select! {
            biased;
            answer = &mut answered => return answer,
            // How it ends is seen by the request.
            _ = &mut connection, if open => open = false,
        }
    }
}

async fn drain(
    response: Response<Incoming>,
    bounds: Bounds,
    got: &mut Option<usize>,
    each: Each<'_>,
) -> Result<Answer, Failure> {
    let (head, mut incoming) = response.into_parts();
    let mut body = BytesMut::new();
    let (mut total, mut more) = (0, false);
    *got = Some(0);
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|error| broken(&error, Some(total)))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        let room = bounds.keep - body.len();
        body.extend_from_slice(data.get(..room).unwrap_or(&data));
        let enough = !each(&data);
        total += data.len();
        *got = Some(total);
        if enough || total > bounds.read {
            more = true;
            break;
        }
    }
    Ok(Answer {
        status: head.status,
        headers: head.headers,
        body: body.freeze(),
        more,
    })
}

/// `got` are the bytes of the body; nothing before the answer's head has come.
fn broken(error: &hyper::Error, got: Option<usize>) -> Failure {
    use std::error::Error;
    let why = error
        .source()
        .map_or_else(|| error.to_string(), ToString::to_string);
    match got {
        Some(got) => Failure::Cut { got, why },
        None if error.is_parse() => Failure::NotHttp(error.to_string()),
        None => Failure::Empty,
    }
}

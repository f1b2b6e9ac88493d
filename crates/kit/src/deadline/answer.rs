//! Answers that the kit gives in the place of a handler.

use std::error::Error;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body::Frame;

use super::DeadlineExceeded;

/// The gRPC status codes that are used here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    DeadlineExceeded,
    Internal,
}

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const EXCEEDED: &str = "deadline exceeded";
/// Percent-encoding is not needed: the texts are plain.
const MALFORMED: &str = "malformed grpc-timeout";

impl Status {
    fn put(self, headers: &mut HeaderMap) {
        let (code, message) = match self {
            Status::DeadlineExceeded => ("4", EXCEEDED),
            Status::Internal => ("13", MALFORMED),
        };
        headers.insert(GRPC_STATUS, HeaderValue::from_static(code));
        headers.insert(GRPC_MESSAGE, HeaderValue::from_static(message));
    }
}

/// What comes last of an answer that the deadline ended on its way: gRPC has trailers for it.
pub(crate) fn cut_short<D>(grpc: bool) -> Result<Frame<D>, Box<dyn Error + Send + Sync>> {
    if !grpc {
        return Err(DeadlineExceeded.into());
    }
    let mut trailers = HeaderMap::new();
    Status::DeadlineExceeded.put(&mut trailers);
    Ok(Frame::trailers(trailers))
}

/// A whole answer without a body: for gRPC in its head ("trailers only").
pub(crate) fn answer<B: Default>(grpc: bool, status: Status) -> Response<B> {
    let mut response = Response::new(B::default());
    if grpc {
        status.put(response.headers_mut());
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    } else {
        *response.status_mut() = match status {
            Status::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
            Status::Internal => StatusCode::BAD_REQUEST,
        };
    }
    response
}

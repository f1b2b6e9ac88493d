//! What the admin listener answers.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;

/// An answer, before it is HTTP.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Text(String),
    Json(String),
    Html(String),
    /// A profile to be saved under this name.
    Profile {
        name: &'static str,
        bytes: Vec<u8>,
    },
    /// What was asked is wrong: say how.
    Refused(StatusCode, String),
    /// Nothing here measures this: say why.
    NotMeasured(String),
}

impl Answer {
    pub(super) fn bad(reason: impl Into<String>) -> Self {
        Answer::Refused(StatusCode::BAD_REQUEST, reason.into())
    }

    pub(super) fn into_response(self) -> Response<Full<Bytes>> {
        let (status, kind, body, name) = match self {
            Answer::Text(text) => (StatusCode::OK, TEXT, text.into_bytes(), None),
            Answer::Json(text) => (StatusCode::OK, "application/json", text.into_bytes(), None),
            Answer::Html(text) => (
                StatusCode::OK,
                "text/html; charset=utf-8",
                text.into_bytes(),
                None,
            ),
            Answer::Profile { name, bytes } => (
                StatusCode::OK,
                "application/octet-stream",
                bytes,
                Some(name),
            ),
            Answer::Refused(status, reason) => (status, TEXT, (reason + "\n").into_bytes(), None),
            Answer::NotMeasured(reason) => (
                StatusCode::NOT_IMPLEMENTED,
                TEXT,
                (reason + "\n").into_bytes(),
                None,
            ),
        };
        let mut response = Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(name) = name {
            let disposition = format!("attachment; filename=\"{name}\"");
            if let Ok(disposition) = HeaderValue::from_str(&disposition) {
                headers.insert(CONTENT_DISPOSITION, disposition);
            }
        }
        response
    }
}

const TEXT: &str = "text/plain; charset=utf-8";

/// How long a dump waits for tasks to answer.
pub(super) const DUMP_PATIENCE: Duration = Duration::from_millis(500);

//! OTLP over HTTP, in protobuf or JSON.
//!
//! Source: <https://opentelemetry.io/docs/specs/otlp/#otlphttp>.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;

use super::answer::{Body, Export, content_type, is_gzip};
use super::body::{self, Refusal};
use super::decode::DecodeError;
use super::intake::{Exported, Intake, Signal};

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";
const KINDS: &str =
    "export protobuf or JSON: set OTEL_EXPORTER_OTLP_PROTOCOL to http/protobuf, http/json or grpc";
const ELSEWHERE: &str = "this is an OTLP receiver of shakedown: POST to /v1/traces or /v1/logs";

pub(super) async fn answer(intake: &Arc<Intake>, request: Request<Incoming>) -> Response<Body> {
    match (request.method(), signal(request.uri().path())) {
        (&Method::POST, Some(Asked::Kept(signal))) => keep(intake, signal, request).await,
        (&Method::POST, Some(Asked::Other)) => {
            let json = content_type(&request) == Some(JSON);
            match body::discard(request.into_body(), intake).await {
                Ok(()) => ok(json),
                Err(refusal) => failed(status_of(&refusal), refusal.to_string()),
            }
        }
        (&Method::POST, None) => {
            // Spans to a path of their own, or of another protocol, such as Zipkin's.
            let path: String = request.uri().path().chars().take(100).collect();
            intake.refuse(format!("http: POST {path} is not a path of OTLP"));
            failed(StatusCode::NOT_FOUND, ELSEWHERE.to_owned())
        }
        (_, Some(_)) => failed(StatusCode::METHOD_NOT_ALLOWED, ELSEWHERE.to_owned()),
        (_, None) => failed(StatusCode::NOT_FOUND, ELSEWHERE.to_owned()),
    }
}

/// What a path asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Kept(Signal),
    /// Accepted and forgotten.
    Other,
}

/// A prefix is allowed: code may set the base path of its usual collector.
fn signal(path: &str) -> Option<Asked> {
    let known = [
        ("/v1/traces", Asked::Kept(Signal::Traces)),
        ("/v1/logs", Asked::Kept(Signal::Logs)),
        ("/v1/metrics", Asked::Other),
        ("/v1development/profiles", Asked::Other),
    ];
    let found = known.iter().find(|(end, _)| path.ends_with(end));
    found.map(|(_, asked)| *asked)
}

async fn keep(intake: &Arc<Intake>, signal: Signal, request: Request<Incoming>) -> Response<Body> {
    let json = match content_type(&request) {
        Some(PROTOBUF) => false,
        Some(JSON) => true,
        kind => {
            let kind: String = kind.unwrap_or("no content type").chars().take(64).collect();
            intake.refuse(format!(
                "http: an export as {kind}, not as {PROTOBUF} or {JSON}"
            ));
            // Read to its end, so that the answer is seen.
            let _ = body::discard(request.into_body(), intake).await;
            return failed(StatusCode::UNSUPPORTED_MEDIA_TYPE, KINDS.to_owned());
        }
    };
    let export = Export::begin(intake, "http");
    let taken = take(intake, signal, json, request).await;
    match export.end(taken) {
        Ok(()) => ok(json),
        Err(refusal) => failed(status_of(&refusal), refusal.to_string()),
    }
}

async fn take(
    intake: &Intake,
    signal: Signal,
    json: bool,
    request: Request<Incoming>,
) -> Result<(), Refusal> {
    let export = Exported {
        by: "http",
        signal,
        json,
        gzip: is_gzip(&request, header::CONTENT_ENCODING)?,
    };
    let whole = body::read(request.into_body(), intake).await?;
    intake.take(export, whole.bytes.clone()).await
}

/// An `Export…ServiceResponse` without fields says that all was taken; in protobuf it has no bytes.
fn ok(json: bool) -> Response<Body> {
    if json {
        respond(StatusCode::OK, JSON, Bytes::from_static(b"{}"))
    } else {
        respond(StatusCode::OK, PROTOBUF, Bytes::new())
    }
}

fn failed(status: StatusCode, why: String) -> Response<Body> {
    respond(status, "text/plain; charset=utf-8", Bytes::from(why + "\n"))
}

fn respond(status: StatusCode, kind: &'static str, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Full::new(body).boxed());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// Exporters try again after 429, 502, 503 and 504 only.
fn status_of(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::TooLarge { .. }
        | Refusal::InflatesTooLarge { .. }
        | Refusal::Decode(DecodeError::TooLarge) => StatusCode::PAYLOAD_TOO_LARGE,
        Refusal::Slow { .. } => StatusCode::REQUEST_TIMEOUT,
        Refusal::Busy => StatusCode::SERVICE_UNAVAILABLE,
        Refusal::Encoding { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Refusal::Internal { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        Refusal::Broken { .. }
        | Refusal::Gzip { .. }
        | Refusal::Frame { .. }
        | Refusal::Decode(_) => StatusCode::BAD_REQUEST,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_otlp_are_known_below_any_base() {
        assert_eq!(signal("/v1/traces"), Some(Asked::Kept(Signal::Traces)));
        assert_eq!(signal("/otlp/v1/traces"), Some(Asked::Kept(Signal::Traces)));
        assert_eq!(signal("/v1/logs"), Some(Asked::Kept(Signal::Logs)));
        assert_eq!(signal("/v1/metrics"), Some(Asked::Other));
        assert_eq!(signal("/v1development/profiles"), Some(Asked::Other));
        assert_eq!(signal("/api/v2/spans"), None);
        assert_eq!(signal("/"), None);
    }
}

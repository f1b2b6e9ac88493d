//! OTLP over HTTP, in protobuf.
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
use super::intake::Intake;

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "OTLP as JSON is not read; export protobuf: unset OTEL_EXPORTER_OTLP_PROTOCOL, or set it to http/protobuf or grpc";
const ELSEWHERE: &str = "this is an OTLP receiver of shakedown: POST protobuf to /v1/traces";

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Signal {
    Traces,
    /// Accepted and forgotten.
    Other,
}

pub(super) async fn answer(intake: &Arc<Intake>, request: Request<Incoming>) -> Response<Body> {
    match (request.method(), signal(request.uri().path())) {
        (&Method::POST, Some(Signal::Traces)) => traces(intake, request).await,
        (&Method::POST, Some(Signal::Other)) => {
            match body::discard(request.into_body(), intake).await {
                Ok(()) => ok(),
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

/// A prefix is allowed: code may set the base path of its usual collector.
fn signal(path: &str) -> Option<Signal> {
    if path.ends_with("/v1/traces") {
        return Some(Signal::Traces);
    }
    let others = ["/v1/metrics", "/v1/logs", "/v1development/profiles"];
    others
        .iter()
        .any(|other| path.ends_with(other))
        .then_some(Signal::Other)
}

async fn traces(intake: &Arc<Intake>, request: Request<Incoming>) -> Response<Body> {
    if content_type(&request) != Some(PROTOBUF) {
        let kind = content_type(&request).unwrap_or("no content type");
        let kind: String = kind.chars().take(64).collect();
        intake.refuse(format!("http: spans as {kind}, not as {PROTOBUF}"));
        // Read to its end, so that the answer is seen.
        let _ = body::discard(request.into_body(), intake).await;
        return failed(StatusCode::UNSUPPORTED_MEDIA_TYPE, JSON.to_owned());
    }
    let export = Export::begin(intake, "http");
    let taken = take(intake, request).await;
    match export.end(taken) {
        Ok(()) => ok(),
        Err(refusal) => failed(status_of(&refusal), refusal.to_string()),
    }
}

async fn take(intake: &Intake, request: Request<Incoming>) -> Result<(), Refusal> {
    let gzip = is_gzip(&request, header::CONTENT_ENCODING)?;
    let whole = body::read(request.into_body(), intake).await?;
    intake.take("http", whole.bytes.clone(), gzip).await
}

/// An `Export…ServiceResponse` without fields has no bytes and says that all was taken.
fn ok() -> Response<Body> {
    respond(StatusCode::OK, PROTOBUF, Bytes::new())
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
        assert_eq!(signal("/v1/traces"), Some(Signal::Traces));
        assert_eq!(signal("/otlp/v1/traces"), Some(Signal::Traces));
        assert_eq!(signal("/v1/logs"), Some(Signal::Other));
        assert_eq!(signal("/v1/metrics"), Some(Signal::Other));
        assert_eq!(signal("/v1development/profiles"), Some(Signal::Other));
        assert_eq!(signal("/api/v2/spans"), None);
        assert_eq!(signal("/"), None);
    }
}

//! OTLP over gRPC: framing, compression, status and trailers.
//!
//! Sources: gRPC over HTTP2 (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>)
//! and compression (`doc/compression.md` there).

use std::fmt::Write as _;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use http::{HeaderMap, HeaderValue, Request, Response, header};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;

use super::answer::{Body, Export, is_gzip};
use super::body::{self, Refusal};
use super::decode::DecodeError;
use super::intake::{Exported, Intake, Signal};

const TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const LOGS: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
/// An `Export…ServiceResponse` without fields says that all was taken; as one message it is a
/// frame without bytes.
const EMPTY_MESSAGE: &[u8] = &[0, 0, 0, 0, 0];
/// Flag and length before every message.
const PREFIX: usize = 5;

/// A gRPC status that is not OK.
#[derive(Debug, PartialEq, Eq)]
struct Status {
    /// Numbered as in <https://grpc.io/docs/guides/status-codes/>.
    code: u16,
    message: String,
}

const INVALID_ARGUMENT: u16 = 3;
const DEADLINE_EXCEEDED: u16 = 4;
const RESOURCE_EXHAUSTED: u16 = 8;
const UNIMPLEMENTED: u16 = 12;
const INTERNAL: u16 = 13;
const UNAVAILABLE: u16 = 14;

pub(super) async fn answer(intake: &Arc<Intake>, request: Request<Incoming>) -> Response<Body> {
    let path = request.uri().path();
    let signal = match path {
        TRACES => Some(Signal::Traces),
        LOGS => Some(Signal::Logs),
        _ => None,
    };
    let result = if let Some(signal) = signal {
        let export = Export::begin(intake, "grpc");
        let taken = take(intake, signal, request).await;
        export.end(taken).map_err(Status::from)
    } else if is_other_signal(path) {
        let discarded = body::discard(request.into_body(), intake).await;
        discarded.map_err(Status::from)
    } else {
        Err(Status {
            code: UNIMPLEMENTED,
            message: format!("{path} is not served; this is an OTLP receiver of shakedown"),
        })
    };
    match result {
        Ok(()) => ok(),
        Err(status) => failed(&status),
    }
}

/// Metrics, and profiles of any version.
fn is_other_signal(path: &str) -> bool {
    path.starts_with("/opentelemetry.proto.collector.") && path.ends_with("Service/Export")
}

async fn take(intake: &Intake, signal: Signal, request: Request<Incoming>) -> Result<(), Refusal> {
    let gzip = is_gzip(&request, "grpc-encoding")?;
    let whole = body::read(request.into_body(), intake).await?;
    let (compressed, message) = only_message(whole.bytes.clone())?;
    if compressed && !gzip {
        return Err(Refusal::Frame {
            why: "it is marked as compressed, and no encoding is named",
        });
    }
    let export = Exported {
        by: "grpc",
        signal,
        json: false,
        gzip: compressed,
    };
    intake.take(export, message).await
}

/// The message of a unary call, and whether it is compressed.
fn only_message(mut body: Bytes) -> Result<(bool, Bytes), Refusal> {
    let refuse = |why| Err(Refusal::Frame { why });
    if body.len() < PREFIX {
        return refuse("the body ends before the message's length");
    }
    let flag = body.get_u8();
    let length = body.get_u32() as usize;
    match (flag, body.len()) {
        (2.., _) => refuse("its compression flag is neither 0 nor 1"),
        (_, found) if found < length => refuse("the body ends within the message"),
        (_, found) if found > length => refuse("more follows the message"),
        _ => Ok((flag == 1, body)),
    }
}

fn ok() -> Response<Body> {
    let trailers = async {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        Some(Ok(trailers))
    };
    let body = Full::new(Bytes::from_static(EMPTY_MESSAGE)).with_trailers(trailers);
    with_headers(Response::new(body.boxed()))
}

/// A status without a message: "Trailers-Only", one block of headers that ends the stream.
fn failed(status: &Status) -> Response<Body> {
    let mut response = with_headers(Response::new(Empty::new().boxed()));
    let headers = response.headers_mut();
    headers.insert("grpc-status", HeaderValue::from(status.code));
    if let Ok(message) = HeaderValue::from_str(&percent_encoded(&status.message)) {
        headers.insert("grpc-message", message);
    }
    response
}

fn with_headers(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/grpc"),
    );
    headers.insert(
        "grpc-accept-encoding",
        HeaderValue::from_static("identity,gzip"),
    );
    response
}

fn percent_encoded(message: &str) -> String {
    let mut encoded = String::with_capacity(message.len());
    for byte in message.bytes() {
        if (b' '..=b'~').contains(&byte) && byte != b'%' {
            encoded.push(char::from(byte));
        } else {
            // Writing to a text cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        let code = match &refusal {
            Refusal::TooLarge { .. }
            | Refusal::InflatesTooLarge { .. }
            | Refusal::Decode(DecodeError::TooLarge) => RESOURCE_EXHAUSTED,
            Refusal::Slow { .. } => DEADLINE_EXCEEDED,
            Refusal::Busy => UNAVAILABLE,
            Refusal::Encoding { .. } => UNIMPLEMENTED,
            Refusal::Internal { .. } => INTERNAL,
            Refusal::Broken { .. }
            | Refusal::Gzip { .. }
            | Refusal::Frame { .. }
            | Refusal::Decode(_) => INVALID_ARGUMENT,
        };
        Self {
            code,
            message: refusal.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &'static [u8]) -> Result<(bool, Bytes), String> {
        only_message(Bytes::from_static(body)).map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn one_whole_message_is_read() {
        assert_eq!(
            check(b"\0\0\0\0\x02hi"),
            Ok((false, Bytes::from_static(b"hi")))
        );
        assert_eq!(
            check(b"\x01\0\0\0\x02hi"),
            Ok((true, Bytes::from_static(b"hi")))
        );
        assert_eq!(check(EMPTY_MESSAGE), Ok((false, Bytes::new())));
    }

    #[test]
    fn half_a_frame_and_two_frames_are_refused() {
        for body in [
            &b""[..],
            b"\0\0\0",
            b"\0\0\0\0\x05hi",
            b"\0\0\0\0\x01hi",
            b"\x07\0\0\0\0",
            b"\0\xff\xff\xff\xff",
        ] {
            assert!(check(body).is_err(), "{body:?}");
        }
    }

    #[test]
    fn a_message_of_a_status_is_percent_encoded() {
        assert_eq!(
            percent_encoded("50 % of\nhälfte"),
            "50 %25 of%0Ah%C3%A4lfte"
        );
    }

    #[test]
    fn services_of_other_signals_are_known() {
        for service in [
            "metrics.v1.MetricsService",
            "logs.v1.LogsService",
            "profiles.v1development.ProfilesService",
        ] {
            assert!(is_other_signal(&format!(
                "/opentelemetry.proto.collector.{service}/Export"
            )));
        }
        assert!(!is_other_signal(
            "/opentelemetry.proto.collector.trace.v1.TraceService/Other"
        ));
        assert!(!is_other_signal("/grpc.health.v1.Health/Check"));
    }
}

//! Is the service ready, by the URL that its configuration gives?

use std::time::Duration;

use prost::Message;
use shakedown_evidence::CallEnd;

use super::connect::{H2c, reach_of};
use super::grpc::{self, GrpcAsk, Keep, Stay};
use super::h1::{self, Ask, Bounds};
use super::message::frame;
use super::{Headers, TraceParent, http};

/// A service that takes longer to say that it is ready is asked again.
const ANSWER: Duration = Duration::from_secs(2);
/// What health pages say is short; more is not read.
const PAGE: usize = 64 << 10;

/// `grpc.health.v1.HealthCheckRequest`; source: grpc/grpc-proto, grpc/health/v1/health.proto.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct HealthCheckRequest {
    #[prost(string, tag = "1")]
    pub(crate) service: String,
}

/// `grpc.health.v1.HealthCheckResponse`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct HealthCheckResponse {
    #[prost(int32, tag = "1")]
    pub(crate) status: i32,
}

/// Asks `http://host:port/path` or `grpc://host:port[/service]` once.
///
/// # Errors
/// It is not ready, with what came instead; or the URL is of another kind.
pub async fn ask_ready(url: &str, headers: &Headers) -> Result<String, String> {
    let trace = TraceParent::fresh();
    match url.strip_prefix("grpc://") {
        Some(rest) => {
            let (reach, service) = rest.split_once('/').unwrap_or((rest, ""));
            health(&reach_of(reach).await, service, headers, &trace).await
        }
        None if url.starts_with("http://") || url.starts_with("https://") => {
            page(url, headers, &trace).await
        }
        None => {
            return Err(format!(
                "`{url}`: ready must be http://host:port/path or grpc://host:port"
            ));
        }
    }
    .map(|came| format!("{url} {came}"))
    .map_err(|why| format!("{url}: {why}"))
}

async fn page(url: &str, headers: &Headers, trace: &TraceParent) -> Result<String, String> {
    let (reach, path) = http::resolve(url, "")?;
    let ask = Ask::get(&path, headers.with(trace));
    let bounds = Bounds {
        keep: 0,
        read: PAGE,
    };
    let answer = h1::ask(&reach, ask, bounds, ANSWER)
        .await
        .map_err(|failure| failure.to_string())?;
    let came = format!("answered {}", answer.status.as_u16());
    // A redirect to a login page is not readiness, but many health paths redirect to a slash.
    if answer.status.as_u16() < 400 {
        Ok(came)
    } else {
        Err(came)
    }
}

async fn health(
    reach: &str,
    service: &str,
    headers: &Headers,
    trace: &TraceParent,
) -> Result<String, String> {
    let connection = H2c::connect(reach).await?;
    let (end, status) = check_health(&connection, service, headers, trace).await;
    connection.close().await;
    match (end, status) {
        (CallEnd::Status { code: 0, .. }, Some(1)) => Ok("answered SERVING".to_owned()),
        (CallEnd::Status { code: 0, .. }, status) => {
            Err(format!("answered health status {}", status.unwrap_or(0)))
        }
        (CallEnd::Status { code: 12, .. }, _) => {
            Ok("answers gRPC (without a health service)".to_owned())
        }
        (CallEnd::Status { code, message }, _) => {
            Err(format!("answered gRPC status {code} ({message})"))
        }
        (CallEnd::Http { status }, _) => Err(format!("answered HTTP {status}, not gRPC")),
        (CallEnd::Reset { reason }, _) => Err(format!("reset the stream: {reason}")),
        (CallEnd::Failed { why }, _) => Err(why),
        (CallEnd::Left | CallEnd::TimedOut, _) => Err(format!("no answer within {ANSWER:?}")),
    }
}

/// Asks the standard health service; the number is `ServingStatus`, 1 for SERVING.
pub(crate) async fn check_health(
    connection: &H2c,
    service: &str,
    headers: &Headers,
    trace: &TraceParent,
) -> (CallEnd, Option<i32>) {
    let request = HealthCheckRequest {
        service: service.to_owned(),
    };
    let ask = GrpcAsk {
        path: "/grpc.health.v1.Health/Check".to_owned(),
        body: frame(&request.encode_to_vec()),
        headers: headers.with(trace),
        deadline: Some(ANSWER),
    };
    let mut come = Vec::new();
    let keep = Keep::Messages(&mut come);
    let end = grpc::call(
        &connection.channel,
        ask,
        Stay::patience(ANSWER),
        || (),
        keep,
    )
    .await;
    let answer = come
        .first()
        .and_then(|message| HealthCheckResponse::decode(message.as_ref()).ok());
    (end, answer.map(|answer| answer.status))
}

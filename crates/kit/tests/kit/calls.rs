//! Calls to another service: they end at their deadline, and are repeated where nobody took them.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use shakedown_kit::outgoing::{Budget, CallLayer, Replayed, Retries, counters};
use tower_layer::Layer;
use tower_service::Service;

use crate::{alone, runtime};

type Answer = Response<Full<Bytes>>;

/// A receiver that answers attempt after attempt as it was told, and with the last of it from then
/// on. It keeps the head and the body of each.
#[derive(Clone)]
struct Receiver {
    answers: fn(usize) -> Result<Answer, io::Error>,
    got: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
}

impl Receiver {
    fn new(answers: fn(usize) -> Result<Answer, io::Error>) -> Self {
        Receiver {
            answers,
            got: Arc::default(),
        }
    }

    fn got(&self) -> Vec<(HeaderMap, Bytes)> {
        self.got.lock().expect("nobody panics").clone()
    }
}

impl Service<Request<Replayed>> for Receiver {
    type Response = Answer;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, io::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Replayed>) -> Self::Future {
        let receiver = self.clone();
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
            let mut got = receiver.got.lock().expect("nobody panics");
            got.push((head.headers, body));
            (receiver.answers)(got.len() - 1)
        })
    }
}

/// A gRPC answer of this status without a message, and with these headers.
fn status(code: &str, headers: &[(&str, &str)]) -> Answer {
    let mut answer = Response::builder().header("grpc-status", code);
    for (name, value) in headers {
        answer = answer.header(*name, *value);
    }
    answer.body(Full::default()).expect("it is an answer")
}

fn well() -> Answer {
    Response::new(Full::new(Bytes::from_static(b"answer")))
}

fn grpc() -> Request<Full<Bytes>> {
    Request::post("http://inventory/inventory.v1.Inventory/Get")
        .header("content-type", "application/grpc")
        .body(Full::new(Bytes::from_static(b"message")))
        .expect("it is a request")
}

fn retries() -> Retries {
    Retries::new().pauses(Duration::from_millis(10), Duration::from_millis(10))
}

/// The status that the caller sees, and what the receiver got.
async fn call(receiver: &Receiver, retries: Retries, timeout: Duration) -> String {
    let layer = CallLayer::new().timeout(timeout);
    let layer = layer.retries(retries, |body| body);
    match layer.layer(receiver.clone()).call(grpc()).await {
        Ok(answer) => answer
            .headers()
            .get("grpc-status")
            .map_or("messages", |status| status.to_str().unwrap_or("?"))
            .to_owned(),
        Err(error) => error.to_string(),
    }
}

const LONG: Duration = Duration::from_secs(20);

#[test]
fn a_call_that_nobody_took_is_sent_again_whole() {
    let _alone = alone();
    runtime().block_on(async {
        let receiver = Receiver::new(|attempt| match attempt {
            0 => Ok(status("14", &[])),
            1 => Err(io::ErrorKind::ConnectionReset.into()),
            _ => Ok(well()),
        });
        let before = counters();
        assert_eq!(call(&receiver, retries(), LONG).await, "messages");
        let got = receiver.got();
        assert_eq!(got.len(), 3);
        let previous: Vec<_> = got
            .iter()
            .map(|(head, _)| head.get("grpc-previous-rpc-attempts").cloned())
            .collect();
        let number = |number: &'static str| Some(http::HeaderValue::from_static(number));
        assert_eq!(previous, [None, number("1"), number("2")]);
        assert!(got.iter().all(|(_, body)| body == "message"), "{got:?}");
        let left: Vec<_> = got
            .iter()
            .map(|(head, _)| head["grpc-timeout"].to_str().map(micros))
            .collect::<Result<_, _>>()
            .expect("it is text");
        assert!(left[0] > left[1] && left[1] > left[2], "{left:?}");
        assert_eq!(counters().repeated, before.repeated + 2);
    });
}

/// A `grpc-timeout` in µs.
fn micros(text: &str) -> u64 {
    let (digits, unit) = text.split_at(text.len() - 1);
    let number: u64 = digits.parse().expect("digits");
    match unit {
        "u" => number,
        "m" => number * 1000,
        "n" => number / 1000,
        other => panic!("{other}"),
    }
}

#[test]
fn what_the_receiver_says_counts() {
    let _alone = alone();
    runtime().block_on(async {
        let never = Receiver::new(|_| Ok(status("14", &[("grpc-retry-pushback-ms", "-1")])));
        assert_eq!(call(&never, retries(), LONG).await, "14");
        assert_eq!(never.got().len(), 1);

        let later = Receiver::new(|attempt| {
            Ok(match attempt {
                0 => status("14", &[("grpc-retry-pushback-ms", "150")]),
                _ => well(),
            })
        });
        let began = Instant::now();
        assert_eq!(call(&later, retries(), LONG).await, "messages");
        assert!(began.elapsed() >= Duration::from_millis(150));

        let taken = Receiver::new(|_| Ok(status("5", &[])));
        assert_eq!(call(&taken, retries(), LONG).await, "5");
        assert_eq!(taken.got().len(), 1, "an answer is an answer");
    });
}

#[test]
fn nothing_is_sent_after_the_deadline() {
    let _alone = alone();
    runtime().block_on(async {
        let receiver = Receiver::new(|_| Ok(status("14", &[])));
        let slow = Retries::new().pauses(LONG, LONG);
        let began = Instant::now();
        let answer = call(&receiver, slow, Duration::from_secs(10)).await;
        assert_eq!(answer, "14", "the last answer, without the wait");
        assert!(began.elapsed() < Duration::from_secs(5));
        assert_eq!(receiver.got().len(), 1);
    });
}

#[test]
fn a_receiver_that_is_down_gets_no_storm() {
    let _alone = alone();
    runtime().block_on(async {
        let receiver = Receiver::new(|_| Ok(status("14", &[])));
        let quick = Retries::new()
            .pauses(Duration::from_millis(1), Duration::from_millis(1))
            .budget(Budget::new(10, 0.1));
        let before = counters();
        for _ in 0..100 {
            assert_eq!(call(&receiver, quick.clone(), LONG).await, "14");
        }
        let sent = receiver.got().len();
        assert!(sent <= 104, "100 calls and at most 4 repetitions: {sent}");
        assert!(sent > 100, "the budget was there to be used");
        assert!(counters().withheld > before.withheld);
    });
}

/// A client with a connection for each call, over HTTP/2.
#[derive(Clone)]
struct Client(SocketAddr);

#[derive(Debug, thiserror::Error)]
enum ClientError {
    #[error("no connection")]
    Connect(#[source] io::Error),
    #[error("no answer")]
    Answer(#[source] hyper::Error),
}

impl Service<Request<Replayed>> for Client {
    type Response = Response<Incoming>;
    type Error = ClientError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Incoming>, ClientError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ClientError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Replayed>) -> Self::Future {
        let address = self.0;
        Box::pin(async move {
            let stream = tokio::net::TcpStream::connect(address)
                .await
                .map_err(ClientError::Connect)?;
            let (mut sender, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                    .await
                    .map_err(ClientError::Answer)?;
            tokio::spawn(connection);
            sender
                .send_request(request)
                .await
                .map_err(ClientError::Answer)
        })
    }
}

#[test]
fn a_call_waits_for_a_receiver_that_is_not_there_yet() {
    let _alone = alone();
    runtime().block_on(async {
        // Free a moment ago, and most likely still.
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
        let address = free.local_addr().expect("bound");
        drop(free);
        let impatient = CallLayer::new().retries(retries(), |body| body);
        let answer = impatient.layer(Client(address)).call(grpc()).await;
        assert!(answer.is_err(), "nobody is there, and nobody waits");

        let patient = retries().wait_for_ready(LONG);
        let layer = CallLayer::new().timeout(LONG).retries(patient, |body| body);
        let calling = tokio::spawn(layer.layer(Client(address)).call(grpc()));
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(!calling.is_finished(), "it waits");
        tokio::spawn(answer_one(address));
        let answer = calling.await.expect("no panic").expect("it came up");
        assert_eq!(answer.headers()["attempts"], "none", "none was sent before");
        let body = answer.into_body().collect().await.expect("whole");
        assert_eq!(body.to_bytes(), "message");

        let within = retries().wait_for_ready(LONG);
        let short = CallLayer::new().timeout(Duration::from_millis(100));
        let layer = short.retries(within, |body| body);
        let nobody = SocketAddr::from(([127, 0, 0, 1], address.port()));
        let began = Instant::now();
        let answer = layer.layer(Client(nobody)).call(grpc()).await;
        let status = answer.map(|answer| answer.headers().get("grpc-status").cloned());
        assert!(!matches!(status, Ok(None)), "nobody was there: {status:?}");
        let took = began.elapsed();
        assert!(
            took < Duration::from_secs(10),
            "beyond the deadline: {took:?}"
        );
    });
}

/// Echoes the body of one request, and says how often it was sent before.
async fn answer_one(address: SocketAddr) {
    let listener = tokio::net::TcpListener::bind(address).await.expect("free");
    let (stream, _) = listener.accept().await.expect("somebody waits");
    drop(listener);
    let echo = hyper::service::service_fn(|request: Request<Incoming>| async move {
        let (head, body) = request.into_parts();
        let before = head.headers.get("grpc-previous-rpc-attempts");
        let before = before.cloned();
        let body = body.collect().await.expect("whole").to_bytes();
        let mut answer = Response::new(Full::new(body));
        let none = http::HeaderValue::from_static("none");
        let attempts = before.unwrap_or(none);
        answer.headers_mut().insert("attempts", attempts);
        Ok::<_, Infallible>(answer)
    });
    let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), echo)
        .await;
}

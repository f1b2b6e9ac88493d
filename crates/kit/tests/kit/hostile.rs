//! Clients and handlers that would keep a service from ending: it ends all the same.
//!
//! Each of them alone would hold a drain up for ever, or for as long as it likes.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use shakedown_kit::{Error, Kit, tasks};

use crate::lifecycle::{Service, builder, signal};
use crate::{alone, runtime, until};

const LIMIT: Duration = Duration::from_millis(400);
/// What ending takes beside the limit: the runtime's own 100 ms, and the machine that tests.
const SLACK: Duration = Duration::from_secs(3);

fn router() -> Router {
    let forever = || async { std::future::pending::<()>().await };
    // A message each 10 ms.
    let stream = || async { Body::new(Messages(None)) };
    // More than any socket takes in by itself.
    let large = || async { Body::from(vec![7; 64 << 20]) };
    Router::new()
        .route("/", get(|| async { "hi" }))
        .route("/forever", get(forever))
        .route("/stream", get(stream))
        .route("/large", get(large))
}

struct Messages(Option<std::pin::Pin<Box<tokio::time::Sleep>>>);

impl http_body::Body for Messages {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        let pause = || Box::pin(tokio::time::sleep(Duration::from_millis(10)));
        let sleep = self.0.get_or_insert_with(pause);
        std::task::ready!(sleep.as_mut().poll(context));
        self.0 = Some(pause());
        let message = Bytes::from_static(b"message\n");
        std::task::Poll::Ready(Some(Ok(http_body::Frame::data(message))))
    }
}

/// Ends a service that a client holds, and gives how many connections were left.
fn check(what: &str, hold: impl FnOnce(SocketAddr) -> TcpStream) -> u64 {
    let service = Service::start(builder().drain_limit(LIMIT), router());
    let held = hold(service.address);
    std::thread::sleep(Duration::from_millis(50));
    let (ended, took) = service.end();
    drop(held);
    assert!(took < LIMIT + SLACK, "{what}: {took:?}");
    match ended {
        Ok(()) => 0,
        Err(Error::NotDrained { connections, .. }) => {
            assert!(took >= LIMIT, "{what}: {took:?}");
            connections
        }
        Err(error) => panic!("{what}: {error}"),
    }
}

/// A client that writes this and waits for nothing.
fn says(text: &str) -> impl FnOnce(SocketAddr) -> TcpStream {
    move |address| {
        let mut stream = TcpStream::connect(address).expect("it listens");
        stream.write_all(text.as_bytes()).expect("it reads");
        stream
    }
}

#[test]
fn a_client_that_never_speaks_holds_nothing() {
    let _alone = alone();
    assert_eq!(check("silent", says("")), 0, "it has no request to finish");
}

#[test]
fn half_a_request_is_dropped_at_the_limit() {
    let _alone = alone();
    let half = check("half a head", says("GET / HTTP/1.1\r\nHo"));
    assert!(half <= 1);
    // The beginning of HTTP/2, which is never finished.
    let half = check("half a preface", says("PRI * HTTP/2.0\r\n"));
    assert!(half <= 1);
}

#[test]
fn a_handler_a_stream_and_a_reader_without_end_are_cut_at_the_limit() {
    let _alone = alone();
    for path in ["/forever", "/stream", "/large"] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_eq!(check(path, says(&request)), 1, "{path}: it is said");
    }
}

#[test]
fn an_open_http_2_stream_is_cut_at_the_limit() {
    let _alone = alone();
    let client = runtime();
    let service = Service::start(builder().drain_limit(LIMIT), router());
    let address = service.address;
    let mut body = client.block_on(async {
        let stream = tokio::net::TcpStream::connect(address)
            .await
            .expect("it listens");
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                .await
                .expect("it speaks HTTP/2");
        tokio::spawn(connection);
        let request = Request::get(format!("http://{address}/stream"));
        let request = request.body(Empty::<Bytes>::new()).expect("a request");
        let mut body = sender
            .send_request(request)
            .await
            .expect("it answers")
            .into_body();
        assert!(matches!(body.frame().await, Some(Ok(_))), "it flows");
        body
    });
    let (ended, took) = service.end();
    assert!(took >= LIMIT && took < LIMIT + SLACK, "{took:?}");
    assert!(matches!(
        ended,
        Err(Error::NotDrained { connections: 1, .. })
    ));
    // What was sent before the end is read, and then it ends.
    client.block_on(async { while let Some(Ok(_)) = body.frame().await {} });
}

/// Tokio looks at signals and timers on its workers: a service must not need one to end.
#[test]
fn a_service_whose_workers_are_all_held_hears_sigterm_and_ends() {
    let _alone = alone();
    let (holds, is_held) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let released = Arc::new(Mutex::new(released));
    let blocks = move || {
        let (holds, released) = (holds.clone(), Arc::clone(&released));
        async move {
            let _ = holds.send(());
            // What nobody should do, and somebody does.
            let _ = released.lock().map(|released| released.recv());
        }
    };
    let builder = Kit::builder("held").workers(1).drain_limit(LIMIT);
    let service = Service::start(builder, Router::new().route("/", get(blocks)));
    let _client = says("GET / HTTP/1.1\r\nHost: x\r\n\r\n")(service.address);
    is_held.recv().expect("the handler runs");
    let began = Instant::now();
    signal("TERM");
    let (ended, took) = service.ended(began);
    assert!(took < LIMIT + SLACK, "{took:?}");
    let Err(Error::NotDrained { connections, .. }) = ended else {
        panic!("the request was not answered: {ended:?}");
    };
    assert_eq!(connections, 1);
    drop(release);
    // The register is the process's: other tests count in it.
    runtime().block_on(until("it has ended", || tasks::registered() == 0));
}

//! A tonic service behind the kit, asked over HTTP/2 by a client that keeps no deadline itself.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::mpsc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use shakedown_kit::{Builder, Error, Kit, tasks};
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::service::Routes;
use tower_service::Service;

use crate::{alone, runtime};

/// Answers after the time that the request's last path segment says, in ms.
#[derive(Clone)]
struct Sleeper;

impl NamedService for Sleeper {
    const NAME: &'static str = "test.v1.Sleeper";
}

impl Service<Request<Body>> for Sleeper {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let last = request.uri().path().rsplit('/').next();
        let time = last.and_then(|time| time.parse().ok()).unwrap_or(0);
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(time)).await;
            Ok(tonic::Status::not_found("nothing").into_http())
        })
    }
}

struct Server {
    kit: Kit,
    address: SocketAddr,
    /// The service's own.
    runtime: tokio::runtime::Handle,
    thread: std::thread::JoinHandle<Result<(), Error>>,
}

fn serve(builder: Builder) -> Server {
    let (tell, told) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        builder.run(async |kit: Kit| {
            let address = kit.serve("127.0.0.1:0", Routes::new(Sleeper)).await?;
            tell.send((kit, address, tokio::runtime::Handle::current()))?;
            Ok(())
        })
    });
    let (kit, address, runtime) = told.recv().expect("the setup ends well");
    Server {
        kit,
        address,
        runtime,
        thread,
    }
}

/// Status of a call, from trailers or, in an answer without a body, from the head.
async fn call(address: SocketAddr, path: &str, timeout: Option<&str>) -> String {
    let stream = tokio::net::TcpStream::connect(address)
        .await
        .expect("it listens");
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .expect("it speaks HTTP/2");
    tokio::spawn(connection);
    let mut request = Request::post(format!("http://{address}{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    if let Some(timeout) = timeout {
        request = request.header("grpc-timeout", timeout);
    }
    let request = request
        .body(Empty::<Bytes>::new())
        .expect("it is a request");
    let answer = sender.send_request(request).await.expect("it answers");
    let (head, body) = answer.into_parts();
    let trailers = body
        .collect()
        .await
        .expect("the body is whole")
        .trailers()
        .cloned();
    let status = |headers: &HeaderMap| Some(headers.get("grpc-status")?.to_str().ok()?.to_owned());
    status(&head.headers)
        .or_else(|| status(&trailers?))
        .expect("every gRPC answer has a status")
}

#[test]
fn a_tonic_service_answers_deadline_exceeded_in_time() {
    let _alone = alone();
    let server = serve(Kit::builder("test").workers(2));
    runtime().block_on(async {
        let began = Instant::now();
        let status = call(server.address, "/test.v1.Sleeper/60000", Some("150m")).await;
        assert_eq!(status, "4", "tonic alone says 1");
        assert!(began.elapsed() >= Duration::from_millis(150));
        assert!(began.elapsed() < Duration::from_secs(20));
        let in_time = call(server.address, "/test.v1.Sleeper/1", Some("20S")).await;
        assert_eq!(in_time, "5", "the service's own");
        let without = call(server.address, "/test.v1.Sleeper/1", None).await;
        assert_eq!(without, "5");
        let malformed = call(server.address, "/test.v1.Sleeper/1", Some("soon")).await;
        assert_eq!(malformed, "13");
    });
    server.kit.stop();
    let ended = server.thread.join().expect("it does not panic");
    assert!(
        ended.is_ok(),
        "an idle HTTP/2 client gets GOAWAY: {ended:?}"
    );
}

/// Without a deadline layer nobody but the connection knows what the task works for.
#[test]
fn a_request_without_any_layer_is_known_in_a_dump_while_it_runs() {
    let _alone = alone();
    let (tell, told) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        Kit::builder("test").workers(2).run(async |kit: Kit| {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
            let address = kit.serve_bare(listener, Routes::new(Sleeper))?;
            tell.send((kit, address))?;
            Ok(())
        })
    });
    let (kit, address) = told.recv().expect("the setup ends well");
    runtime().block_on(async {
        let rpc = || async {
            let dump = tasks::dump(Duration::from_secs(10)).await;
            let labels = dump.tasks.into_iter().flat_map(|task| task.labels);
            labels
                .filter(|(name, _)| name == "rpc")
                .map(|(_, value)| value)
                .collect::<Vec<_>>()
        };
        let path = "/test.v1.Sleeper/1500";
        let asked = tokio::spawn(call(address, path, Some("10m")));
        let began = Instant::now();
        while rpc().await != ["test.v1.Sleeper/1500"] {
            assert!(
                began.elapsed() < Duration::from_millis(1_400),
                "never known"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(
            asked.await.expect("it ends"),
            "5",
            "nobody held it to 10 ms"
        );
        assert_eq!(rpc().await, Vec::<String>::new(), "its task is done");
    });
    kit.stop();
    let ended = thread.join().expect("it does not panic");
    assert!(ended.is_ok(), "{ended:?}");
}

/// While its only worker is blocked, a service is told to stop and clients connect: they are in the
/// system's queue, of which the runtime knows nothing yet.
#[test]
fn who_has_connected_while_the_worker_was_blocked_is_answered_by_the_drain() {
    let _alone = alone();
    let server = serve(Kit::builder("test").workers(1));
    let path = "/test.v1.Sleeper/1";
    runtime().block_on(async {
        assert_eq!(call(server.address, path, None).await, "5", "it works");
        let (kit, address) = (server.kit.clone(), server.address);
        let (begun, is_blocked) = mpsc::channel();
        server.runtime.spawn(async move {
            let _ = begun.send(());
            std::thread::sleep(Duration::from_millis(400));
        });
        is_blocked.recv().expect("the worker is blocked");
        let clients: Vec<_> = (0..8)
            .map(|_| tokio::spawn(call(address, path, None)))
            .collect();
        tokio::time::sleep(Duration::from_millis(100)).await;
        kit.stop();
        for client in clients {
            assert_eq!(client.await.expect("it is answered"), "5");
        }
    });
    let ended = server.thread.join().expect("it does not panic");
    assert!(ended.is_ok(), "{ended:?}");
}

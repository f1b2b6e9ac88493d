//! The deadline layer around handlers, and what becomes of the tasks they spawn.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty, Full};
use shakedown_kit::deadline::{DeadlineBody, DeadlineLayer, counters};
use tower_layer::Layer;
use tower_service::Service;

use crate::{alone, runtime, until};

/// Longer than any test runs.
const FOREVER: Duration = Duration::from_secs(600);

type Answer = Response<DeadlineBody<Full<Bytes>>>;

/// How many of something are alive: each holds a clone.
#[derive(Clone, Default)]
struct Alive(Arc<AtomicUsize>);

struct One(Arc<AtomicUsize>);

impl Alive {
    fn one(&self) -> One {
        self.0.fetch_add(1, Ordering::SeqCst);
        One(Arc::clone(&self.0))
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Drop for One {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn grpc(timeout: &str) -> Request<Empty<Bytes>> {
    Request::post("/orders.v1.Orders/Get")
        .header("content-type", "application/grpc")
        .header("grpc-timeout", timeout)
        .body(Empty::new())
        .expect("it is a request")
}

/// Sends a request to a handler with the layer around it.
async fn call<F, Fut>(layer: DeadlineLayer, request: Request<Empty<Bytes>>, handler: F) -> Answer
where
    F: Fn() -> Fut,
    Fut: Future<Output = ()>,
{
    let mut service = layer.layer(Handler(|_request: Request<Empty<Bytes>>| {
        let handled = handler();
        async move {
            handled.await;
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"done"))))
        }
    }));
    service
        .call(request)
        .await
        .expect("the handler cannot fail")
}

/// A function as a service.
struct Handler<F>(F);

impl<F, B, Fut> Service<Request<B>> for Handler<F>
where
    F: FnMut(Request<B>) -> Fut,
    Fut: Future,
    Fut: Future<Output = Result<Response<Full<Bytes>>, Infallible>>,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Fut;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Fut {
        (self.0)(request)
    }
}

fn grpc_status(answer: &Answer) -> Option<&str> {
    answer.headers().get("grpc-status")?.to_str().ok()
}

#[test]
fn a_handler_ends_at_its_deadline_and_its_children_with_it() {
    let _alone = alone();
    runtime().block_on(async {
        let (handlers, children) = (Alive::default(), Alive::default());
        let began = Instant::now();
        let before = counters().exceeded;
        let answer = call(DeadlineLayer::new(), grpc("100m"), || {
            let (handler, child) = (handlers.one(), children.one());
            async move {
                let _handler = handler;
                shakedown_kit::spawn(async move {
                    let _child = child;
                    tokio::time::sleep(FOREVER).await;
                });
                assert!(
                    shakedown_kit::remaining()
                        .is_some_and(|left| left <= Duration::from_millis(100))
                );
                tokio::time::sleep(FOREVER).await;
            }
        })
        .await;
        assert_eq!(
            answer.status(),
            StatusCode::OK,
            "gRPC speaks through its status"
        );
        assert_eq!(grpc_status(&answer), Some("4"));
        assert!(began.elapsed() >= Duration::from_millis(100));
        assert_eq!(handlers.count(), 0, "dropped before the answer");
        until("the child has ended", || children.count() == 0).await;
        assert_eq!(counters().exceeded, before + 1);
    });
}

#[test]
fn after_an_answer_children_run_on_until_the_deadline() {
    let _alone = alone();
    runtime().block_on(async {
        let children = Alive::default();
        let (done, is_done) = tokio::sync::oneshot::channel();
        let done = std::sync::Mutex::new(Some(done));
        let began = Instant::now();
        let answer = call(DeadlineLayer::new(), grpc("400m"), || {
            let (short, long) = (
                done.lock().ok().and_then(|mut done| done.take()),
                children.one(),
            );
            async move {
                shakedown_kit::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    if let Some(done) = short {
                        let _ = done.send(());
                    }
                });
                shakedown_kit::spawn(async move {
                    let _long = long;
                    tokio::time::sleep(FOREVER).await;
                });
            }
        })
        .await;
        let body = answer
            .into_body()
            .collect()
            .await
            .expect("the body is whole");
        assert_eq!(body.to_bytes(), "done");
        is_done
            .await
            .expect("an audit write after a good answer is not killed");
        until("the deadline has ended the other", || children.count() == 0).await;
        assert!(
            began.elapsed() >= Duration::from_millis(400),
            "not before the deadline"
        );
    });
}

#[test]
fn a_client_that_leaves_ends_handler_and_children() {
    let _alone = alone();
    runtime().block_on(async {
        let (handlers, children) = (Alive::default(), Alive::default());
        let before = counters().client_left;
        let request = Request::get("/orders/1")
            .body(Empty::new())
            .expect("it is a request");
        let calling = call(DeadlineLayer::new(), request, || {
            let (handler, child) = (handlers.one(), children.one());
            async move {
                let _handler = handler;
                shakedown_kit::spawn(async move {
                    let _child = child;
                    shakedown_kit::cancelled().await;
                    unreachable!("it is dropped at its await, whatever it waits for");
                });
                tokio::time::sleep(FOREVER).await;
            }
        });
        assert!(
            tokio::time::timeout(Duration::from_millis(50), calling)
                .await
                .is_err()
        );
        assert_eq!(handlers.count(), 0);
        until("the child has ended", || children.count() == 0).await;
        assert_eq!(counters().client_left, before + 1);
    });
}

#[test]
fn detached_work_outlives_its_request() {
    let _alone = alone();
    runtime().block_on(async {
        let (done, is_done) = tokio::sync::oneshot::channel();
        let done = std::sync::Mutex::new(Some(done));
        let answer = call(DeadlineLayer::new(), grpc("20m"), || {
            let done = done.lock().ok().and_then(|mut done| done.take());
            async move {
                shakedown_kit::spawn_detached(async move {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    if let Some(done) = done {
                        let _ = done.send(());
                    }
                });
                tokio::time::sleep(FOREVER).await;
            }
        })
        .await;
        assert_eq!(grpc_status(&answer), Some("4"));
        is_done.await.expect("nothing ended it");
    });
}

#[test]
fn an_answer_that_comes_too_late_is_replaced_and_counted() {
    let _alone = alone();
    runtime().block_on(async {
        let before = counters().late;
        let answer = call(DeadlineLayer::new(), grpc("10m"), || async {
            std::thread::sleep(Duration::from_millis(50));
        })
        .await;
        assert_eq!(grpc_status(&answer), Some("4"));
        assert_eq!(counters().late, before + 1);
    });
}

#[test]
fn a_malformed_deadline_is_refused_before_the_handler() {
    let _alone = alone();
    runtime().block_on(async {
        for timeout in ["", "5", "5x", "123456789S", "-1S"] {
            let answer = call(DeadlineLayer::new(), grpc(timeout), || async {
                panic!("the handler must not run");
            })
            .await;
            assert_eq!(grpc_status(&answer), Some("13"), "{timeout}");
        }
    });
}

#[test]
fn http_has_the_default_and_its_own_words() {
    let _alone = alone();
    runtime().block_on(async {
        let layer = DeadlineLayer::new().default_deadline(Duration::from_millis(20));
        let request = || {
            Request::get("/orders/1")
                .body(Empty::new())
                .expect("it is a request")
        };
        let slow = call(layer, request(), || tokio::time::sleep(FOREVER)).await;
        assert_eq!(slow.status(), StatusCode::GATEWAY_TIMEOUT);
        assert_eq!(grpc_status(&slow), None);
        let unbounded = call(DeadlineLayer::new(), request(), || async {
            assert_eq!(shakedown_kit::deadline(), None);
        })
        .await;
        assert_eq!(unbounded.status(), StatusCode::OK);
        let longest = DeadlineLayer::new().longest(Duration::from_millis(20));
        let capped = call(longest, grpc("1H"), || tokio::time::sleep(FOREVER)).await;
        assert_eq!(
            grpc_status(&capped),
            Some("4"),
            "a client cannot ask for more"
        );
    });
}

/// A body that sends a message each 10 ms, for ever; or one that is always ready.
struct Messages {
    pause: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl Body for Messages {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(pause) = self.pause.as_mut() {
            ready!(pause.as_mut().poll(context));
            pause
                .as_mut()
                .reset(tokio::time::Instant::now() + Duration::from_millis(10));
        }
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"x")))))
    }
}

#[test]
fn a_response_stream_has_the_deadline_of_its_request() {
    let _alone = alone();
    runtime().block_on(async {
        for (always_ready, is_grpc) in [(false, true), (true, true), (false, false)] {
            let layer = DeadlineLayer::new().default_deadline(Duration::from_millis(100));
            let mut service = layer.layer(Streams(always_ready));
            let request = if is_grpc {
                grpc("100m")
            } else {
                Request::new(Empty::new())
            };
            let answer = service.call(request).await.expect("it answers");
            let mut body = std::pin::pin!(answer.into_body());
            let mut messages = 0;
            let end = loop {
                match body.frame().await {
                    Some(Ok(frame)) if frame.is_data() => messages += 1,
                    other => break other,
                }
            };
            assert!(messages > 0, "it flowed until then");
            match end {
                Some(Ok(frame)) if is_grpc => {
                    let trailers = frame.into_trailers().expect("trailers end it");
                    assert_eq!(trailers["grpc-status"], "4");
                }
                Some(Err(_)) if !is_grpc => {}
                other => panic!("{other:?}"),
            }
            assert!(body.frame().await.is_none(), "nothing follows");
        }
    });
}

struct Streams(bool);

impl<B> Service<Request<B>> for Streams {
    type Response = Response<Messages>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        let pause = (!self.0).then(|| Box::pin(tokio::time::sleep(Duration::from_millis(10))));
        std::future::ready(Ok(Response::new(Messages { pause })))
    }
}

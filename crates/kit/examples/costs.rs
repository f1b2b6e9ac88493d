//! What tasks, log lines, deadlines and dumps cost. `bench/kit.py` runs it, counts instructions
//! under callgrind, and sets the log line beside zap and slog.
//!
//!     costs WAY COUNT
//!
//! does WAY so many times and prints the nanoseconds of one. Two runs with different counts under
//! callgrind give the instructions of one, without the start of the program. The allocator is the
//! system's, and everything runs on one thread, so that counts are the same each time.

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::hint::black_box;
use std::io::Write;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use shakedown_kit::deadline::DeadlineLayer;
use shakedown_kit::logs::JsonLayer;
use shakedown_kit::tasks;
use tower_layer::Layer;
use tower_service::Service;
use tracing_subscriber::layer::SubscriberExt as _;

/// Log lines of one span, as many as a request of a talkative service writes.
const LINES: usize = 10;

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let way = words.get(1).map_or("", String::as_str);
    let count = words.get(2).and_then(|count| count.parse().ok());
    let count = count.unwrap_or(100_000);
    let began = Instant::now();
    match way {
        "log-line" => log_lines(count),
        "spawn-tokio" => on_runtime(spawns(count, |task| tokio::spawn(task))),
        "spawn-kit" => on_runtime(spawns(count, |task| shakedown_kit::spawn(task))),
        "poll-tokio" => on_runtime(async move {
            let _ = tokio::spawn(polls(count)).await;
        }),
        "poll-kit" => on_runtime(async move {
            let _ = shakedown_kit::spawn(polls(count)).await;
        }),
        "layer-none" => on_runtime(requests(count, Echo, None)),
        // What it costs to make a request with the header is not the layer's.
        "layer-none-held" => on_runtime(requests(count, Echo, Some("20S"))),
        "layer-idle" => on_runtime(requests(count, DeadlineLayer::new().layer(Echo), None)),
        "layer-held" => on_runtime(requests(
            count,
            DeadlineLayer::new().layer(Echo),
            Some("20S"),
        )),
        "dump" => return dump(count, words.get(3).and_then(|dumps| dumps.parse().ok())),
        _ => panic!(
            "log-line, spawn-tokio, spawn-kit, poll-tokio, poll-kit, layer-none, layer-none-held, layer-idle, layer-held or dump"
        ),
    }
    let nanos = began.elapsed().as_nanos() as f64 / count as f64;
    say(&format!("{nanos:.1}"));
}

fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn on_runtime(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(work);
}

/// A message and four fields, with the ids of their span; ten lines a span, the span included.
fn log_lines(count: usize) {
    let layer = JsonLayer::new(|line: &[u8]| {
        black_box(line);
    });
    let subscriber = tracing_subscriber::registry().with(layer);
    tracing::subscriber::with_default(subscriber, || {
        for request in 0..count / LINES {
            let span = tracing::info_span!("request");
            span.in_scope(|| {
                for line in 0..LINES {
                    tracing::info!(
                        order = request,
                        line,
                        customer = "c-4711",
                        price = 12.5,
                        "order line priced"
                    );
                }
            });
        }
    });
}

/// Spawned, run and joined one after another.
async fn spawns<F>(count: usize, spawn: F)
where
    F: Fn(Ready<usize>) -> tokio::task::JoinHandle<usize>,
{
    for n in 0..count {
        black_box(spawn(ready(n)).await.expect("it cannot fail"));
    }
}

async fn polls(count: usize) {
    for _ in 0..count {
        tokio::task::yield_now().await;
    }
}

#[derive(Clone)]
struct Echo;

impl Service<Request<()>> for Echo {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        ready(Ok(Response::new(Full::new(Bytes::from_static(b"x")))))
    }
}

/// Requests whose handler answers at once, with the body read.
async fn requests<S, B>(count: usize, mut service: S, timeout: Option<&'static str>)
where
    S: Service<Request<()>, Response = Response<B>, Error = Infallible>,
    B: http_body::Body<Data = Bytes>,
{
    for _ in 0..count {
        let mut request = Request::post("/orders.v1.Orders/Get");
        request = request.header("content-type", "application/grpc");
        if let Some(timeout) = timeout {
            request = request.header("grpc-timeout", timeout);
        }
        let request = request.body(()).expect("it is a request");
        let Ok(answer) = service.call(request).await;
        black_box(answer.into_body().collect().await.is_ok());
    }
}

/// Waits in three places, as tasks of services do.
async fn waits(n: usize) {
    let (_sender, mut receiver) = tokio::sync::mpsc::channel::<()>(1);
    match n % 3 {
        0 => tokio::time::sleep(Duration::from_secs(3600)).await,
        1 => {
            receiver.recv().await;
        }
        _ => {
            tokio::select! {
                _ = receiver.recv() => {}
                () = tokio::time::sleep(Duration::from_secs(3600)) => {}
            }
        }
    }
}

/// Prints how many milliseconds it takes to ask all tasks, for each of some dumps.
fn dump(count: usize, dumps: Option<usize>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    for n in 0..count {
        let _context = runtime.enter();
        shakedown_kit::spawn(waits(n));
    }
    // From outside of the runtime, as the admin listener asks.
    for _ in 0..dumps.unwrap_or(6) {
        let (mut took, mut seen) = (Duration::ZERO, 0);
        on_runtime(async {
            let dump = tasks::dump(Duration::from_secs(10)).await;
            let waiting = |task: &&tasks::Seen| !task.stacks.is_empty();
            (took, seen) = (dump.took, dump.tasks.iter().filter(waiting).count());
        });
        say(&format!("{:.1} {seen}", took.as_secs_f64() * 1000.0));
    }
    runtime.shutdown_background();
}

//! Serves HTTP/1 and HTTP/2 on a listener, and closes it in an order that loses no request.
//!
//! - Lame duck: HTTP/1 answers say `Connection: close`, so clients move on by themselves.
//! - Closing: what the system has accepted already is taken, then the listener is closed. What clients
//!   have sent until then is read; then HTTP/2 clients get GOAWAY, idle HTTP/1 connections are closed,
//!   others finish their request.
//!
//! In a binary swap another process has the same listener: then there is no new connection from the
//! first moment on, and HTTP/2 clients get GOAWAY, while HTTP/1 connections are as in a lame duck.

use std::error::Error;
use std::future::Future;
use std::panic::Location;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::header::CONNECTION;
use http::{HeaderValue, Request, Response, Version};
use http_body::Body;
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tower_service::Service;

use crate::labels;
use crate::request::Described;
use crate::status::{Open, Phase, Status};
use crate::swap::Handover;
use crate::tasks::{self, Kind};
use crate::trace::SpanContext;

/// A request's head has to arrive in this time.
const HEAD_PATIENCE: Duration = Duration::from_secs(30);
/// A connection on which nothing is under way is kept for so long when the service closes: what its
/// client has sent already is read then, even if the workers were too busy for it until now.
const UNREAD: Duration = Duration::from_millis(20);
/// Connections that the system accepted before the listener was closed, taken at most: the longest
/// queue that Linux keeps by default.
const QUEUE_MAX: usize = 4096;

type BoxError = Box<dyn Error + Send + Sync>;

/// A service that failed instead of answering; its connection is closed.
#[derive(Debug, thiserror::Error)]
#[error("the service failed")]
struct ServiceError(#[source] BoxError);

/// What all listeners of a service share.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) status: Arc<Status>,
    /// What another process gets if it takes over.
    pub(crate) handover: Handover,
    /// Cancelled when no new connection is wanted any more.
    pub(crate) closing: CancellationToken,
    /// Cancelled when another process has taken the listeners over.
    pub(crate) leaving: CancellationToken,
    /// Cancelled when connections are taken; from the first, unless another process serves until this
    /// one is ready.
    pub(crate) open: CancellationToken,
}

/// Accepts until closing; `open` says that there is a listener.
pub(crate) async fn serve<S, B>(listener: TcpListener, service: S, server: Server, open: Open)
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    let _open = open;
    let runtime = Handle::current();
    let mut is_open = false;
    loop {
        let accepted = tokio::select! {
            biased;
            () = server.closing.cancelled() => break,
            // What waits in the queue is the other process's: the queue is the same.
            () = server.leaving.cancelled() => return,
            () = server.open.cancelled(), if !is_open => {
                is_open = true;
                continue;
            }
            accepted = listener.accept(), if is_open => accepted,
        };
        match accepted {
            Ok((stream, _)) => launch(stream, &service, &server, &runtime),
            // Out of descriptors, most often: trying at once would only burn a core.
            Err(error) => {
                tracing::warn!(%error, "no connection accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    for stream in accepted_already(listener) {
        launch(stream, &service, &server, &runtime);
    }
}

/// Begins the task of a connection.
fn launch<S, B>(stream: TcpStream, service: &S, server: &Server, runtime: &Handle)
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    let open = server.status.connection();
    let connection = connection(stream, service.clone(), server.clone(), open);
    tasks::launch_as(
        "kit::connection",
        runtime,
        Kind::Connection,
        None,
        Location::caller(),
        connection,
    );
}

/// What the system has accepted until now. It is asked, and not the runtime: while workers were
/// blocked nobody told the runtime, and what is in the queue when the listener is closed is reset.
fn accepted_already(listener: TcpListener) -> impl Iterator<Item = TcpStream> {
    // The runtime's listeners do not block, and this one stays so.
    let listener = listener.into_std().ok();
    let next = move || {
        let (stream, _) = listener.as_ref()?.accept().ok()?;
        stream.set_nonblocking(true).ok()?;
        TcpStream::from_std(stream).ok()
    };
    std::iter::from_fn(next).take(QUEUE_MAX)
}

async fn connection<S, B>(stream: TcpStream, service: S, server: Server, open: Open)
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    let _open = open;
    // The runtime learns of what clients have sent when it next asks the system, and it asks the
    // system before it lets a timer end.
    let mut closing = pin!(async {
        server.closing.cancelled().await;
        tokio::time::sleep(UNREAD).await;
    });
    // Hyper closes a connection on which it has read nothing. A connection counts as readable when it
    // is new, so only a look at its first byte says that there is one.
    let mut first = [0];
    tokio::select! {
        biased;
        peeked = stream.peek(&mut first) => if !matches!(peeked, Ok(1)) { return },
        () = &mut closing => return,
    }
    // Small answers must not wait for an acknowledgement; without it they are only slower.
    let _ = stream.set_nodelay(true);
    let status = Arc::clone(&server.status);
    let speaks_http2 = CancellationToken::new();
    let says_goodbye = {
        let (leaving, speaks_http2) = (server.leaving.clone(), speaks_http2.clone());
        async move {
            leaving.cancelled().await;
            speaks_http2.cancelled().await;
        }
    };
    let service = service_fn(move |request: Request<Incoming>| {
        let (mut service, status) = (service.clone(), Arc::clone(&status));
        if request.version() == Version::HTTP_2 {
            speaks_http2.cancel();
        }
        async move {
            let mut request = request;
            let version = request.version();
            let described = Described::of(&request);
            let remote = SpanContext::from_headers(request.headers());
            request.extensions_mut().insert(described.clone());
            if let Err(error) = std::future::poll_fn(|context| service.poll_ready(context)).await {
                return Err(ServiceError(error.into()));
            }
            let mut handler = pin!(service.call(request));
            let mut named = None;
            let answered = std::future::poll_fn(|context| {
                let polled = handler.as_mut().poll(context);
                if polled.is_pending() {
                    named.get_or_insert_with(|| Named::unless_known(&described, remote));
                }
                polled
            });
            let answered = answered.await;
            drop(named);
            let mut response = answered.map_err(|error| ServiceError(error.into()))?;
            if status.phase() >= Phase::LameDuck && version < Version::HTTP_2 {
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(CONNECTION, close);
            }
            Ok(response)
        }
    });
    let mut builder = auto::Builder::new(RegisteringExecutor);
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE);
    builder.http2().timer(TokioTimer::new());
    let mut connection =
        pin!(builder.serve_connection_with_upgrades(TokioIo::new(stream), service));
    // Errors are the client's: it left, or spoke something else.
    tokio::select! {
        biased;
        _ = connection.as_mut() => return,
        () = &mut closing => connection.as_mut().graceful_shutdown(),
        () = says_goodbye => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// The task of a request that no deadline layer has made known: dumps show all the same what it works
/// for, until its answer begins.
struct Named(Option<u64>);

impl Named {
    fn unless_known(described: &Described, remote: Option<SpanContext>) -> Self {
        let task = tasks::current_id().filter(|task| !tasks::has_labels(*task));
        if task.is_some() {
            let trace_id = remote.map_or(0, |remote| remote.trace_id);
            tasks::work_for(task, Some(labels::register(described.labels(trace_id))));
        }
        Named(task)
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        if self.0.is_some() {
            tasks::work_for(self.0, None);
        }
    }
}

/// Spawns what hyper wants spawned, so that dumps show it: each HTTP/2 request is one task.
#[derive(Debug, Clone, Copy)]
struct RegisteringExecutor;

impl<F> Executor<F> for RegisteringExecutor
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        tasks::launch_as(
            "kit::request",
            &Handle::current(),
            Kind::Connection,
            None,
            Location::caller(),
            future,
        );
    }
}

//! Servers that answer badly, on plain sockets.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

/// How a server answers each connection.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reply {
    /// Never.
    Hang,
    /// By closing when something has come.
    Close,
    /// With these bytes when something has come.
    Bytes(&'static [u8]),
    /// With these bytes before anything comes.
    First(&'static [u8]),
    /// With a body that never ends.
    Endless,
}

/// A server; it ends with this.
pub(crate) struct Server {
    pub(crate) reach: String,
    /// Connections accepted so far.
    pub(crate) accepted: Arc<AtomicUsize>,
    /// Connections that the other side has closed.
    pub(crate) closed: UnboundedReceiver<()>,
    /// The first that each connection of a plain server heard.
    pub(crate) heard: UnboundedReceiver<Vec<u8>>,
    _tasks: JoinSet<()>,
}

pub(crate) async fn server(reply: Reply) -> Server {
    let (first, heard) = unbounded_channel();
    let each = move |stream, closed: UnboundedSender<()>| {
        let first = first.clone();
        async move {
            // How the other side leaves is what the tests look at.
            let _ = answer(stream, reply, first).await;
            let _ = closed.send(());
        }
    };
    Server {
        heard,
        ..serve(each).await
    }
}

async fn serve<F>(each: impl Fn(TcpStream, UnboundedSender<()>) -> F + Send + 'static) -> Server
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let reach = listener.local_addr().expect("an address").to_string();
    let accepted = Arc::new(AtomicUsize::new(0));
    let (sender, closed) = unbounded_channel();
    let count = Arc::clone(&accepted);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            connections.spawn(each(stream, sender.clone()));
        }
    });
    Server {
        reach,
        accepted,
        closed,
        heard: unbounded_channel().1,
        _tasks: tasks,
    }
}

async fn answer(
    mut stream: TcpStream,
    reply: Reply,
    first: UnboundedSender<Vec<u8>>,
) -> std::io::Result<()> {
    let mut come = [0; 4096];
    if let Reply::First(bytes) = reply {
        stream.write_all(bytes).await?;
    }
    let length = stream.read(&mut come).await?;
    if length == 0 {
        return Ok(());
    }
    let _ = first.send(come[..length].to_vec());
    match reply {
        Reply::Close => return Ok(()),
        Reply::Bytes(bytes) => {
            stream.write_all(bytes).await?;
            return stream.shutdown().await;
        }
        Reply::Endless => {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
                .await?;
            loop {
                stream.write_all(&[b'x'; 64 << 10]).await?;
            }
        }
        Reply::Hang | Reply::First(_) => {}
    }
    // Until the other side leaves.
    while stream.read(&mut come).await? > 0 {}
    Err(ErrorKind::UnexpectedEof.into())
}

/// An address where nothing listens.
pub(crate) async fn refused() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    listener.local_addr().expect("an address").to_string()
}

/// How a server that speaks HTTP/2 answers each call.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Call {
    /// With this reset.
    Reset(h2::Reason),
    /// With a page.
    Page(u16),
    /// With a message and no trailers.
    NoStatus,
    /// With trailers only.
    TrailersOnly(&'static str, &'static str),
    /// Never.
    Hang,
    /// By saying goodbye, the connection's streams unanswered.
    GoAway,
}

/// What the caller did to a call that was left hanging.
pub(crate) struct Http2 {
    pub(crate) server: Server,
    pub(crate) resets: UnboundedReceiver<h2::Reason>,
}

pub(crate) async fn http2(how: Call) -> Http2 {
    let (resets, come) = unbounded_channel();
    let server = serve(move |stream, closed| {
        let resets = resets.clone();
        async move {
            let mut calls = JoinSet::new();
            let mut connection = h2::server::handshake(stream).await.expect("a preface");
            while let Some(Ok((request, respond))) = connection.accept().await {
                if matches!(how, Call::GoAway) {
                    connection.abrupt_shutdown(h2::Reason::ENHANCE_YOUR_CALM);
                }
                calls.spawn(reply(how, request, respond, resets.clone()));
            }
            let _ = closed.send(());
        }
    })
    .await;
    Http2 {
        server,
        resets: come,
    }
}

async fn reply(
    how: Call,
    request: http::Request<h2::RecvStream>,
    mut respond: h2::server::SendResponse<Bytes>,
    resets: UnboundedSender<h2::Reason>,
) {
    let head = |status: u16, kind: &'static str| {
        let response = Response::builder()
            .status(status)
            .header("content-type", kind);
        response.body(()).expect("a response")
    };
    match how {
        Call::Reset(reason) => respond.send_reset(reason),
        Call::Page(status) => {
            let mut body = respond
                .send_response(head(status, "text/html"), false)
                .expect("a head");
            let _ = body.send_data(Bytes::from_static(b"<html>"), true);
        }
        Call::NoStatus => {
            let mut body = respond
                .send_response(head(200, "application/grpc"), false)
                .expect("a head");
            let _ = body.send_data(Bytes::from_static(&[0; 5]), true);
        }
        Call::TrailersOnly(code, message) => {
            let mut response = head(200, "application/grpc");
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", HeaderValue::from_static(code));
            trailers.insert("grpc-message", HeaderValue::from_static(message));
            response.headers_mut().extend(trailers);
            let _ = respond.send_response(response, true);
        }
        Call::Hang | Call::GoAway => {
            let reason = std::future::poll_fn(|cx| respond.poll_reset(cx)).await;
            let _ = reason.map(|reason| resets.send(reason));
        }
    }
    drop(request);
}

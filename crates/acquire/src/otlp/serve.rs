//! The accept loop and what happens to one connection.
//!
//! Whoever knows our own port was told it by us. To the well-known ones every service on the
//! machine exports that was told nothing: there only processes of the run are listened to, so that
//! a neighbour's spans and mistakes are not taken for those of the service.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::answer::answer;
use super::intake::Intake;
use super::receiver::Senders;
use crate::{listeners, process};

/// Failed accepts in a row after which the receiver gives up: with the pause between them five
/// seconds, in which a process that ran out of descriptors may recover.
const ACCEPT_ERRORS: u32 = 50;
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Requests of one HTTP/2 connection at one time; exporters send one after the other.
const STREAMS: u32 = 32;
/// Headers of one request; those of an exporter take some 300 bytes.
const HEADERS_BYTES: u32 = 16 << 10;
/// What hyper buffers of one HTTP/1.1 connection.
const HTTP1_BUFFER: usize = 64 << 10;
/// First byte of every TLS connection (RFC 8446, section 5.1: `handshake`).
const TLS_HANDSHAKE: u8 = 0x16;

/// Accepts until told to stop; an error says why it could not go on. `own` is the listener that
/// only processes of ours know; `more` brings those that strangers know.
pub(super) async fn serve(
    own: TcpListener,
    mut more: mpsc::Receiver<TcpListener>,
    senders: Senders,
    intake: Arc<Intake>,
    mut stop: watch::Receiver<bool>,
) -> Result<(), String> {
    let mut listeners = vec![own];
    let for_connections = stop.clone();
    let mut connections = JoinSet::new();
    let mut errors = 0;
    loop {
        tokio::select! {
            accepted = accept(&listeners) => match accepted {
                Ok(accepted) => {
                    errors = 0;
                    if connections.len() < intake.limits.connections {
                        connections.spawn(connection(accepted, senders, Arc::clone(&intake), for_connections.clone()));
                    } else {
                        let limit = intake.limits.connections;
                        intake.refuse(format!("more than {limit} connections"));
                    }
                }
                Err(error) => {
                    errors += 1;
                    if errors == ACCEPT_ERRORS {
                        return Err(format!("accepting failed {errors} times in a row: {error}"));
                    }
                    sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(listener) = more.recv() => listeners.push(listener),
            Some(_) = connections.join_next() => {}
            () = told_to_stop(&mut stop) => break,
        }
    }
    drop(listeners);
    let drained = async { while connections.join_next().await.is_some() {} };
    // What does not end in time is aborted with the set.
    let _ = timeout(intake.limits.drain, drained).await;
    Ok(())
}

/// Ends when the owner says so, or is gone.
async fn told_to_stop(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

struct Accepted {
    stream: TcpStream,
    /// It came to a port that strangers know.
    well_known: bool,
}

async fn accept(listeners: &[TcpListener]) -> io::Result<Accepted> {
    std::future::poll_fn(|cx| {
        for (position, listener) in listeners.iter().enumerate() {
            if let Poll::Ready(accepted) = listener.poll_accept(cx) {
                return Poll::Ready(accepted.map(|(stream, _)| Accepted {
                    stream,
                    well_known: position > 0,
                }));
            }
        }
        Poll::Pending
    })
    .await
}

/// Whether a process that is listened to opened the connection; yes where that cannot be seen.
async fn is_heard(stream: &TcpStream, senders: Senders) -> bool {
    let also = match senders {
        Senders::Ours => None,
        Senders::OursAnd(pid) => Some(pid),
        Senders::Anyone => return true,
    };
    let (Ok(from), Ok(to)) = (stream.peer_addr(), stream.local_addr()) else {
        return true;
    };
    let looked = tokio::task::spawn_blocking(move || {
        let mut heard = process::ours();
        heard.extend(also.into_iter().flat_map(process::family));
        listeners::holds(&heard, from, to)
    });
    !matches!(looked.await, Ok(Ok(false)))
}

async fn connection(
    accepted: Accepted,
    senders: Senders,
    intake: Arc<Intake>,
    stop: watch::Receiver<bool>,
) {
    let Accepted { stream, well_known } = accepted;
    if well_known && !is_heard(&stream, senders).await {
        return;
    }
    // Whoever comes to a well-known port while everybody may is most likely a neighbour.
    let refuse = |why: String| {
        if well_known && senders == Senders::Anyone {
            intake.stranger(&why);
        } else {
            intake.refuse(why);
        }
    };
    let mut first = [0];
    match timeout(intake.limits.first_request, stream.peek(&mut first)).await {
        Ok(Ok(1)) if first[0] == TLS_HANDSHAKE => {
            refuse("an exporter began TLS, which this port does not speak: its code asks for credentials, or its endpoint is https".into());
            return;
        }
        Ok(Ok(1..)) => {}
        // Closed without a word, or silent.
        _ => return,
    }
    if let Err(error) = speak(stream, &intake, stop).await
        && is_garbage(error.as_ref())
    {
        refuse(format!(
            "a connection spoke neither HTTP/1.1 nor HTTP/2: {error}"
        ));
    }
}

async fn speak(
    stream: TcpStream,
    intake: &Arc<Intake>,
    mut stop: watch::Receiver<bool>,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let limits = intake.limits;
    let quiet = Arc::new(Quiet::new());
    let service = service_fn(|request| {
        let under_way = quiet.begin();
        let answer = answer(Arc::clone(intake), request);
        async move {
            let answer = answer.await;
            drop(under_way);
            Ok::<_, Infallible>(answer)
        }
    });
    let builder = builder(limits.idle);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let mut deadline = Instant::now() + limits.first_request;
    let mut ending = false;
    loop {
        tokio::select! {
            ended = connection.as_mut() => return ended,
            () = sleep_until(deadline) => {
                if ending {
                    return Ok(());
                }
                match quiet.deadline(limits.idle) {
                    Some(later) if later > Instant::now() => deadline = later,
                    _ => {
                        ending = true;
                        deadline = Instant::now() + limits.drain;
                        connection.as_mut().graceful_shutdown();
                    }
                }
            }
            () = told_to_stop(&mut stop), if !ending => {
                ending = true;
                deadline = Instant::now() + limits.drain;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

fn builder(idle: Duration) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    // hyper counts this from the end of the last answer: it bounds idle and slow clients alike.
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(idle)
        .max_buf_size(HTTP1_BUFFER);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEADERS_BYTES);
    builder
}

/// hyper's error for bytes that are no HTTP; a client that went away is not garbage, and what it
/// left unfinished was written down with its request.
fn is_garbage(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    let http1 = error
        .downcast_ref::<hyper::Error>()
        .is_some_and(hyper::Error::is_parse);
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<h2::Error>() {
            return !error.is_io() && error.is_library();
        }
        cause = error.source();
    }
    http1
}

/// When a connection was last busy.
struct Quiet {
    under_way: AtomicUsize,
    /// Nothing before the first request.
    since: Mutex<Option<Instant>>,
}

struct UnderWay(Arc<Quiet>);

impl Quiet {
    const fn new() -> Self {
        Self {
            under_way: AtomicUsize::new(0),
            since: Mutex::new(None),
        }
    }

    fn begin(self: &Arc<Self>) -> UnderWay {
        self.under_way.fetch_add(1, Ordering::AcqRel);
        UnderWay(Arc::clone(self))
    }

    /// Until when the connection may stay; nothing if it has not sent a request.
    fn deadline(&self, idle: Duration) -> Option<Instant> {
        if self.under_way.load(Ordering::Acquire) > 0 {
            return Some(Instant::now() + idle);
        }
        let since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        since.map(|since| since + idle)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let now = Some(Instant::now());
        *self.0.since.lock().unwrap_or_else(PoisonError::into_inner) = now;
        self.0.under_way.fetch_sub(1, Ordering::AcqRel);
    }
}

//! The listener, on its own thread and runtime.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};
use tokio_util::sync::CancellationToken;

use super::{Access, AdminError, TOKEN_MIN, routes};
use crate::lifecycle::Server;
use crate::status::Status;
use crate::swap::{ADMIN, Handover};

/// More at once is nobody who debugs.
const CONNECTIONS_MAX: usize = 32;
/// A request's head has to arrive in this time.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);

/// A running admin listener; it ends when this is dropped.
#[derive(Debug)]
pub struct Admin {
    address: Option<SocketAddr>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
    unix: Option<std::path::PathBuf>,
    /// Another process has the socket from then on.
    leaving: CancellationToken,
}

impl Admin {
    /// Where it listens; `None` for a Unix socket.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // Its runtime ends at its next await; a panic there was logged by the hook already.
            let _ = thread.join();
        }
        if let Some(path) = self.unix.take()
            && !self.leaving.is_cancelled()
        {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// What each connection needs.
pub(super) struct Context {
    pub(super) access: Access,
    /// The runtime of the service, whose tasks are counted.
    pub(super) service: Handle,
    pub(super) status: Arc<Status>,
}

enum Listener {
    Tcp(tokio::net::TcpListener),
    #[cfg(unix)]
    Unix(tokio::net::UnixListener),
}

/// Opens the listener and begins to answer, about the runtime `service`.
pub(crate) fn start(access: Access, service: Handle, server: &Server) -> Result<Admin, AdminError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| AdminError::Open {
            place: "its runtime".to_owned(),
            source,
        })?;
    let (listener, address, unix) = {
        let _context = runtime.enter();
        open(&access, &server.handover)?
    };
    let (stop, stopped) = oneshot::channel();
    let context = Arc::new(Context {
        access,
        service,
        status: Arc::clone(&server.status),
    });
    let leaving = server.leaving.clone();
    let (open, until) = (server.open.clone(), leaving.clone());
    let serve = move || {
        runtime.block_on(async {
            let ends = async {
                // The process that serves until this one is ready answers probes until then.
                open.cancelled().await;
                tokio::select! {
                    () = accept(listener, context) => {}
                    // The listener goes, and what is being asked is answered: a profile takes its time.
                    () = until.cancelled() => std::future::pending().await,
                }
            };
            tokio::select! {
                () = ends => {}
                // Dropped is as good as sent.
                _ = stopped => {}
            }
        });
    };
    let thread = std::thread::Builder::new()
        .name("kit-admin".to_owned())
        .spawn(serve)
        .map_err(|source| AdminError::Open {
            place: "its thread".to_owned(),
            source,
        })?;
    Ok(Admin {
        address,
        stop: Some(stop),
        thread: Some(thread),
        unix,
        leaving,
    })
}

type Opened = (Listener, Option<SocketAddr>, Option<std::path::PathBuf>);

fn open(access: &Access, handover: &Handover) -> Result<Opened, AdminError> {
    match access {
        Access::Loopback(address) if !address.ip().is_loopback() => {
            Err(AdminError::NotLoopback(*address))
        }
        Access::Token { token, .. } if token.len() < TOKEN_MIN => {
            Err(AdminError::WeakToken(token.len()))
        }
        Access::Loopback(address) | Access::Token { address, .. } => {
            let refused = |source| AdminError::Open {
                place: address.to_string(),
                source,
            };
            let listener = match handover.take(ADMIN, *address) {
                Some(listener) => listener,
                None => TcpListener::bind(address).map_err(refused)?,
            };
            handover.keep(ADMIN.to_owned(), &listener);
            listener.set_nonblocking(true).map_err(refused)?;
            let bound = listener.local_addr().map_err(refused)?;
            let listener = tokio::net::TcpListener::from_std(listener).map_err(refused)?;
            Ok((Listener::Tcp(listener), Some(bound), None))
        }
        Access::Unix(path) => open_unix(path, handover).map_err(|source| AdminError::Open {
            place: path.display().to_string(),
            source,
        }),
    }
}

#[cfg(unix)]
fn open_unix(path: &Path, handover: &Handover) -> std::io::Result<Opened> {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixStream;

    if let Some(listener) = handover.take_unix(path) {
        let listener = tokio::net::UnixListener::from_std(listener)?;
        handover.keep(ADMIN.to_owned(), &listener);
        return Ok((Listener::Unix(listener), None, Some(path.to_owned())));
    }
    // What a process that was killed left behind refuses connections; what lives answers.
    if path.exists()
        && UnixStream::connect(path)
            .is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused)
    {
        std::fs::remove_file(path)?;
    }
    let listener = tokio::net::UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    handover.keep(ADMIN.to_owned(), &listener);
    Ok((Listener::Unix(listener), None, Some(path.to_owned())))
}

#[cfg(not(unix))]
fn open_unix(_: &Path, _: &Handover) -> std::io::Result<Opened> {
    Err(std::io::ErrorKind::Unsupported.into())
}

async fn accept(listener: Listener, context: Arc<Context>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        // Never closed, so there is always a place some time.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let context = Arc::clone(&context);
        let accepted = match &listener {
            Listener::Tcp(listener) => listener.accept().await.map(|(stream, _)| {
                tokio::spawn(async move {
                    serve(stream, context).await;
                    drop(place);
                })
            }),
            #[cfg(unix)]
            Listener::Unix(listener) => listener.accept().await.map(|(stream, _)| {
                tokio::spawn(async move {
                    serve(stream, context).await;
                    drop(place);
                })
            }),
        };
        if accepted.is_err() {
            // Out of descriptors, most often: trying at once would only burn a core.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, context: Arc<Context>) {
    let service = service_fn(|request| {
        let context = Arc::clone(&context);
        async move { Ok::<_, std::convert::Infallible>(routes::answer(&request, &context).await) }
    });
    // Errors are the client's: it left, or spoke something else.
    let _ = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .max_buf_size(16 * 1024)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

//! Clients that do as real ones do, and count what a client cannot excuse.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};

/// No answer within this is none.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two requests of one client: there are others on the machine.
const PAUSE: Duration = Duration::from_micros(500);

/// What became of all requests.
pub(crate) struct Tally {
    pub(crate) answered: u64,
    pub(crate) failed: Vec<String>,
    pub(crate) by_kind: String,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    answered: AtomicU64,
    failed: Mutex<Vec<String>>,
    by_kind: Mutex<BTreeMap<&'static str, u64>>,
}

/// New connections, kept ones of HTTP/1 and HTTP/2, slow requests and idle connections, until the end.
pub(crate) struct Clients {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Clients {
    pub(crate) fn start(address: SocketAddr) -> Self {
        let shared = Arc::new(Shared::default());
        type Client = fn(SocketAddr, &Shared);
        let clients: [Client; 6] = [
            |address, shared| shared.repeat("new", PAUSE, || ask(address, "/")),
            |address, shared| shared.repeat("new", PAUSE, || ask(address, "/")),
            |address, shared| shared.repeat("slow", PAUSE, || ask(address, "/slow")),
            |address, shared| {
                let mut kept = Kept::new(address);
                shared.repeat("kept", PAUSE, || kept.ask("/"));
            },
            // Idle for most of the time: the old process has to wait for the next request.
            |address, shared| {
                let mut kept = Kept::new(address);
                shared.repeat("idle", Duration::from_millis(700), || kept.ask("/"));
            },
            http2,
        ];
        let threads = clients.map(|client| {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || client(address, &shared))
        });
        Clients {
            shared,
            threads: threads.into(),
        }
    }

    pub(crate) fn answered(&self) -> u64 {
        self.shared.answered.load(Ordering::Relaxed)
    }

    pub(crate) fn end(self) -> Tally {
        self.shared.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().expect("a client does not panic");
        }
        Tally {
            answered: self.shared.answered.load(Ordering::Relaxed),
            failed: self.shared.failed.lock().expect("nobody panics").clone(),
            by_kind: format!("{:?}", self.shared.by_kind.lock().expect("nobody panics")),
        }
    }
}

impl Shared {
    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    fn repeat(
        &self,
        kind: &'static str,
        pause: Duration,
        mut ask: impl FnMut() -> Result<String, String>,
    ) {
        while self.goes_on() {
            self.count(kind, ask());
            std::thread::sleep(pause);
        }
    }

    fn count(&self, kind: &'static str, answer: Result<String, String>) {
        let is_pid = |body: &String| body.parse::<u32>().is_ok();
        match answer {
            Ok(body) if is_pid(&body) => {
                self.answered.fetch_add(1, Ordering::Relaxed);
                *self
                    .by_kind
                    .lock()
                    .expect("nobody panics")
                    .entry(kind)
                    .or_default() += 1;
            }
            Ok(body) => self.fail(format!("{kind}: answered {body:?}")),
            Err(error) => self.fail(format!("{kind}: {error}")),
        }
    }

    fn fail(&self, what: String) {
        self.failed.lock().expect("nobody panics").push(what);
    }
}

/// The body of one GET on a connection of its own.
pub(crate) fn ask(address: SocketAddr, path: &str) -> Result<String, String> {
    Kept::new(address).ask_and(path, "Connection: close\r\n")
}

/// An HTTP/1 connection that is used again until the server says `Connection: close`.
pub(crate) struct Kept {
    address: SocketAddr,
    connection: Option<BufReader<TcpStream>>,
}

impl Kept {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Kept {
            address,
            connection: None,
        }
    }

    /// Whether the next request goes out on a connection that is there.
    pub(crate) fn is_open(&self) -> bool {
        self.connection.is_some()
    }

    pub(crate) fn ask(&mut self, path: &str) -> Result<String, String> {
        self.ask_and(path, "")
    }

    fn ask_and(&mut self, path: &str, more: &str) -> Result<String, String> {
        let is_new = self.connection.is_none();
        let how = if is_new {
            "new connection"
        } else {
            "kept connection"
        };
        self.answer(path, more).map_err(|error| {
            self.connection = None;
            format!("{error} ({how})")
        })
    }

    fn answer(&mut self, path: &str, more: &str) -> std::io::Result<String> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let stream = TcpStream::connect(self.address)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_nodelay(true)?;
                BufReader::new(stream)
            }
        };
        let address = self.address;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{more}\r\n");
        connection.get_mut().write_all(request.as_bytes())?;
        let (mut length, mut closes, mut first) = (0, false, true);
        loop {
            let mut line = String::new();
            if connection.read_line(&mut line)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            let line = line.trim_end().to_ascii_lowercase();
            if first && !line.starts_with("http/1.1 200") {
                return Err(std::io::Error::other(line));
            }
            first = false;
            match line.split_once(": ") {
                Some(("content-length", value)) => length = value.parse().unwrap_or(0),
                Some(("connection", "close")) => closes = true,
                None if line.is_empty() => break,
                _ => {}
            }
        }
        let mut body = vec![0; length];
        connection.read_exact(&mut body)?;
        if !closes {
            self.connection = Some(connection);
        }
        Ok(String::from_utf8_lossy(&body).into_owned())
    }
}

/// HTTP/2 on one connection until the server says GOAWAY.
fn http2(address: SocketAddr, shared: &Shared) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(async {
        while shared.goes_on() {
            if let Err(error) = http2_connection(address, shared).await {
                shared.fail(format!("http/2: {error}"));
            }
        }
    });
}

type BoxError = Box<dyn std::error::Error>;

/// One connection: an error is what a client cannot excuse.
async fn http2_connection(address: SocketAddr, shared: &Shared) -> Result<(), BoxError> {
    let stream = tokio::net::TcpStream::connect(address).await?;
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    // Not ready any more: the server said GOAWAY, and nothing was sent.
    while shared.goes_on() && sender.ready().await.is_ok() {
        match tokio::time::timeout(PATIENCE, http2_request(address, &mut sender)).await?? {
            Some(body) => shared.count("http/2", Ok(body)),
            None => break,
        }
        tokio::time::sleep(PAUSE).await;
    }
    connection.abort();
    Ok(())
}

/// None: it was given back without being sent, and the next connection takes it.
async fn http2_request(
    address: SocketAddr,
    sender: &mut http2::SendRequest<Empty<Bytes>>,
) -> Result<Option<String>, BoxError> {
    let request = Request::get(format!("http://{address}/")).body(Empty::new())?;
    let answer = match sender.try_send_request(request).await {
        Ok(answer) => answer,
        Err(mut failed) => {
            return match failed.take_message() {
                Some(_) => Ok(None),
                None => Err(failed.into_error().into()),
            };
        }
    };
    let body = answer.into_body().collect().await?.to_bytes();
    Ok(Some(String::from_utf8_lossy(&body).into_owned()))
}

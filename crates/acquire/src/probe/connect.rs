//! Connections, and the tasks that drive them.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::rustls::ClientConfig;

use super::greeting;
use super::stream::{Plain, Stream};
use super::tls::{self, Inside, TLS};

/// A listener on this machine accepts within microseconds; a full backlog takes seconds.
pub(crate) const CONNECT: Duration = Duration::from_secs(2);
/// How long a connection that is being closed may take to say so to its peer.
const FAREWELL: Duration = Duration::from_millis(500);
/// A connection that has broken a stream ends in the same turn of its task.
const LAST_WORDS: Duration = Duration::from_millis(50);

/// What is before the path of a Unix socket in an address.
pub(crate) const UNIX: &str = "unix:";

/// Connects to `reach` to speak HTTP/1.1: `host:port`, `unix:` and the path of a socket, or `tls:`
/// and one of these.
pub(crate) async fn dial(reach: &str) -> Result<Stream, String> {
    dial_for(reach, Inside::Http1).await
}

/// The same for what is to be spoken inside of TLS, where that is agreed upon in the handshake.
pub(crate) async fn dial_for(reach: &str, inside: Inside) -> Result<Stream, String> {
    let address = reach.strip_prefix(TLS).unwrap_or(reach);
    let connecting = async {
        let plain = plain(address)
            .await
            .map_err(|error| refused(address, &error))?;
        Ok(if address.len() < reach.len() {
            Stream::tls(tls::enter(address, plain, inside).await?)
        } else {
            Stream::plain(plain)
        })
    };
    timeout(CONNECT, connecting).await.unwrap_or_else(|_| {
        Err(format!(
            "{reach}: no connection within {CONNECT:?}; is its backlog full, or a firewall between?"
        ))
    })
}

/// TLS to `address` with a configuration of its own; who asks sets the deadline.
pub(super) async fn dial_tls(address: &str, config: ClientConfig) -> Result<Stream, String> {
    let plain = plain(address)
        .await
        .map_err(|error| refused(address, &error))?;
    let entered = tls::handshake(address, plain, config, Inside::Http1).await;
    Ok(Stream::tls(entered.map_err(|error| {
        let said = error.to_string();
        let remedy = if said.contains("certificate") {
            "; -tls_ca FILE with the authority of its certificate, or https+insecure:// for a server that you trust anyway"
        } else if said.contains("corrupt message") {
            "; does it speak TLS at all? http:// is without"
        } else {
            ""
        };
        format!("the TLS handshake failed: {error}{remedy}")
    })?))
}

async fn plain(address: &str) -> io::Result<Plain> {
    if let Some(path) = address.strip_prefix(UNIX) {
        return UnixStream::connect(path).await.map(Plain::Unix);
    }
    // The address as it stands, without asking a resolver.
    let stream = match address.parse::<SocketAddr>() {
        Ok(address) => TcpStream::connect(address).await?,
        Err(_) => TcpStream::connect(address).await?,
    };
    // Without this a small request may wait for an acknowledgement.
    let _ = stream.set_nodelay(true);
    Ok(Plain::Tcp(stream))
}

fn refused(address: &str, error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::ConnectionRefused {
        format!("{address}: connection refused; nothing listens there")
    } else {
        format!("{address}: no connection: {error}")
    }
}

/// The address to speak to: with `tls:` before it where TLS is spoken and somebody is believed.
///
/// A listener that speaks something else is asked in TLS by this, which only those hear that said
/// whom they believe.
pub async fn reach_of(address: &str) -> String {
    let asks = tls::is_spoken() && !address.starts_with(TLS);
    if asks && greeting::is_tls(address, CONNECT).await {
        format!("{TLS}{address}")
    } else {
        address.to_owned()
    }
}

/// The name by which a listener is addressed in requests. A Unix socket has none; gRPC and curl
/// say `localhost`.
pub(crate) fn authority(reach: &str) -> &str {
    let address = reach.strip_prefix(TLS).unwrap_or(reach);
    if address.starts_with(UNIX) {
        "localhost"
    } else {
        address
    }
}

/// Whether a connection to `reach` can be made at all; it is closed at once.
///
/// # Errors
/// What came instead, with the address.
pub async fn reachable(reach: &str) -> Result<(), String> {
    dial(reach).await.map(drop)
}

/// The task that moves a connection's bytes. Dropping it closes the connection.
#[derive(Debug)]
pub(crate) struct Driver(JoinHandle<()>);

impl Driver {
    pub(crate) fn spawn(connection: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(connection))
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.0.is_finished()
    }

    /// Lets the connection end by itself, then closes it and waits until it is closed.
    pub(crate) async fn finish(mut self) {
        if timeout(FAREWELL, &mut self.0).await.is_err() {
            self.0.abort();
            let _ = (&mut self.0).await;
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Where calls of one HTTP/2 connection are opened.
#[derive(Debug, Clone)]
pub(crate) struct Channel {
    pub(crate) send: SendRequest<Bytes>,
    pub(crate) authority: String,
    /// `http`, or `https` inside of TLS.
    pub(crate) scheme: &'static str,
    /// How the connection ended, as the peer said it: a stream only sees that it did.
    last_words: watch::Receiver<Option<String>>,
}

impl Channel {
    /// How the connection ended, if it has or is about to.
    pub(crate) async fn last_words(&self) -> Option<String> {
        let mut words = self.last_words.clone();
        let said = timeout(LAST_WORDS, words.wait_for(Option::is_some)).await;
        said.ok()?.ok()?.clone()
    }
}

/// An HTTP/2 connection: by prior knowledge, or as TLS agreed upon.
#[derive(Debug)]
pub(crate) struct H2c {
    pub(crate) channel: Channel,
    ping: Option<h2::PingPong>,
    driver: Driver,
}

impl H2c {
    /// Connects and sends the preface; whether the peer speaks HTTP/2 is not known yet.
    pub(crate) async fn connect(reach: &str) -> Result<Self, String> {
        Self::over(dial_for(reach, Inside::Http2).await?, reach).await
    }

    /// The same over a connection on which we have said nothing so far.
    pub(crate) async fn over(stream: Stream, reach: &str) -> Result<Self, String> {
        let mut builder = h2::client::Builder::new();
        builder
            .initial_window_size(1 << 20)
            .initial_connection_window_size(16 << 20)
            .max_header_list_size(64 << 10)
            // Audits reset many streams; answers that are still on their way to those must not
            // be taken for an error of the connection.
            .max_concurrent_reset_streams(4096)
            .enable_push(false);
        let handshake = timeout(CONNECT, builder.handshake(stream));
        let (send, mut connection) = match handshake.await {
            Ok(made) => made.map_err(|error| format!("{reach}: no HTTP/2 connection: {error}"))?,
            Err(_) => {
                return Err(format!(
                    "{reach}: the HTTP/2 preface could not be sent within {CONNECT:?}"
                ));
            }
        };
        let ping = connection.ping_pong();
        let (words, last_words) = watch::channel(None);
        let driver = Driver::spawn(async move {
            let said = connection
                .await
                .map_or_else(|error| go_away(&error), |()| String::new());
            words.send_replace(Some(said));
        });
        let authority = authority(reach).to_owned();
        Ok(Self {
            channel: Channel {
                send,
                authority,
                scheme: if reach.starts_with(TLS) {
                    "https"
                } else {
                    "http"
                },
                last_words,
            },
            ping,
            driver,
        })
    }

    /// The peer has answered as HTTP/2 does: it acknowledged a PING.
    pub(crate) async fn answers(&mut self) -> Result<(), h2::Error> {
        match &mut self.ping {
            Some(ping) => ping.ping(h2::Ping::opaque()).await.map(|_| ()),
            None => Ok(()),
        }
    }

    /// New streams may be opened on it.
    pub(crate) async fn is_usable(&self) -> bool {
        !self.driver.is_finished() && self.channel.send.clone().ready().await.is_ok()
    }

    /// Opens no more streams; the connection ends, with GOAWAY, when those that are open have.
    pub(crate) fn retire(self) -> Driver {
        self.driver
    }

    /// Closes the connection and waits until it is closed.
    pub(crate) async fn close(self) {
        self.retire().finish().await;
    }
}

/// What a GOAWAY says, or the error that ended the connection.
pub(crate) fn go_away(error: &h2::Error) -> String {
    match error.reason() {
        Some(reason) if error.is_go_away() && error.is_remote() => {
            format!("the server closed the connection with GOAWAY {reason:?}: {error}")
        }
        Some(reason) => format!("the server's answer is not correct HTTP/2 ({reason:?}): {error}"),
        None => format!("the connection broke: {error}"),
    }
}

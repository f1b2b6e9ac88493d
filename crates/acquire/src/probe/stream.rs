//! One connection to a listener, whatever it goes over.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

/// Bytes that are read ahead at once, to see who speaks.
const AHEAD: usize = 256;

/// A connection. What was read ahead of it is read again by the next one who reads.
#[derive(Debug)]
pub(crate) struct Stream {
    ahead: BytesMut,
    over: Over,
}

#[derive(Debug)]
enum Over {
    Plain(Plain),
    Tls(Box<TlsStream<Plain>>),
}

/// A connection as the system gives it.
#[derive(Debug)]
pub(crate) enum Plain {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    pub(crate) fn plain(stream: Plain) -> Self {
        Self::over(Over::Plain(stream))
    }

    pub(crate) fn tls(stream: TlsStream<Plain>) -> Self {
        Self::over(Over::Tls(Box::new(stream)))
    }

    /// TLS, in whose handshake HTTP/2 was agreed upon.
    pub(crate) fn agreed_on_http2(&self) -> bool {
        match &self.over {
            Over::Plain(_) => false,
            Over::Tls(stream) => stream.get_ref().1.alpn_protocol() == Some(b"h2"),
        }
    }

    fn over(over: Over) -> Self {
        Self {
            ahead: BytesMut::new(),
            over,
        }
    }

    /// Waits for the peer to speak, and gives its first bytes without taking them; none if it has
    /// closed.
    pub(crate) async fn peek(&mut self) -> io::Result<&[u8]> {
        if self.ahead.is_empty() {
            let mut first = [0; AHEAD];
            let length = self.read(&mut first).await?;
            self.ahead.extend_from_slice(&first[..length]);
        }
        Ok(&self.ahead)
    }

    /// The peer has closed: a read would give nothing, at once.
    pub(crate) async fn is_closed(&mut self) -> bool {
        match timeout(Duration::ZERO, self.peek()).await {
            Ok(Ok(said)) => said.is_empty(),
            Ok(Err(_)) => true,
            Err(_) => false,
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.ahead.is_empty() {
            let length = this.ahead.len().min(into.remaining());
            into.put_slice(&this.ahead[..length]);
            this.ahead.advance(length);
            return Poll::Ready(Ok(()));
        }
        match &mut this.over {
            Over::Plain(stream) => Pin::new(stream).poll_read(context, into),
            Over::Tls(stream) => Pin::new(stream).poll_read(context, into),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().over {
            Over::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Over::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().over {
            Over::Plain(stream) => Pin::new(stream).poll_flush(context),
            Over::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().over {
            Over::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Over::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

impl AsyncRead for Plain {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(context, into),
            Self::Unix(stream) => Pin::new(stream).poll_read(context, into),
        }
    }
}

impl AsyncWrite for Plain {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Self::Unix(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test]
    async fn what_was_read_ahead_is_read_again() {
        let (ours, mut theirs) = UnixStream::pair().expect("a pair");
        let mut stream = Stream::plain(Plain::Unix(ours));
        assert!(!stream.is_closed().await, "nothing was said yet");
        theirs.write_all(b"hello").await.expect("it is open");
        assert_eq!(stream.peek().await.expect("it speaks"), b"hello");
        theirs.write_all(b" world").await.expect("it is open");
        drop(theirs);
        assert!(!stream.is_closed().await, "there is more to read");
        let mut said = String::new();
        stream.read_to_string(&mut said).await.expect("it ends");
        assert_eq!(said, "hello world");
        assert!(stream.is_closed().await);
    }
}

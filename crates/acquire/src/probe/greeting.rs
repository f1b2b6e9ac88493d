//! The first words with a listener that nothing is known of.
//!
//! A gRPC server of Go speaks first, so we listen before we say anything; an HTTP/1.1 server gets
//! an HTTP/1.1 request; only one that answers neither way is asked in TLS. So no server hears
//! another protocol than its own, unless it keeps silent about which that is.

use std::time::Duration;

use http::HeaderMap;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};

use super::connect;
use super::stream::Stream;
use super::tls::Inside;

/// How long a server may take to speak first; grpc-go does within a millisecond of accepting.
const LISTEN: Duration = Duration::from_millis(100);
/// How long the rest of an answer is read, once it is known to be HTTP: so that it can be closed
/// properly, which most answers allow.
const REST: Duration = Duration::from_millis(200);
/// More of a first answer is not looked at.
const READ_MAX: usize = 64 << 10;
/// Bytes shown of an answer that is not understood.
const SHOWN: usize = 60;

/// What a listener turned out to be.
#[derive(Debug)]
pub(crate) enum Greeting {
    /// HTTP/2, spoken first by the server; we have said nothing on this connection.
    Http2(Stream),
    /// HTTP/2, but this connection is spent.
    Http2Elsewhere,
    /// It answered `GET /` as HTTP/1.
    Http1,
    /// TLS.
    Tls,
    /// Another protocol, with its first words.
    Other(String),
    /// It closed the connection without a word.
    Closed,
    /// It said nothing in its time.
    Silent,
}

/// Connects, listens, and asks `GET /` if nothing is said.
pub(crate) async fn greet(
    reach: &str,
    headers: &HeaderMap,
    within: Duration,
) -> Result<Greeting, String> {
    let mut stream = connect::dial_for(reach, Inside::Either).await?;
    if stream.agreed_on_http2() {
        return Ok(Greeting::Http2(stream));
    }
    match timeout(LISTEN, stream.peek()).await {
        Ok(Ok([])) => return Ok(Greeting::Closed),
        Ok(Ok(said)) if said.first_chunk::<9>().is_some_and(is_settings) => {
            return Ok(Greeting::Http2(stream));
        }
        Ok(Ok(_)) => {
            let said = read(&mut stream, LISTEN).await;
            return Ok(Greeting::Other(shown(&said)));
        }
        Ok(Err(_)) => return Ok(Greeting::Closed),
        Err(_) => {}
    }
    let request = get(reach, headers);
    if stream.write_all(&request).await.is_err() {
        return Ok(Greeting::Closed);
    }
    let answer = read(&mut stream, within).await;
    Ok(match answer.as_slice() {
        [] if stream.is_closed().await => Greeting::Closed,
        [] => Greeting::Silent,
        said => classify(said),
    })
}

/// Asks as a TLS client does and sees whether the answer is TLS; for servers that answer nothing
/// else, such as gRPC over TLS.
pub(crate) async fn is_tls(reach: &str, within: Duration) -> bool {
    let Ok(mut stream) = connect::dial(reach).await else {
        return false;
    };
    let sent = stream.write_all(&client_hello()).await;
    let mut first = [0; 2];
    let answered = timeout(within, stream.read_exact(&mut first)).await;
    sent.is_ok() && matches!(answered, Ok(Ok(_))) && matches!(first, [0x15 | 0x16, 3])
}

fn classify(said: &[u8]) -> Greeting {
    let text = String::from_utf8_lossy(said);
    let refuses_plain =
        text.starts_with("HTTP/1.") && text.contains(" 400 ") && text.contains("HTTPS");
    match said {
        _ if refuses_plain => Greeting::Tls,
        _ if text.starts_with("HTTP/1.") => Greeting::Http1,
        [0x15, 3, ..] => Greeting::Tls,
        _ if said.first_chunk::<9>().is_some_and(is_settings) => Greeting::Http2Elsewhere,
        _ => Greeting::Other(shown(said)),
    }
}

/// An HTTP/2 SETTINGS frame on stream 0, as every server's first frame must be (RFC 9113, 3.4).
fn is_settings(first: &[u8; 9]) -> bool {
    let [_, _, length, kind, flags, stream @ ..] = first;
    first.starts_with(&[0, 0]) && length % 6 == 0 && *kind == 4 && *flags == 0 && *stream == [0; 4]
}

fn get(reach: &str, headers: &HeaderMap) -> Vec<u8> {
    let authority = connect::authority(reach);
    let mut request =
        format!("GET / HTTP/1.1\r\nhost: {authority}\r\naccept: */*\r\nconnection: close\r\n")
            .into_bytes();
    for (name, value) in headers {
        request.extend_from_slice(name.as_str().as_bytes());
        request.extend_from_slice(b": ");
        request.extend_from_slice(value.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    request
}

/// Reads until the peer closes, or for [`REST`] after the first bytes.
async fn read(stream: &mut Stream, within: Duration) -> Vec<u8> {
    let mut said = Vec::new();
    let mut until = Instant::now() + within;
    while said.len() < READ_MAX {
        match timeout_at(until, stream.read_buf(&mut said)).await {
            Ok(Ok(1..)) => until = until.min(Instant::now() + REST),
            _ => break,
        }
    }
    said
}

fn shown(said: &[u8]) -> String {
    let said = said.get(..SHOWN).unwrap_or(said);
    said.escape_ascii().to_string()
}

/// The shortest ClientHello that a server answers, be it with an alert (RFC 5246, 7.4.1.2).
fn client_hello() -> Vec<u8> {
    const SUITES: [u8; 8] = [0xc0, 0x2f, 0xc0, 0x2b, 0x00, 0x9c, 0x00, 0x2f];
    let mut body = vec![3, 3];
    // The random: nobody goes on with this handshake.
    body.extend_from_slice(&[0x5d; 32]);
    body.extend_from_slice(&[0, 0, 8]);
    body.extend_from_slice(&SUITES);
    body.extend_from_slice(&[1, 0]);
    let length = u8::try_from(body.len()).unwrap_or(u8::MAX);
    let mut hello = vec![0x16, 3, 1, 0, length + 4, 1, 0, 0, length];
    hello.append(&mut body);
    hello
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_answers_are_told_apart() {
        let check = |said: &[u8]| format!("{:?}", classify(said));
        assert_eq!(check(b"HTTP/1.1 404 Not Found\r\n\r\n"), "Http1");
        assert_eq!(check(b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"), "Tls");
        assert_eq!(check(&[0x15, 3, 1, 0, 2, 2, 70]), "Tls");
        assert_eq!(
            check(&[0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 5, 0, 0, 64, 0]),
            "Http2Elsewhere"
        );
        assert_eq!(check(b"220 smtp\r\n"), r#"Other("220 smtp\\r\\n")"#);
    }

    #[test]
    fn the_client_hello_has_the_lengths_it_says() {
        let hello = client_hello();
        assert_eq!(usize::from(hello[4]), hello.len() - 5);
        assert_eq!(usize::from(hello[8]), hello.len() - 9);
    }
}

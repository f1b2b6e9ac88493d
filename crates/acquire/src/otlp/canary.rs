//! A span of our own, sent the way a service would send it.
//!
//! It goes through a new connection, so it also finds an accept loop that hangs.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Of an answer this much is read; ours take less than 200 bytes.
const ANSWER_MAX: u64 = 4096;

/// A trace id that no other span has.
pub(super) fn trace_id() -> u128 {
    // The standard library's only source of randomness: every state has keys of its own.
    let half = || u128::from(RandomState::new().hash_one(0));
    // Zero would be no id.
    half() << 64 | half() | 1
}

/// Exports one span; the answer's first line, such as `HTTP/1.1 200 OK`.
pub(super) async fn export(to: SocketAddr, trace_id: u128) -> io::Result<String> {
    let body = request(trace_id);
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: {to}\r\ncontent-type: application/x-protobuf\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(to).await?;
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&body).await?;
    let mut answer = Vec::new();
    stream.take(ANSWER_MAX).read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer);
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}

/// An `ExportTraceServiceRequest` with one span.
fn request(trace_id: u128) -> Vec<u8> {
    let ids = [
        field(1, &trace_id.to_be_bytes()),
        field(2, &1_u64.to_be_bytes()),
    ];
    let span = [ids.concat(), field(5, b"shakedown canary")].concat();
    let scope_spans = field(2, &span);
    let resource_spans = field(2, &scope_spans);
    field(1, &resource_spans)
}

/// A field of bytes. Everything here is far below 128 bytes, so that a length takes one.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    debug_assert!(bytes.len() < 128, "a length of one byte");
    let mut field = vec![number << 3 | 2, bytes.len() as u8];
    field.extend_from_slice(bytes);
    field
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otlp::decode_traces;

    #[test]
    fn the_canary_is_a_span_that_we_can_read() {
        let id = trace_id();
        let spans = decode_traces(&request(id)).expect("our own request");
        assert_eq!(spans.len(), 1);
        assert_eq!(spans[0].trace_id, format!("{id:032x}"));
        assert_eq!(spans[0].name, "shakedown canary");
    }

    #[test]
    fn two_canaries_differ() {
        assert_ne!(trace_id(), trace_id());
    }
}

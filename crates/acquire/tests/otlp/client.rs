//! Exporters as small as they can be: what is sent is exactly what the test says.

use std::io::Write;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, Request, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::PATIENCE;

pub(crate) const TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(bytes).expect("memory takes it");
    writer.finish().expect("memory takes it")
}

/// A message as gRPC frames it.
pub(crate) fn framed(flag: u8, message: &[u8]) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_u8(flag);
    frame.put_u32(u32::try_from(message.len()).expect("a test's message"));
    frame.put_slice(message);
    frame.freeze()
}

/// What a gRPC call was answered.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: String,
    pub(crate) message: String,
    pub(crate) body: Vec<u8>,
    /// The status stood in trailers after a body.
    pub(crate) in_trailers: bool,
}

/// Calls a gRPC method with a body that is sent as it is.
pub(crate) async fn grpc(addr: &str, path: &str, encoding: Option<&str>, body: Bytes) -> Answered {
    timeout(PATIENCE, call(addr, path, encoding, body))
        .await
        .expect("the receiver answers")
}

async fn call(addr: &str, path: &str, encoding: Option<&str>, body: Bytes) -> Answered {
    let stream = TcpStream::connect(addr).await.expect("it listens");
    let (client, connection) = h2::client::handshake(stream).await.expect("it speaks h2c");
    let connection = tokio::spawn(connection);
    let mut request = Request::post(format!("http://{addr}{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    if let Some(encoding) = encoding {
        request = request.header("grpc-encoding", encoding);
    }
    let request = request.body(()).expect("a request");
    let mut client = client.ready().await.expect("it takes requests");
    let (response, mut stream) = client.send_request(request, false).expect("a stream");
    // The receiver may have seen enough before the end.
    let _ = stream.send_data(body, true);
    let response = response.await.expect("an answer");
    let answered = read(response).await;
    connection.abort();
    answered
}

async fn read(response: Response<h2::RecvStream>) -> Answered {
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/grpc");
    let (head, mut stream) = response.into_parts();
    let mut body = Vec::new();
    while let Some(data) = stream.data().await {
        let Ok(data) = data else { break };
        body.extend_from_slice(&data);
    }
    let trailers = stream.trailers().await.ok().flatten();
    let from = |headers: &HeaderMap, name: &str| {
        let value = headers.get(name)?;
        Some(value.to_str().expect("plain text").to_owned())
    };
    let in_trailers = trailers.is_some();
    let found = trailers.unwrap_or(head.headers);
    Answered {
        status: from(&found, "grpc-status").unwrap_or_default(),
        message: from(&found, "grpc-message").unwrap_or_default(),
        body,
        in_trailers,
    }
}

/// Posts over HTTP/1.1; the whole answer as text.
pub(crate) async fn post(addr: &str, path: &str, headers: &str, body: &[u8]) -> String {
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {addr}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n"
    );
    raw(addr, &[head.as_bytes(), body].concat()).await
}

/// Sends bytes and reads until the receiver closes.
pub(crate) async fn raw(addr: &str, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(addr).await.expect("it listens");
    // The receiver may close before it has read all.
    let _ = stream.write_all(bytes).await;
    until_closed(&mut stream, PATIENCE).await
}

/// Reads until the receiver closes, which it must within the time.
pub(crate) async fn until_closed(stream: &mut TcpStream, within: Duration) -> String {
    let mut answer = Vec::new();
    let reading = stream.read_to_end(&mut answer);
    // A reset ends the reading too.
    let _ = timeout(within, reading).await.expect("the receiver closes");
    String::from_utf8_lossy(&answer).into_owned()
}

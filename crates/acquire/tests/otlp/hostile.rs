//! What no exporter sends: each is refused within its bound, written down, and survived.

use std::time::{Duration, Instant};

use bytes::Bytes;
use shakedown_acquire::otlp::Limits;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::client::{TRACES, framed, grpc, gzip, post, raw, until_closed};
use crate::messages::one_span;
use crate::{Bench, PATIENCE};

const PROTOBUF: &str = "content-type: application/x-protobuf\r\n";
const ZIPPED: &str = "content-type: application/x-protobuf\r\ncontent-encoding: gzip\r\n";

#[tokio::test]
async fn a_request_of_100_mb_is_refused() {
    let bench = Bench::new().await;
    let addr = bench.receiver.addr();
    let large = vec![0; 100 << 20];
    post(&addr, "/v1/traces", PROTOBUF, &large).await;
    bench.loss(&["http", "larger than 16777216 bytes"]).await;
    let answered = grpc(&addr, TRACES, None, framed(0, &large)).await;
    assert_eq!(answered.status, "8", "{answered:?}");
    bench.loss(&["grpc", "larger than 16777216 bytes"]).await;
    bench.still_works().await;
}

#[tokio::test]
async fn a_request_of_100_mb_in_pieces_is_refused() {
    let bench = Bench::new().await;
    let addr = bench.receiver.addr();
    let mut stream = TcpStream::connect(&addr).await.expect("it listens");
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: {addr}\r\n{PROTOBUF}transfer-encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.expect("its head");
    let mut piece = b"100000\r\n".to_vec();
    piece.extend(vec![0; 1 << 20]);
    piece.extend(b"\r\n");
    for _ in 0..100 {
        if stream.write_all(&piece).await.is_err() {
            break;
        }
    }
    bench.loss(&["larger than 16777216 bytes"]).await;
    bench.still_works().await;
}

#[tokio::test]
async fn a_gzip_bomb_is_refused() {
    let bench = Bench::new().await;
    let addr = bench.receiver.addr();
    let bomb = gzip(&vec![0; 200 << 20]);
    assert!(bomb.len() < 2 << 20);
    let answer = post(&addr, "/v1/traces", ZIPPED, &bomb).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    bench.loss(&["http", "inflates to more than"]).await;
    let answered = grpc(&addr, TRACES, Some("gzip"), framed(1, &bomb)).await;
    assert_eq!(answered.status, "8", "{answered:?}");
    bench.loss(&["grpc", "inflates to more than"]).await;
    bench.still_works().await;
}

#[tokio::test]
async fn garbage_in_a_request_is_an_invalid_argument() {
    let bench = Bench::new().await;
    let addr = bench.receiver.addr();
    for (encoding, body) in [
        (None, framed(0, b"this is no protobuf")),
        (None, Bytes::from_static(b"\0\0")),
        (None, framed(0, &one_span()).slice(..20)),
        (None, framed(1, &one_span())),
        (Some("gzip"), framed(1, b"this is no gzip")),
    ] {
        let answered = grpc(&addr, TRACES, encoding, body).await;
        assert_eq!(answered.status, "3", "{answered:?}");
    }
    let answer = post(&addr, "/v1/traces", PROTOBUF, b"this is no protobuf").await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    let answer = post(&addr, "/v1/traces", ZIPPED, b"this is no gzip").await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert_eq!(bench.losses().len(), 7);
    assert_eq!(bench.spans().len(), 0);
    bench.still_works().await;
}

#[tokio::test]
async fn garbage_on_the_port_is_written_down() {
    let bench = Bench::new().await;
    raw(
        &bench.receiver.addr(),
        b"\x00\x01\x02 what is this?\r\n\r\n",
    )
    .await;
    bench.loss(&["neither HTTP/1.1 nor HTTP/2"]).await;
    bench.still_works().await;
}

#[tokio::test]
async fn garbage_after_the_preface_of_http2_is_written_down() {
    let bench = Bench::new().await;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let bytes = [&preface[..], &[0xff; 64]].concat();
    raw(&bench.receiver.addr(), &bytes).await;
    bench.loss(&["neither HTTP/1.1 nor HTTP/2"]).await;
    bench.still_works().await;
}

#[tokio::test]
async fn an_exporter_that_wants_tls_is_named() {
    let bench = Bench::new().await;
    // The beginning of a ClientHello.
    raw(
        &bench.receiver.addr(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    )
    .await;
    bench.loss(&["TLS", "credentials"]).await;
    bench.still_works().await;
}

#[tokio::test]
async fn half_a_request_is_written_down_when_its_sender_goes() {
    let bench = Bench::new().await;
    let addr = bench.receiver.addr();
    let mut stream = TcpStream::connect(&addr).await.expect("it listens");
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: {addr}\r\n{PROTOBUF}content-length: 1000\r\n\r\nhalf"
    );
    stream.write_all(head.as_bytes()).await.expect("half of it");
    drop(stream);
    bench.loss(&["http: the", "broke"]).await;
    bench.still_works().await;
}

#[tokio::test]
async fn half_a_frame_is_written_down_when_its_sender_goes() {
    let bench = Bench::new().await;
    let addr = bench.receiver.addr();
    let stream = TcpStream::connect(&addr).await.expect("it listens");
    let (client, connection) = h2::client::handshake(stream).await.expect("it speaks h2c");
    let connection = tokio::spawn(connection);
    let request = http::Request::post(format!("http://{addr}{TRACES}"))
        .header("content-type", "application/grpc")
        .body(())
        .expect("a request");
    let mut client = client.ready().await.expect("it takes requests");
    let (_response, mut body) = client.send_request(request, false).expect("a stream");
    body.send_data(Bytes::from_static(b"\0\0\0\x01\0half"), false)
        .expect("half of it");
    // Sent for certain before the end, or nothing was begun.
    tokio::time::sleep(Duration::from_millis(200)).await;
    connection.abort();
    bench.loss(&["grpc: the", "broke"]).await;
    bench.still_works().await;
}

#[tokio::test]
async fn a_slow_client_is_cut_off() {
    let limits = Limits {
        request_time: Duration::from_millis(300),
        ..Limits::default()
    };
    let bench = Bench::with(limits).await;
    let addr = bench.receiver.addr();
    let mut stream = TcpStream::connect(&addr).await.expect("it listens");
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: {addr}\r\n{PROTOBUF}content-length: 1000\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.expect("its head");
    let answer = until_closed(&mut stream, PATIENCE).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    bench.loss(&["did not come whole"]).await;
}

#[tokio::test]
async fn silent_and_half_spoken_connections_are_closed() {
    let limits = Limits {
        first_request: Duration::from_millis(200),
        idle: Duration::from_millis(200),
        drain: Duration::from_millis(50),
        ..Limits::default()
    };
    let bench = Bench::with(limits).await;
    let addr = bench.receiver.addr();
    for beginning in [
        &b""[..],
        b"PRI * HT",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST /v1/traces HTTP/1.1\r\nhost: a\r\nx-slow: ",
    ] {
        let mut stream = TcpStream::connect(&addr).await.expect("it listens");
        stream.write_all(beginning).await.expect("its beginning");
        until_closed(&mut stream, PATIENCE).await;
    }
    bench.still_works().await;
}

#[tokio::test]
async fn connections_are_bounded() {
    let limits = Limits {
        connections: 4,
        ..Limits::default()
    };
    let bench = Bench::with(limits).await;
    let addr = bench.receiver.addr();
    let mut held = Vec::new();
    for _ in 0..5 {
        held.push(TcpStream::connect(&addr).await.expect("the system accepts"));
    }
    bench.loss(&["more than 4 connections"]).await;
    drop(held);
    // The four are reaped as soon as they are seen closed.
    let began = Instant::now();
    while !bench.receiver.canary().await {
        assert!(began.elapsed() < PATIENCE, "{:?}", bench.events());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn what_is_buffered_of_all_requests_is_bounded() {
    let limits = Limits {
        buffered_bytes: 64 << 10,
        ..Limits::default()
    };
    let bench = Bench::with(limits).await;
    let addr = bench.receiver.addr();
    let answer = post(&addr, "/v1/traces", PROTOBUF, &vec![0; 1 << 20]).await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 503 "),
        "{answer}"
    );
    bench.loss(&["too many requests"]).await;
    bench.still_works().await;
}

#[tokio::test]
async fn refusals_are_written_down_a_bounded_number_of_times() {
    let bench = Bench::new().await;
    for _ in 0..30 {
        post(&bench.receiver.addr(), "/v1/traces", PROTOBUF, b"garbage").await;
    }
    let losses = bench.losses();
    assert_eq!(losses.len(), Limits::default().refusals + 1);
    assert!(losses.last().expect("the last").contains("not listed"));
    bench.still_works().await;
}

//! What no exporter sends to the span receiver while a run goes on: it is refused within its
//! bounds, and nothing is concluded from spans that did not come.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use shakedown_testkit::{BY_FLAG, Live, Run, orders_alone};

use crate::PROGRAM;
use crate::peak::Peak;

const PROTOBUF: &str = "content-type: application/x-protobuf\r\n";
const ZIPPED: &str = "content-type: application/x-protobuf\r\ncontent-encoding: gzip\r\n";

/// The receiver's address, as the service under test is told.
fn receiver(live: &Live) -> String {
    let environment = fs::read(format!("/proc/{}/environ", live.service())).expect("it runs");
    let environment = String::from_utf8_lossy(&environment);
    let mut variables = environment.split('\0');
    let address =
        variables.find_map(|variable| variable.strip_prefix("OTEL_EXPORTER_OTLP_ENDPOINT=http://"));
    address.expect("it is told").to_owned()
}

/// Sends as much as is taken, and answers with what comes back.
fn send(address: &str, pieces: impl IntoIterator<Item = Vec<u8>>) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .expect("a timeout");
    for piece in pieces {
        if stream.write_all(&piece).is_err() {
            break;
        }
    }
    let mut answer = Vec::new();
    let _ = stream.take(4 << 10).read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn head(headers: &str, length: usize) -> Vec<u8> {
    format!(
        "POST /v1/traces HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n"
    )
    .into_bytes()
}

fn bomb() -> Vec<u8> {
    let mut zip = GzEncoder::new(Vec::new(), Compression::best());
    let piece = vec![0; 1 << 20];
    for _ in 0..300 {
        zip.write_all(&piece).expect("into memory");
    }
    zip.finish().expect("into memory")
}

fn attack(address: &str) {
    send(address, [b"\x00\x01\x02 what is this?\r\n\r\n".to_vec()]);
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    send(address, [[&preface[..], &[0xff; 64]].concat()]);
    let answer = send(address, [head(PROTOBUF, 9), b"not spans".to_vec()]);
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    let large = std::iter::repeat_n(vec![0; 1 << 20], 100);
    send(
        address,
        std::iter::once(head(PROTOBUF, 100 << 20)).chain(large),
    );
    let bomb = bomb();
    let answer = send(address, [head(ZIPPED, bomb.len()), bomb]);
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[test]
fn garbage_large_requests_and_bombs_make_the_trace_rules_inconclusive() {
    let service = orders_alone(&[]).grpc("orders.v1.Orders/Get", r#"{"id":"7"}"#);
    let mut live = Run::of(PROGRAM)
        .config(&service)
        .flags(["check", "--format", "json", "--window", "2s"])
        .start();
    let peak = Peak::of(live.pid());
    live.until_recorded(r#""purpose":"traffic""#);
    attack(&receiver(&live));
    let ended = live.wait();
    peak.stays_below(300);
    assert_eq!(ended.code, Some(3), "{}", ended.stdout);
    let report = ended.report();
    assert_eq!(report["findings"].as_array().map(Vec::len), Some(0));
    for row in report["rules"].as_array().expect("rows") {
        // Log lines that carry our ids are there, whatever was lost beside them.
        let expected = match row["name"].as_str().unwrap_or_default() {
            "context-not-forwarded" => "inconclusive",
            name if BY_FLAG.contains(&name) => "not exercised",
            _ => "passed",
        };
        assert_eq!(row["outcome"], expected, "{row}");
        let reason = row["reason"].as_str().unwrap_or_default();
        assert_eq!(
            reason.contains("spans were lost"),
            expected == "inconclusive",
            "{row}"
        );
    }
}

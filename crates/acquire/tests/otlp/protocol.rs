//! Both protocols on one port, and the receiver's life.

use std::time::{Duration, Instant};

use prost::Message;
use shakedown_acquire::Recorder;
use shakedown_acquire::otlp::{Limits, Receiver};
use shakedown_evidence::ReceiverEvent;
use tokio::net::TcpStream;

use crate::client::{TRACES, framed, grpc, gzip, post};
use crate::messages::{Any, KeyValue, Span, one_span, request, span};
use crate::{Bench, PATIENCE};

const PROTOBUF: &str = "content-type: application/x-protobuf\r\n";

#[tokio::test]
async fn grpc_is_taken_plain_and_gzip() {
    let bench = Bench::new().await;
    let addr = bench.receiver.addr();
    for (encoding, body) in [
        (None, framed(0, &one_span())),
        (Some("identity"), framed(0, &one_span())),
        (Some("gzip"), framed(1, &gzip(&one_span()))),
        // An exporter may leave a small message as it is.
        (Some("gzip"), framed(0, &one_span())),
    ] {
        let answered = grpc(&addr, TRACES, encoding, body).await;
        assert_eq!(answered.status, "0", "{answered:?}");
        assert_eq!(answered.body, [0; 5]);
        assert!(answered.in_trailers);
    }
    let spans = bench.spans();
    assert_eq!(spans.len(), 4);
    assert_eq!(spans[0].trace_id, "ab".repeat(16));
    assert_eq!(spans[0].service, "orders");
    assert_eq!(bench.losses(), [""; 0]);
}

#[tokio::test]
async fn http_is_taken_plain_and_gzip_on_the_same_port() {
    let bench = Bench::new().await;
    let addr = bench.receiver.addr();
    let zipped = format!("{PROTOBUF}content-encoding: gzip\r\n");
    for (headers, body) in [(PROTOBUF, one_span()), (zipped.as_str(), gzip(&one_span()))] {
        let answer = post(&addr, "/v1/traces", headers, &body).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert!(answer.contains("application/x-protobuf"), "{answer}");
    }
    assert_eq!(bench.spans().len(), 2);
    assert_eq!(bench.losses(), [""; 0]);
}

#[tokio::test]
async fn batches_say_when_and_how_they_came() {
    let bench = Bench::new().await;
    let body = framed(0, &request(vec![span(1), span(2)]).encode_to_vec());
    grpc(&bench.receiver.addr(), TRACES, None, body).await;
    let arrivals = bench
        .recorder
        .read(|evidence| evidence.span_arrivals.clone());
    assert_eq!(arrivals.len(), 1);
    assert!(arrivals[0] <= bench.recorder.now());
}

#[tokio::test]
async fn other_signals_are_accepted_and_forgotten() {
    let bench = Bench::new().await;
    let addr = bench.receiver.addr();
    for service in [
        "metrics.v1.MetricsService",
        "profiles.v1development.ProfilesService",
    ] {
        let path = format!("/opentelemetry.proto.collector.{service}/Export");
        let answered = grpc(&addr, &path, None, framed(0, b"anything")).await;
        assert_eq!(answered.status, "0", "{answered:?}");
    }
    for path in ["/v1/metrics", "/v1development/profiles"] {
        let answer = post(&addr, path, "content-type: application/json\r\n", b"{}").await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    assert_eq!(bench.spans().len(), 0);
    assert_eq!(bench.losses(), [""; 0]);
}

#[tokio::test]
async fn an_unknown_method_is_unimplemented() {
    let bench = Bench::new().await;
    let addr = bench.receiver.addr();
    let answered = grpc(&addr, "/grpc.health.v1.Health/Check", None, framed(0, b"")).await;
    assert_eq!(answered.status, "12");
    assert!(!answered.in_trailers);
    assert!(answered.message.contains("shakedown"), "{answered:?}");
}

const IN_JSON: &str = "content-type: application/json\r\n";

#[tokio::test]
async fn json_is_taken_and_answered_in_json() {
    let bench = Bench::new().await;
    let addr = bench.receiver.addr();
    let span = br#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"web"}}]},
        "scopeSpans":[{"scope":{"name":"s"},"spans":[{"traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"EEE19B7EC3C1B174",
        "parentSpanId":"EEE19B7EC3C1B173","name":"GET","startTimeUnixNano":"1544712660000000000","endTimeUnixNano":1544712661000000000,
        "kind":2,"flags":257,"attributes":[{"key":"n","value":{"intValue":"-7"}},{"key":"l","value":{"arrayValue":{"values":[]}}}]}]}]}]}"#;
    let answer = post(&addr, "/v1/traces", IN_JSON, span).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(
        answer.contains("application/json") && answer.ends_with("{}"),
        "{answer}"
    );
    let spans = bench.spans();
    assert_eq!(spans.len(), 1);
    let span = &spans[0];
    assert_eq!(span.trace_id, "5b8efff798038103d269b633813fc60c");
    assert_eq!(
        (span.span_id.as_str(), span.parent_id.as_str()),
        ("eee19b7ec3c1b174", "eee19b7ec3c1b173")
    );
    assert_eq!((span.service.as_str(), span.scope.as_str()), ("web", "s"));
    assert_eq!(span.kind.name(), "SERVER");
    assert_eq!(
        (span.start_unix_ns, span.end_unix_ns, span.flags),
        (1_544_712_660_000_000_000, 1_544_712_661_000_000_000, 257)
    );
    assert_eq!(span.attributes, [("n".to_owned(), "-7".to_owned())]);
    assert_eq!(bench.losses(), [""; 0]);
}

#[tokio::test]
async fn records_in_json_become_lines() {
    let bench = Bench::new().await;
    let record = br#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1","severityNumber":13,"body":{"stringValue":"stored"},
        "traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174"}]}]}]}"#;
    let answer = post(&bench.receiver.addr(), "/v1/logs", IN_JSON, record).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let texts = bench.recorder.read(|seen| {
        let lines = seen.exported.iter();
        lines
            .map(|exported| exported.line.text.clone())
            .collect::<Vec<_>>()
    });
    assert_eq!(
        texts,
        [
            r#"{"time":1,"level":"WARN","msg":"stored","trace_id":"5b8efff798038103d269b633813fc60c","span_id":"eee19b7ec3c1b174"}"#
        ]
    );
}

#[tokio::test]
async fn more_records_than_are_kept_are_counted() {
    let limits = Limits {
        records: 5,
        ..Limits::default()
    };
    let bench = Bench::with(limits).await;
    let three = br#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{},{},{}]}]}]}"#;
    for _ in 0..3 {
        let answer = post(&bench.receiver.addr(), "/v1/logs", IN_JSON, three).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    let kept = bench
        .recorder
        .read(|seen| (seen.exported.len(), seen.dropped));
    assert_eq!(kept, (3, 6));
}

#[tokio::test]
async fn another_form_is_answered_with_the_remedy() {
    let bench = Bench::new().await;
    let headers = "content-type: application/thrift\r\n";
    let answer = post(&bench.receiver.addr(), "/v1/traces", headers, b"{}").await;
    assert!(answer.starts_with("HTTP/1.1 415 "), "{answer}");
    assert!(answer.contains("OTEL_EXPORTER_OTLP_PROTOCOL"), "{answer}");
    bench.loss(&["application/thrift"]).await;
}

#[tokio::test]
async fn an_unknown_encoding_is_named() {
    let bench = Bench::new().await;
    let addr = bench.receiver.addr();
    let answered = grpc(&addr, TRACES, Some("zstd"), framed(1, b"?")).await;
    assert_eq!(answered.status, "12");
    bench.loss(&["grpc", "zstd"]).await;
    let headers = format!("{PROTOBUF}content-encoding: deflate\r\n");
    let answer = post(&addr, "/v1/traces", &headers, b"?").await;
    assert!(answer.starts_with("HTTP/1.1 415 "), "{answer}");
    bench.loss(&["http", "deflate"]).await;
}

#[tokio::test]
async fn the_canary_arrives_and_is_no_span_of_the_service() {
    let bench = Bench::new().await;
    assert!(bench.receiver.canary().await);
    assert!(bench.receiver.canary().await);
    let arrived = |event: &&ReceiverEvent| matches!(event, ReceiverEvent::Canary { .. });
    assert_eq!(bench.events().iter().filter(arrived).count(), 2);
    assert_eq!(bench.spans().len(), 0);
}

#[tokio::test]
async fn a_receiver_that_is_killed_is_recorded_as_dead() {
    let bench = Bench::new().await;
    bench.receiver.abort();
    bench.loss(&["the receiver's task ended"]).await;
    assert!(!bench.receiver.canary().await);
    bench
        .loss(&["a span of our own could not be exported"])
        .await;
    let connected = TcpStream::connect(bench.receiver.addr()).await;
    assert!(connected.is_err(), "the port is closed");
}

#[tokio::test]
async fn a_receiver_that_is_stopped_did_not_die() {
    let bench = Bench::new().await;
    let addr = bench.receiver.addr();
    bench.still_works().await;
    // An exporter that keeps its connection does not hold up the end.
    let _idle = TcpStream::connect(&addr).await.expect("it listens");
    let before = Instant::now();
    bench.receiver.stop().await;
    bench.receiver.stop().await;
    assert!(before.elapsed() < Duration::from_secs(5));
    assert!(TcpStream::connect(&addr).await.is_err());
    assert_eq!(bench.losses(), [""; 0]);
}

#[tokio::test]
async fn a_receiver_that_is_dropped_frees_its_port() {
    let bench = Bench::new().await;
    let addr = bench.receiver.addr();
    drop(bench.receiver);
    for _ in 0..100 {
        if TcpStream::connect(&addr).await.is_err() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{addr} still listens");
}

#[tokio::test]
async fn further_ports_are_taken_where_they_are_free() {
    let holder = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let taken = holder.local_addr().expect("its address").port();
    let recorder = Recorder::new(Instant::now(), None);
    let receiver = Receiver::start(recorder).await.expect("a port");
    assert!(receiver.extra().is_empty());
    receiver.also_listen(&[taken, 0]).await;
    assert_eq!(
        receiver.extra().len(),
        1,
        "a port that is taken is no error"
    );
    let extra = receiver.extra()[0].clone();
    assert_ne!(extra, receiver.addr());
    let answered = grpc(&extra, TRACES, None, framed(0, &one_span())).await;
    assert_eq!(answered.status, "0");
}

/// Every service of the machine that was told nothing exports to the well-known ports.
#[tokio::test]
async fn a_further_port_listens_to_our_own_processes_only() {
    let recorder = Recorder::new(Instant::now(), None);
    let receiver = Receiver::start(recorder.clone()).await.expect("a port");
    receiver.also_listen(&[0]).await;
    let extra = receiver.extra();
    let port = extra[0].rsplit_once(':').expect("a port").1;
    let losses = || {
        recorder.read(|evidence| {
            let losses = evidence.receiver_losses().map(str::to_owned);
            losses.collect::<Vec<_>>()
        })
    };
    // Begins TLS, and waits until the receiver closes the connection.
    let begin_tls = format!("exec 3<>/dev/tcp/127.0.0.1/{port}; printf '\\x16' >&3; cat <&3");
    // Nobody's child once the shell that began it is gone.
    let orphan =
        format!("(while kill -0 $$; do sleep 0.01; done; {begin_tls}; echo closed) 2>/dev/null &");
    let bash = async |script: &str| {
        let output = tokio::process::Command::new("bash")
            .args(["-c", script])
            .output();
        let output = tokio::time::timeout(PATIENCE, output).await;
        let output = output.expect("the receiver closes it").expect("bash runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert_eq!(bash(&orphan).await, "closed\n");
    assert_eq!(losses(), Vec::<String>::new());
    bash(&begin_tls).await;
    assert_eq!(losses().len(), 1, "{:?}", losses());
}

#[tokio::test]
async fn where_it_listens_is_recorded_and_given_to_the_service() {
    let bench = Bench::new().await;
    let (addr, url) = (bench.receiver.addr(), bench.receiver.url());
    assert_eq!(url, format!("http://{addr}"));
    assert!(matches!(
        &bench.events()[..],
        [ReceiverEvent::Listening { addr: found, .. }] if *found == addr
    ));
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(), url);
    assert!(bench.receiver.environment().contains(&endpoint));
}

/// A bundle's reader takes lines of 64 MiB, and one event is one line.
#[tokio::test]
async fn a_large_request_becomes_several_events_of_bounded_size() {
    let bench = Bench::new().await;
    let control = "\u{1}".repeat(256);
    let spans = vec![
        Span {
            attributes: vec![KeyValue::new(control.clone(), Any::Text(control)); 30],
            ..span(1)
        };
        900
    ];
    let body = framed(0, &request(spans).encode_to_vec());
    let answered = grpc(&bench.receiver.addr(), TRACES, None, body).await;
    assert_eq!(answered.status, "0", "{answered:?}");
    let spans = bench.spans();
    assert_eq!(spans.len(), 900);
    let events = bench.recorder.read(|evidence| evidence.span_arrivals.len());
    let bytes = serde_json::to_vec(&spans).expect("plain data").len();
    assert!(bytes > 64 << 20, "{bytes} bytes are no test");
    assert!(
        bytes / events < 32 << 20,
        "{bytes} bytes in {events} events"
    );
}

#[tokio::test]
async fn the_bound_on_spans_is_said_once_and_the_exporter_sees_no_error() {
    let limits = Limits {
        spans: 3,
        ..Limits::default()
    };
    let bench = Bench::with(limits).await;
    let two = || framed(0, &request(vec![span(1), span(2)]).encode_to_vec());
    for _ in 0..4 {
        let answered = grpc(&bench.receiver.addr(), TRACES, None, two()).await;
        assert_eq!(answered.status, "0");
    }
    assert_eq!(bench.spans().len(), 2);
    let losses = bench.losses();
    assert_eq!(losses.len(), 1, "{losses:?}");
    assert!(losses[0].contains("bound of 3 spans"), "{losses:?}");
}

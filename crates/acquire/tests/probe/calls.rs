//! Requests go out with their ids and deadlines, end as they end, and are left when they are to be
//! left.

use std::sync::atomic::Ordering;

use shakedown_evidence::{CallEnd, Purpose};
use tokio::time::timeout;

use super::hostile::{Call, Reply, http2, refused, server};
use super::peer::Peer;
use super::run::{Run, grpc, http, ms, plan, seen};

const UNARY: &str = "grpc.testing.TestService/UnaryCall";
/// "wait": until the context ends.
const WAIT: &str = r#"{"payload": {"body": "d2FpdA=="}}"#;
/// "sleep 600ms": whatever the context says.
const SLEEP: &str = r#"{"payload": {"body": "c2xlZXAgNjAwbXM="}}"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_call_carries_its_ids_and_the_configured_headers() {
    let mut peer = Peer::start().await;
    let run = Run::of(grpc(UNARY, r#"{"responseSize": 100000}"#));
    let call = run.ended(plan(&peer.at("grpc"), Purpose::Traffic)).await;
    assert_eq!(
        call.end(),
        Some(&CallEnd::Status {
            code: 0,
            message: String::new()
        })
    );
    let heard = peer.event("begin").await;
    let ids = heard["traceparent"].as_str().expect("a traceparent");
    assert!(
        ids.starts_with(&format!("00-{}-", call.sent.trace_id)) && ids.ends_with("-01"),
        "{ids}"
    );
    assert_eq!(heard["extra"], "from the configuration");
    assert_eq!(heard["deadline_ms"], -1, "none was asked for");
    let shown = format!("{:?}", seen(&run.recorder));
    assert!(
        !shown.contains("from the configuration"),
        "credentials are never recorded"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_status_comes_with_its_message() {
    let peer = Peer::start().await;
    for listener in ["grpc", "grpc_alpha"] {
        let run = Run::of(grpc(
            UNARY,
            r#"{"responseStatus": {"code": 9, "message": "50 % off, 10 €"}}"#,
        ));
        let end = run.end(plan(&peer.at(listener), Purpose::Traffic)).await;
        assert_eq!(
            end,
            CallEnd::Status {
                code: 9,
                message: "50 % off, 10 €".into()
            },
            "{listener}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_read_to_its_end() {
    let peer = Peer::start().await;
    let data = r#"{"responseParameters": [{"size": 300000}, {"size": 1, "intervalUs": 1000}, {"size": 2000000}]}"#;
    let run = Run::of(grpc("grpc.testing.TestService/StreamingOutputCall", data));
    let end = run.end(plan(&peer.at("grpc"), Purpose::Traffic)).await;
    assert_eq!(
        end,
        CallEnd::Status {
            code: 0,
            message: String::new()
        }
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_travels_and_the_server_acts_on_it() {
    let mut peer = Peer::start().await;
    for data in [WAIT, SLEEP] {
        let run = Run::of(grpc(UNARY, data));
        let mut plan = plan(&peer.at("grpc"), Purpose::Deadline);
        plan.deadline = Some(ms(200));
        let call = run.ended(plan).await;
        let end = call.end().expect("an end");
        // Which of the two comes is a race within grpc-go; for a handler that sleeps on, only one.
        let reset = CallEnd::Reset {
            reason: "CANCEL".into(),
        };
        let status = matches!(end, CallEnd::Status { code: 4, .. }) && data == WAIT;
        assert!(*end == reset || status, "{end:?}");
        let took = call.took().expect("an end");
        assert!(
            took >= ms(190),
            "it did not end before its deadline: {took:?}"
        );
        let begin = peer.event("begin").await;
        let left = begin["deadline_ms"].as_i64().expect("a number");
        assert!((1..=200).contains(&left), "{begin}");
        // When the reset wins its race, grpc-go cancels the context (grpc-go issue 8961).
        let context = peer.event("end").await["context"].clone();
        assert!(
            context == "context deadline exceeded" || context == "context canceled",
            "{context}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn leaving_a_call_cancels_its_context() {
    let mut peer = Peer::start().await;
    let run = Run::of(grpc(UNARY, WAIT));
    for _ in 0..3 {
        let mut plan = plan(&peer.at("grpc"), Purpose::Cancel);
        plan.cancel_after = Some(ms(50));
        let call = run.ended(plan).await;
        assert_eq!(call.end(), Some(&CallEnd::Left));
        assert!(
            call.took().is_some_and(|took| took >= ms(50)),
            "not earlier"
        );
        assert_eq!(peer.event("end").await["context"], "context canceled");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_survives_the_calls_that_are_left_on_it() {
    let mut peer = http2(Call::Hang).await;
    let run = Run::of(grpc("a.B/C", ""));
    for _ in 0..5 {
        let mut plan = plan(&peer.server.reach, Purpose::Cancel);
        plan.cancel_after = Some(ms(20));
        assert_eq!(run.end(plan).await, CallEnd::Left);
    }
    assert_eq!(
        peer.server.accepted.load(Ordering::SeqCst),
        1,
        "one for all"
    );
    for _ in 0..5 {
        assert_eq!(peer.resets.recv().await, Some(h2::Reason::CANCEL));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_name_what_there_is() {
    let peer = Peer::start().await;
    let service = "grpc.testing.TestService";
    for (method, data, unknown, said) in [
        (
            "grpc.testing.Nothing/Call",
            "{}",
            true,
            "no service `grpc.testing.Nothing` here; the server lists grpc.",
        ),
        (
            &format!("{service}/Nothing"),
            r#"{"x": 1}"#,
            true,
            "has no method `Nothing`; it has EmptyCall, UnaryCall,",
        ),
        (
            UNARY,
            r#"{"payload": {"bdy": ""}}"#,
            false,
            "message `grpc.testing.Payload` has no field `bdy`; it has type, body",
        ),
        (
            UNARY,
            r#"{"responseSize": "many"}"#,
            false,
            "does not fit message `grpc.testing.SimpleRequest`",
        ),
        (UNARY, "{", false, "not JSON"),
        (
            &format!("{service}/FullDuplexCall"),
            "{}",
            false,
            "takes a stream of requests",
        ),
        (
            "UnaryCall",
            "{}",
            false,
            "write it as package.Service/Method",
        ),
    ] {
        let run = Run::of(grpc(method, data));
        let reach = peer.at("grpc");
        let end = run.end(plan(&reach, Purpose::Locate)).await;
        assert_eq!(end.is_unknown(), unknown, "{method} {data}: {end:?}");
        run.end(plan(&reach, Purpose::Locate)).await;
        let failures = run.failures();
        assert!(
            failures.len() == 1 && failures[0].contains(said),
            "told once: {failures:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_reflection_only_an_empty_message_can_be_sent() {
    let peer = Peer::start().await;
    let reach = peer.at("grpc_bare");
    let run = Run::of(grpc("grpc.testing.TestService/EmptyCall", "{ }"));
    assert!(run.end(plan(&reach, Purpose::Traffic)).await.is_ok());
    let run = Run::of(grpc(UNARY, WAIT));
    let CallEnd::Failed { why } = run.end(plan(&reach, Purpose::Traffic)).await else {
        panic!("it cannot be sent")
    };
    assert!(why.contains("reflection.Register(server)"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_answers_are_told_apart() {
    for (how, expected) in [
        (
            Call::Reset(h2::Reason::REFUSED_STREAM),
            r#"Reset { reason: "REFUSED_STREAM" }"#,
        ),
        (Call::Page(404), "Http { status: 404 }"),
        (Call::Page(200), "not gRPC: it answered 200 OK, text/html"),
        (Call::NoStatus, "without a grpc-status"),
        (
            Call::TrailersOnly("7", "not%20you"),
            r#"Status { code: 7, message: "not you" }"#,
        ),
        (Call::TrailersOnly("seven", ""), "not a number"),
        (Call::GoAway, "GOAWAY ENHANCE_YOUR_CALM"),
    ] {
        let peer = http2(how).await;
        let run = Run::of(grpc("a.B/C", ""));
        let end = run.end(plan(&peer.server.reach, Purpose::Traffic)).await;
        assert!(format!("{end:?}").contains(expected), "{how:?}: {end:?}");
    }
    let garbage = server(Reply::Bytes(b"HTTP/1.1 400 Bad Request\r\n\r\n")).await;
    let run = Run::of(grpc("a.B/C", ""));
    let end = run.end(plan(&garbage.reach, Purpose::Traffic)).await;
    assert!(matches!(end, CallEnd::Failed { .. }), "{end:?}");
}

/// A server may answer before the message has gone out, and close the stream: its answer counts,
/// and not that nobody takes the message any more.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_the_head_alone_is_an_answer() {
    let peer = Peer::start().await;
    let run = Run::of(grpc("a.B/C", ""));
    for _ in 0..2000 {
        let end = run.end(plan(&peer.at("grpc_bare"), Purpose::Traffic)).await;
        assert!(matches!(end, CallEnd::Status { code: 12, .. }), "{end:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn patience_ends_and_a_failure_has_its_place() {
    let peer = http2(Call::Hang).await;
    let run = Run::of(grpc("a.B/C", ""));
    let mut impatient = plan(&peer.server.reach, Purpose::Deadline);
    impatient.patience = ms(100);
    assert_eq!(run.end(impatient).await, CallEnd::TimedOut);
    let CallEnd::Failed { why } = run.end(plan(&refused().await, Purpose::Traffic)).await else {
        panic!("refused")
    };
    assert!(why.contains("connection refused"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_http_request_carries_its_body_and_ids() {
    let mut peer = Peer::start().await;
    let run = Run::of(http("POST", "/echo", r#"{"id": 1}"#));
    let call = run.ended(plan(&peer.at("app"), Purpose::Traffic)).await;
    assert_eq!(call.end(), Some(&CallEnd::Http { status: 201 }));
    let heard = peer.event("echo").await;
    assert_eq!(
        (&heard["body"], &heard["type"]),
        (&r#"{"id": 1}"#.into(), &"application/json".into())
    );
    assert_eq!(heard["extra"], "from the configuration");
    assert!(
        heard["traceparent"]
            .as_str()
            .is_some_and(|ids| ids.contains(&call.sent.trace_id)),
        "{heard}"
    );
    let run = Run::of(http(
        "GET",
        &format!("http://{}/nothing", peer.at("app")),
        "",
    ));
    let call = run.ended(plan("127.0.0.1:1", Purpose::Locate)).await;
    assert!(
        call.end().is_some_and(CallEnd::is_unknown),
        "{:?}",
        call.end()
    );
    assert_eq!(
        call.sent.reach,
        peer.at("app"),
        "an absolute target says where to"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn leaving_an_http_request_closes_its_connection() {
    let mut peer = Peer::start().await;
    let run = Run::of(http("GET", "/wait", ""));
    let mut plan = plan(&peer.at("app"), Purpose::Cancel);
    plan.cancel_after = Some(ms(50));
    assert_eq!(run.end(plan).await, CallEnd::Left);
    peer.event("left").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_all_ends_calls_and_connections() {
    let mut peer = Peer::start().await;
    let run = Run::of(http("GET", "/wait", ""));
    let id = run
        .caller
        .call(plan(&peer.at("app"), Purpose::Traffic))
        .await;
    peer.event("waiting").await;
    assert_eq!(run.caller.in_flight(), 1);
    run.caller.close_all().await;
    assert_eq!(run.caller.in_flight(), 0);
    let end = format!("{:?}", run.call(id).end());
    assert!(end.contains("shakedown closed its connections"), "{end}");
    peer.event("left").await;

    let mut peer = http2(Call::TrailersOnly("0", "")).await;
    let run = Run::of(grpc("a.B/C", ""));
    for purpose in [Purpose::Traffic, Purpose::Deadline, Purpose::Traffic] {
        assert!(run.end(plan(&peer.server.reach, purpose)).await.is_ok());
    }
    run.caller.close_all().await;
    let opened = peer.server.accepted.load(Ordering::SeqCst);
    for _ in 0..opened {
        timeout(ms(5000), peer.server.closed.recv())
            .await
            .expect("each is closed");
    }
    assert!(
        run.end(plan(&peer.server.reach, Purpose::Traffic))
            .await
            .is_ok(),
        "later calls open new ones"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_the_caller_leaves_nothing_open() {
    let mut peer = Peer::start().await;
    let run = Run::of(http("GET", "/wait", ""));
    run.caller
        .call(plan(&peer.at("app"), Purpose::Traffic))
        .await;
    peer.event("waiting").await;
    drop(run);
    peer.event("left").await;
}

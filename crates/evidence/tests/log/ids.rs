//! Forms of trace and span ids, each as its logger or agent writes it.

use shakedown_evidence::log::{Id, Ids, ParsedLine};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

fn read(line: &str) -> Ids {
    ParsedLine::read(line).ids
}

/// Both ids are found, whole or by their low 64 bits.
fn check(line: &str) {
    let ids = read(line);
    assert!(
        ids.trace.as_ref().is_some_and(|id| id.is_hex(TRACE)),
        "trace of {line}: {ids:?}"
    );
    assert!(
        ids.span.as_ref().is_some_and(|id| id.is_hex(SPAN)),
        "span of {line}: {ids:?}"
    );
    assert!(!ids.is_half());
}

/// Only the trace id is found.
fn check_trace(line: &str) {
    let ids = read(line);
    assert!(
        ids.trace.as_ref().is_some_and(|id| id.is_hex(TRACE)),
        "trace of {line}: {ids:?}"
    );
    assert_eq!(ids.span, None, "{line}");
}

/// Neither is found.
fn check_none(line: &str) {
    assert_eq!(read(line), Ids::default(), "{line}");
}

#[test]
fn names_of_vendors_are_known() {
    for line in [
        r#"{"msg":"m","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7"}"#,
        r#"{"msg":"m","traceId":"4BF92F3577B34DA6A3CE929D0E0E4736","spanId":"00F067AA0BA902B7"}"#,
        r#"{"msg":"m","traceID":"4bf92f3577b34da6a3ce929d0e0e4736","spanID":"00f067aa0ba902b7"}"#,
        r#"{"msg":"m","trace-id":"4bf92f3577b34da6a3ce929d0e0e4736","span-id":"00f067aa0ba902b7"}"#,
        r#"{"TraceID":"4bf92f3577b34da6a3ce929d0e0e4736","SpanID":"00f067aa0ba902b7","TraceFlags":"01"}"#,
        r#"{"otelTraceID":"4bf92f3577b34da6a3ce929d0e0e4736","otelSpanID":"00f067aa0ba902b7","otelTraceSampled":true}"#,
        r#"{"msg":"m","dd.trace_id":"11803532876627986230","dd.span_id":"67667974448284343"}"#,
        r#"{"msg":"m","dd":{"trace_id":"11803532876627986230","span_id":"67667974448284343","service":"orders"}}"#,
        r#"{"msg":"m","dd":{"trace_id":11803532876627986230,"span_id":67667974448284343}}"#,
        r#"{"msg":"m","dd.trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","dd.span_id":"00f067aa0ba902b7"}"#,
        r#"{"message":"m","logging.googleapis.com/trace":"projects/p/traces/4bf92f3577b34da6a3ce929d0e0e4736","logging.googleapis.com/spanId":"00f067aa0ba902b7","logging.googleapis.com/trace_sampled":true}"#,
        r#"{"message":"m","trace.id":"4bf92f3577b34da6a3ce929d0e0e4736","span.id":"00f067aa0ba902b7"}"#,
        r#"{"message":"m","trace":{"id":"4bf92f3577b34da6a3ce929d0e0e4736"},"span":{"id":"00f067aa0ba902b7"}}"#,
        r#"{"message":"m","trace":{"id":"4bf92f3577b34da6a3ce929d0e0e4736"},"transaction":{"id":"00f067aa0ba902b7"}}"#,
        r#"{"message":"m","trace.trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","trace.span_id":"00f067aa0ba902b7","trace.parent_id":"1111111111111111"}"#,
        r#"{"@t":"2026-11-23T07:59:33Z","@mt":"m {A}","@tr":"4bf92f3577b34da6a3ce929d0e0e4736","@sp":"00f067aa0ba902b7"}"#,
        r#"{"msg":"m","xray_trace_id":"1-4bf92f35-77b34da6a3ce929d0e0e4736@00f067aa0ba902b7"}"#,
        r#"{"content":"m","level":"info","trace":"4bf92f3577b34da6a3ce929d0e0e4736","span":"00f067aa0ba902b7"}"#,
        r#"{"timestamp":"2026-11-23T07:59:33Z","level":"INFO","fields":{"message":"m"},"openTelemetry":{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7"}}"#,
        r#"{"msg":"m","traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}"#,
        r#"{"msg":"m","uber-trace-id":"4bf92f3577b34da6a3ce929d0e0e4736:f067aa0ba902b7:0:1"}"#,
        r#"{"msg":"m","b3":"a3ce929d0e0e4736-00f067aa0ba902b7-1"}"#,
        r#"{"msg":"m","X-B3-TraceId":"a3ce929d0e0e4736","X-B3-SpanId":"00f067aa0ba902b7"}"#,
        r#"{"msg":"m","fields":{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7"}}"#,
    ] {
        check(line);
    }
    check_trace(r#"{"msg":"m","AWS-XRAY-TRACE-ID":"1-4bf92f35-77b34da6a3ce929d0e0e4736"}"#);
}

#[test]
fn ids_in_text_are_found() {
    for line in [
        "order stored trace_id=4bf92f3577b34da6a3ce929d0e0e4736 span_id=00f067aa0ba902b7",
        "2026/11/23 07:59:33 order stored (trace_id: 4bf92f3577b34da6a3ce929d0e0e4736, span_id: 00f067aa0ba902b7)",
        "2026-11-23 07:59:33,555 INFO [root] [app.py:12] [trace_id=4bf92f3577b34da6a3ce929d0e0e4736 span_id=00f067aa0ba902b7 resource.service.name=orders trace_sampled=True] - stored",
        "2026-11-23 07:59:33.555  INFO [orders,4bf92f3577b34da6a3ce929d0e0e4736,00f067aa0ba902b7] 17 --- [nio-1] o.s.Orders : stored",
        "2026-11-23 07:59:33.555  INFO [orders,a3ce929d0e0e4736,00f067aa0ba902b7,true] 17 --- [nio-1] o.s.Orders : stored",
        "2026-11-23T07:59:33.555Z  INFO 17 --- [orders] [nio-1] [4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7] o.s.Orders : stored",
        "stored NR-LINKING|guid|host|4bf92f3577b34da6a3ce929d0e0e4736|00f067aa0ba902b7|orders|",
        "2026-11-23T07:59:33Z  INFO request{method=GET trace_id=4bf92f3577b34da6a3ce929d0e0e4736 span_id=00f067aa0ba902b7}: orders: stored",
        "stored [dd.service=orders dd.trace_id=11803532876627986230 dd.span_id=67667974448284343]",
        "stored traceparent=00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        r#"tail of a","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7"}"#,
        r#"orders-1  | {"level":"info","msg":"m","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7"}"#,
        r#"2026/11/23 07:59:33 {"level":"info","msg":"m","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7"}"#,
        r#"2026/11/23 07:59:33 stored {"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "span_id": "00f067aa0ba902b7"}"#,
    ] {
        check(line);
    }
}

#[test]
fn copies_of_anothers_ids_do_not_count() {
    for line in [
        r#"{"msg":"m","req":{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7"}}"#,
        r#"{"msg":"m","headers":{"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}}"#,
        r#"{"msg":"m","spans":[{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7"}]}"#,
        r#"{"msg":"got {\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\"}","parent_span_id":"00f067aa0ba902b7"}"#,
        r#"{"msg":"trace_id=4bf92f3577b34da6a3ce929d0e0e4736"}"#,
        r#"level=info msg="trace_id=4bf92f3577b34da6a3ce929d0e0e4736" req.trace_id=4bf92f3577b34da6a3ce929d0e0e4736"#,
        r#"stored req={"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"} n=1"#,
        "stored req=map[trace_id:4bf92f3577b34da6a3ce929d0e0e4736]",
        r#"stored {"req": {"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736"}}"#,
        r#"{"msg":"m","request_id":"4bf92f3577b34da6a3ce929d0e0e4736","correlation_id":"00f067aa0ba902b7"}"#,
    ] {
        check_none(line);
    }
}

#[test]
fn zero_and_nothing_are_absent() {
    for line in [
        r#"{"msg":"m","trace_id":"00000000000000000000000000000000","span_id":"0000000000000000"}"#,
        r#"{"msg":"m","trace_id":"","span_id":null}"#,
        r#"{"otelTraceID":"0","otelSpanID":"0"}"#,
        r#"{"msg":"m","dd.trace_id":0,"dd.span_id":"0"}"#,
        "stored [trace_id=0 span_id=0]",
        "stored [orders,,]",
        r#"{"msg":"m","trace":"main.go:12 main.main","span":"5ms"}"#,
        r#"{"msg":"m","trace":true,"span":12}"#,
        "stored span=5 trace: done",
        "no trace_id: dropped",
    ] {
        check_none(line);
    }
}

#[test]
fn the_better_of_two_ids_counts() {
    for line in [
        r#"{"dd.trace_id":"17","dd.span_id":"18","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7"}"#,
        r#"{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7","dd.trace_id":"17","dd.span_id":"18"}"#,
        r#"{"trace_id":"11111111111111111111111111111111","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7"}"#,
        r#"{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","trace_id":"","span_id":"00f067aa0ba902b7","span_id":"0000000000000000"}"#,
        r#"{"x-trace-id":"9b2d7c1e-0000-4000-8000-000000000000","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7"}"#,
    ] {
        check(line);
    }
}

#[test]
fn an_id_that_is_not_w3c_is_still_an_id() {
    let ids = read(r#"{"msg":"m","traceId":"9b2d7c1e-1111-4000-8000-00000000ABCD"}"#);
    assert_eq!(
        ids.trace,
        Some(Id::Foreign("9b2d7c1e-1111-4000-8000-00000000abcd".into()))
    );
    assert!(!ids.trace.unwrap().is_w3c());
}

#[test]
fn half_pairs_are_seen() {
    let ids = read(r#"{"msg":"m","span_id":"00f067aa0ba902b7"}"#);
    assert!(ids.is_half() && ids.trace.is_none());
    let ids = read("stored trace_id=4bf92f3577b34da6a3ce929d0e0e4736");
    assert!(ids.is_half() && ids.span.is_none());
}

#[test]
fn what_a_cut_line_still_says_is_kept() {
    check(
        r#"{"level":"info","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7","msg":"sto"#,
    );
    check_none(r#"{"level":"info","trace_id":"4bf92f3577b34da6a3ce"#);
}

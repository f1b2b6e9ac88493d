//! Logs, and JSON beside protobuf: what is said in both is read as the same.

use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;
use serde_json::{Value, json};
use shakedown_acquire::otlp::{
    ATTRIBUTES_MAX, BODY_MAX, DecodeError, LogRecord, TEXT_MAX, decode_logs, decode_logs_json,
    decode_traces, decode_traces_json,
};
use shakedown_evidence::At;
use shakedown_evidence::log::{Level, ParsedLine, RawLine, Stream};

use crate::decoder::{any_span, hex};
use crate::messages::{
    Any, AnyValue, KeyValue, Link, LogsRequest, Record, ResourceLogs, ScopeLogs, Span, request,
};

fn of(records: Vec<Record>) -> LogsRequest {
    LogsRequest {
        resource_logs: vec![ResourceLogs {
            resource: request(Vec::new()).resource_spans.remove(0).resource,
            scope_logs: vec![ScopeLogs {
                scope: None,
                records,
            }],
        }],
    }
}

fn check(record: Record) -> LogRecord {
    let mut records = decode_logs(&of(vec![record]).encode_to_vec()).expect("well formed");
    assert_eq!(records.len(), 1);
    records.remove(0)
}

/// The record as the reader of log lines understands it.
fn read(record: &LogRecord) -> ParsedLine {
    ParsedLine::of(&RawLine {
        at: At(0),
        stream: Stream::Otlp,
        text: record.text.clone(),
        cut: record.cut,
    })
}

fn body(text: &str) -> Option<AnyValue> {
    let value = Some(Any::Text(text.to_owned()));
    Some(AnyValue { value })
}

#[test]
fn a_record_becomes_a_line_that_can_be_read() {
    let record = check(Record {
        time: 1_795_420_773_555_000_000,
        observed: 7,
        severity: 17,
        severity_text: "problem".to_owned(),
        body: body("payment \"7\" refused\nby the bank"),
        attributes: vec![
            KeyValue::new("code.file.path", Any::Text("orders/pay.go".to_owned())),
            KeyValue::new("code.line.number", Any::Integer(12)),
            KeyValue::new("trace_id", Any::Text("of something else".to_owned())),
        ],
        trace_id: vec![0xab; 16],
        span_id: vec![0xcd; 8],
    });
    assert_eq!(
        (record.service.as_str(), record.pid),
        ("orders", Some(4242))
    );
    let line = read(&record);
    assert_eq!(line.level, Some(Level::Error));
    assert_eq!(line.message, "payment \"7\" refused\nby the bank");
    assert_eq!(line.unix_ns, Some(1_795_420_773_555_000_000));
    let caller = line.caller.expect("its place");
    assert_eq!((caller.file.as_str(), caller.line), ("orders/pay.go", 12));
    assert!(line.ids.trace.is_some_and(|id| id.is_hex(&"ab".repeat(16))));
    assert!(line.ids.span.is_some_and(|id| id.is_hex(&"cd".repeat(8))));
}

#[test]
fn a_record_without_a_context_has_no_ids() {
    for trace_id in [vec![], vec![0; 16]] {
        let record = check(Record {
            trace_id,
            body: body("cache refreshed"),
            ..Record::default()
        });
        let line = read(&record);
        assert!(line.ids.is_empty());
        assert_eq!(line.message, "cache refreshed");
    }
}

#[test]
fn the_time_of_observation_stands_in() {
    let record = check(Record {
        observed: 7,
        ..Record::default()
    });
    assert_eq!(record.unix_ns, 7);
    assert_eq!(read(&record).unix_ns, None);
}

#[test]
fn a_long_body_is_cut_and_counted() {
    let record = check(Record {
        body: body(&"é".repeat(BODY_MAX)),
        ..Record::default()
    });
    assert_eq!(record.cut, BODY_MAX as u64);
    assert_eq!(read(&record).message.len(), BODY_MAX);
}

#[test]
fn json_that_would_take_too_much_is_refused_before_it_is_built() {
    let many = format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{}]}}]}}]}}"#,
        vec!["{}"; 300_000].join(",")
    );
    assert_eq!(
        decode_traces_json(many.as_bytes()),
        Err(DecodeError::TooLarge)
    );
    assert_eq!(
        decode_logs_json(many.as_bytes()),
        Err(DecodeError::TooLarge)
    );
    // What is skipped is not built either.
    let skipped = format!(
        r#"{{"resourceSpans":[{{"x":[{}0]}}]}}"#,
        "0,".repeat(1 << 20)
    );
    assert_eq!(decode_traces_json(skipped.as_bytes()), Ok(vec![]));
    let kind = format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"kind":[{}0]}}]}}]}}]}}"#,
        "0,".repeat(1 << 20)
    );
    assert_eq!(
        decode_traces_json(kind.as_bytes()).map(|spans| spans.len()),
        Ok(1)
    );
}

#[test]
fn json_of_another_form_is_refused() {
    let deep = "[".repeat(100_000);
    for text in [
        "",
        "[]",
        "{",
        "null",
        r#"{"resourceSpans":{}}"#,
        deep.as_str(),
    ] {
        assert!(decode_traces_json(text.as_bytes()).is_err(), "{text:.20}");
    }
    for id in [r#""ab""#, r#""zz8efff798038103d269b633813fc60c""#, "7"] {
        let span =
            format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"traceId":{id}}}]}}]}}]}}"#);
        assert!(decode_traces_json(span.as_bytes()).is_err(), "{id}");
    }
    let null = br#"{"resourceSpans":[{"resource":null,"scopeSpans":[{"spans":[{"parentSpanId":null,"kind":null}]}]}]}"#;
    assert_eq!(decode_traces_json(null).map(|spans| spans.len()), Ok(1));
}

/// The same request as JSON, as the specification writes it.
fn as_json(spans: &[Span]) -> Value {
    let span = |span: &Span| {
        json!({
            "traceId": hex(&span.trace_id).to_uppercase(),
            "spanId": hex(&span.span_id),
            "parentSpanId": hex(&span.parent_span_id),
            "name": span.name,
            "kind": span.kind,
            "startTimeUnixNano": span.start.to_string(),
            "endTimeUnixNano": span.end,
            "flags": span.flags,
            "attributes": span.attributes.iter().map(attribute).collect::<Vec<_>>(),
            "links": span.links.iter().map(link).collect::<Vec<_>>(),
            "events": [{"name": "unknown to us"}],
        })
    };
    let resource = request(Vec::new()).resource_spans.remove(0).resource;
    let described = resource
        .map(|resource| resource.attributes)
        .unwrap_or_default();
    json!({"resourceSpans": [{
        "resource": {"attributes": described.iter().map(attribute).collect::<Vec<_>>()},
        "scopeSpans": [{
            "scope": {"name": "example.com/orders", "version": "1"},
            "spans": spans.iter().map(span).collect::<Vec<_>>(),
        }],
    }]})
}

fn link(link: &Link) -> Value {
    json!({"traceId": hex(&link.trace_id), "spanId": hex(&link.span_id)})
}

fn attribute(of: &KeyValue) -> Value {
    let value = match of.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Any::Text(text)) => json!({ "stringValue": text }),
        Some(Any::Flag(flag)) => json!({ "boolValue": flag }),
        Some(Any::Integer(number)) => json!({ "intValue": number.to_string() }),
        Some(Any::Float(number)) => json!({ "doubleValue": number }),
        Some(Any::Array(_)) => json!({"arrayValue": {"values": []}}),
        Some(Any::Bytes(_)) => json!({"bytesValue": "AAAA"}),
        None => json!({}),
    };
    json!({"key": of.key, "value": value})
}

proptest! {
    #[test]
    fn json_says_what_protobuf_says(spans in vec(any_span(), 0..5)) {
        let whole = |span: &Span| span.attributes.iter().all(|pair| {
            // JSON has no NaN, and writes numbers in its own way.
            !matches!(pair.value.as_ref().and_then(|value| value.value.as_ref()), Some(Any::Float(_)))
        });
        prop_assume!(spans.iter().all(whole));
        let protobuf = decode_traces(&request(spans.clone()).encode_to_vec());
        let json = decode_traces_json(as_json(&spans).to_string().as_bytes());
        prop_assert_eq!(json, protobuf);
    }

    #[test]
    fn records_keep_what_they_said(
        text in ".{0,60}",
        severity in 0_i32..30,
        time in 1_000_000_000_000_000_000_u64..2_000_000_000_000_000_000,
        trace in vec(1_u8.., 16),
    ) {
        let record = Record {
            time,
            severity,
            body: body(&text),
            trace_id: trace.clone(),
            span_id: vec![1; 8],
            ..Record::default()
        };
        let line = read(&check(record));
        prop_assert_eq!(line.message.trim_end(), text.trim_end());
        prop_assert_eq!(line.unix_ns, Some(time));
        prop_assert!(line.ids.trace.is_some_and(|id| id.is_hex(&hex(&trace))));
        prop_assert_eq!(line.level.is_some(), (1..=24).contains(&severity));
    }

    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..400)) {
        let _ = (decode_logs(&bytes), decode_logs_json(&bytes), decode_traces_json(&bytes));
    }

    #[test]
    fn damaged_json_never_panics(
        spans in vec(any_span(), 1..3),
        at in any::<prop::sample::Index>(),
        cut in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = as_json(&spans).to_string().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let bounded = |text: &String| text.len() <= TEXT_MAX;
        for span in decode_traces_json(&bytes).into_iter().flatten() {
            prop_assert!(span.attributes.len() <= ATTRIBUTES_MAX);
            prop_assert!([&span.name, &span.service, &span.scope].into_iter().all(bounded));
        }
        bytes.truncate(cut.index(bytes.len()));
        let _ = decode_traces_json(&bytes);
    }
}

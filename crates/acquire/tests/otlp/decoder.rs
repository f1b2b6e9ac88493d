//! The decoder against an encoder of another make, and against random bytes.

use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;
use shakedown_acquire::otlp::{ATTRIBUTES_MAX, DecodeError, LINKS_MAX, TEXT_MAX, decode_traces};
use shakedown_evidence::{Span as Decoded, SpanKind, SpanLink};

use crate::messages::{Any, Array, KeyValue, Link, Resource, Span, Status, request, span};

fn check(span: Span) -> Decoded {
    let bytes = request(vec![span]).encode_to_vec();
    let mut spans = decode_traces(&bytes).expect("well formed");
    assert_eq!(spans.len(), 1);
    spans.remove(0)
}

fn values(attributes: Vec<KeyValue>) -> Vec<(String, String)> {
    let decoded = check(Span {
        attributes,
        ..span(1)
    });
    decoded.attributes
}

#[test]
fn every_field_that_is_kept_is_read() {
    let decoded = check(Span {
        parent_span_id: vec![9; 8],
        trace_state: "a=b".to_owned(),
        kind: 3,
        attributes: vec![KeyValue::new("http.route", Any::Text("/orders".to_owned()))],
        links: vec![Link {
            trace_id: vec![1; 16],
            span_id: vec![2; 8],
            flags: 1,
        }],
        status: Some(Status {
            message: "no".to_owned(),
            code: 2,
        }),
        ..span(5)
    });
    let expected = Decoded {
        trace_id: "ab".repeat(16),
        span_id: "05".repeat(8),
        parent_id: "09".repeat(8),
        name: "span 5".to_owned(),
        kind: SpanKind::Client,
        start_unix_ns: 1_000,
        end_unix_ns: 2_000,
        flags: 0x101,
        service: "orders".to_owned(),
        pid: Some(4242),
        scope: "example.com/orders".to_owned(),
        links: vec![SpanLink {
            trace_id: "01".repeat(16),
            span_id: "02".repeat(8),
        }],
        attributes: vec![("http.route".to_owned(), "/orders".to_owned())],
    };
    assert_eq!(decoded, expected);
}

#[test]
fn ids_of_zeros_are_no_ids() {
    let decoded = check(Span {
        trace_id: vec![0; 16],
        parent_span_id: vec![0; 8],
        ..span(1)
    });
    assert_eq!(decoded.trace_id, "");
    assert!(decoded.is_root());
}

#[test]
fn ids_of_impossible_lengths_are_refused() {
    for (trace_id, span_id) in [(15, 8), (17, 8), (16, 7), (16, 16), (32, 8)] {
        let odd = Span {
            trace_id: vec![1; trace_id],
            span_id: vec![1; span_id],
            ..Span::default()
        };
        let decoded = decode_traces(&request(vec![odd]).encode_to_vec());
        assert!(
            matches!(decoded, Err(DecodeError::IdLength { .. })),
            "{trace_id} {span_id}"
        );
    }
}

#[test]
fn texts_and_numbers_are_kept_and_lists_are_not() {
    let found = values(vec![
        KeyValue::new("text", Any::Text("t".to_owned())),
        KeyValue::new("flag", Any::Flag(true)),
        KeyValue::new("integer", Any::Integer(-7)),
        KeyValue::new("float", Any::Float(0.25)),
        KeyValue::new("huge", Any::Float(1e300)),
        KeyValue::new("list", Any::Array(Array { values: vec![] })),
        KeyValue::new("bytes", Any::Bytes(vec![1])),
        KeyValue::new("", Any::Flag(true)),
    ]);
    let expected = [
        ("text", "t"),
        ("flag", "true"),
        ("integer", "-7"),
        ("float", "0.25"),
        ("huge", "1e300"),
    ];
    let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(found, expected);
}

#[test]
fn what_is_kept_of_one_span_is_bounded() {
    let long = "ä".repeat(1000);
    let attribute = KeyValue::new(long.clone(), Any::Text(long.clone()));
    let decoded = check(Span {
        name: long,
        attributes: vec![attribute; 200],
        links: vec![Link::default(); 200],
        ..span(1)
    });
    assert_eq!(decoded.attributes.len(), ATTRIBUTES_MAX);
    assert_eq!(decoded.links.len(), LINKS_MAX);
    let (key, value) = &decoded.attributes[0];
    for text in [key, value, &decoded.name] {
        assert_eq!(*text, "ä".repeat(TEXT_MAX / 2));
    }
}

#[test]
fn a_text_cut_within_a_character_ends_before_it() {
    let decoded = check(Span {
        name: format!("a{}", "ä".repeat(1000)),
        ..span(1)
    });
    assert_eq!(decoded.name, format!("a{}", "ä".repeat((TEXT_MAX - 1) / 2)));
}

#[test]
fn the_resource_may_stand_after_its_spans() {
    let mut spans_first = request(vec![span(1)]).resource_spans.remove(0);
    let resource = spans_first.resource.take();
    let mut bytes = spans_first.encode_to_vec();
    let last = crate::messages::ResourceSpans {
        resource,
        ..Default::default()
    };
    bytes.extend(last.encode_to_vec());
    let mut message = vec![0x0a];
    prost::encoding::encode_varint(bytes.len() as u64, &mut message);
    message.extend(bytes);
    let spans = decode_traces(&message).expect("well formed");
    assert_eq!(spans[0].service, "orders");
    assert_eq!(spans[0].pid, Some(4242));
}

#[test]
fn fields_of_later_versions_are_skipped() {
    let mut bytes = request(vec![span(1)]).encode_to_vec();
    // Field 900 of the request: a text that this version does not know.
    bytes.extend([0xa2, 0x38, 0x02, b'h', b'i']);
    assert_eq!(decode_traces(&bytes).expect("well formed").len(), 1);
}

#[test]
fn invalid_utf8_is_replaced() {
    let mut bytes = request(vec![span(1)]).encode_to_vec();
    let name = bytes
        .windows(6)
        .position(|window| window == b"span 1")
        .expect("its name");
    bytes[name] = 0xff;
    let spans = decode_traces(&bytes).expect("well formed");
    assert_eq!(spans[0].name, "\u{fffd}pan 1");
}

/// Two bytes on the wire are some two hundred in memory: sixteen million bytes of empty spans
/// must not become gigabytes.
#[test]
fn a_flood_of_empty_spans_is_refused_before_it_fills_the_memory() {
    let empty = [0x12, 0x00].repeat(1 << 20);
    let mut scope_spans = vec![0x12];
    prost::encoding::encode_varint(empty.len() as u64, &mut scope_spans);
    scope_spans.extend(empty);
    let mut resource_spans = vec![0x0a];
    prost::encoding::encode_varint(scope_spans.len() as u64, &mut resource_spans);
    resource_spans.extend(scope_spans);
    assert_eq!(decode_traces(&resource_spans), Err(DecodeError::TooLarge));
}

fn attribute() -> impl Strategy<Value = KeyValue> {
    let value = prop_oneof![
        ".{0,300}".prop_map(Any::Text),
        any::<bool>().prop_map(Any::Flag),
        any::<i64>().prop_map(Any::Integer),
        any::<f64>().prop_map(Any::Float),
        vec(any::<u8>(), 0..8).prop_map(Any::Bytes),
    ];
    ("[a-z.]{0,12}", value).prop_map(|(key, value)| KeyValue::new(key, value))
}

prop_compose! {
    pub(crate) fn any_span()(
        trace_id in any::<[u8; 16]>(),
        span_id in any::<[u8; 8]>(),
        parent in proptest::option::of(any::<[u8; 8]>()),
        name in ".{0,40}",
        kind in -1..8_i32,
        (start, end, flags) in any::<(u64, u64, u32)>(),
        attributes in vec(attribute(), 0..6),
        links in vec(any::<([u8; 16], [u8; 8])>(), 0..4),
    ) -> Span {
        Span {
            trace_id: trace_id.to_vec(),
            span_id: span_id.to_vec(),
            parent_span_id: parent.map_or_else(Vec::new, |id| id.to_vec()),
            name, kind, start, end, flags, attributes,
            links: links.into_iter().map(|(trace, span)| Link {
                trace_id: trace.to_vec(), span_id: span.to_vec(), flags: 0,
            }).collect(),
            ..Span::default()
        }
    }
}

pub(crate) fn hex(id: &[u8]) -> String {
    if id.iter().all(|byte| *byte == 0) {
        return String::new();
    }
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

proptest! {
    #[test]
    fn what_another_encoder_writes_is_read_back(spans in vec(any_span(), 0..5)) {
        let bytes = request(spans.clone()).encode_to_vec();
        let decoded = decode_traces(&bytes).expect("well formed");
        prop_assert_eq!(decoded.len(), spans.len());
        for (decoded, span) in decoded.iter().zip(&spans) {
            prop_assert_eq!(&decoded.trace_id, &hex(&span.trace_id));
            prop_assert_eq!(&decoded.span_id, &hex(&span.span_id));
            prop_assert_eq!(&decoded.parent_id, &hex(&span.parent_span_id));
            prop_assert_eq!(&decoded.name, &span.name);
            prop_assert_eq!(decoded.kind, SpanKind::from_otlp(span.kind));
            prop_assert_eq!(decoded.start_unix_ns, span.start);
            prop_assert_eq!(decoded.end_unix_ns, span.end);
            prop_assert_eq!(decoded.flags, span.flags);
            prop_assert_eq!(decoded.links.len(), span.links.len());
            for (decoded, link) in decoded.links.iter().zip(&span.links) {
                prop_assert_eq!(&decoded.trace_id, &hex(&link.trace_id));
                prop_assert_eq!(&decoded.span_id, &hex(&link.span_id));
            }
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..400)) {
        let _ = decode_traces(&bytes);
    }

    #[test]
    fn damaged_requests_never_panic(
        spans in vec(any_span(), 1..4),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        end in any::<prop::sample::Index>(),
    ) {
        let mut bytes = request(spans).encode_to_vec();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(end.index(bytes.len() + 1));
        let _ = decode_traces(&bytes);
    }

    #[test]
    fn the_service_is_the_resource_s(name in "[a-z]{1,20}") {
        let mut request = request(vec![span(1)]);
        request.resource_spans[0].resource = Some(Resource {
            attributes: vec![KeyValue::new("service.name", Any::Text(name.clone()))],
        });
        let spans = decode_traces(&request.encode_to_vec()).expect("well formed");
        prop_assert_eq!(&spans[0].service, &name);
        prop_assert_eq!(spans[0].pid, None);
    }
}

//! OTLP requests of every kind that is kept: traces and logs, in protobuf and JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shakedown_acquire::otlp::{
    ATTRIBUTES_MAX, BODY_MAX, LINKS_MAX, LogRecord, TEXT_MAX, decode_logs, decode_logs_json,
    decode_traces, decode_traces_json,
};
use shakedown_evidence::Span;
use shakedown_evidence::log::ParsedLine;

fuzz_target!(|bytes: &[u8]| {
    // Two bytes are the least that a span takes, in JSON too.
    let most = bytes.len() / 2;
    for spans in [decode_traces(bytes), decode_traces_json(bytes)]
        .into_iter()
        .flatten()
    {
        assert!(spans.len() <= most);
        spans.iter().for_each(check_span);
    }
    for records in [decode_logs(bytes), decode_logs_json(bytes)]
        .into_iter()
        .flatten()
    {
        assert!(records.len() <= most);
        records.iter().for_each(check_record);
    }
});

fn check_span(span: &Span) {
    assert!(matches!(span.trace_id.len(), 0 | 32));
    for id in [&span.span_id, &span.parent_id] {
        assert!(matches!(id.len(), 0 | 16));
    }
    assert!(span.links.len() <= LINKS_MAX);
    assert!(span.attributes.len() <= ATTRIBUTES_MAX);
    let attributes = span.attributes.iter().flat_map(|(key, value)| [key, value]);
    let texts = [&span.name, &span.service, &span.scope];
    assert!(
        texts
            .into_iter()
            .chain(attributes)
            .all(|text| text.len() <= TEXT_MAX)
    );
}

/// A record is one line of JSON; each byte of a text takes six at most.
fn check_record(record: &LogRecord) {
    assert!(!record.text.contains('\n'));
    assert!(record.text.len() <= 6 * (BODY_MAX + (2 * ATTRIBUTES_MAX + 4) * TEXT_MAX));
    let _ = ParsedLine::read(&record.text);
}

//! An OTLP trace request.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shakedown_acquire::otlp::{ATTRIBUTES_MAX, LINKS_MAX, TEXT_MAX, decode_traces};

fuzz_target!(|bytes: &[u8]| {
    let Ok(spans) = decode_traces(bytes) else {
        return;
    };
    // Two bytes are the least that a span takes.
    assert!(spans.len() <= bytes.len() / 2);
    for span in spans {
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
});

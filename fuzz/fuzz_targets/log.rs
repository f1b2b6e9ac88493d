//! Lines of a service's log.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shakedown_evidence::At;
use shakedown_evidence::log::{ParsedLine, RawLine, Stream, classify, fuzz, template};

/// A template is read by a person: longer ones are cut.
const TEMPLATE_MAX: usize = 64 << 10;

fuzz_target!(|bytes: &[u8]| {
    fuzz(bytes);
    // One line as the recorder hands it over: whatever stands in it, cut, with lost bytes.
    let raw = RawLine {
        at: At(0),
        stream: Stream::Stderr,
        text: String::from_utf8_lossy(bytes).into_owned(),
        cut: bytes.len() as u64 % 3,
    };
    let line = ParsedLine::of(&raw);
    let _ = classify(&line);
    assert!(template(&line).len() <= TEMPLATE_MAX.max(4 * raw.text.len()));
});

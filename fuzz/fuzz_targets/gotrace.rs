//! Heads of the batches of Go execution traces, in one piece and in two.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shakedown_gotrace::ExtentReader;

fuzz_target!(|bytes: &[u8]| {
    let mut whole = ExtentReader::default();
    whole.feed(bytes);
    let whole = whole.end();
    // Each batch has a kind and four numbers.
    assert!(whole.batches <= bytes.len() as u64 / 5);
    let (first, second) = bytes.split_at(bytes.len() / 2);
    let mut pieces = ExtentReader::default();
    pieces.feed(first);
    pieces.feed(second);
    assert_eq!(pieces.end(), whole);
});

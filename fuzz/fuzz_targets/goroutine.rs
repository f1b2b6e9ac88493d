//! Goroutine dumps and counts in text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shakedown_pprof::Limits;
use shakedown_pprof::goroutine::{Counts, Dump};

const LIMITS: Limits = Limits {
    inflated_bytes: 16 << 20,
    decoded_bytes: 64 << 20,
    frames: 1 << 20,
};

fuzz_target!(|bytes: &[u8]| {
    let _ = Counts::decode_within(bytes, &LIMITS);
    let Ok(dump) = Dump::decode_within(bytes, &LIMITS) else {
        return;
    };
    let frames: usize = dump.goroutines.iter().map(|g| g.frames.len()).sum();
    let lines = bytes.iter().filter(|&&b| b == b'\n').count() + 1;
    assert!(dump.goroutines.len() + frames + dump.unread_lines <= lines);
    for goroutine in &dump.goroutines {
        let _ = goroutine.root();
    }
});

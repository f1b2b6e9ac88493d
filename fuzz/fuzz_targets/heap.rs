//! The heap profile as text, and what descriptors lead to.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shakedown_evidence::parse_heap;
use shakedown_evidence::resources::{counted, kind_of_file};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(heap) = parse_heap(bytes) {
        assert!(heap.sites.is_sorted_by(|a, b| a.1.bytes >= b.1.bytes));
        assert!(heap.sites.iter().all(|(stack, _)| !stack.frames.is_empty()));
        let frames: usize = heap.sites.iter().map(|(stack, _)| stack.frames.len()).sum();
        assert!(frames <= bytes.split(|byte| *byte == b'\n').count());
    }
    let text = String::from_utf8_lossy(bytes);
    let targets: Vec<&str> = text.lines().collect();
    let kinds = counted(targets.iter().map(|target| kind_of_file(target)));
    assert_eq!(kinds.values().sum::<u64>(), targets.len() as u64);
});

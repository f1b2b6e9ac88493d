//! Protobuf descriptors in the data of an executable: what is found lies in it, and is bounded.
#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use shakedown_symbols::{descriptors, descriptors_from};

fuzz_target!(|data: &[u8]| {
    let found = descriptors(data);
    for (name, file) in &found.files {
        assert!(name.ends_with(".proto") && file.len() > name.len());
        // Found again alone: it ends where it was said to end.
        assert_eq!(descriptors(file).files.get(name), Some(file));
    }
    let _ = descriptors_from(Cursor::new(data));
});

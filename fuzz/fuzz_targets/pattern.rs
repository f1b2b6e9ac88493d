//! Go's regular expressions: what is taken runs.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shakedown_pprof::Pattern;

fuzz_target!(|source: &str| {
    if let Ok(pattern) = Pattern::new(source) {
        let _ = pattern.is_match("main.(*T).run");
        assert_eq!(pattern.as_str(), source);
    }
});

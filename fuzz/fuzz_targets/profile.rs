//! profile.proto and folded stacks: decode, aggregate, encode, decode again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shakedown_pprof::goroutine::Counts;
use shakedown_pprof::jitter::{WINDOWS_MIN, Window, look};
use shakedown_pprof::{Granularity, Limits, Profile, top};

const LIMITS: Limits = Limits {
    inflated_bytes: 16 << 20,
    decoded_bytes: 64 << 20,
    frames: 1 << 20,
};

fuzz_target!(|bytes: &[u8]| {
    let Ok(profile) = Profile::decode_within(bytes, &LIMITS) else {
        return;
    };
    for by in [Granularity::Function, Granularity::Line] {
        for row in top(&profile, 0, by).rows {
            let _ = (row.short_name().len(), row.place().len());
        }
    }
    let _ = Counts::from_profile(&profile);
    if let Some(window) = Window::of(&profile, 2_000_000_000) {
        assert!(look(&vec![window; WINDOWS_MIN]).is_some_and(|look| look.odd.is_empty()));
    }
    let mut named = profile.clone();
    named.name_addresses(0, 1, &String::from_utf8_lossy(bytes));
    assert_eq!(Profile::decode(&profile.encode()), Ok(profile));
});

//! `shakedown.toml`, and the words of flags that are read the same way.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use shakedown_checklist::config::{Config, ConfigError, grpc, http, parse_duration};

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    words(&text);
    match Config::from_bytes(bytes, Path::new("shakedown.toml")) {
        Err(ConfigError::Invalid { line, column, .. }) => {
            assert!((1..=text.matches('\n').count() + 1).contains(&line));
            assert!(column >= 1);
        }
        Err(other) => panic!("bytes cannot fail otherwise: {other}"),
        Ok(config) => {
            let _ = config.service(None);
            for service in &config.services {
                for request in service.requests() {
                    let _ = (request.flags(), request.subject());
                }
                let _ = service.headers(|_| None);
            }
        }
    }
});

fn words(text: &str) {
    if let Ok(duration) = parse_duration(text) {
        assert!(duration.as_secs() <= 3600);
    }
    let _ = grpc(text, String::new());
    let _ = grpc("a.B/C", text.to_owned());
    let _ = http(text, String::new());
}

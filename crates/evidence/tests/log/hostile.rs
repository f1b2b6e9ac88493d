//! Nothing from outside makes the reader panic, recurse or take longer than the line is long.

use std::path::Path;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use shakedown_evidence::log::{ParsedLine, fuzz};

/// 64 KiB within seconds, even in a debug build on a busy machine (milliseconds on a free one): what
/// is not linear takes far longer.
fn check(text: &str) {
    let begun = Instant::now();
    fuzz(text.as_bytes());
    let took = begun.elapsed();
    assert!(
        took < Duration::from_secs(5),
        "{} bytes beginning with {:.40} took {took:?}",
        text.len(),
        text
    );
}

pub(crate) fn real_lines() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let mut lines = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "log") {
            lines.extend(
                String::from_utf8_lossy(&std::fs::read(path).unwrap())
                    .lines()
                    .map(str::to_owned),
            );
        }
    }
    lines
}

#[test]
fn long_lines_take_linear_time() {
    const LENGTH: usize = 64 * 1024;
    for unit in [
        "a",
        "é",
        " ",
        "\t",
        "\0",
        "\"",
        "\\",
        "\\\"",
        "'",
        "`",
        "{",
        "}",
        "[",
        "]",
        "{\"",
        "\"}",
        "{\"a\":",
        ",\"",
        "=",
        "a=",
        "a=\"",
        "a:",
        ": ",
        "\u{1b}[",
        "\u{1b}[3",
        "\u{1b}[31m",
        "1",
        "1.",
        "-",
        "/",
        "|",
        "GET /",
        " 200",
        "*",
        "a1-",
        "@",
        "trace_id=",
        "trace_id=\"",
        "[a,b,c]",
        "map[",
        "2026/11/23 07:59:33 ",
        "main.f(",
        ")",
        "\u{2028}",
        "INFO[",
        "\r",
        "{\"a\":1} ",
        "&{",
        "k=[",
        "'a ",
        "NR-LINKING|",
        "2026-11-23T07:59:33.5Z stdout P ",
        "{\"log\":\"",
        "\"__REALTIME_TIMESTAMP\":\"1\",\"MESSAGE\":[",
        "Nov 23 07:59:33 host a[1]: ",
        "a-1 | ",
        "a{}:",
        "\"spans\":[{",
    ] {
        let body = unit.repeat(LENGTH / unit.len());
        check(&body);
        check(&format!("{{\"msg\":\"{body}"));
        check(&format!("{{\"msg\":\"m\",\"a\":{body}"));
        check(&format!(
            "{{\"level\":\"info\",\"msg\":{}}}",
            serde_json::to_string(&body).unwrap()
        ));
        check(&format!("2026/11/23 07:59:33 {body}"));
        check(&format!("2026-11-23T07:59:33Z\tINFO\t{body}\t{{}}"));
        check(&format!("level=info msg={body}"));
        check(&format!("{body}}}"));
    }
}

#[test]
fn deep_nesting_needs_no_stack() {
    for depth in [10_000, 200_000] {
        let arrays = format!(
            "{{\"msg\":\"m\",\"a\":{}{}}}",
            "[".repeat(depth),
            "]".repeat(depth)
        );
        assert_eq!(ParsedLine::read(&arrays).message, "m");
        let objects = format!(
            "{{\"msg\":\"m\",\"trace\":{}1{}}}",
            "{\"trace\":".repeat(depth),
            "}".repeat(depth)
        );
        assert_eq!(ParsedLine::read(&objects).message, "m");
        check(&objects[..objects.len() / 2]);
        let containers = "{\"http\":{\"request\":{\"dd\":{\"log\":".repeat(depth / 10);
        check(&containers);
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        fuzz(&bytes);
    }

    #[test]
    fn any_text_is_read(text in "\\PC{0,200}") {
        fuzz(text.as_bytes());
    }

    #[test]
    fn signs_of_the_formats_in_any_order_are_read(parts in prop::collection::vec(prop::sample::select(vec![
        "{", "}", "[", "]", "\"", "\\", ":", ",", "=", " ", "\t", "trace_id", "span", "msg", "level", "INFO", "INFO[", "main.go:12", "2026/11/23", "07:59:33",
        "2026-11-23T07:59:33Z", "é", "\u{1b}[31m", "\0", "1", "-", "/", "|", "GET", "200", "'", "map", "&", "null", "goroutine 1 [", "http: ", "[core] ", "@", "*", "%",
        "stdout", "F ", "P ", "log", "stream", "spans", "target", "timestamp", "MESSAGE", "__REALTIME_TIMESTAMP", "Nov 23", "a-1 | ", "[17]: ", "::", "<14>",
        "\\u", "d83d", "1-", "00-", "a=", "{\"", "\":", "> ", "0x", "ts", "(", ")",
    ]), 0..40)) {
        fuzz(parts.concat().as_bytes());
    }

    #[test]
    fn damaged_real_lines_are_read(which in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), cut in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let lines = real_lines();
        let mut bytes = which.get(&lines).clone().into_bytes();
        bytes.push(b'\n');
        let at = at.index(bytes.len());
        bytes[at] = byte;
        fuzz(&bytes);
        bytes.truncate(cut.index(bytes.len()));
        fuzz(&bytes);
        bytes.reverse();
        fuzz(&bytes);
    }
}

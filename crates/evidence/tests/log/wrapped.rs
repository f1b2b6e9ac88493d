//! Lines of the real libraries, put into what collectors make of them: what is read must not
//! depend on it.

use proptest::prelude::*;
use shakedown_evidence::log::{ParsedLine, classify, cri_part, template};

use super::hostile::real_lines;

/// A time that none of the lines has.
const TIME: &str = "2026-01-02T03:04:05.678901234Z";
const TIME_NS: u64 = 1_767_323_045_678_901_234;

/// The line as each collector writes it.
fn wrapped(line: &str) -> Vec<String> {
    let quoted = |text: &str| serde_json::to_string(text).unwrap();
    let ended = quoted(&format!("{line}\n"));
    let bytes = format!("{:?}", line.as_bytes());
    let text = quoted(line);
    let micros = TIME_NS / 1000;
    vec![
        format!("{TIME} stdout F {line}"),
        format!("{TIME} stderr F {line}"),
        format!(r#"{{"log":{ended},"stream":"stdout","time":"{TIME}"}}"#),
        format!(r#"{{"MESSAGE":{text},"__REALTIME_TIMESTAMP":"{micros}","_PID":"17"}}"#),
        format!(r#"{{"__REALTIME_TIMESTAMP":"{micros}","MESSAGE":{bytes}}}"#),
        format!("Jan  2 03:04:05 host orders[17]: {line}"),
        format!("2026-01-02T03:04:05.678901+0000 host orders[17]: {line}"),
        format!("orders-1  | {line}"),
        format!("[pod/orders-7d4f/orders] {line}"),
        format!("[pod/orders-7d4f/orders] {TIME} stdout F {line}"),
    ]
}

/// All but the time, which a wrapper may know better.
fn said(line: &str) -> String {
    let line = ParsedLine::read(line);
    let class = classify(&line);
    let template = template(&line);
    let line = ParsedLine {
        unix_ns: None,
        ..line
    };
    format!("{line:?} {class:?} {template}")
}

#[test]
fn what_is_read_does_not_depend_on_the_collector() {
    for line in real_lines() {
        let bare = said(&line);
        for wrapped in wrapped(&line) {
            assert_eq!(said(&wrapped), bare, "{wrapped}");
        }
    }
}

#[test]
fn the_collector_knows_the_time_where_the_line_does_not() {
    let at = |line: &str| {
        let times = wrapped(line).into_iter();
        let times = times.filter_map(|line| ParsedLine::read(&line).unix_ns);
        times.map(|unix_ns| unix_ns / 1000).collect::<Vec<_>>()
    };
    for line in [
        "order stored",
        r#"{"level":"info","time":"2026-01-02T03:04:05Z","msg":"m"}"#,
    ] {
        let times = at(line);
        let known = times.iter().filter(|micros| **micros == TIME_NS / 1000);
        assert_eq!(known.count(), 7, "{line}: {times:?}");
    }
    let exact = at(r#"{"level":"info","time":"2026-01-02T03:04:05.5Z","msg":"m"}"#);
    assert!(
        exact.iter().all(|micros| *micros == 1_767_323_045_500_000),
        "{exact:?}"
    );
}

proptest! {
    #[test]
    fn a_part_ends_where_its_text_begins(text in "[a-z0-9 ]{0,40}", partial in any::<bool>()) {
        let tag = if partial { "P" } else { "F" };
        let line = format!("{TIME} stdout {tag} {text}");
        let part = cri_part(line.as_bytes()).unwrap();
        prop_assert_eq!(&line[part.text..], text);
        prop_assert_eq!((part.partial, part.is_stderr), (partial, false));
    }

    #[test]
    fn any_bytes_may_be_a_part(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Some(part) = cri_part(&bytes) {
            prop_assert!(part.text <= bytes.len());
        }
        let _ = cri_part(&[TIME.as_bytes(), b" stdout P ", &bytes].concat()).unwrap();
    }
}

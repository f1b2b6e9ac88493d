//! What is read besides ids: format, level, message, time, caller, logger, request.

use shakedown_evidence::log::{Format, Level, ParsedLine};

/// Format and message, with what else was found.
fn check(line: &str, format: Format, message: &str) -> ParsedLine {
    let read = ParsedLine::read(line);
    assert_eq!(
        (read.format, read.message.as_str()),
        (format, message),
        "{line}"
    );
    read
}

#[test]
fn half_objects_are_remembered_as_broken() {
    let whole =
        r#"{"level":"warn","ts":1795420773.5,"caller":"a/b.go:7","msg":"order stored","n":12}"#;
    let read = check(whole, Format::Zap, "order stored");
    assert_eq!(
        (read.level, read.unix_ns),
        (Some(Level::Warn), Some(1_795_420_773_500_000_000))
    );
    for cut in 2..whole.len() {
        let read = ParsedLine::read(&whole[..cut]);
        assert_eq!(read.format, Format::BrokenJson, "cut at {cut}");
        assert!(!read.format.is_json());
    }
    check(
        &format!("{whole}{whole}"),
        Format::BrokenJson,
        "order stored",
    );
    check(&format!("{whole} tail"), Format::BrokenJson, "order stored");
    check(
        r#"stored","n":12}"#,
        Format::BrokenJson,
        r#"stored","n":12}"#,
    );
}

#[test]
fn brackets_alone_are_text() {
    for line in ["{", "{foo} bar", "{}}", "[1,2]", "}", "{ }x"] {
        let format = ParsedLine::read(line).format;
        assert!(
            matches!(format, Format::Text | Format::BrokenJson),
            "{line}: {format:?}"
        );
    }
    check("{foo} bar", Format::Text, "{foo} bar");
    check("{}", Format::Json, "");
}

#[test]
fn zeros_and_colours_are_stripped() {
    check("\0\0\0\0order stored\0", Format::Text, "order stored");
    check(
        "\u{feff}\u{1b}[31morder\u{1b}[0m stored\u{1b}[K\u{1b}",
        Format::Text,
        "order stored",
    );
    check(
        "\0\u{1b}[0m{\"level\":\"info\",\"ts\":1,\"msg\":\"m\"}\u{1b}[0m\r",
        Format::Zap,
        "m",
    );
    check("a\0b", Format::Text, "a\0b");
}

#[test]
fn callers_of_other_loggers_are_read() {
    for line in [
        r#"{"message":"m","severity":"INFO","logging.googleapis.com/sourceLocation":{"file":"a/b.go","line":"7","function":"main.f"}}"#,
        r#"{"message":"m","log.level":"info","log.origin":{"file.name":"a/b.go","file.line":7,"function":"main.f"}}"#,
        r#"{"message":"m","log":{"level":"info","origin":{"file":{"name":"a/b.go","line":7},"function":"main.f"}}}"#,
        r#"{"msg":"m","level":"info","file":"a/b.go:7","func":"main.f"}"#,
        r#"{"msg":"m","level":"info","file":"a/b.go","line":7,"func":"main.f"}"#,
        r#"time=2026-11-23T07:59:33Z level=info msg=m caller=a/b.go:7 function=main.f"#,
    ] {
        let caller = ParsedLine::read(line).caller.expect(line);
        assert_eq!(
            (
                caller.file.as_str(),
                caller.line,
                caller.function.as_deref()
            ),
            ("a/b.go", 7, Some("main.f")),
            "{line}"
        );
        assert_eq!(ParsedLine::read(line).level, Some(Level::Info), "{line}");
    }
    for line in [
        r#"{"msg":"m","source":"kafka.svc:9092"}"#,
        r#"{"msg":"m","file":"upload.pdf","line":3}"#,
        "dial kafka.svc:9092: refused",
    ] {
        assert_eq!(ParsedLine::read(line).caller, None, "{line}");
    }
}

#[test]
fn glog_and_rust_are_read() {
    let read = check(
        "W1123 07:59:33.555000   17 orders.go:12] order stored",
        Format::Glog,
        "order stored",
    );
    assert_eq!((read.level, read.unix_ns), (Some(Level::Warn), None));
    let line = r#"{"timestamp":"2026-11-23T07:59:33.5Z","level":"INFO","fields":{"message":"order stored","n":1},"target":"orders::store"}"#;
    let read = check(line, Format::Tracing, "order stored");
    assert_eq!(read.logger.as_deref(), Some("orders::store"));
    assert_eq!(read.unix_ns, Some(1_795_420_773_500_000_000));
}

#[test]
fn std_log_is_not_seen_in_prose() {
    for line in [
        "listening since 07:59:33 on port 80",
        "see main.go:12: here",
        "a/b/c 2026",
        "12:30 is late",
    ] {
        assert_eq!(ParsedLine::read(line).format, Format::Text, "{line}");
    }
    let read = check("2026/11/23 07:59:33", Format::StdLog, "");
    assert_eq!(read.unix_ns, None);
}

#[test]
fn requests_are_read() {
    let line = r#"{"level":"info","ts":1795420773.5,"logger":"http.log.access","msg":"handled request","request":{"remote_ip":"::1","remote_port":"48484","method":"GET","uri":"/orders/1"},"status":200}"#;
    let said = ParsedLine::read(line).exchange;
    assert_eq!(said.method.as_deref(), Some("GET"));
    assert_eq!(said.path.as_deref(), Some("/orders/1"));
    assert_eq!(said.status, Some(200));
    assert_eq!(said.peer, "[::1]:48484".parse().ok());
}

#[test]
fn numbers_without_end_are_harmless() {
    let digits = "9".repeat(60_000);
    let line = format!(
        r#"{{"level":{digits},"ts":{digits}.{digits},"line":{digits},"status":{digits},"trace_id":{digits},"msg":"m"}}"#
    );
    let read = check(&line, Format::Zap, "m");
    assert_eq!(
        (read.level, read.unix_ns, read.exchange.status),
        (None, None, None)
    );
    assert!(!read.ids.trace.unwrap().is_w3c());
}

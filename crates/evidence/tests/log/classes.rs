//! Who a line speaks for.

use shakedown_evidence::log::{Library, LineClass, ParsedLine, classify};

fn class(line: &str) -> LineClass {
    classify(&ParsedLine::read(line))
}

/// An access log with this peer; empty for none.
fn check_access(line: &str, peer: &str) {
    assert_eq!(
        class(line),
        LineClass::AccessLog {
            peer: peer.parse().ok()
        },
        "{line}"
    );
}

fn check_noise(line: &str, library: Library) {
    assert!(
        matches!(class(line), LineClass::LibraryNoise { from, .. } if from == library),
        "{line}: {:?}",
        class(line)
    );
}

#[test]
fn access_logs_are_told_by_what_they_hold() {
    check_access(
        r#"{"level":"info","msg":"x","method":"GET","path":"/orders","status":200,"remote_addr":"10.0.0.1:48484"}"#,
        "10.0.0.1:48484",
    );
    check_access(
        r#"{"time":"2026-11-23T07:59:33Z","level":"INFO","msg":"done","http":{"method":"GET","path":"/","status":"200"}}"#,
        "",
    );
    check_access(
        r#"{"severity":"INFO","message":"","httpRequest":{"requestMethod":"GET","requestUrl":"/x","status":200,"remoteIp":"10.0.0.1"}}"#,
        "",
    );
    check_access(
        r#"{"message":"x","http.request.method":"GET","url.path":"/","http.response.status_code":200,"network.peer.address":"10.0.0.1","network.peer.port":48484}"#,
        "10.0.0.1:48484",
    );
    check_access(
        r#"{"msg":"finished call","grpc.method":"Get","grpc.service":"orders.v1.Orders","grpc.code":"OK","peer.address":"[::1]:48484"}"#,
        "[::1]:48484",
    );
    check_access(
        r#"{"msg":"rpc","method":"/orders.v1.Orders/Get","grpc.code":"OK"}"#,
        "",
    );
    check_access(r#"{"msg":"Request completed.","status":200}"#, "");
    check_access(
        "level=info msg=done method=GET path=/orders status=200 remote=10.0.0.1:48484",
        "10.0.0.1:48484",
    );
    check_access(
        r#"10.0.0.1 - ann [23/Nov/2026:07:59:33 +0000] "GET /orders HTTP/2.0" 200 12 "-" "curl""#,
        "",
    );
    check_access(
        r#"10.0.0.1:48484 - - [23/Nov/2026:07:59:33 +0000] "GET /orders HTTP/1.1" 200 12"#,
        "10.0.0.1:48484",
    );
    check_access(
        "07:59:33 | 200 |  1.2ms | 127.0.0.1 | GET | /orders | -",
        "",
    );
    check_access("2026/11/23 07:59:33 GET /orders 200 1.2ms", "");
    check_access("GET /orders 1.2ms -> 404", "");
}

#[test]
fn the_application_is_not_excused() {
    for line in [
        r#"{"level":"info","msg":"order stored","method":"card","path":"fast","status":"paid"}"#,
        r#"{"level":"info","msg":"order stored","method":"GET","path":"/orders"}"#,
        r#"{"level":"info","msg":"order stored","grpc.method":"Get","grpc.service":"orders.v1.Orders"}"#,
        r#"{"level":"info","msg":"request completed"}"#,
        r#"{"level":"error","msg":"inventory answered 503","url":"http://inventory/","status":503}"#,
        "GET /orders failed with 503",
        "2026/11/23 07:59:33 calling GET /orders gave 503",
        "2026/11/23 07:59:33 panic: no, only a message",
        "order stored",
        "{foo} bar",
        "2026/11/23 07:59:33 http: server closed",
        "[core business] order stored",
        "stored order (12)",
        "done.",
        r#"{"level":"info","msg":"sto"#,
    ] {
        assert_eq!(class(line), LineClass::Application, "{line}");
    }
}

#[test]
fn libraries_are_known_by_their_messages() {
    check_noise(
        "2026/11/23 07:59:33 http: TLS handshake error from 10.0.0.1:48484: EOF",
        Library::NetHttp,
    );
    check_noise(
        r#"{"time":"2026-11-23T07:59:33Z","level":"INFO","msg":"http: superfluous response.WriteHeader call from main.f (main.go:12)"}"#,
        Library::NetHttp,
    );
    check_noise(
        "2026/11/23 07:59:33 WARNING: [core] [Channel #1] grpc: addrConn.createTransport failed",
        Library::Grpc,
    );
    check_noise(
        r#"{"level":"info","ts":1795420773.5,"msg":"[core] [Channel #1] Channel created"}"#,
        Library::Grpc,
    );
    check_noise(
        "2026/11/23 07:59:33 traces export: context deadline exceeded",
        Library::OpenTelemetry,
    );
    check_noise(
        "gc 1 @0.013s 1%: 0.29+0.42+0.003 ms clock",
        Library::Runtime,
    );
    check_noise("panic: boom [recovered]", Library::Runtime);
    check_noise("\tpanic: again", Library::Runtime);
    check_noise("goroutine 17 [chan receive, 5 minutes]:", Library::Runtime);
    check_noise(
        "github.com/a/b.(*T[...]).F(0xc000012, {0x1, 0x2}, ...)",
        Library::Runtime,
    );
    check_noise("main.main()", Library::Runtime);
    check_noise("rax    0x0", Library::Runtime);
    check_noise(
        "[mysql] 2026/11/23 07:59:33 packets.go:37: unexpected EOF",
        Library::Driver,
    );
    check_noise(
        "redis: 2026/11/23 07:59:33 pool.go:12: dial failed",
        Library::Driver,
    );
    let peer = "10.0.0.1:48484".parse().ok();
    assert_eq!(
        class("2026/11/23 07:59:33 http: panic serving 10.0.0.1:48484: boom"),
        LineClass::LibraryNoise {
            from: Library::NetHttp,
            peer
        }
    );
}

#[test]
fn parts_of_other_lines_are_continuations() {
    for line in [
        "",
        "   ",
        "\t/src/main.go:12 +0x1d",
        "    at x",
        "}",
        "  \"Addr\": 1,",
        "{",
        "} (resolver)",
        "main.main",
        "net/http.(*conn).serve",
    ] {
        assert_eq!(class(line), LineClass::Continuation, "{line:?}");
    }
}

//! Lines that libraries write by themselves, without the service's logger and its context.
//!
//! They have no ids and cannot have any, so they are no fault of the service's logging.

use std::net::SocketAddr;

use super::parsed::{Format, ParsedLine};

/// Who wrote a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Library {
    /// The Go runtime: panics, goroutine traces, what `GODEBUG` asks for.
    Runtime,
    /// net/http: `Server.ErrorLog`, and what it writes through the std logger.
    NetHttp,
    /// grpc-go's own logger.
    Grpc,
    /// The OpenTelemetry SDK and its exporters.
    OpenTelemetry,
    /// Gin in debug mode.
    Gin,
    /// A database driver's own logger.
    Driver,
}

/// What messages of a library begin with.
const BEGINNINGS: [(&str, Library); 38] = [
    // net/http/server.go, net/http/cookie.go, net/http/transport.go, net/http/httputil.
    ("http: TLS handshake error from ", Library::NetHttp),
    ("http: panic serving ", Library::NetHttp),
    (
        "http: superfluous response.WriteHeader call",
        Library::NetHttp,
    ),
    (
        "http: multiple response.WriteHeader calls",
        Library::NetHttp,
    ),
    (
        "http: response.Write on hijacked connection",
        Library::NetHttp,
    ),
    (
        "http: response.WriteHeader on hijacked connection",
        Library::NetHttp,
    ),
    ("http: WriteHeader called with both ", Library::NetHttp),
    ("http: invalid Content-Length of ", Library::NetHttp),
    ("http: URL query contains semicolon", Library::NetHttp),
    ("http: Accept error: ", Library::NetHttp),
    ("http: proxy error: ", Library::NetHttp),
    ("http2: ", Library::NetHttp),
    ("net/http: ", Library::NetHttp),
    ("httputil: ", Library::NetHttp),
    ("suppressing panic for copyResponse", Library::NetHttp),
    (
        "Unsolicited response received on idle HTTP channel",
        Library::NetHttp,
    ),
    ("RoundTripper returned a response & error", Library::NetHttp),
    // exporters/otlp/*/exporter.go, sdk/internal, the logr adapter of otel's global logger.
    ("traces export: ", Library::OpenTelemetry),
    ("metrics export: ", Library::OpenTelemetry),
    ("logs export: ", Library::OpenTelemetry),
    ("failed to upload metrics: ", Library::OpenTelemetry),
    ("failed to upload traces: ", Library::OpenTelemetry),
    ("failed to upload logs: ", Library::OpenTelemetry),
    ("exporter export timeout: ", Library::OpenTelemetry),
    ("max retry time elapsed: ", Library::OpenTelemetry),
    ("max retry time would elapse: ", Library::OpenTelemetry),
    ("OTLP partial success: ", Library::OpenTelemetry),
    ("OTEL partial success: ", Library::OpenTelemetry),
    ("\"level\"=", Library::OpenTelemetry),
    ("[GIN-debug] ", Library::Gin),
    // runtime/panic.go, runtime/traceback.go, runtime/signal_unix.go.
    ("[signal SIG", Library::Runtime),
    ("runtime stack:", Library::Runtime),
    ("runtime: ", Library::Runtime),
    ("SIGQUIT: quit", Library::Runtime),
    ("SIGABRT: abort", Library::Runtime),
    ("unexpected fault address ", Library::Runtime),
    ("[originating from goroutine ", Library::Runtime),
    ("...additional frames elided", Library::Runtime),
];

/// Beginnings that are a library's only where nothing stands before them: a logger may write
/// such a message too.
const BARE: [(&str, Library); 8] = [
    ("panic: ", Library::Runtime),
    ("fatal error: ", Library::Runtime),
    ("created by ", Library::Runtime),
    ("exit status ", Library::Runtime),
    ("scvg", Library::Runtime),
    ("SCHED ", Library::Runtime),
    ("pacer: ", Library::Runtime),
    ("goroutine running on other thread", Library::Runtime),
];

/// `log.SetPrefix` of drivers: go-sql-driver/mysql and go-redis.
const DRIVERS: [&str; 2] = ["mysql", "redis"];

/// `grpclog.Component` of grpc-go 1.85.
const GRPC_COMPONENTS: [&str; 34] = [
    "core",
    "transport",
    "channelz",
    "balancer",
    "credentials",
    "dns",
    "xds",
    "alts",
    "authz",
    "authz-audit",
    "binarylog",
    "csm-observability-plugin",
    "delegating-resolver",
    "directpath",
    "googlecloud",
    "grpclb",
    "grpcsync",
    "grpctransport",
    "health_service",
    "lazy-lb",
    "least-request",
    "metrics-registry",
    "orca",
    "orca-backend-metrics",
    "otel-plugin",
    "pemfile",
    "pick-first-lb",
    "pick-first-leaf-lb",
    "profiling",
    "rbac",
    "rls",
    "roundrobin",
    "weighted-round-robin",
    "weighted-target",
];

/// Whose line it is, and the peer that it names; nothing for the service's own.
pub(super) fn author(line: &ParsedLine) -> Option<(Library, Option<SocketAddr>)> {
    let message = line.message.as_str();
    if let Some((_, library)) = BEGINNINGS
        .iter()
        .find(|(start, _)| message.starts_with(start))
    {
        return Some((*library, named_peer(message)));
    }
    if is_grpc(message) {
        return Some((Library::Grpc, None));
    }
    let driver = line
        .logger
        .as_deref()
        .is_some_and(|logger| DRIVERS.contains(&logger));
    if driver && line.format == Format::StdLog {
        return Some((Library::Driver, None));
    }
    (line.format == Format::Text && is_runtime(message)).then_some((Library::Runtime, None))
}

/// The peer after `from` and `serving`.
fn named_peer(message: &str) -> Option<SocketAddr> {
    let (_, rest) = message
        .split_once("error from ")
        .or_else(|| message.split_once("panic serving "))?;
    let word = rest.split_ascii_whitespace().next()?;
    word.trim_end_matches(':').parse().ok()
}

/// `INFO: [core] …`, or without the severity in the JSON form and through other loggers.
fn is_grpc(message: &str) -> bool {
    let severities = ["INFO: ", "WARNING: ", "ERROR: ", "FATAL: "];
    let message = severities
        .iter()
        .find_map(|severity| message.strip_prefix(severity))
        .unwrap_or(message);
    let component = message
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("] "));
    component.is_some_and(|(component, _)| GRPC_COMPONENTS.contains(&component))
}

/// Panics, goroutine traces and debug output as the runtime prints them.
fn is_runtime(text: &str) -> bool {
    let bare = text.trim_start_matches('\t');
    BARE.iter().any(|(start, _)| bare.starts_with(start))
        || is_goroutine(text)
        || is_call(text)
        || is_debug(text)
        || is_register(text)
}

/// `goroutine 5 [running]:`, with `gp=` and `m=` since Go 1.23.
fn is_goroutine(text: &str) -> bool {
    let number = text
        .strip_prefix("goroutine ")
        .and_then(|rest| rest.split_once(' '));
    number.is_some_and(|(number, rest)| {
        is_number(number) && rest.contains('[') && rest.ends_with(':')
    })
}

/// `main.(*order).refuse(0x2bbc07743e80, {0x146013b, 0xc})`.
pub(super) fn is_call(text: &str) -> bool {
    let Some(arguments) = text.strip_suffix(')') else {
        return text.ends_with("goroutine traces follow");
    };
    let Some((function, arguments)) = arguments.rsplit_once('(') else {
        return false;
    };
    let is_argument = |byte: u8| {
        byte.is_ascii_hexdigit()
            || matches!(
                byte,
                b'x' | b'?' | b'{' | b'}' | b',' | b' ' | b'.' | b'_' | b'-' | b'+'
            )
    };
    let named = function == "panic" || function.contains('.');
    named
        && !function.contains([' ', '\t', '"', ':'])
        && !function.ends_with('.')
        && arguments.bytes().all(is_argument)
}

/// `gc 1 @0.013s …` and `init compress/flate @3.6 ms, …`.
fn is_debug(text: &str) -> bool {
    let mut words = text.split(' ');
    let (kind, name, at) = (words.next(), words.next(), words.next());
    let at = at.is_some_and(|at| {
        at.strip_prefix('@')
            .is_some_and(|at| at.starts_with(|c: char| c.is_ascii_digit()))
    });
    at && (kind == Some("init") || kind == Some("gc") && name.is_some_and(is_number))
}

/// `rax    0x0`, as a crash by a signal ends.
fn is_register(text: &str) -> bool {
    let mut words = text.split_ascii_whitespace();
    let (name, value, end) = (words.next(), words.next(), words.next());
    let short = name.is_some_and(|name| name.len() <= 6);
    short && end.is_none() && value.is_some_and(|value| value.starts_with("0x"))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

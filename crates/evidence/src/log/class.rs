//! Who a line speaks for: the service's own code, an access log, a library, or another line.
//!
//! Only lines of the first class are held to have ids. What is doubtful is the application's:
//! excusing too much would hide the fault that is looked for. Access logs are told by what they
//! hold (method, path and status), so a line of the application that holds all three is one too.

use std::net::SocketAddr;

use super::noise::{self, Library};
use super::parsed::{Format, ParsedLine};

/// Who a line speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineClass {
    /// The service's own code.
    Application,
    /// A middleware that reports each request.
    AccessLog {
        /// The client's end of the connection, as a span's `network.peer` has it.
        peer: Option<SocketAddr>,
    },
    /// A library that knows no request.
    LibraryNoise {
        /// Which.
        from: Library,
        /// The client's end of the connection.
        peer: Option<SocketAddr>,
    },
    /// Part of the line before: an indented stack, the rest of a text of several lines.
    Continuation,
}

/// Methods that an access log may begin a line with (RFC 9110, 9.3, and PATCH).
const METHODS: [&str; 9] = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE",
];

/// Messages of middlewares that report a request, in lower case.
const REPORTS: [&str; 22] = [
    "started call",
    "finished call",
    "request received",
    "response sent",
    "request",
    "http request",
    "grpc request",
    "access",
    "access log",
    "request started",
    "request completed",
    "request complete",
    "request finished",
    "request handled",
    "handled request",
    "incoming request",
    "incoming http request",
    "served request",
    "completed request",
    "started handling request",
    "completed handling request",
    "http request completed",
];

/// Says who a line speaks for.
#[must_use]
pub fn classify(line: &ParsedLine) -> LineClass {
    let is_text = line.format == Format::Text;
    if is_text && is_continuation(&line.message) {
        return LineClass::Continuation;
    }
    if let Some((from, peer)) = noise::author(line) {
        return LineClass::LibraryNoise {
            from,
            peer: peer.or(line.exchange.peer),
        };
    }
    if is_report(line) {
        return LineClass::AccessLog {
            peer: line.exchange.peer,
        };
    }
    if !line.format.is_json() && is_access_text(&line.message) {
        let peer = line.exchange.peer.or_else(|| first_address(&line.message));
        return LineClass::AccessLog { peer };
    }
    LineClass::Application
}

/// Blank, indented, the end of a text in brackets, or the name of a function as stack traces of
/// zap have it.
fn is_continuation(text: &str) -> bool {
    let trimmed = text.trim();
    let indented = text.starts_with([' ', '\t']) && !trimmed.starts_with("panic: ");
    let closes = trimmed.starts_with(['}', ']']);
    let opens = matches!(trimmed, "{" | "[" | "(");
    trimmed.is_empty() || indented || closes || opens || is_symbol(trimmed)
}

/// `net/http.(*conn).serve`, `main.main`: a path, and a name after its last point.
fn is_symbol(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"_/.-()*[]@~%".contains(&byte);
    let known = text.starts_with("main.") || text.starts_with("runtime.") || text.contains(".(*");
    let (_, name) = text.rsplit_once('.').unwrap_or_default();
    known && !name.is_empty() && !text.ends_with(')') && text.bytes().all(is_part)
}

/// The fields of an access log: those of a request and of its answer together, or some of them
/// under a message that middlewares have.
fn is_report(line: &ParsedLine) -> bool {
    let said = &line.exchange;
    let method = said
        .method
        .as_deref()
        .is_some_and(|method| METHODS.contains(&method));
    let rpc = said.rpc.is_some() || said.method.as_deref().is_some_and(is_full_method);
    if method && said.path.is_some() && said.status.is_some() || rpc && said.rpc_code.is_some() {
        return true;
    }
    let some = method || rpc || said.status.is_some() || said.rpc_code.is_some();
    some && is_report_message(&line.message)
}

fn is_report_message(message: &str) -> bool {
    let message = message.trim().trim_end_matches(['.', ':']);
    let calls = [
        "finished unary call",
        "finished streaming call",
        "finished client ",
    ];
    REPORTS
        .iter()
        .any(|known| known.eq_ignore_ascii_case(message))
        || calls.iter().any(|call| message.starts_with(call))
}

/// `/package.Service/Method`.
fn is_full_method(text: &str) -> bool {
    let path = text.strip_prefix('/').and_then(|path| path.split_once('/'));
    path.is_some_and(|(service, method)| {
        service.contains('.') && !method.is_empty() && !method.contains('/')
    })
}

/// An access log as text: common and combined log, chi (`"GET /path HTTP/1.1"` and a status),
/// gin and fiber (`| 200 | … | GET "/path"`), and lines that begin with `GET /path` and go on
/// with figures.
fn is_access_text(message: &str) -> bool {
    if message.contains(" HTTP/")
        && let Some((before, request)) = message.split_once('"')
        && let Some((request, after)) = request.split_once('"')
    {
        return begins_with_request(request) && words(before).chain(words(after)).any(is_status);
    }
    if message.contains('|') {
        let mut cells = message.split('|').map(str::trim);
        let begins = |cell: &str| {
            METHODS.iter().any(|method| {
                cell.strip_prefix(method)
                    .is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric()))
            })
        };
        return cells.clone().any(is_status) && cells.any(begins);
    }
    // Prose after the path (`GET /orders failed with 503`) is a sentence of the application.
    let figures = |word: &&str| {
        !word
            .bytes()
            .all(|byte| byte.is_ascii_alphabetic() || byte == b':')
    };
    begins_with_request(message) && words(message).skip(2).take_while(figures).any(is_status)
}

fn begins_with_request(text: &str) -> bool {
    let mut words = words(text);
    let method = words.next().is_some_and(|word| METHODS.contains(&word));
    method
        && words
            .next()
            .is_some_and(|path| path.starts_with('/') || path.contains("://") || path == "*")
}

fn is_status(word: &str) -> bool {
    word.len() == 3
        && word
            .parse()
            .is_ok_and(|status: u16| (100..600).contains(&status))
}

fn first_address(text: &str) -> Option<SocketAddr> {
    words(text).find_map(|word| word.trim_end_matches([':', ',']).parse().ok())
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split([' ', '\t', '"']).filter(|word| !word.is_empty())
}

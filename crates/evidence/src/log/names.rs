//! What the name of a field means.
//!
//! Names are compared in lower case without `_`, `-`, `.` and spaces, so that `trace_id`,
//! `traceId` and `trace.id` are one name, and a member `id` of an object `trace` is that name
//! too. Because a nested name carries its path, `"req":{"trace_id":…}` is `reqtraceid`, which
//! means nothing: a copy of another's id is not the line's own.

use std::collections::HashMap;
use std::sync::LazyLock;

/// Longest folded name that can mean something.
const NAME_MAX: usize = 64;

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The level.
    Level,
    /// The message; the lower number is the better name for it.
    Message(u8),
    /// The moment.
    Time,
    /// The logger's name.
    Logger,
    /// File and line, joined by a colon.
    Caller,
    /// File, with the line or without it.
    File,
    /// Line.
    Line,
    /// Function.
    Function,
    /// Trace id.
    Trace(Form),
    /// Span id.
    Span(Form),
    /// Both ids in one value.
    Pair,
    /// HTTP method.
    Method,
    /// Path or URL of a request.
    Path,
    /// HTTP status.
    Status,
    /// gRPC method.
    Rpc,
    /// gRPC status.
    RpcCode,
    /// Address of the peer, with its port or without it.
    Peer,
    /// Port of the peer.
    PeerPort,
}

impl Meaning {
    /// It belongs to the line wherever it is said: an id, or a part of a request. The others are
    /// a logger's own and count only where loggers write them.
    pub(super) const fn is_said_anywhere(self) -> bool {
        matches!(
            self,
            Self::Trace(_)
                | Self::Span(_)
                | Self::Pair
                | Self::Method
                | Self::Path
                | Self::Status
                | Self::Rpc
                | Self::RpcCode
                | Self::Peer
                | Self::PeerPort
        )
    }
}

/// How sure a name is to hold an id, the best last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Form {
    /// The word has other uses: only 16 or 32 hex digits count.
    Strict,
    /// Digits are decimal (Datadog).
    Decimal,
    /// Another vendor's name.
    Vendor,
    /// The name that OpenTelemetry gives it.
    Own,
}

/// A name folded for comparison.
#[derive(Debug, Clone, Copy)]
pub(super) struct Folded {
    bytes: [u8; NAME_MAX],
    length: usize,
}

impl Folded {
    pub(super) const EMPTY: Self = Self {
        bytes: [0; NAME_MAX],
        length: 0,
    };

    /// The name with another appended; nothing if that is too long to mean anything.
    pub(super) fn join(mut self, name: &str) -> Option<Self> {
        for byte in name.bytes() {
            if matches!(byte, b'_' | b'-' | b'.' | b' ') {
                continue;
            }
            *self.bytes.get_mut(self.length)? = byte.to_ascii_lowercase();
            self.length += 1;
        }
        Some(self)
    }

    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }

    /// It names an object whose members speak of the line itself, or of the request it reports.
    pub(super) fn is_container(&self) -> bool {
        matches!(
            self.as_str(),
            "dd" | "trace"
                | "span"
                | "transaction"
                | "opentelemetry"
                | "otel"
                | "tracecontext"
                | "fields"
                | "source"
                | "log"
                | "logorigin"
                | "logoriginfile"
                | "logginggoogleapiscom/sourcelocation"
                | "http"
                | "httprequest"
                | "httpresponse"
                | "url"
                | "request"
                | "req"
                | "response"
                | "resp"
                | "res"
                | "grpc"
                | "rpc"
                | "client"
        )
    }
}

/// Meaning of a name that is spelled in full; `path` is that of the objects around it.
pub(super) fn meaning(path: &Folded, key: &str) -> Option<Meaning> {
    if path.length == 0 {
        // zap's development names, and those of Serilog and log15, are too short to be folded.
        match key {
            "L" | "@l" => return Some(Meaning::Level),
            "M" | "@m" => return Some(Meaning::Message(0)),
            "T" | "@t" | "t" => return Some(Meaning::Time),
            "N" | "@module" => return Some(Meaning::Logger),
            "C" => return Some(Meaning::Caller),
            "@tr" => return Some(Meaning::Trace(Form::Vendor)),
            "@sp" => return Some(Meaning::Span(Form::Vendor)),
            _ => {}
        }
    }
    known(path.join(key)?.as_str())
}

/// Meaning of a name as far as ids go.
pub(super) fn id_meaning(key: &str) -> Option<Meaning> {
    let is_id = |meaning: &Meaning| {
        matches!(
            meaning,
            Meaning::Trace(_) | Meaning::Span(_) | Meaning::Pair
        )
    };
    meaning(&Folded::EMPTY, key).filter(is_id)
}

fn known(name: &str) -> Option<Meaning> {
    static KNOWN: LazyLock<HashMap<&str, Meaning>> = LazyLock::new(|| {
        let rows = NAMES.iter();
        rows.flat_map(|(meaning, names)| names.split_whitespace().map(|name| (name, *meaning)))
            .collect()
    });
    KNOWN.get(name).copied()
}

/// Folded names by their meaning. Seen in code and issues of the libraries, in the semantic
/// conventions of OpenTelemetry, and in the documentation of Datadog, Google, Elastic, Honeycomb,
/// AWS, Serilog, go-zero and Caddy.
const NAMES: [(Meaning, &str); 26] = [
    (Meaning::Trace(Form::Own), "traceid"),
    (Meaning::Span(Form::Own), "spanid"),
    (
        Meaning::Trace(Form::Vendor),
        "oteltraceid opentelemetrytraceid tracetraceid tracecontexttraceid spantraceid
         logginggoogleapiscom/trace xraytraceid awsxraytraceid xb3traceid b3traceid xtraceid",
    ),
    (
        Meaning::Span(Form::Vendor),
        "otelspanid opentelemetryspanid tracespanid tracecontextspanid spanspanid
         logginggoogleapiscom/spanid xb3spanid b3spanid xspanid",
    ),
    (Meaning::Trace(Form::Decimal), "ddtraceid"),
    (Meaning::Span(Form::Decimal), "ddspanid"),
    (Meaning::Trace(Form::Strict), "trace"),
    (Meaning::Span(Form::Strict), "span transactionid"),
    (Meaning::Pair, "traceparent b3 ubertraceid xcloudtracecontext xamzntraceid"),
    (Meaning::Level, "level lvl severity loglevel levelname severitytext"),
    (Meaning::Message(0), "msg"),
    (Meaning::Message(1), "message"),
    (Meaning::Message(2), "fieldsmessage fieldsmsg shortmessage @mt content"),
    (Meaning::Time, "time ts timestamp @timestamp datetime eventtime"),
    (Meaning::Logger, "logger loggername loglogger target"),
    (Meaning::Caller, "caller source"),
    (
        Meaning::File,
        "file filename codefilepath sourcefile logoriginfilename logoriginfile logginggoogleapiscom/sourcelocationfile",
    ),
    (
        Meaning::Line,
        "line lineno linenumber codelineno codelinenumber sourceline logoriginfileline logginggoogleapiscom/sourcelocationline",
    ),
    (
        Meaning::Function,
        "func function codefunction codefunctionname sourcefunction logoriginfunction logginggoogleapiscom/sourcelocationfunction",
    ),
    (
        Meaning::Method,
        "method httpmethod requestmethod reqmethod httprequestmethod httprequestrequestmethod",
    ),
    (
        Meaning::Path,
        "path uri url route requesturi requestpath requesturl requrl requri reqpath httppath httptarget httpurl
         httproute urlpath urlfull urloriginal httprequestpath httprequesturl httprequestrequesturl",
    ),
    (
        Meaning::Status,
        "status statuscode code httpstatus httpstatuscode responsestatus responsestatuscode responsecode
         resstatus resstatuscode respstatus respstatuscode httpresponsestatus httpresponsestatuscode httprequeststatus",
    ),
    (
        Meaning::Peer,
        "remoteaddr remoteaddress remote remoteip peer peeraddr peeraddress networkpeeraddress netpeerip
         netsockpeeraddr client clientaddr clientaddress clientip ip requestremoteaddr requestremoteip reqremoteaddr
         reqremoteip reqremoteaddress httprequestremoteip httpremoteaddr grpcpeeraddress",
    ),
    (
        Meaning::PeerPort,
        "remoteport peerport networkpeerport netpeerport netsockpeerport clientport requestremoteport reqremoteport",
    ),
    (Meaning::Rpc, "grpcmethod rpcmethod fullmethod grpcfullmethod"),
    (Meaning::RpcCode, "grpccode grpcstatus grpcstatuscode rpcgrpcstatuscode rpccode"),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Meaning of a key with its path, separated by slashes.
    fn check(path: &str, expected: Option<Meaning>) {
        let mut names: Vec<&str> = path.split("//").collect();
        let key = names.pop().unwrap();
        let around = names
            .iter()
            .try_fold(Folded::EMPTY, |path, name| path.join(name));
        assert_eq!(meaning(&around.unwrap(), key), expected, "{path}");
    }

    #[test]
    fn spellings_are_one_name() {
        for key in [
            "trace_id",
            "traceid",
            "traceId",
            "traceID",
            "TraceId",
            "TraceID",
            "trace.id",
            "trace-id",
            "trace//id",
        ] {
            check(key, Some(Meaning::Trace(Form::Own)));
        }
        for key in ["dd.trace_id", "dd//trace_id"] {
            check(key, Some(Meaning::Trace(Form::Decimal)));
        }
        for key in [
            "otelTraceID",
            "logging.googleapis.com/trace",
            "trace.trace_id",
            "@tr",
            "AWS-XRAY-TRACE-ID",
            "openTelemetry//traceId",
        ] {
            check(key, Some(Meaning::Trace(Form::Vendor)));
        }
    }

    #[test]
    fn a_copy_of_anothers_id_means_nothing() {
        for key in [
            "req//trace_id",
            "parent_trace_id",
            "parent.span_id",
            "trace.parent_id",
            "request_id",
            "correlation_id",
            "x-request-id",
            "trace_flags",
            "spans",
            "http//request//trace_id",
        ] {
            check(key, None);
        }
    }

    #[test]
    fn each_name_has_one_meaning() {
        let names: Vec<_> = NAMES
            .iter()
            .flat_map(|(_, names)| names.split_whitespace())
            .collect();
        for name in &names {
            assert_eq!(
                Folded::EMPTY.join(name).unwrap().as_str(),
                *name,
                "{name} is not folded"
            );
        }
        let distinct: std::collections::HashSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), names.len());
    }

    #[test]
    fn long_names_mean_nothing() {
        check(&"trace_id".repeat(100), None);
        check("", None);
    }
}

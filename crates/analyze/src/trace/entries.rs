//! Which span each request of ours was answered with.
//!
//! A span with our trace and us for its parent entered the service with the request. Where there
//! is none, the server span may have begun a trace of its own: then it is known by its route and
//! by its time, which is no more than a likeness, so rules ask for many of them.

use std::collections::HashMap;

use shakedown_evidence::{
    At, Call, CallEnd, Evidence, Purpose, Request, RequestKind, Role, Span, SpanKind, path_of,
};

use crate::chance::{LAG, Windows};

/// How a request of ours entered the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry<'a> {
    /// A span continues our trace.
    Joined(&'a Span),
    /// A new trace, linked to ours: a public endpoint that trusts no caller's ids.
    Linked(&'a Span),
    /// A server span for this route began a new trace at that time.
    Apart(&'a Span),
    /// No span is known.
    None,
}

/// One of the given requests, with every call of it that was answered.
#[derive(Debug)]
pub(super) struct Route<'a> {
    /// `pkg.Service/Method` or `GET /path`.
    pub subject: String,
    /// It asks whether the service is well, and such are often kept out of traces on purpose.
    pub is_health: bool,
    /// The calls with their spans.
    pub calls: Vec<(&'a Call, Entry<'a>)>,
    /// Server spans of this route that began new traces, whenever that was; in order.
    pub apart: Vec<&'a Span>,
}

impl<'a> Route<'a> {
    /// Calls that entered with a span of our trace, or with one that is linked to it.
    pub(super) fn known(&self) -> usize {
        let is_known = |entry: &Entry<'_>| matches!(entry, Entry::Joined(_) | Entry::Linked(_));
        self.calls
            .iter()
            .filter(|(_, entry)| is_known(entry))
            .count()
    }

    /// Calls without a span that is tied to ours.
    pub(super) fn unknown(&self) -> impl Iterator<Item = &'a Call> + '_ {
        let unknown = |(call, entry): &(&'a Call, Entry<'a>)| {
            matches!(entry, Entry::Apart(_) | Entry::None).then_some(*call)
        };
        self.calls.iter().filter_map(unknown)
    }
}

/// The given requests that were answered, each with its spans.
pub(super) fn routes(seen: &Evidence) -> Vec<Route<'_>> {
    let known = Known::of(seen);
    let mut routes = Vec::new();
    for (position, request) in seen.run.requests.iter().enumerate() {
        let Some(reach) = seen.reach_of(position).filter(|_| request.given) else {
            continue;
        };
        let calls = seen.calls.iter().filter(|call| {
            call.sent.request == position && call.sent.reach == reach && is_answered(call)
        });
        let mut calls: Vec<(&Call, Entry<'_>)> =
            calls.map(|call| (call, known.entry(call))).collect();
        let serves = |span: &&&Span| serves(span, request);
        let apart: Vec<&Span> = known.roots.iter().filter(serves).copied().collect();
        pair_up(seen, &mut calls, &apart);
        routes.push(Route {
            subject: request.subject(),
            is_health: is_health(request),
            calls,
            apart,
        });
    }
    routes
}

/// The requests in which alone something happened, where no span of our trace entered them: then
/// it is a consequence of that.
pub(super) fn only_without_span(
    seen: &Evidence,
    moments: impl IntoIterator<Item = At>,
) -> Vec<String> {
    only_without(seen, moments).unwrap_or_default()
}

/// Says it in a message.
pub(super) fn only_sentence(subjects: &[String]) -> Option<String> {
    let named = (!subjects.is_empty()).then(|| subjects.join(", "))?;
    Some(format!(
        "Only in requests that no span of our trace entered: {named}."
    ))
}

fn only_without(seen: &Evidence, moments: impl IntoIterator<Item = At>) -> Option<Vec<String>> {
    let routes = routes(seen);
    let is_alone = |call: &Call| call.sent.purpose == Purpose::Traffic;
    let calls = routes.iter().flat_map(|route| &route.calls);
    // Only these are sent one after another, so that a moment belongs to one.
    let calls: Vec<_> = calls.filter(|(call, _)| is_alone(call)).collect();
    let from = calls.iter().map(|(call, _)| call.sent.at).min()?;
    let until = calls
        .iter()
        .filter_map(|(call, _)| Some(call.ended.as_ref()?.at))
        .max()?;
    let during = |at: &At| *at >= from && *at <= until + LAG;
    let moments: Vec<At> = moments.into_iter().filter(during).collect();

    let mut subjects = Vec::new();
    let mut elsewhere = moments.clone();
    for route in &routes {
        let without = Windows::of_calls(seen, route.unknown().filter(|call| is_alone(call)));
        if moments.iter().any(|at| without.contains(*at)) {
            subjects.push(route.subject.clone());
        }
        elsewhere.retain(|at| !without.contains(*at));
    }
    let entered = calls.iter().filter_map(|(call, entry)| {
        matches!(entry, Entry::Joined(_) | Entry::Linked(_)).then_some(*call)
    });
    let with = Windows::of_calls(seen, entered);
    let alone = !subjects.is_empty() && !with.judge(elsewhere).is_ruled_out();
    alone.then_some(subjects)
}

/// Answered by a handler: a route that nobody knows has no span of its own.
fn is_answered(call: &Call) -> bool {
    call.end().is_some_and(|end| {
        matches!(end, CallEnd::Status { .. } | CallEnd::Http { .. }) && !end.is_unknown()
    })
}

/// Spans by what ties them to our requests.
struct Known<'a> {
    /// By trace and parent.
    children: HashMap<(&'a str, &'a str), &'a Span>,
    /// Roots of incoming requests, by each trace and span they link to.
    linked: HashMap<(&'a str, &'a str), &'a Span>,
    /// Roots of incoming requests that nothing ties to ours, in order.
    roots: Vec<&'a Span>,
}

impl<'a> Known<'a> {
    fn of(seen: &'a Evidence) -> Self {
        let sent: HashMap<&str, &str> = seen
            .calls
            .iter()
            .map(|call| (call.sent.trace_id.as_str(), call.sent.span_id.as_str()))
            .collect();
        let mut known = Self {
            children: HashMap::new(),
            linked: HashMap::new(),
            roots: Vec::new(),
        };
        let elsewhere = Elsewhere::of(seen);
        for span in &seen.spans {
            if let Some(parent) = sent.get(span.trace_id.as_str()) {
                if span.parent_id == *parent {
                    let key = (span.trace_id.as_str(), *parent);
                    known.children.entry(key).or_insert(span);
                }
                continue;
            }
            if !span.is_root() || !enters(span) || elsewhere.has(span) {
                continue;
            }
            let ours = span.links.iter().find(|link| {
                let parent = sent.get(link.trace_id.as_str());
                parent == Some(&link.span_id.as_str())
            });
            match ours {
                Some(link) => {
                    let key = (link.trace_id.as_str(), link.span_id.as_str());
                    known.linked.entry(key).or_insert(span);
                }
                None if !seen.is_probe_trace(&span.trace_id) => known.roots.push(span),
                None => {}
            }
        }
        let mut own = known.children.values().chain(known.linked.values());
        if let Some(service) = own.next().map(|span| span.service.as_str()) {
            known.roots.retain(|span| span.service == service);
        }
        known.roots.sort_by_key(|span| span.start_unix_ns);
        known
    }

    fn entry(&self, call: &Call) -> Entry<'a> {
        let key = (call.sent.trace_id.as_str(), call.sent.span_id.as_str());
        match (self.children.get(&key), self.linked.get(&key)) {
            (Some(span), _) => Entry::Joined(span),
            (None, Some(span)) => Entry::Linked(span),
            (None, None) => Entry::None,
        }
    }
}

/// Gives each call without a span the first root that began while it ran, and no root to two.
fn pair_up<'a>(seen: &Evidence, calls: &mut [(&Call, Entry<'a>)], roots: &[&'a Span]) {
    let mut taken = vec![false; roots.len()];
    for (call, entry) in calls {
        let Some(ended) = call.ended.as_ref().filter(|_| *entry == Entry::None) else {
            continue;
        };
        let (from, until) = (call.sent.at.before(LAG), ended.at + LAG);
        let begins = |span: &Span| seen.at_unix_ns(span.start_unix_ns);
        let first = roots.partition_point(|span| begins(span) < from);
        let mut during = (first..roots.len()).take_while(|at| begins(roots[*at]) <= until);
        if let Some(at) = during.find(|at| !taken[*at]) {
            taken[at] = true;
            *entry = Entry::Apart(roots[at]);
        }
    }
}

pub(super) const fn enters(span: &Span) -> bool {
    matches!(span.kind, SpanKind::Server | SpanKind::Consumer)
}

/// Processes that did not take our requests.
pub(super) struct Elsewhere {
    target: Option<u32>,
    dependencies: Vec<u32>,
}

impl Elsewhere {
    pub(super) fn of(seen: &Evidence) -> Self {
        let processes = seen.processes.iter();
        Self {
            target: seen.target_pid(),
            dependencies: processes
                .filter(|process| process.role != Role::Target)
                .map(|process| process.pid)
                .collect(),
        }
    }

    /// The span names a process, and that is one of these.
    pub(super) fn has(&self, span: &Span) -> bool {
        self.has_pid(span.pid)
    }

    /// A process is named, and it is one of these.
    pub(super) fn has_pid(&self, pid: Option<u32>) -> bool {
        pid.is_some_and(|pid| {
            self.dependencies.contains(&pid) || self.target.is_some_and(|target| target != pid)
        })
    }
}

/// When the span of the service that ended last, of those that arrived, had ended. Spans are
/// exported in the order of their ends, so what ended before it and did not arrive was not made.
pub(super) fn horizon(seen: &Evidence, service: &str) -> Option<At> {
    let own = seen.spans.iter().filter(|span| span.service == service);
    own.map(|span| seen.at_unix_ns(span.end_unix_ns)).max()
}

/// A server span of the route that a request asks for.
fn serves(span: &Span, request: &Request) -> bool {
    let name = span.name.trim_start_matches('/');
    match &request.kind {
        RequestKind::Grpc { method, .. } => {
            let by_parts = || {
                let (service, rpc) = method.split_once('/').unwrap_or_default();
                attribute(span, &["rpc.service"]) == Some(service)
                    && attribute(span, &["rpc.method"]) == Some(rpc)
            };
            let path = || attribute(span, PATHS).map(|path| path.trim_start_matches('/'));
            name == method || by_parts() || path() == Some(method)
        }
        RequestKind::Http { method, target, .. } => {
            let asked = path_of(target);
            if let Some(path) = attribute(span, PATHS) {
                return path_of(path) == asked;
            }
            if let Some(route) = attribute(span, &["http.route"]) {
                return is_route(route, asked);
            }
            match span.name.strip_prefix(method.as_str()).map(str::trim) {
                Some("") => true,
                Some(route) => is_route(route, asked),
                None => is_route(&span.name, asked),
            }
        }
    }
}

/// Attributes that hold a path or a URL, by the present and by the former conventions.
const PATHS: &[&str] = &["url.path", "http.target", "url.full", "http.url"];

fn attribute<'a>(span: &'a Span, names: &[&str]) -> Option<&'a str> {
    let mut attributes = span.attributes.iter();
    let found = attributes.find(|(name, _)| names.contains(&name.as_str()));
    found.map(|(_, value)| value.as_str())
}

/// `/orders/{id}`, `/orders/:id` and `/orders/*` stand for `/orders/7`.
fn is_route(route: &str, path: &str) -> bool {
    if !route.starts_with('/') {
        return false;
    }
    let mut parts = path.split('/');
    for pattern in route.split('/') {
        let Some(part) = parts.next() else {
            return false;
        };
        match pattern.as_bytes() {
            [b'*', ..] => return true,
            [b'{', .., b'.', b'.', b'.', b'}'] => return true,
            [b'{' | b':' | b'<', ..] => {}
            _ if pattern == part => {}
            _ => return false,
        }
    }
    parts.next().is_none()
}

/// Health checks by the names that people give them.
fn is_health(request: &Request) -> bool {
    const NAMES: [&str; 11] = [
        "health",
        "healthz",
        "healthcheck",
        "livez",
        "live",
        "liveness",
        "readyz",
        "ready",
        "readiness",
        "ping",
        "metrics",
    ];
    match &request.kind {
        RequestKind::Grpc { method, .. } => method.starts_with("grpc.health."),
        RequestKind::Http { target, .. } => {
            let last = path_of(target).rsplit('/').find(|part| !part.is_empty());
            last.is_some_and(|last| NAMES.contains(&last))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(line: &str) -> Request {
        let kind = match line.split_once(' ') {
            Some((method, target)) => RequestKind::Http {
                method: method.into(),
                target: target.into(),
                body: String::new(),
            },
            None => RequestKind::Grpc {
                method: line.into(),
                data: String::new(),
            },
        };
        Request {
            kind,
            deadline_ms: None,
            repeat_safe: true,
            given: true,
        }
    }

    fn check(line: &str, name: &str, attributes: &[(&str, &str)]) -> bool {
        let span = Span {
            name: name.into(),
            attributes: attributes
                .iter()
                .map(|(name, value)| ((*name).into(), (*value).into()))
                .collect(),
            ..super::super::cases::span("t", "s", "")
        };
        serves(&span, &request(line))
    }

    #[test]
    fn spans_of_a_method_are_known_in_every_convention() {
        assert!(check("a.v1.A/Get", "a.v1.A/Get", &[]));
        assert!(check("a.v1.A/Get", "/a.v1.A/Get", &[]));
        assert!(check(
            "a.v1.A/Get",
            "A.Get",
            &[("rpc.service", "a.v1.A"), ("rpc.method", "Get")]
        ));
        assert!(check("a.v1.A/Get", "POST", &[("url.path", "/a.v1.A/Get")]));
        assert!(!check("a.v1.A/Get", "a.v1.A/List", &[]));
        assert!(!check("a.v1.A/Get", "POST", &[]));
    }

    #[test]
    fn spans_of_a_path_are_known_by_path_route_or_name() {
        let line = "GET /orders/7?full=1";
        assert!(check(line, "orders", &[("url.path", "/orders/7")]));
        assert!(check(
            line,
            "orders",
            &[("http.target", "/orders/7?full=1")]
        ));
        assert!(check(
            line,
            "orders",
            &[("http.url", "http://shop.test/orders/7")]
        ));
        assert!(check(line, "orders", &[("http.route", "/orders/{id}")]));
        assert!(check(line, "GET /orders/{id}", &[]));
        assert!(check(line, "/orders/:id", &[]));
        assert!(check(line, "GET", &[]));
        assert!(!check(line, "GET", &[("url.path", "/healthz")]));
        assert!(!check(line, "GET /carts/{id}", &[]));
        assert!(!check(line, "POST /orders/{id}", &[]));
        assert!(!check(line, "orders", &[]));
    }

    #[test]
    fn patterns_stand_for_paths() {
        assert!(is_route("/a/*", "/a/b/c") && is_route("/{rest...}", "/a/b"));
        assert!(is_route("/a/{x}/c", "/a/b/c") && !is_route("/a/{x}", "/a/b/c"));
        assert!(!is_route("/a/b/c", "/a/b") && !is_route("", "/") && is_route("/", "/"));
    }

    #[test]
    fn health_checks_are_known() {
        for line in [
            "GET /healthz",
            "GET /api/ready/?full",
            "grpc.health.v1.Health/Check",
        ] {
            assert!(is_health(&request(line)), "{line}");
        }
        for line in ["GET /", "GET /health/records/7", "health.v1.Records/Get"] {
            assert!(!is_health(&request(line)), "{line}");
        }
    }
}

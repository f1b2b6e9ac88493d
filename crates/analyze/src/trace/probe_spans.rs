//! Did spans of our own requests arrive? Without them nothing can be said about context.

use std::collections::HashSet;

use shakedown_evidence::log::{ParsedLine, RawLine};
use shakedown_evidence::{Evidence, Purpose, ReceiverEvent, Role, Span, SpanLink};

use super::entries::{self, Elsewhere, Entry};
use super::tracers::{self, Tracer};
use crate::Judgement;
use crate::chance::Windows;
use crate::exhibits;
use crate::target::request_to_give;

/// What is known of the spans of our own requests.
#[derive(Debug)]
pub(crate) struct ProbeSpans<'a> {
    /// Trace ids that we sent along, and those of roots that the service linked to them.
    pub traces: HashSet<&'a str>,
    /// `service.name` of the service that took our requests.
    pub service: &'a str,
}

/// Nothing was asked of the service, so that no rule of this item can be judged.
pub(crate) fn nothing_sent(seen: &Evidence) -> Option<Judgement> {
    let to_prove = "--http 'GET /path' or --grpc pkg.Service/Method --data '{…}'";
    if !seen.run.requests.iter().any(|request| request.given) {
        return Some(Judgement::not_exercised(
            "no request was given",
            request_to_give(seen, to_prove),
        ));
    }
    let answered = seen
        .calls
        .iter()
        .any(|call| call.sent.purpose == Purpose::Traffic && call.ended.is_some());
    (!answered).then(|| Judgement::not_exercised("no request was sent", to_prove))
}

/// Spans of our requests, or why the rules about them cannot be judged.
pub(crate) fn look(seen: &Evidence) -> Result<ProbeSpans<'_>, Judgement> {
    if let Some(judgement) = nothing_sent(seen) {
        return Err(judgement);
    }
    found(seen).ok_or_else(|| missing(seen, &sent(seen)))
}

fn found(seen: &Evidence) -> Option<ProbeSpans<'_>> {
    let mut traces = sent(seen);
    // A service that ours has called may export to us where ours does not: its spans have our
    // trace, but not us for a parent.
    let parents: HashSet<(&str, &str)> = seen
        .calls
        .iter()
        .map(|call| (call.sent.trace_id.as_str(), call.sent.span_id.as_str()))
        .collect();
    let entered =
        |span: &&Span| parents.contains(&(span.trace_id.as_str(), span.parent_id.as_str()));
    // A public endpoint begins a trace of its own and says by a link whose request it was.
    let linked = |span: &&Span| {
        let ours =
            |link: &SpanLink| parents.contains(&(link.trace_id.as_str(), link.span_id.as_str()));
        span.is_root() && entries::enters(span) && span.links.iter().any(ours)
    };
    let first = seen.spans.iter().find(entered);
    let service = first.or_else(|| seen.spans.iter().find(linked))?;
    let public = seen.spans.iter().filter(linked);
    traces.extend(public.map(|span| span.trace_id.as_str()));
    Some(ProbeSpans {
        traces,
        service: &service.service,
    })
}

/// `service.name` of the service that took our requests, if its spans say so.
pub(crate) fn service(seen: &Evidence) -> Option<&str> {
    found(seen).map(|found| found.service)
}

/// Trace ids that are ours: those that we sent, and those of roots that are linked to them.
pub(crate) fn traces(seen: &Evidence) -> HashSet<&str> {
    found(seen).map_or_else(|| sent(seen), |found| found.traces)
}

fn sent(seen: &Evidence) -> HashSet<&str> {
    let calls = seen.calls.iter();
    calls.map(|call| call.sent.trace_id.as_str()).collect()
}

/// Whether the receiver took everything to the end; otherwise why not.
pub(crate) fn receiver_trouble(seen: &Evidence) -> Option<String> {
    if let Some(why) = seen.receiver_losses().next() {
        return Some(format!("spans were lost: {why}"));
    }
    let last_call = seen
        .calls
        .iter()
        .rev()
        .find(|call| call.sent.purpose == Purpose::Traffic)
        .map(|call| call.sent.at)?;
    let alive = seen
        .receiver
        .iter()
        .any(|event| matches!(event, ReceiverEvent::Canary { at } if *at >= last_call));
    (!alive).then(|| "the span receiver was not seen working after the traffic".to_owned())
}

/// A service that was running before us sends its spans where it was told to, and the places where
/// we listened are not that.
fn exports_elsewhere(seen: &Evidence) -> Option<(String, String)> {
    let access = &seen.run.access;
    if access.is_ours() || !seen.spans.is_empty() {
        return None;
    }
    let addresses = seen.receiver.iter().filter_map(|event| match event {
        ReceiverEvent::Listening { addr, .. } => Some(addr.as_str()),
        _ => None,
    });
    let addresses: Vec<&str> = addresses.collect();
    let known = addresses.iter().any(|addr| addr.ends_with(":4317"));
    let told = match &access.exports_to {
        Some(to) => format!("its environment sends spans to {to}"),
        None => "it was running before us, and sends its spans where it was told to".into(),
    };
    let taken = if known {
        ""
    } else {
        "; 127.0.0.1:4317 was taken by another collector"
    };
    Some((
        format!("{told}; we listened on {}{taken}", addresses.join(", ")),
        "--otlp 127.0.0.1:PORT with the port that it sends to, OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317 in its environment, or let shakedown start it: `-- COMMAND`".into(),
    ))
}

/// The likely cause why no span of our requests arrived.
fn missing(seen: &Evidence, sent: &HashSet<&str>) -> Judgement {
    let why = |reason: &str, to_prove: &str| {
        Judgement::inconclusive(
            format!("no span of our requests arrived: {reason}"),
            to_prove,
        )
    };
    if let Some(trouble) = receiver_trouble(seen) {
        return why(
            &trouble,
            "run again; if it stays so, free the memory and ports that the receiver needs",
        );
    }
    if let Some((reason, to_prove)) = exports_elsewhere(seen) {
        return why(&reason, &to_prove);
    }
    if seen.is_rust() {
        let (reason, to_prove) = missing_of_rust(seen, sent);
        return why(reason, to_prove);
    }
    if let Some(why_not) = no_tracer(seen) {
        return why(
            &why_not,
            "an SDK with an OTLP exporter, configured from OTEL_EXPORTER_OTLP_ENDPOINT",
        );
    }
    let routes = entries::routes(seen);
    let mut apart = routes.iter().flat_map(|route| &route.calls);
    if let Some(span) = apart.find_map(|(_, entry)| match entry {
        Entry::Apart(span) => Some(span),
        _ => None,
    }) {
        return why(
            &format!(
                "server spans such as {} begin their own trace, so our traceparent is ignored (no propagator)",
                span.name
            ),
            "otel.SetTextMapPropagator(propagation.TraceContext{}) where the service starts",
        );
    }
    if no_exporter(seen) {
        return why(
            "no OTLP exporter is linked",
            "an otlptracegrpc or otlptracehttp exporter, configured from OTEL_EXPORTER_OTLP_ENDPOINT",
        );
    }
    if let Some(collector) = other_collector(seen) {
        return why(
            &format!(
                "the service is connected to {collector}, where another collector listens: its code sets its own endpoint (WithEndpoint)"
            ),
            "point the service's collector setting at us: --env COLLECTOR_ADDR={otlp.addr}; or stop that collector, so that we can listen in its place",
        );
    }
    let in_ours = |span: &&Span| sent.contains(span.trace_id.as_str());
    if let Some(span) = seen.spans.iter().find(in_ours) {
        return why(
            &format!(
                "{} exports to us, the service that called it does not: its code sets its own endpoint (WithEndpoint), or samples them away",
                span.service
            ),
            "point the service's collector setting at us: --env COLLECTOR_ADDR={otlp.addr}, and sample by parent",
        );
    }
    let elsewhere = Elsewhere::of(seen);
    if seen.spans.iter().any(|span| !elsewhere.has(span)) {
        return why(
            "other spans arrived, ours were sampled away, or no server span is made",
            "a ParentBased sampler, and otelhttp.NewHandler or otelgrpc.NewServerHandler on each server",
        );
    }
    if has_our_ids_in_log(seen, sent) {
        return why(
            "its log has our trace ids, so the context arrives and an SDK runs: most likely a sampler set in code (WithSampler) drops the spans; else they go to an endpoint set in code (WithEndpoint)",
            "sdktrace.ParentBased around the sampler; or --env COLLECTOR_ADDR={otlp.addr}, if the service takes its collector from a variable",
        );
    }
    why(
        "the code sets its own endpoint (WithEndpoint), samples them away, or never starts the exporter",
        "point its collector setting at us: --env COLLECTOR_ADDR={otlp.addr}, and sample by parent",
    )
}

/// The same of a service in Rust, whose executable does not say what is linked.
fn missing_of_rust(seen: &Evidence, sent: &HashSet<&str>) -> (&'static str, &'static str) {
    let elsewhere = Elsewhere::of(seen);
    let from_us = |span: &&Span| !elsewhere.has(span) && !sent.contains(span.trace_id.as_str());
    if seen.spans.iter().any(|span| from_us(&span)) {
        return (
            "other spans arrived: no span is made of a request, or it does not continue our traceparent",
            "Kit::serve or shakedown_kit::trace::TraceLayer, and shakedown-kit's feature otel, with the version of tracing-opentelemetry that it names",
        );
    }
    if has_our_ids_in_log(seen, sent) {
        return (
            "its log has our trace ids, so the context arrives; no layer exports spans, or the exporter has an endpoint of its own in code (with_endpoint)",
            "shakedown-kit's feature otel, and tracing_opentelemetry::layer() with an exporter of opentelemetry-otlp that takes its endpoint from OTEL_EXPORTER_OTLP_ENDPOINT",
        );
    }
    (
        "no layer exports spans, a filter or sampler drops them, or the exporter has an endpoint of its own in code (with_endpoint)",
        "tracing_opentelemetry::layer() with an exporter of opentelemetry-otlp that takes its endpoint from OTEL_EXPORTER_OTLP_ENDPOINT",
    )
}

/// The log of the service that takes our requests: what it wrote, and what it exported.
pub(crate) fn lines(seen: &Evidence) -> impl Iterator<Item = &RawLine> {
    let exporters = Exporters::of(seen);
    let exported = seen.exported.iter();
    let own = exported.filter(move |exported| exporters.is_ours(&exported.service, exported.pid));
    seen.lines.iter().chain(own.map(|exported| &exported.line))
}

/// Who exports, as far as it helps to tell our service's records from those of others. Spans and
/// records of one service may have different names: each provider has a resource of its own.
struct Exporters<'a> {
    elsewhere: Elsewhere,
    service: Option<&'a str>,
    /// The name that Go's SDK gives where nobody gave one.
    unnamed: Option<String>,
    /// Names of other services, by their spans.
    others: HashSet<&'a str>,
    /// Services beside ours run that may export too.
    has_dependencies: bool,
}

impl<'a> Exporters<'a> {
    fn of(seen: &'a Evidence) -> Self {
        let service = service(seen);
        let names = seen.spans.iter().map(|span| span.service.as_str());
        let build = seen.build.as_ref();
        let executable = build.map(|build| exhibits::base(&build.executable));
        let mut processes = seen.processes.iter();
        Self {
            elsewhere: Elsewhere::of(seen),
            service,
            unnamed: executable.map(|name| format!("unknown_service:{name}")),
            others: names.filter(|name| Some(*name) != service).collect(),
            has_dependencies: processes.any(|process| process.role != Role::Target),
        }
    }

    fn is_ours(&self, name: &str, pid: Option<u32>) -> bool {
        if self.elsewhere.has_pid(pid) {
            return false;
        }
        let is_own_name = self.service == Some(name) || self.unnamed.as_deref() == Some(name);
        // Where nobody else was started, a name that no other service has is ours.
        is_own_name || !self.has_dependencies && !self.others.contains(name)
    }
}

/// No SDK that could export to us is linked.
fn no_tracer(seen: &Evidence) -> Option<String> {
    match tracers::tracer(seen) {
        Tracer::None { .. } => Some("no OpenTelemetry SDK is linked".into()),
        Tracer::Other { module, speaks } => Some(format!(
            "the service traces with {module}, which speaks {speaks} and not OTLP"
        )),
        Tracer::OpenTelemetry { .. } | Tracer::Unknown(_) => None,
    }
}

/// All modules are known, and none of them exports over OTLP.
fn no_exporter(seen: &Evidence) -> bool {
    let exporter = [
        "go.opentelemetry.io/otel/exporters/otlp/otlptrace",
        "go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc",
        "go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp",
    ];
    let is_known = matches!(tracers::tracer(seen), Tracer::OpenTelemetry { .. });
    let linked = |path: &&str| seen.build.as_ref()?.module(path);
    is_known && exporter.iter().find_map(linked).is_none()
}

/// A connection of the service to a port of OTLP that is not ours.
fn other_collector(seen: &Evidence) -> Option<&str> {
    let peers = seen.connections.iter().flat_map(|found| &found.peers);
    let is_otlp = |peer: &&String| peer.ends_with(":4317") || peer.ends_with(":4318");
    { peers }.find(is_otlp).map(String::as_str)
}

/// Lines that are looked at for our ids: every request writes some, or none does.
const LINES_READ: usize = 20_000;
/// Fewer may be an echo of our header.
const LINES_MIN: usize = 3;

fn has_our_ids_in_log(seen: &Evidence, sent: &HashSet<&str>) -> bool {
    let windows = Windows::of(seen);
    let lines = lines(seen).filter(|line| windows.in_run(line.at));
    let ours = lines.take(LINES_READ).filter(|line| {
        let ids = ParsedLine::of(line).ids;
        ids.trace
            .is_some_and(|id| sent.contains(id.to_string().as_str()))
    });
    ours.take(LINES_MIN).count() == LINES_MIN
}

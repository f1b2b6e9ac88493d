//! Did spans of our own requests arrive? Without them nothing can be said about context.

use std::collections::HashSet;

use shakedown_evidence::{Evidence, Purpose, ReceiverEvent, Span, SpanKind};

use crate::Judgement;
use crate::chance::Windows;
use crate::target::request_to_give;

/// What is known of the spans of our own requests.
pub(crate) struct ProbeSpans<'a> {
    /// Trace ids that we sent along.
    pub sent: HashSet<&'a str>,
    /// `service.name` of the service that took our requests.
    pub service: &'a str,
}

/// Spans of our requests, or why the rules about them cannot be judged.
pub(crate) fn look(seen: &Evidence) -> Result<ProbeSpans<'_>, Judgement> {
    if !seen.run.requests.iter().any(|request| request.given) {
        return Err(Judgement::not_exercised(
            "no request was given",
            request_to_give(
                seen,
                "--http 'GET /path' or --grpc pkg.Service/Method --data '{…}'",
            ),
        ));
    }
    let answered = seen
        .calls
        .iter()
        .filter(|call| call.sent.purpose == Purpose::Traffic && call.ended.is_some())
        .count();
    if answered == 0 {
        return Err(Judgement::not_exercised(
            "no request was sent",
            "--http 'GET /path' or --grpc pkg.Service/Method --data '{…}'",
        ));
    }
    let sent: HashSet<&str> = seen
        .calls
        .iter()
        .map(|call| call.sent.trace_id.as_str())
        .collect();
    // A service that ours has called may export to us where ours does not: its spans have our
    // trace, but not us for a parent.
    let parents: HashSet<(&str, &str)> = seen
        .calls
        .iter()
        .map(|call| (call.sent.trace_id.as_str(), call.sent.span_id.as_str()))
        .collect();
    let entered =
        |span: &&Span| parents.contains(&(span.trace_id.as_str(), span.parent_id.as_str()));
    match seen.spans.iter().find(entered) {
        Some(span) => Ok(ProbeSpans {
            sent,
            service: &span.service,
        }),
        None => Err(missing(seen, &sent)),
    }
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
    let linked = |path: &str| {
        seen.build
            .as_ref()
            .is_some_and(|build| build.module(path).is_some())
    };
    let is_go = seen.build.as_ref().is_some_and(|build| build.go.is_some());
    if is_go && !linked("go.opentelemetry.io/otel/sdk") {
        return why(
            "no OpenTelemetry SDK is linked",
            "an SDK with an OTLP exporter, configured from OTEL_EXPORTER_OTLP_ENDPOINT",
        );
    }
    let windows = Windows::of(seen);
    let stranger = |span: &&Span| {
        span.kind == SpanKind::Server
            && span.is_root()
            && !sent.contains(span.trace_id.as_str())
            && windows.contains(seen.at_unix_ns(span.start_unix_ns))
    };
    if let Some(span) = seen.spans.iter().find(stranger) {
        return why(
            &format!(
                "server spans such as {} begin their own trace, so our traceparent is ignored (no propagator)",
                span.name
            ),
            "otel.SetTextMapPropagator(propagation.TraceContext{}) where the service starts",
        );
    }
    let exporter = [
        "go.opentelemetry.io/otel/exporters/otlp/otlptrace",
        "go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc",
        "go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp",
    ];
    if is_go && !exporter.iter().any(|path| linked(path)) {
        return why(
            "no OTLP exporter is linked",
            "an otlptracegrpc or otlptracehttp exporter, configured from OTEL_EXPORTER_OTLP_ENDPOINT",
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
    if seen.spans.is_empty() {
        why(
            "the code sets its own endpoint (WithEndpoint), samples them away, or never starts the exporter",
            "point its collector setting at us: --env COLLECTOR_ADDR={otlp.addr}, and sample by parent",
        )
    } else {
        why(
            "other spans arrived, ours were sampled away or carry other ids",
            "a ParentBased sampler, and otel.SetTextMapPropagator(propagation.TraceContext{})",
        )
    }
}

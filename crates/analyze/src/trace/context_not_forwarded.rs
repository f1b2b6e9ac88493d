//! TRC004: a downstream call that began a new trace.

use std::collections::BTreeMap;

use shakedown_evidence::{At, Call, Evidence, Frame, Span, SpanKind, Stack, handler};
use shakedown_findings::{Certainty, Exhibit, Finding, Item, RuleMeta, Severity};

use super::probe_spans::{self, ProbeSpans};
use super::{entries, timeline};
use crate::chance::{Coincidence, Windows};
use crate::exhibits::{self, short};
use crate::judgement::Found;
use crate::target::repeat;
use crate::{Judgement, Rule};

pub(crate) const RULE: Rule = Rule {
    meta: RuleMeta {
        code: "TRC004",
        name: "context-not-forwarded",
        item: Item::Trace,
        severity: Severity::Error,
        required: true,
        page: include_str!("context_not_forwarded.md"),
    },
    judge,
};

/// Looks at the service's connections that must have found none before it is said to call nobody.
const LOOKS_MIN: usize = 10;

fn judge(seen: &Evidence) -> Judgement {
    let probes = match probe_spans::look(seen) {
        Ok(probes) => probes,
        Err(judgement) => return judgement,
    };
    let windows = Windows::of(seen);
    let mut findings = Vec::new();
    for ((service, name), roots) in new_traces(seen, &probes) {
        let mut starts: Vec<At> = roots
            .iter()
            .map(|span| seen.at_unix_ns(span.start_unix_ns))
            .collect();
        starts.sort_unstable();
        let chance = windows.judge(starts);
        if chance.is_ruled_out() {
            findings.push(finding(seen, &windows, service, name, &roots, chance));
        }
    }
    if !findings.is_empty() {
        return Judgement::failed(findings);
    }
    if let Some(trouble) = probe_spans::receiver_trouble(seen) {
        return Judgement::inconclusive(trouble, "run again");
    }
    let joined: Vec<&Span> = seen
        .spans
        .iter()
        .filter(|span| {
            leaves(span)
                && probes.traces.contains(span.trace_id.as_str())
                && span.service == probes.service
        })
        .collect();
    if joined.is_empty() {
        return nothing_left(seen);
    }
    let mut names: Vec<&str> = joined.iter().map(|span| span.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let shown: Vec<&str> = names.iter().take(3).map(|name| short(name)).collect();
    Judgement::passed(format!(
        "{} of {} downstream calls joined our traces ({})",
        joined.len(),
        joined.len(),
        shown.join(", ")
    ))
}

const fn leaves(span: &Span) -> bool {
    matches!(span.kind, SpanKind::Client | SpanKind::Producer)
}

const fn enters(span: &Span) -> bool {
    matches!(span.kind, SpanKind::Server | SpanKind::Consumer)
}

/// Spans that a downstream call began a trace with: an outgoing root of the service, or an
/// incoming root of another one. A link to a trace of ours acquits: that root is meant.
fn new_traces<'a>(
    seen: &'a Evidence,
    probes: &ProbeSpans<'a>,
) -> BTreeMap<(&'a str, &'a str), Vec<&'a Span>> {
    let mut roots: BTreeMap<_, Vec<&Span>> = BTreeMap::new();
    for span in &seen.spans {
        let own = span.service == probes.service;
        let began = span.is_root() && (own && leaves(span) || !own && enters(span));
        let linked = span
            .links
            .iter()
            .any(|link| probes.traces.contains(link.trace_id.as_str()));
        if began
            && !linked
            && !probes.traces.contains(span.trace_id.as_str())
            && !seen.is_probe_trace(&span.trace_id)
        {
            roots
                .entry((span.service.as_str(), span.name.as_str()))
                .or_default()
                .push(span);
        }
    }
    roots
}

fn nothing_left(seen: &Evidence) -> Judgement {
    let peers: Vec<&str> = seen
        .connections
        .iter()
        .flat_map(|connections| &connections.peers)
        .map(String::as_str)
        .collect();
    match peers.first() {
        None if seen.connections.len() >= LOOKS_MIN => Judgement::not_applicable(format!(
            "the service called nobody: no connection but to our span receiver in {} looks",
            seen.connections.len()
        )),
        Some(peer) => Judgement::not_exercised(
            format!(
                "no client span in our traces, though the service is connected to {peer}: its client is not instrumented, or no request led there"
            ),
            "a request that makes a downstream call, and otelgrpc or otelhttp on its client",
        ),
        None => Judgement::not_exercised(
            "no client span in our traces",
            "a request that makes a downstream call: --grpc or --http",
        ),
    }
}

fn finding(
    seen: &Evidence,
    windows: &Windows,
    service: &str,
    name: &str,
    roots: &[&Span],
    chance: Coincidence,
) -> Finding {
    let inside = roots
        .iter()
        .find(|span| windows.contains(seen.at_unix_ns(span.start_unix_ns)));
    let kind = inside.map_or("CLIENT", |span| span.kind.name());
    let place = caller(seen, name).map(exhibits::location);
    let who = if kind == "SERVER" || kind == "CONSUMER" {
        format!("{name} of {service} was called from inside our requests without a traceparent")
    } else {
        format!(
            "{name} was called from inside our requests with a context that had lost their trace"
        )
    };
    let starts = roots.iter().map(|span| seen.at_unix_ns(span.start_unix_ns));
    let only = entries::only_without_span(seen, starts);
    let said = entries::only_sentence(&only).map_or(String::new(), |said| format!(" {said}"));
    let mut exhibits: Vec<Exhibit> = exhibits::source(seen, place.as_ref()).into_iter().collect();
    exhibits.extend(inside.and_then(|span| timeline(seen, span)));
    let found = Found {
        certainty: Certainty::Probable { p: chance.p },
        subject: name.to_owned(),
        location: place,
        message: format!(
            "{who}: its {kind} span is the root of a new trace. {}.{said}",
            chance.sentence("such roots began")
        ),
        exhibits,
        fix: "pass the request's ctx to the call; if the work must outlive the request: context.WithoutCancel(ctx), which keeps the trace".into(),
        repeat: repeat(seen, RULE.meta.name),
    };
    Finding {
        only_without_span: only,
        ..found.by(&RULE.meta)
    }
}

/// The request during which a root began, and the root itself.
fn timeline(seen: &Evidence, root: &Span) -> Option<Exhibit> {
    let at = seen.at_unix_ns(root.start_unix_ns);
    let within = |call: &&Call| {
        call.sent.at <= at && call.ended.as_ref().is_some_and(|ended| at <= ended.at)
    };
    timeline::new_trace(seen, seen.calls.iter().find(within)?, root)
}

/// The service's own frame that makes the call, if the handler was seen making it.
fn caller<'a>(seen: &'a Evidence, name: &str) -> Option<&'a Frame> {
    let calls = |frame: &Frame| is_stub(&frame.function, name);
    let in_request = |stack: &&Stack| {
        stack.any(|function| {
            function == "net/http.serverHandler.ServeHTTP" || function.contains("_Handler")
        })
    };
    let mut places: Vec<&Frame> = Vec::new();
    for stack in seen.stacks.iter().filter(in_request) {
        let Some(position) = stack.frames.iter().rposition(calls) else {
            continue;
        };
        let above = stack.frames[position + 1..].iter();
        places.extend(
            above
                .into_iter()
                .find(|frame| handler::is_own(frame, seen.build.as_ref())),
        );
    }
    places.sort_unstable();
    places.dedup();
    // Two places mean that the evidence does not have it.
    match places.as_slice() {
        [one] => Some(one),
        _ => None,
    }
}

/// The function of a generated gRPC client for `pkg.Service/Method`, or net/http's client.
fn is_stub(function: &str, span: &str) -> bool {
    if let Some((service, method)) = span.trim_start_matches('/').rsplit_once('/') {
        let service = service.rsplit('.').next().unwrap_or(service);
        let mut letters = service.chars();
        let lower: String = letters
            .next()
            .map(|first| first.to_lowercase().chain(letters).collect())
            .unwrap_or_default();
        return function.ends_with(&format!(".(*{lower}Client).{method}"));
    }
    // otelhttp names client spans `HTTP GET`, or by the method alone.
    let verb = span.strip_prefix("HTTP ").unwrap_or(span);
    let is_http = matches!(
        verb,
        "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS"
    );
    is_http && function == "net/http.(*Client).do"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_names_its_generated_client() {
        let stub = "shop.test/gen/inventory/v1.(*inventoryClient).Check";
        assert!(is_stub(stub, "inventory.v1.Inventory/Check"));
        assert!(!is_stub(stub, "inventory.v1.Inventory/List"));
        assert!(!is_stub(stub, "GET"));
        assert!(is_stub("net/http.(*Client).do", "HTTP GET"));
    }
}

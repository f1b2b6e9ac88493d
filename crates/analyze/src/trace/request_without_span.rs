//! TRC008: requests that ask to be traced and leave no server span, though the service traces.
//!
//! That spans are missing is only said where they would have come: the receiver lost nothing, a
//! later span of the service arrived, and what the service does inside these requests, or for
//! other requests, is traced.

use std::collections::BTreeMap;

use shakedown_evidence::{At, Call, Evidence, Span, SpanKind};
use shakedown_findings::{Certainty, Exhibit, Finding, Item, RuleMeta, Severity};

use super::entries::{self, Elsewhere, Entry, Route};
use super::probe_spans;
use crate::chance::{Coincidence, Windows};
use crate::judgement::Found;
use crate::target::repeat;
use crate::{Judgement, Rule};

pub(crate) const RULE: Rule = Rule {
    meta: RuleMeta {
        code: "TRC008",
        name: "request-without-span",
        item: Item::Trace,
        severity: Severity::Error,
        required: true,
        page: include_str!("request_without_span.md"),
    },
    judge,
};

/// Fewer requests of a kind show nothing.
const SENT_MIN: usize = 5;

/// How it is known that a span would have come.
enum Because<'a> {
    /// All requests of other kinds have theirs.
    OthersHave(Vec<(&'a str, usize)>),
    /// What the service does inside these requests is traced, in traces of its own.
    WorkIsTraced(&'a str, Coincidence),
}

fn judge(seen: &Evidence) -> Judgement {
    if let Some(judgement) = probe_spans::nothing_sent(seen) {
        return judgement;
    }
    let mut routes = entries::routes(seen);
    routes.retain(|route| !route.is_health && !route.calls.is_empty());
    if routes.is_empty() {
        return Judgement::not_exercised(
            "no request was answered but health checks, which are often kept out of traces",
            "--http 'GET /path' or --grpc pkg.Service/Method --data '{…}'",
        );
    }
    let looked = Looked::of(seen);
    let (with, without): (Vec<_>, Vec<_>) = routes.iter().partition(|route| with_span(route) > 0);
    let trouble = probe_spans::receiver_trouble(seen);
    let mut findings = Vec::new();
    let mut open = None;
    for route in without {
        let enough = looked.due(route) >= SENT_MIN && trouble.is_none();
        match looked.because(route, &with).filter(|_| enough) {
            Some(because) => findings.push(finding(&looked, route, because)),
            None => open = open.or(Some(route)),
        }
    }
    if !findings.is_empty() {
        return Judgement::failed(findings);
    }
    let partly = with
        .iter()
        .find(|route| with_span(route) < looked.due(route));
    // What arrived is proof whatever was lost beside it; what did not arrive is none.
    if let Some(why) = trouble.filter(|_| open.is_some() || partly.is_some()) {
        return Judgement::inconclusive(why, "run again");
    }
    if let Some(route) = open {
        return match probe_spans::look(seen) {
            Err(judgement) => judgement,
            Ok(_) => Judgement::inconclusive(
                format!(
                    "{}: no server span came, and whether one would have come is not known",
                    route.subject
                ),
                "more of these requests, and another beside them that is traced",
            ),
        };
    }
    if let Some(route) = partly {
        return Judgement::inconclusive(
            format!(
                "{}: {} of {} requests have a server span; a sampler set in code decides without the caller, or spans were dropped",
                route.subject,
                with_span(route),
                looked.due(route)
            ),
            "sdktrace.ParentBased around the sampler",
        );
    }
    let known: usize = with.iter().map(|route| with_span(route)).sum();
    Judgement::passed(format!("{known} of {known} requests have a server span"))
}

/// Calls with a span of any kind, our own trace or not.
fn with_span(route: &Route<'_>) -> usize {
    let has = |(_, entry): &&(&Call, Entry<'_>)| *entry != Entry::None;
    route.calls.iter().filter(has).count()
}

/// The service's spans as a whole.
struct Looked<'a> {
    seen: &'a Evidence,
    /// Its name, where it is known.
    service: Option<&'a str>,
    /// What ended before this would have arrived.
    horizon: Option<At>,
}

impl<'a> Looked<'a> {
    fn of(seen: &'a Evidence) -> Self {
        let service = own_service(seen);
        Self {
            seen,
            service,
            horizon: service.and_then(|service| entries::horizon(seen, service)),
        }
    }

    /// Calls whose span should have arrived: it did, or a span that ended later did.
    fn due(&self, route: &Route<'_>) -> usize {
        let is_due = |(call, entry): &&(&Call, Entry<'_>)| {
            let ended = call.ended.as_ref().map(|ended| ended.at);
            let before = ended
                .zip(self.horizon)
                .is_some_and(|(ended, last)| ended <= last);
            *entry != Entry::None || before
        };
        route.calls.iter().filter(is_due).count()
    }

    /// How it is known that spans of this route would have come, if they are made.
    fn because(&self, route: &Route<'_>, with: &[&'a Route<'a>]) -> Option<Because<'a>> {
        let whole = with
            .iter()
            .filter(|other| other.known() >= SENT_MIN && with_span(other) >= self.due(other));
        let others: Vec<(&str, usize)> = whole
            .map(|other| (other.subject.as_str(), other.known()))
            .collect();
        if !others.is_empty() {
            return Some(Because::OthersHave(others));
        }
        let service = self.service?;
        let windows = Windows::of_calls(self.seen, route.unknown());
        let mut roots: BTreeMap<&str, Vec<At>> = BTreeMap::new();
        for span in self.seen.spans.iter().filter(|span| is_work(span, service)) {
            let start = self.seen.at_unix_ns(span.start_unix_ns);
            roots.entry(&span.name).or_default().push(start);
        }
        let judged = roots.into_iter().map(|(name, mut starts)| {
            starts.sort_unstable();
            (name, windows.judge(starts))
        });
        let mut tied = judged.filter(|(_, chance)| chance.is_ruled_out());
        tied.next()
            .map(|(name, chance)| Because::WorkIsTraced(name, chance))
    }
}

/// The service that took our requests, by its spans: where none of them has our trace, the only
/// one that may be it.
fn own_service(seen: &Evidence) -> Option<&str> {
    if let Some(service) = probe_spans::service(seen) {
        return Some(service);
    }
    let elsewhere = Elsewhere::of(seen);
    let target = seen.target_pid();
    let mut own = seen.spans.iter().filter(|span| !elsewhere.has(span));
    let by_pid = own
        .clone()
        .find(|span| span.pid.is_some() && span.pid == target);
    if let Some(span) = by_pid {
        return Some(&span.service);
    }
    let first = own.next()?.service.as_str();
    own.all(|span| span.service == first).then_some(first)
}

/// A root that the service itself began, and no request from outside.
fn is_work(span: &Span, service: &str) -> bool {
    let kind = matches!(
        span.kind,
        SpanKind::Client | SpanKind::Producer | SpanKind::Internal
    );
    span.is_root() && kind && span.service == service
}

fn finding(looked: &Looked<'_>, route: &Route<'_>, because: Because<'_>) -> Finding {
    let sent = looked.due(route);
    let asked = format!(
        "{sent} requests asked to be traced (traceparent, flag 01), and none has a server span"
    );
    let (certainty, why) = match because {
        Because::OthersHave(others) => {
            let others: Vec<String> = others
                .iter()
                .take(3)
                .map(|(subject, count)| format!("{subject} ({count} of {count})"))
                .collect();
            (
                Certainty::Proven,
                format!(
                    "Others of the same service have theirs: {}",
                    others.join(", ")
                ),
            )
        }
        Because::WorkIsTraced(name, chance) => (
            Certainty::Probable { p: chance.p },
            format!(
                "What is done inside them is traced, in new traces: {}",
                chance.sentence(&format!("{name} roots began"))
            ),
        ),
    };
    let traces = route
        .calls
        .iter()
        .map(|(call, _)| format!("{} sent with trace {}", route.subject, call.sent.trace_id));
    Found {
        certainty,
        subject: route.subject.clone(),
        location: None,
        message: format!("{}: {asked}. {why}.", route.subject),
        exhibits: vec![Exhibit::Quote {
            title: "requests without a span".into(),
            lines: traces.take(3).collect(),
        }],
        fix: "otelhttp.NewHandler(mux, \"server\") around the whole handler, or grpc.StatsHandler(otelgrpc.NewServerHandler()) on the server; a filter should let through what users ask for".into(),
        repeat: repeat(looked.seen, RULE.meta.name),
    }
    .by(&RULE.meta)
}

#[cfg(test)]
mod tests {
    use shakedown_evidence::{Event, ReceiverEvent};

    use super::super::cases::{Case, Told, add, apart, joined, linked, span};
    use super::*;

    fn check(seen: &Evidence, outcome: &str) -> Judgement {
        let judged = judge(seen);
        assert_eq!(judged.outcome.name(), outcome, "{judged:?}");
        judged
    }

    const fn nothing(_: &mut Evidence, _: &Told) {}

    /// A client span that had no parent to join.
    fn client(seen: &mut Evidence, told: &Told) {
        let root = span(&told.other_trace(), &told.span_id(2), "");
        let (name, kind) = ("stock.v1.Stock/Get".into(), SpanKind::Client);
        add(seen, told, Span { name, kind, ..root });
    }

    #[test]
    fn a_route_beside_one_that_has_spans_is_proven() {
        let case = Case::of(&["GET /a", "GET /b"]);
        let judged = check(
            &case.calls(1, 10, nothing).calls(0, 10, joined).alive(),
            "failed",
        );
        assert_eq!(judged.findings[0].subject, "GET /b");
        assert_eq!(judged.findings[0].certainty, Certainty::Proven);
    }

    #[test]
    fn work_that_is_traced_inside_requests_without_spans_is_enough() {
        let judged = check(
            &Case::of(&["GET /a"]).calls(0, 20, client).alive(),
            "failed",
        );
        assert!(matches!(
            judged.findings[0].certainty,
            Certainty::Probable { .. }
        ));
    }

    #[test]
    fn spans_in_any_trace_pass() {
        for brings in [joined, apart, linked] {
            check(
                &Case::of(&["GET /a"]).calls(0, 20, brings).alive(),
                "passed",
            );
        }
    }

    #[test]
    fn health_checks_are_excused() {
        let case = Case::of(&["GET /a", "GET /healthz"]);
        check(
            &case.calls(1, 10, nothing).calls(0, 10, joined).alive(),
            "passed",
        );
        check(
            &Case::of(&["GET /healthz"]).calls(0, 10, nothing).alive(),
            "not exercised",
        );
    }

    #[test]
    fn what_came_after_the_last_span_may_still_be_under_way() {
        let case = Case::of(&["GET /a", "GET /b"]);
        check(
            &case.calls(0, 10, joined).calls(1, 10, nothing).alive(),
            "inconclusive",
        );
    }

    #[test]
    fn a_loss_makes_it_inconclusive() {
        let case = Case::of(&["GET /a", "GET /b"]);
        let mut seen = case.calls(1, 10, nothing).calls(0, 10, joined).alive();
        seen.apply(Event::Receiver(ReceiverEvent::Refused {
            at: At(1),
            why: "more than 128 connections".into(),
        }));
        check(&seen, "inconclusive");
        // Where every request has its span, nothing that matters can have been lost.
        let mut whole = Case::of(&["GET /a"]).calls(0, 10, joined).alive();
        whole.receiver.clone_from(&seen.receiver);
        check(&whole, "passed");
    }

    #[test]
    fn a_sampler_that_takes_some_is_no_missing_handler() {
        let mut turn = 0;
        let case = Case::of(&["GET /a"]).calls(0, 30, |seen, told| {
            turn += 1;
            if turn % 3 == 0 {
                joined(seen, told);
            }
        });
        let judged = check(&case.alive(), "inconclusive");
        assert!(judged.outcome.reason().contains("sampler"), "{judged:?}");
    }

    #[test]
    fn background_spans_alone_do_not_show_that_requests_are_sampled() {
        let mut turn = 0;
        let case = Case::of(&["GET /a"]).calls(0, 30, |seen, told| {
            turn += 1;
            if turn % 5 == 0 {
                let until = At(told.from.0 + 150_000);
                let from = At(told.from.0 + 100_000);
                client(
                    seen,
                    &Told {
                        from,
                        until,
                        ..told.clone()
                    },
                );
            }
        });
        check(&case.alive(), "inconclusive");
    }
}

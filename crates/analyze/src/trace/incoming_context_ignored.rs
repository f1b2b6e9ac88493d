//! TRC010: the service begins a trace of its own for each request that brings one.
//!
//! Both sides are counted: requests of ours that no span continues, and server spans of the same
//! route that are roots. That the second begin inside the first may be chance where others call
//! the service as well, so it is tested.

use shakedown_evidence::{At, BuildInfo, Call, Evidence, Span};
use shakedown_findings::{Certainty, Finding, Item, RuleMeta, Severity};

use super::entries::{self, Entry, Route};
use super::{probe_spans, timeline};
use crate::chance::{Coincidence, Windows};
use crate::judgement::Found;
use crate::target::repeat;
use crate::{Judgement, Rule};

pub(crate) const RULE: Rule = Rule {
    meta: RuleMeta {
        code: "TRC010",
        name: "incoming-context-ignored",
        item: Item::Trace,
        severity: Severity::Error,
        required: true,
        page: include_str!("incoming_context_ignored.md"),
    },
    judge,
};

/// Routes that are named in one sentence.
const NAMED: usize = 4;

fn judge(seen: &Evidence) -> Judgement {
    if let Some(judgement) = probe_spans::nothing_sent(seen) {
        return judgement;
    }
    let routes = entries::routes(seen);
    let (guilty, others): (Vec<_>, Vec<_>) = routes
        .iter()
        .partition(|route| chance(seen, &[route]).is_ruled_out());
    if !guilty.is_empty() {
        if let Some(module) = seen.build.as_ref().and_then(other_propagator) {
            return Judgement::inconclusive(
                format!(
                    "our traceparent is ignored, and {module} is linked: the service may take other headers, which we do not send"
                ),
                "propagation.TraceContext{} beside the other propagator",
            );
        }
        // One cause where nothing is continued at all, and one each where some are.
        let all = others.iter().all(|route| route.known() == 0);
        let findings = match (all, guilty.as_slice()) {
            (true, [_, _, ..]) => vec![finding(seen, &guilty)],
            _ => guilty.iter().map(|route| finding(seen, &[route])).collect(),
        };
        return Judgement::failed(findings);
    }
    if let Some(route) = others.iter().find(|route| is_open(route)) {
        let apart = route.calls.len() - route.known();
        return Judgement::inconclusive(
            format!(
                "{}: spans of {apart} of {} requests may have begun traces of their own; too few to tell",
                route.subject,
                route.calls.len()
            ),
            "more of these requests: repeat-safe = true, or a longer --window",
        );
    }
    let known: usize = others.iter().map(|route| route.known()).sum();
    if known == 0 {
        return match probe_spans::look(seen) {
            Err(judgement) => judgement,
            // Spans of requests that were not answered.
            Ok(_) => Judgement::inconclusive(
                "no request that was answered has a server span",
                "a request that the service answers",
            ),
        };
    }
    let linked = others.iter().flat_map(|route| &route.calls);
    let linked = linked
        .filter(|(_, entry)| matches!(entry, Entry::Linked(_)))
        .count();
    Judgement::passed(if linked == 0 {
        format!("{known} of {known} requests are continued in their trace")
    } else {
        format!("{known} of {known} requests are continued in their trace, {linked} by a link")
    })
}

/// No span continues it, and roots that may be its own are too few to be sure.
fn is_open(route: &Route<'_>) -> bool {
    let apart = |(_, entry): &(&Call, Entry<'_>)| matches!(entry, Entry::Apart(_));
    route.known() == 0 && route.calls.iter().any(apart)
}

/// Do roots of these routes begin with those requests that no span continues?
fn chance(seen: &Evidence, routes: &[&Route<'_>]) -> Coincidence {
    let unknown = routes.iter().flat_map(|route| route.unknown());
    let windows = Windows::of_calls(seen, unknown);
    let roots = routes.iter().flat_map(|route| &route.apart);
    let mut starts: Vec<At> = roots
        .map(|span| seen.at_unix_ns(span.start_unix_ns))
        .collect();
    starts.sort_unstable();
    starts.dedup();
    windows.judge(starts)
}

/// A propagator of the contrib repository that takes other headers than ours.
fn other_propagator(build: &BuildInfo) -> Option<&str> {
    let is = |path: &str| path.starts_with("go.opentelemetry.io/contrib/propagators/");
    let mut modules = build.modules.iter();
    let found = modules.find(|module| is(&module.path));
    found.map(|module| module.path.as_str())
}

fn finding(seen: &Evidence, routes: &[&Route<'_>]) -> Finding {
    let chance = chance(seen, routes);
    let pairs = routes.iter().flat_map(|route| &route.calls);
    let apart: Vec<(&Call, &Span)> = pairs
        .filter_map(|(call, entry)| match entry {
            Entry::Apart(span) => Some((*call, *span)),
            _ => None,
        })
        .collect();
    let service = apart.first().map_or("", |(_, span)| span.service.as_str());
    let subject = match routes {
        [one] => one.subject.clone(),
        _ if service.is_empty() => seen.run.name.clone(),
        _ => service.to_owned(),
    };
    let named: Vec<&str> = routes
        .iter()
        .take(NAMED)
        .map(|route| route.subject.as_str())
        .collect();
    let more = match routes.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let exhibits = apart
        .first()
        .and_then(|(call, span)| timeline::new_trace(seen, call, span));
    let sent: usize = routes.iter().map(|route| route.unknown().count()).sum();
    Found {
        certainty: Certainty::Probable { p: chance.p },
        subject,
        location: None,
        message: format!(
            "{sent} requests brought a traceparent ({}{more}), and no span continues one of them: {} SERVER spans that began with them are roots of new traces. {}.",
            named.join(", "),
            apart.len(),
            chance.sentence("such roots began")
        ),
        exhibits: exhibits.into_iter().collect(),
        fix: "otel.SetTextMapPropagator(propagation.TraceContext{}) before the servers are made; in Go, OTEL_PROPAGATORS alone does nothing".into(),
        repeat: repeat(seen, RULE.meta.name),
    }
    .by(&RULE.meta)
}

#[cfg(test)]
mod tests {
    use super::super::cases::{Case, Told, add, apart, joined, linked, span};
    use super::*;

    fn check(seen: &Evidence, outcome: &str) -> Judgement {
        let judged = judge(seen);
        assert_eq!(judged.outcome.name(), outcome, "{judged:?}");
        judged
    }

    #[test]
    fn roots_in_every_request_are_one_finding_of_the_service() {
        let case = Case::of(&["GET /a", "GET /b"]);
        let judged = check(
            &case.calls(0, 20, apart).calls(1, 20, apart).alive(),
            "failed",
        );
        assert_eq!(judged.findings.len(), 1);
        assert_eq!(judged.findings[0].subject, "orders");
        assert!(
            judged.findings[0].message.starts_with("40 requests"),
            "{judged:?}"
        );
    }

    #[test]
    fn one_route_of_two_is_named() {
        let case = Case::of(&["GET /a", "b.v1.B/Get"]);
        let healthy = |seen: &mut Evidence, told: &Told| {
            let healthy = span(&told.trace, &told.span_id(1), &told.parent);
            add(
                seen,
                told,
                Span {
                    name: "b.v1.B/Get".into(),
                    ..healthy
                },
            );
        };
        let judged = check(
            &case.calls(0, 20, apart).calls(1, 20, healthy).alive(),
            "failed",
        );
        assert_eq!(judged.findings[0].subject, "GET /a");
    }

    #[test]
    fn a_root_that_links_to_its_caller_is_meant() {
        let judged = check(
            &Case::of(&["GET /a"]).calls(0, 20, linked).alive(),
            "passed",
        );
        assert!(
            judged.outcome.reason().contains("20 by a link"),
            "{judged:?}"
        );
    }

    #[test]
    fn spans_that_continue_our_traces_pass() {
        check(
            &Case::of(&["GET /a"]).calls(0, 20, joined).alive(),
            "passed",
        );
    }

    #[test]
    fn few_roots_prove_nothing() {
        let judged = check(
            &Case::of(&["GET /a"]).calls(0, 3, apart).alive(),
            "inconclusive",
        );
        assert!(judged.outcome.reason().contains("too few"), "{judged:?}");
    }

    #[test]
    fn roots_of_other_callers_are_a_coincidence() {
        // Others call all the time; our own requests have no span.
        let mut number = 0;
        let case = Case::of(&["GET /a"]).calls(0, 20, |seen, told| {
            for at in 0..10 {
                number += 1;
                let told = Told {
                    number,
                    from: At(told.from.0 + at * 20_000),
                    ..told.clone()
                };
                let until = At(told.from.0 + 5000);
                apart(seen, &Told { until, ..told });
            }
        });
        check(&case.alive(), "inconclusive");
    }

    #[test]
    fn another_service_that_we_can_tell_apart_is_not_blamed() {
        let downstream = |seen: &mut Evidence, told: &Told| {
            let root = span(&told.other_trace(), &told.span_id(1), "");
            let path = ("url.path".to_owned(), "/stock".to_owned());
            add(
                seen,
                told,
                Span {
                    attributes: vec![path],
                    service: "inventory".into(),
                    ..root
                },
            );
        };
        check(
            &Case::of(&["GET /a"]).calls(0, 20, downstream).alive(),
            "inconclusive",
        );
    }

    #[test]
    fn a_service_with_other_propagators_may_take_other_headers() {
        let case = Case::of(&["GET /a"]).linked(&[
            "go.opentelemetry.io/otel/sdk",
            "go.opentelemetry.io/contrib/propagators/b3",
        ]);
        let judged = check(&case.calls(0, 20, apart).alive(), "inconclusive");
        assert!(
            judged.outcome.reason().contains("propagators/b3"),
            "{judged:?}"
        );
    }
}

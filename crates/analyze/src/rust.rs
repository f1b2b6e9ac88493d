//! What is told of a service in Rust: the same findings, and how they are mended there.
//!
//! Rules judge evidence, which is the same for both languages. Their advice is for Go; where the
//! service is Rust's, each rule's advice for Rust takes its place, and its tasks are called tasks.
//! What stood in the way of a proof is said by the rules themselves.

use shakedown_findings::{Exhibit, Outcome};

use crate::Judgement;

/// How a finding of each rule is mended in Rust, by code.
const FIXES: &[(&str, &str)] = &[
    (
        "PRF001",
        "Kit::builder(NAME).admin(\"127.0.0.1:6060\") of shakedown-kit: profiles and tasks on a private listener of their own",
    ),
    (
        "PRF002",
        "Kit::builder(NAME).admin(\"127.0.0.1:6060\"), a loopback listener of its own, and no /debug/pprof/ on the application's router; what must be reached from elsewhere: admin_unix, or admin_public with a token",
    ),
    (
        "PRF003",
        "Kit::builder(NAME).admin(\"127.0.0.1:6060\"), which serves all of them; a heap that is not measured wants the sampler as the allocator: #[global_allocator] static ALLOCATOR: Sampler<System> = Sampler::new(System)",
    ),
    (
        "PRF004",
        "Kit::builder(NAME).admin(\"127.0.0.1:6060\"): no timeout of the application stands around its profiles; a DeadlineLayer or tower_http::timeout on the router does that where they were mounted by hand",
    ),
    (
        "PRF007",
        "std::env::var, or a file that only the service may read, in place of the argument; and a new secret, because this one was seen",
    ),
    (
        "TRC001",
        "log through tracing, within the request's span, and write its ids: shakedown_kit::logs::JsonLayer in place of fmt().json(); tasks keep the span if spawned by shakedown_kit::spawn, or with .instrument(tracing::Span::current())",
    ),
    (
        "TRC002",
        "take both ids from one SpanContext (shakedown_kit::trace::SpanContext::current()), in the layer that every line goes through, and write neither by hand",
    ),
    (
        "TRC004",
        "make the call through shakedown_kit::outgoing::CallLayer, which sends traceparent; a task that calls needs the request's span: shakedown_kit::spawn, or .instrument(tracing::Span::current())",
    ),
    (
        "TRC008",
        "Kit::serve, or shakedown_kit::trace::TraceLayer around the whole service, with a subscriber whose exporter takes spans of level info",
    ),
    (
        "TRC010",
        "Kit::serve or shakedown_kit::trace::TraceLayer, which read traceparent; by hand: span.set_parent(what the propagator extracted), before the span is entered",
    ),
    (
        "TRC011",
        "tracing-opentelemetry and an exporter of opentelemetry-otlp in the subscriber; shakedown-kit with feature otel writes their ids into log lines and calls",
    ),
    (
        "DLN001",
        "Kit::serve, or shakedown_kit::deadline::DeadlineLayer around the service: it drops the handler at its deadline and answers DEADLINE_EXCEEDED. It can only do so where the handler awaits: blocking calls belong into spawn_blocking, long loops need tokio::task::yield_now(), and /debug/pprof/block shows both",
    ),
    (
        "DLN002",
        "serve with Kit::serve, or hyper's own connections: both drop the handler when its client leaves. They can only do so where it awaits: blocking calls belong into spawn_blocking, and work that the handler waits for into its own future or into shakedown_kit::spawn",
    ),
    (
        "DLN003",
        "leave the answer to shakedown_kit::deadline::DeadlineLayer, which says DEADLINE_EXCEEDED; hand the Status of an inner call on with `?`, without making Status::unknown or Status::internal of it",
    ),
    (
        "LIF001",
        "give the task an end: shakedown_kit::spawn ends it with its request, spawn_detached does not; or select on shakedown_kit::cancelled(), drop the sender that it receives from, or bound its wait with tokio::time::timeout",
    ),
    (
        "LIF005",
        "return from main when Kit::run returns, and join no thread that nobody told to stop; by hand: tokio::signal::unix::signal(SignalKind::terminate()), a graceful shutdown with a limit, and the end of main",
    ),
    (
        "LIF006",
        "Kit::run, which owns SIGTERM and drains, with a drain_limit above the slowest request; by hand: axum::serve(…).with_graceful_shutdown(SIGTERM), which has no limit of its own",
    ),
    (
        "LIF007",
        "lame_duck and drain_limit well below the platform's grace; what waits longer is a stream or a task that nobody ends: select on shakedown_kit::cancelled()",
    ),
    (
        "LIF010",
        "drop what was opened: it is kept in a static, by a task that never ends, in a channel that nobody reads, or behind mem::forget and into_raw_fd",
    ),
    (
        "LIF011",
        "give what is kept a bound and an end: an LRU with a size, entries with a time to live, bounded channels; look for statics, maps and Vecs that only grow, and for cycles of Arc",
    ),
];

/// Tells a judgement of the rule with this code as one of a service in Rust.
pub(crate) fn tell(judgement: &mut Judgement, code: &str) {
    match &mut judgement.outcome {
        Outcome::Passed { reason }
        | Outcome::Failed { reason }
        | Outcome::NotApplicable { reason }
        | Outcome::Waived { reason } => tasks(reason),
        Outcome::Inconclusive { reason, to_prove } | Outcome::NotExercised { reason, to_prove } => {
            tasks(reason);
            tasks(to_prove);
        }
    }
    let fix = FIXES.iter().find(|(of, _)| *of == code);
    for finding in &mut judgement.findings {
        tasks(&mut finding.message);
        if let Some((_, fix)) = fix {
            finding.fix = (*fix).to_owned();
        }
        for exhibit in &mut finding.exhibits {
            if let Exhibit::Series { title, .. } | Exhibit::Stack { title, .. } = exhibit {
                tasks(title);
            }
        }
    }
}

/// What Go calls a goroutine is a task here.
fn tasks(text: &mut String) {
    if text.contains("goroutine") {
        // Paths of profiles keep their names.
        let told = text
            .split_inclusive(' ')
            .map(|word| match word.contains('/') {
                true => word.to_owned(),
                false => word.replace("goroutine", "task"),
            })
            .collect();
        *text = told;
    }
}

#[cfg(test)]
mod tests {
    use shakedown_evidence::{BuildInfo, Evidence};
    use shakedown_findings::{Certainty, Finding};

    use super::*;
    use crate::RULES;

    #[test]
    fn every_fix_is_of_a_rule_and_stands_once() {
        for (code, fix) in FIXES {
            assert_eq!(FIXES.iter().filter(|(of, _)| of == code).count(), 1);
            assert!(RULES.iter().any(|rule| rule.meta.code == *code), "{code}");
            assert!(!fix.contains("ctx"), "{code}: {fix}");
        }
    }

    #[test]
    fn a_rule_of_go_is_told_for_rust() {
        let series = Exhibit::Series {
            title: "goroutines in audit".into(),
            points: vec![],
        };
        let finding = Finding {
            code: "LIF001".into(),
            message: "9 goroutines left; see /debug/pprof/goroutine?debug=2".into(),
            fix: "close the channel, or ctx.Done()".into(),
            exhibits: vec![series],
            rule: String::new(),
            severity: shakedown_findings::Severity::Error,
            certainty: Certainty::Proven,
            subject: "goroutine pool refreshed".into(),
            location: None,
            only_without_span: vec![],
            because_of: vec![],
            repeat: String::new(),
        };
        let mut judgement = Judgement::failed(vec![finding]);
        tell(&mut judgement, "LIF001");
        let told = &judgement.findings[0];
        assert_eq!(
            told.message,
            "9 tasks left; see /debug/pprof/goroutine?debug=2"
        );
        assert!(told.fix.contains("shakedown_kit::spawn"), "{}", told.fix);
        assert!(
            matches!(&told.exhibits[0], Exhibit::Series { title, .. } if title == "tasks in audit")
        );
        assert_eq!(told.subject, "goroutine pool refreshed", "a name stays");
    }

    #[test]
    fn only_a_service_in_rust_is_told_so() {
        let of = |rust: Option<&str>| Evidence {
            build: Some(BuildInfo {
                rust: rust.map(str::to_owned),
                ..BuildInfo::default()
            }),
            ..Evidence::default()
        };
        let leak = RULES.iter().find(|rule| rule.meta.code == "LIF001");
        let leak = leak.expect("it is a rule");
        for (rust, seen) in [(false, of(None)), (true, of(Some("1.95.0")))] {
            assert_eq!(seen.is_rust(), rust);
            let plain = (leak.judge)(&seen);
            let told = leak.judged(&seen);
            assert!(rust || plain == told, "{told:?}");
            assert!(!rust || !told.outcome.reason().contains("goroutine"));
        }
    }
}

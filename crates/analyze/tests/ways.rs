//! What rules say of a service that was running before us: each names what stood in the way, and the
//! flag that would prove it.

use shakedown_analyze::RULES;
use shakedown_evidence::log::LogEvent;
use shakedown_evidence::{
    Access, At, BuildInfo, CallEnd, CallEnded, CallSent, Consent, Event, Evidence, Listener,
    ListenerFacts, PprofEndpoint, ProbeFailure, ProbeKind, Purpose, Readiness, ReceiverEvent,
    Request, RequestKind, RunFacts, Span, SpanBatch, SpanKind, Speaks, Way,
};
use shakedown_findings::Outcome;

const APP: &str = "127.0.0.1:8080";
const ADMIN: &str = "127.0.0.1:6060";

/// A service with an HTTP and a pprof listener, of which one request was answered at `APP`.
struct Seen(Evidence);

impl Seen {
    fn of(way: Way, consent: &[Consent]) -> Self {
        let seen = Self(Evidence::default());
        let access = Access {
            way,
            consent: consent.to_vec(),
            exports_to: None,
        };
        let request = Request {
            kind: RequestKind::Http {
                method: "GET".into(),
                target: "/orders/1".into(),
                body: String::new(),
            },
            deadline_ms: None,
            repeat_safe: true,
            given: true,
        };
        let run = RunFacts {
            access,
            requests: vec![request],
            ..RunFacts::default()
        };
        seen.with(Event::Run(run)).with(Event::Ready(Readiness {
            at: At(1),
            by: "listeners".into(),
            ready: true,
        }))
    }

    fn with(mut self, event: Event) -> Self {
        self.0.apply(event);
        self
    }

    fn listener(self, reach: &str, pid: u32, private: bool, speaks: &[Speaks]) -> Self {
        let listener = Listener {
            at: At(2),
            bound: reach.into(),
            reach: reach.into(),
            pid,
            private,
        };
        let facts = ListenerFacts {
            at: At(3),
            reach: reach.into(),
            speaks: speaks.to_vec(),
            services: Vec::new(),
            probe_traces: Vec::new(),
            unclear: None,
        };
        self.with(Event::Listener(listener))
            .with(Event::ListenerFacts(facts))
    }

    fn pprof_at(self, reach: &str) -> Self {
        self.with(Event::Pprof(PprofEndpoint {
            at: At(3),
            reach: reach.into(),
            prefix: "/debug/pprof/".into(),
            profiles: vec!["goroutine".into(), "heap".into()],
            asked: Vec::new(),
        }))
    }

    /// One request of ordinary traffic, answered, with a span of its own.
    fn traffic(self, id: u32) -> Self {
        let at = u64::from(id) * 1_000_000;
        let trace_id = format!("{id:032x}");
        let span_id = format!("{id:016x}");
        let sent = CallSent {
            id,
            request: 0,
            purpose: Purpose::Traffic,
            at: At(at),
            reach: APP.into(),
            trace_id,
            span_id,
            deadline_ms: None,
            cancel_after_ms: None,
        };
        let ended = CallEnded {
            id,
            at: At(at + 5_000),
            end: CallEnd::Http { status: 200 },
        };
        self.with(Event::CallSent(sent))
            .with(Event::CallEnded(ended))
    }

    fn span_of(self, id: u32) -> Self {
        let span = Span {
            trace_id: format!("{id:032x}"),
            span_id: "00000000000000ff".into(),
            parent_id: format!("{id:016x}"),
            name: "GET /orders/{id}".into(),
            kind: SpanKind::Server,
            start_unix_ns: 0,
            end_unix_ns: 1,
            flags: 0x300,
            service: "orders".into(),
            pid: None,
            scope: String::new(),
            links: Vec::new(),
            attributes: Vec::new(),
        };
        self.with(Event::Spans(SpanBatch {
            at: At(9_000_000),
            by: "grpc".into(),
            spans: vec![span],
        }))
    }

    /// The outcome of a rule as `outcome: reason [to prove]`.
    fn judged(&self, rule: &str) -> String {
        let rule = RULES
            .iter()
            .find(|known| known.meta.name == rule)
            .expect("a rule");
        let outcome: Outcome = (rule.judge)(&self.0).outcome;
        let to_prove = outcome.to_prove().unwrap_or_default();
        format!("{}: {} [{to_prove}]", outcome.name(), outcome.reason())
    }

    fn check(&self, rule: &str, parts: &[&str]) {
        let judged = self.judged(rule);
        for part in parts {
            assert!(
                judged.contains(part),
                "{rule}: {part:?} is missing in {judged}"
            );
        }
    }
}

/// With its listeners as addresses that were given.
fn by_address(consent: &[Consent], private: bool) -> Seen {
    Seen::of(Way::Addresses, consent)
        .listener(APP, 0, false, &[Speaks::Http1])
        .listener(ADMIN, 0, private, &[Speaks::Http1, Speaks::Pprof])
        .traffic(1)
}

fn by_process(consent: &[Consent]) -> Seen {
    Seen::of(Way::Process, consent)
        .listener(APP, 7, true, &[Speaks::Http1])
        .listener(ADMIN, 7, true, &[Speaks::Http1, Speaks::Pprof])
        .pprof_at(ADMIN)
        .traffic(1)
}

#[test]
fn what_changes_a_running_service_is_not_exercised_without_consent_by_name() {
    for (rule, word) in [
        ("cancel-ignored", "--consent audits"),
        ("leak-per-request", "--consent load"),
        ("sigterm-ignored", "--consent stop"),
    ] {
        by_process(&[]).check(rule, &["not exercised", word]);
        let allowed = by_process(&Consent::ALL).judged(rule);
        assert!(!allowed.contains("--consent"), "{rule}: {allowed}");
        let started = Seen::of(Way::Started, &[]).judged(rule);
        assert!(!started.contains("--consent"), "{rule}: {started}");
    }
}

#[test]
fn nothing_is_stopped_by_its_address() {
    by_address(&Consent::ALL, true).check(
        "sigterm-ignored",
        &["not exercised", "--pid PID --consent stop"],
    );
}

#[test]
fn that_no_address_has_pprof_proves_nothing() {
    let seen = by_address(&[], true);
    seen.check(
        "pprof-missing",
        &["inconclusive", APP, ADMIN, "--pprof HOST:PORT"],
    );
    // The same of a process, whose listeners are all known, is a finding.
    let seen = Seen::of(Way::Process, &[])
        .listener(APP, 7, true, &[Speaks::Http1])
        .with(Event::Build(BuildInfo {
            go: Some("go1.26.8".into()),
            ..BuildInfo::default()
        }));
    seen.check("pprof-missing", &["failed"]);
    let elsewhere = seen.with(Event::ProbeFailed(ProbeFailure {
        at: At(4),
        kind: ProbeKind::Listener,
        subject: "0.0.0.0:6060".into(),
        why: "in a network namespace of its own".into(),
        status: None,
    }));
    elsewhere.check("pprof-missing", &["inconclusive", "0.0.0.0:6060"]);
}

#[test]
fn who_reaches_an_address_is_as_the_user_says() {
    let unsaid = by_address(&[], false).pprof_at(ADMIN);
    unsaid.check(
        "pprof-public",
        &["inconclusive", "--private 127.0.0.1:6060"],
    );
    let said = by_address(&[], true).pprof_at(ADMIN);
    said.check("pprof-public", &["passed"]);
    let beside = by_address(&[], true).pprof_at(APP);
    beside.check("pprof-public", &["failed"]);
}

#[test]
fn without_grpc_at_the_addresses_there_may_still_be_some() {
    let of_process = by_process(&Consent::ALL).judged("deadline-ignored");
    assert!(of_process.starts_with("not applicable"), "{of_process}");
    let by_address = by_address(&Consent::ALL, true).judged("deadline-ignored");
    assert!(by_address.starts_with("not exercised"), "{by_address}");
}

#[test]
fn a_log_that_was_not_given_or_ended_proves_nothing_about_lines() {
    let seen = || by_process(&[]).traffic(2).span_of(1);
    seen().check(
        "log-without-trace",
        &["inconclusive", "its log was not given", "--logs FILE"],
    );
    let event = |ended: Option<u64>, at: u64| {
        let source = "file:orders.log".to_owned();
        Event::Log(match ended {
            Some(at) => LogEvent::Ended {
                at: At(at),
                source,
                why: "it is gone".into(),
            },
            None => LogEvent::Following { at: At(at), source },
        })
    };
    let ended = seen().with(event(None, 1)).with(event(Some(1_500_000), 0));
    ended.check(
        "log-without-trace",
        &[
            "inconclusive",
            "ended before the last request",
            "it is gone",
        ],
    );
    let late = seen().with(event(None, 3_000_000));
    late.check(
        "log-without-trace",
        &["inconclusive", "only after the last request"],
    );
    // Read from before to after: what is left to say is about the lines.
    let read = seen().with(event(None, 1)).with(event(Some(8_000_000), 0));
    read.check("log-without-trace", &["not exercised", "0 log lines carry"]);
}

#[test]
fn spans_that_go_elsewhere_are_told_with_where_they_go() {
    let mut seen = by_process(&[]);
    seen.0.run.access.exports_to = Some("http://collector:4317".into());
    let seen = seen
        .with(Event::Receiver(ReceiverEvent::Listening {
            at: At(1),
            addr: "127.0.0.1:40001".into(),
        }))
        .with(Event::Receiver(ReceiverEvent::Canary { at: At(9_000_000) }));
    seen.check(
        "context-not-forwarded",
        &[
            "inconclusive",
            "http://collector:4317",
            "127.0.0.1:4317 was taken",
            "--otlp",
        ],
    );
}

#[test]
fn a_bundle_from_before_is_of_a_service_that_was_started() {
    let mut facts = serde_json::to_value(RunFacts::default()).expect("plain data");
    facts.as_object_mut().expect("an object").remove("access");
    let facts: RunFacts = serde_json::from_value(facts).expect("an old bundle is read");
    assert_eq!(facts.access, Access::default());
    assert!(facts.access.is_ours());
}

//! Evidence for the tests of this item, built call by call: a run of 60 seconds in which requests
//! are sent one after another, as the window does.

use shakedown_evidence::log::{RawLine, Stream};
use shakedown_evidence::{
    At, BuildInfo, CallEnd, CallEnded, CallSent, Event, Evidence, Module, Purpose, ReceiverEvent,
    Request, RequestKind, Span, SpanBatch, SpanKind, SpanLink,
};

/// A span that starts and ends at the beginning of time.
pub(super) fn span(trace: &str, id: &str, parent: &str) -> Span {
    Span {
        trace_id: trace.into(),
        span_id: id.into(),
        parent_id: parent.into(),
        name: "GET".into(),
        kind: SpanKind::Server,
        start_unix_ns: 0,
        end_unix_ns: 0,
        flags: 0,
        service: "orders".into(),
        pid: None,
        scope: String::new(),
        links: Vec::new(),
        attributes: Vec::new(),
    }
}

/// How one call turned out.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub number: u64,
    pub trace: String,
    pub parent: String,
    pub from: At,
    pub until: At,
}

impl Told {
    /// An id of a trace that is not ours.
    pub(super) fn other_trace(&self) -> String {
        format!("{:032x}", 0xdead_0000 + self.number)
    }

    /// An id of a span, apart for each `kind`.
    pub(super) fn span_id(&self, kind: u64) -> String {
        format!("{:016x}", kind << 32 | self.number | 1 << 60)
    }
}

/// A run under construction.
pub(super) struct Case {
    pub seen: Evidence,
    number: u64,
}

impl Case {
    /// With requests that were given: `GET /path` or a gRPC method.
    pub(super) fn of(requests: &[&str]) -> Self {
        let mut seen = Evidence::default();
        seen.run.requests = requests.iter().map(|line| request(line)).collect();
        seen.last = At(60_000_000);
        Self { seen, number: 0 }
    }

    /// Sends a request `times` times; `after` adds what each brought.
    pub(super) fn calls(
        mut self,
        request: usize,
        times: usize,
        mut after: impl FnMut(&mut Evidence, &Told),
    ) -> Self {
        for turn in 0..times {
            self.number += 1;
            // One call of 20 ms in each 200 ms.
            let from = At(1_000_000 + self.number * 200_000);
            let told = Told {
                number: self.number,
                trace: format!(
                    "{:032x}",
                    u128::from(self.number) << 64 | u128::from(0xcafe_0000 + self.number)
                ),
                parent: format!("{:016x}", 0xfeed_0000 + self.number),
                from,
                until: At(from.0 + 20_000),
            };
            let id = u32::try_from(self.number).unwrap();
            self.seen.apply(Event::CallSent(CallSent {
                id,
                request,
                purpose: if turn == 0 {
                    Purpose::Locate
                } else {
                    Purpose::Traffic
                },
                at: from,
                reach: "127.0.0.1:80".into(),
                trace_id: told.trace.clone(),
                span_id: told.parent.clone(),
                deadline_ms: None,
                cancel_after_ms: None,
            }));
            self.seen.apply(Event::CallEnded(CallEnded {
                id,
                at: told.until,
                end: CallEnd::Http { status: 200 },
            }));
            after(&mut self.seen, &told);
        }
        self
    }

    /// The receiver was seen working at the end.
    pub(super) fn alive(mut self) -> Evidence {
        let at = At(59_000_000);
        self.seen
            .apply(Event::Receiver(ReceiverEvent::Canary { at }));
        self.seen
    }

    /// Modules that are linked.
    pub(super) fn linked(mut self, modules: &[&str]) -> Self {
        let module = |path: &&str| Module {
            path: (*path).into(),
            version: "v1.47.0".into(),
        };
        self.seen.build = Some(BuildInfo {
            go: Some("go1.26.8".into()),
            main: Some(module(&"shop.test/orders")),
            modules: modules.iter().map(module).collect(),
            ..BuildInfo::default()
        });
        self
    }
}

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

/// Adds a span that lasts from the beginning of a call almost to its end.
pub(super) fn add(seen: &mut Evidence, told: &Told, span: Span) {
    let unix_ns = |at: At| at.0 * 1000;
    let span = Span {
        start_unix_ns: unix_ns(told.from) + 500_000,
        end_unix_ns: unix_ns(told.until) - 500_000,
        ..span
    };
    seen.apply(Event::Spans(SpanBatch {
        at: told.until,
        by: "grpc".into(),
        spans: vec![span],
    }));
}

/// The server span of a healthy service.
pub(super) fn joined(seen: &mut Evidence, told: &Told) {
    add(
        seen,
        told,
        span(&told.trace, &told.span_id(1), &told.parent),
    );
}

/// A server span that began a trace of its own.
pub(super) fn apart(seen: &mut Evidence, told: &Told) {
    add(seen, told, span(&told.other_trace(), &told.span_id(1), ""));
}

/// The same with a link to the caller.
pub(super) fn linked(seen: &mut Evidence, told: &Told) {
    let links = vec![SpanLink {
        trace_id: told.trace.clone(),
        span_id: told.parent.clone(),
    }];
    let root = span(&told.other_trace(), &told.span_id(1), "");
    add(seen, told, Span { links, ..root });
}

/// A line that the call wrote.
pub(super) fn line(seen: &mut Evidence, told: &Told, text: String) {
    seen.apply(Event::Line(RawLine {
        at: At(told.from.0 + 1000),
        stream: Stream::Stdout,
        text,
        cut: 0,
    }));
}

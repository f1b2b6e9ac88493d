//! Events folded into what rules and experiments look at.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::log::{ExportedLine, LogEvent, RawLine};
use crate::{
    At, BuildInfo, CallBody, CallEnd, CallEnded, CallSent, CommandLine, Connections, Contention,
    DrainLook, Event, Exit, FurtherStart, Gone, Listener, ListenerFacts, LiveHeap, Mark, Methods,
    PprofEndpoint, ProbeFailure, ProcessStarted, ProfileRecord, Purpose, QuitAudit, Readiness,
    ReceiverEvent, Resources, Role, RunFacts, Signalled, Snapshot, SourceExcerpt, SourceLiteral,
    Span, Speaks, Stack, StallChange, StopReport, Trouble, Window,
};

/// A request with how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// What went out.
    pub sent: CallSent,
    /// How it ended, if it has.
    pub ended: Option<CallEnded>,
}

impl Call {
    /// How long it took.
    #[must_use]
    pub fn took(&self) -> Option<Duration> {
        self.ended.as_ref().map(|ended| ended.at - self.sent.at)
    }

    /// It ended as asked.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.ended.as_ref().is_some_and(|ended| ended.end.is_ok())
    }

    /// How it ended.
    #[must_use]
    pub fn end(&self) -> Option<&CallEnd> {
        self.ended.as_ref().map(|ended| &ended.end)
    }
}

/// Everything that was seen, in the order in which it was recorded.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// What the run set out to do.
    pub run: RunFacts,
    /// The log book.
    pub marks: Vec<Mark>,
    /// Processes of ours.
    pub processes: Vec<ProcessStarted>,
    /// Those that ended.
    pub exits: Vec<Exit>,
    /// Whether and how the target became ready.
    pub ready: Option<Readiness>,
    /// Listeners of the target.
    pub listeners: Vec<Listener>,
    /// What they answered.
    pub listener_facts: Vec<ListenerFacts>,
    /// What could be called, where no request was given.
    pub methods: Vec<Methods>,
    /// Connections that the service itself had opened.
    pub connections: Vec<Connections>,
    /// What the executable says.
    pub build: Option<BuildInfo>,
    /// The log.
    pub lines: Vec<RawLine>,
    /// What befell the logs that were followed.
    pub logs: Vec<LogEvent>,
    /// Log records that came over OTLP, of the service and of others.
    pub exported: Vec<ExportedLine>,
    /// Lines that were counted but not kept.
    pub dropped: u64,
    /// Finished spans.
    pub spans: Vec<Span>,
    /// When each batch of spans came.
    pub span_arrivals: Vec<At>,
    /// What befell the receiver.
    pub receiver: Vec<ReceiverEvent>,
    /// Requests, by their number.
    pub calls: Vec<Call>,
    /// Where pprof answers.
    pub pprof: Vec<PprofEndpoint>,
    /// Profiles taken.
    pub profiles: Vec<ProfileRecord>,
    /// Windows asked for.
    pub windows: Vec<Window>,
    /// Block and mutex profiles looked into.
    pub contention: Vec<Contention>,
    /// Command lines of the service.
    pub command_lines: Vec<CommandLine>,
    /// Distinct stacks.
    pub stacks: Vec<Stack>,
    /// Goroutine counts.
    pub snapshots: Vec<Snapshot>,
    /// Live heaps at marks.
    pub heaps: Vec<LiveHeap>,
    /// What the process held at marks.
    pub resources: Vec<Resources>,
    /// Probes that brought nothing.
    pub failures: Vec<ProbeFailure>,
    /// When stalls held and let go.
    pub stalls: Vec<StallChange>,
    /// Bodies that were sent in two halves.
    pub bodies: Vec<CallBody>,
    /// Signals that were sent.
    pub signals: Vec<Signalled>,
    /// Processes that ended after a signal.
    pub gone: Vec<Gone>,
    /// Sockets of a service that took long to stop.
    pub drains: Vec<DrainLook>,
    /// Stops.
    pub stops: Vec<StopReport>,
    /// Starts for a look at the goroutines.
    pub further_starts: Vec<FurtherStart>,
    /// Starts that caught handlers.
    pub quit_audits: Vec<QuitAudit>,
    /// Source excerpts.
    pub sources: Vec<SourceExcerpt>,
    /// Texts looked for in the source.
    pub literals: Vec<SourceLiteral>,
    /// What went wrong with the run itself.
    pub troubles: Vec<Trouble>,
    /// When the run came to its end; nothing for one that was cut short.
    pub finished: Option<At>,
    /// The latest moment that any event names.
    pub last: At,
    /// Bytes that belong to events, by name.
    pub blobs: BTreeMap<String, Vec<u8>>,
}

impl Evidence {
    /// Adds one event.
    pub fn apply(&mut self, event: Event) {
        match event {
            Event::Run(of) => self.run = of,
            Event::Mark(of) => {
                self.seen(of.at);
                self.marks.push(of);
            }
            Event::Process(of) => {
                self.seen(of.at);
                self.processes.push(of);
            }
            Event::Exit(of) => {
                self.seen(of.at);
                self.exits.push(of);
            }
            Event::Ready(of) => {
                self.seen(of.at);
                self.ready = Some(of);
            }
            Event::Listener(of) => {
                self.seen(of.at);
                self.listeners.retain(|known| known.reach != of.reach);
                self.listeners.push(of);
            }
            Event::ListenerFacts(of) => {
                self.seen(of.at);
                self.listener_facts.retain(|known| known.reach != of.reach);
                self.listener_facts.push(of);
            }
            Event::Methods(of) => {
                self.seen(of.at);
                self.methods.push(of);
            }
            Event::Connections(of) => {
                self.seen(of.at);
                self.connections.push(of);
            }
            Event::Build(of) => self.build = Some(of),
            Event::Line(of) => {
                self.seen(of.at);
                self.lines.push(of);
            }
            Event::Log(of) => {
                self.seen(of.at());
                self.logs.push(of);
            }
            Event::Logs(of) => {
                self.seen(of.at);
                self.exported.extend(of.lines);
            }
            Event::LinesDropped(lines) => self.dropped += lines,
            Event::Spans(of) => {
                self.seen(of.at);
                self.span_arrivals.push(of.at);
                self.spans.extend(of.spans);
            }
            Event::Receiver(of) => self.receiver.push(of),
            Event::CallSent(sent) => {
                self.seen(sent.at);
                self.calls.push(Call { sent, ended: None });
            }
            Event::CallEnded(ended) => {
                self.seen(ended.at);
                let mut newest_first = self.calls.iter_mut().rev();
                if let Some(call) = newest_first.find(|call| call.sent.id == ended.id) {
                    call.ended = Some(ended);
                }
            }
            Event::Pprof(of) => {
                self.seen(of.at);
                self.pprof.push(of);
            }
            Event::Profile(of) => {
                self.seen(of.until);
                self.profiles.push(of);
            }
            Event::Window(of) => {
                self.seen(of.until);
                self.windows.push(of);
            }
            Event::Contention(of) => {
                self.seen(of.at);
                self.contention.push(of);
            }
            Event::CommandLine(of) => {
                self.seen(of.at);
                self.command_lines.push(of);
            }
            Event::Stack(of) => self.stacks.push(of),
            Event::Snapshot(of) => {
                self.seen(of.until);
                self.snapshots.push(of);
            }
            Event::LiveHeap(of) => {
                self.seen(of.until);
                self.heaps.push(of);
            }
            Event::Resources(of) => {
                self.seen(of.at);
                self.resources.push(of);
            }
            Event::ProbeFailed(of) => {
                self.seen(of.at);
                self.failures.push(of);
            }
            Event::Stall(of) => {
                self.seen(of.at);
                self.stalls.push(of);
            }
            Event::CallBody(of) => {
                self.seen(of.at);
                self.bodies.push(of);
            }
            Event::Signal(of) => {
                self.seen(of.at);
                self.signals.push(of);
            }
            Event::Gone(of) => {
                self.seen(of.at);
                self.gone.push(of);
            }
            Event::Drain(of) => {
                self.seen(of.at);
                self.drains.push(of);
            }
            Event::Stop(of) => {
                self.seen(of.until);
                self.stops.push(of);
            }
            Event::FurtherStart(of) => {
                self.seen(of.at);
                self.further_starts.push(of);
            }
            Event::QuitAudit(of) => {
                self.seen(of.at);
                self.quit_audits.push(of);
            }
            Event::Source(of) => self.sources.push(of),
            Event::Literal(of) => self.literals.push(of),
            Event::Trouble(of) => {
                self.seen(of.at);
                self.troubles.push(of);
            }
            Event::Finished { at } => {
                self.seen(at);
                self.finished = Some(at);
            }
        }
    }

    fn seen(&mut self, at: At) {
        self.last = self.last.max(at);
    }

    /// The process that is checked: the one that answers the given requests; else the one that we
    /// started, if it listens; else the first that does. A wrapper listens to nothing itself, and
    /// may have started a dependency beside the service.
    #[must_use]
    pub fn target_pid(&self) -> Option<u32> {
        let started = self.processes.iter();
        let started = started
            .filter(|process| process.role == Role::Target)
            .map(|process| process.pid)
            .next();
        let owned = || {
            self.listeners
                .iter()
                .filter(|listener| !listener.is_given())
        };
        let owner = |reach: &str| Some(owned().find(|listener| listener.reach == reach)?.pid);
        let mut given = (0..self.run.requests.len())
            .filter(|request| self.request(*request).is_some_and(|request| request.given));
        let asked = given.find_map(|request| owner(self.reach_of(request)?));
        let listens = |pid: &u32| owned().any(|listener| listener.pid == *pid);
        let first = || owned().next().map(|listener| listener.pid);
        asked
            .or_else(|| started.filter(listens))
            .or_else(first)
            .or(started)
    }

    /// How the target ended, if it has.
    #[must_use]
    pub fn target_exit(&self) -> Option<&Exit> {
        self.exits.iter().find(|exit| exit.role == Role::Target)
    }

    /// What a listener was found to speak.
    #[must_use]
    pub fn facts_of(&self, reach: &str) -> Option<&ListenerFacts> {
        self.listener_facts
            .iter()
            .find(|facts| facts.reach == reach)
    }

    /// Listeners that speak something.
    pub fn speaking(&self, what: Speaks) -> impl Iterator<Item = &Listener> {
        let speaks = move |listener: &&Listener| {
            let facts = self.facts_of(&listener.reach);
            facts.is_some_and(|facts| facts.speaks.contains(&what))
        };
        self.listeners.iter().filter(speaks)
    }

    /// The listener of the checked process whose metrics give its number of goroutines.
    #[must_use]
    pub fn goroutine_metric(&self) -> Option<&Listener> {
        let target = self.target_pid();
        self.speaking(Speaks::GoroutineMetric)
            .find(|listener| Some(listener.pid) == target)
    }

    /// Time of a moment given by the wall clock, in the run's own time.
    #[must_use]
    pub fn at_unix_ns(&self, unix_ns: u64) -> At {
        At(unix_ns.saturating_sub(self.run.started_unix_ns) / 1000)
    }

    /// The receiver lost spans, or may have: nothing "missing" can be concluded.
    pub fn receiver_losses(&self) -> impl Iterator<Item = &str> {
        self.receiver.iter().filter_map(|event| match event {
            ReceiverEvent::Refused { why, .. } | ReceiverEvent::Died { why, .. } => {
                Some(why.as_str())
            }
            ReceiverEvent::Listening { .. } | ReceiverEvent::Canary { .. } => None,
        })
    }

    /// The listener that serves a request: the first that answered it and knew it.
    #[must_use]
    pub fn reach_of(&self, request: usize) -> Option<&str> {
        let of_request = |call: &&Call| call.sent.request == request;
        let mut located = self.calls.iter().filter(of_request);
        let answered = |call: &&Call| {
            let end = call.end();
            end.is_some_and(|end| {
                !end.is_unknown() && matches!(end, CallEnd::Status { .. } | CallEnd::Http { .. })
            })
        };
        located.find(answered).map(|call| call.sent.reach.as_str())
    }

    /// Lines that were not kept, if any.
    #[must_use]
    pub fn lines_dropped(&self) -> Option<u64> {
        (self.dropped > 0).then_some(self.dropped)
    }

    /// The trace belongs to a probe that asked a listener what it speaks.
    #[must_use]
    pub fn is_probe_trace(&self, trace_id: &str) -> bool {
        let mut probes = self
            .listener_facts
            .iter()
            .flat_map(|facts| &facts.probe_traces);
        probes.any(|probe| probe == trace_id)
    }

    /// Calls of a request with a purpose.
    pub fn calls_for(&self, request: usize, purpose: Purpose) -> impl Iterator<Item = &Call> {
        let wanted =
            move |call: &&Call| call.sent.request == request && call.sent.purpose == purpose;
        self.calls.iter().filter(wanted)
    }

    /// The shortest and the median time of the successful calls of ordinary traffic.
    #[must_use]
    pub fn usual_duration(&self, request: usize) -> Option<(Duration, Duration)> {
        let ok = self
            .calls_for(request, Purpose::Traffic)
            .filter(|call| call.is_ok());
        let mut took: Vec<Duration> = ok.filter_map(Call::took).collect();
        took.sort_unstable();
        Some((*took.first()?, *took.get(took.len() / 2)?))
    }

    /// The request at a position.
    #[must_use]
    pub fn request(&self, position: usize) -> Option<&crate::Request> {
        self.run.requests.get(position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CallEnded, CallSent, Listener, ProcessStarted, Request, RequestKind};

    /// Started as process 10; `listeners` are owners and addresses, `answered` is the address that
    /// answered the one request.
    fn check(listeners: &[(u32, &str)], answered: Option<&str>) -> Option<u32> {
        let mut seen = Evidence::default();
        seen.run.requests = vec![Request {
            kind: RequestKind::Grpc {
                method: "a.B/C".into(),
                data: String::new(),
            },
            deadline_ms: None,
            repeat_safe: true,
            given: true,
        }];
        seen.apply(Event::Process(ProcessStarted {
            at: At(1),
            role: Role::Target,
            pid: 10,
        }));
        for (pid, reach) in listeners {
            seen.apply(Event::Listener(Listener {
                at: At(2),
                bound: (*reach).into(),
                reach: (*reach).into(),
                pid: *pid,
                private: true,
            }));
        }
        if let Some(reach) = answered {
            seen.apply(Event::CallSent(CallSent {
                id: 1,
                request: 0,
                purpose: Purpose::Locate,
                at: At(3),
                reach: reach.into(),
                trace_id: String::new(),
                span_id: String::new(),
                deadline_ms: None,
                cancel_after_ms: None,
            }));
            seen.apply(Event::CallEnded(CallEnded {
                id: 1,
                at: At(4),
                end: CallEnd::Http { status: 200 },
            }));
        }
        seen.target_pid()
    }

    #[test]
    fn the_process_that_answers_is_checked_whoever_started_it() {
        let both = [(11, "h:1"), (10, "h:2"), (12, "h:3")];
        assert_eq!(check(&both, Some("h:3")), Some(12));
        assert_eq!(check(&both, Some("elsewhere:1")), Some(10));
        assert_eq!(check(&both, None), Some(10), "the one that we started");
        assert_eq!(
            check(&both[..1], None),
            Some(11),
            "a wrapper does not listen"
        );
        assert_eq!(check(&[], None), Some(10));
    }
}

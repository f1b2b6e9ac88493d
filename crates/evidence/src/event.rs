//! The one stream of everything that happened.

use serde::{Deserialize, Serialize};

use crate::log::{LogBatch, LogEvent, RawLine};
use crate::{
    BuildInfo, CallBody, CallEnded, CallSent, CommandLine, Connections, Contention, DrainLook,
    Exit, FurtherStart, Gone, Listener, ListenerFacts, LiveHeap, Mark, Methods, PprofEndpoint,
    ProbeFailure, ProcessStarted, ProfileRecord, QuitAudit, Readiness, ReceiverEvent, Resources,
    RunFacts, Signalled, Snapshot, SourceExcerpt, SourceLiteral, SpanBatch, Stack, StallChange,
    StopReport, Trouble, Window,
};

/// One thing that happened, as it stands in a bundle: one JSON object a line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", content = "of", rename_all = "kebab-case")]
pub enum Event {
    /// The run began; always the first.
    Run(RunFacts),
    /// A named action.
    Mark(Mark),
    /// A process began.
    Process(ProcessStarted),
    /// A process ended.
    Exit(Exit),
    /// The service became ready, or did not.
    Ready(Readiness),
    /// A listening socket was seen.
    Listener(Listener),
    /// A listener was asked what it speaks.
    ListenerFacts(ListenerFacts),
    /// Methods of a gRPC server, where no request was given.
    Methods(Methods),
    /// Connections that the service had opened.
    Connections(Connections),
    /// The executable was read.
    Build(BuildInfo),
    /// A line of the service's log.
    Line(RawLine),
    /// Something befell a log that is followed.
    Log(LogEvent),
    /// So many lines were counted but not kept, because the service flooded its log.
    LinesDropped(u64),
    /// Log records arrived over OTLP.
    Logs(LogBatch),
    /// Spans arrived.
    Spans(SpanBatch),
    /// Something befell the span receiver.
    Receiver(ReceiverEvent),
    /// A request went out.
    CallSent(CallSent),
    /// A request ended.
    CallEnded(CallEnded),
    /// pprof was found.
    Pprof(PprofEndpoint),
    /// A profile was taken.
    Profile(ProfileRecord),
    /// A profile over a window of time was asked for.
    Window(Window),
    /// The block or the mutex profile was looked into.
    Contention(Contention),
    /// A command line of the service was read.
    CommandLine(CommandLine),
    /// A stack that later snapshots name by its position.
    Stack(Stack),
    /// Goroutines were counted.
    Snapshot(Snapshot),
    /// The live heap after a collection.
    LiveHeap(LiveHeap),
    /// Descriptors, memory and threads of the process.
    Resources(Resources),
    /// A probe brought nothing.
    ProbeFailed(ProbeFailure),
    /// A stall began to hold answers, or let them go.
    Stall(StallChange),
    /// The first half of a request's body went out, or the second.
    CallBody(CallBody),
    /// A signal was sent.
    Signal(Signalled),
    /// The process that was signalled has ended.
    Gone(Gone),
    /// The sockets of a service that takes long to stop.
    Drain(DrainLook),
    /// How the stop went.
    Stop(StopReport),
    /// The service was started once more, for its goroutines.
    FurtherStart(FurtherStart),
    /// The same, to catch handlers after their callers had lost interest.
    QuitAudit(QuitAudit),
    /// An excerpt of source.
    Source(SourceExcerpt),
    /// A text was looked for in the source.
    Literal(SourceLiteral),
    /// Something went wrong with the run itself.
    Trouble(Trouble),
    /// The run came to its end; a bundle without it was cut short.
    Finished {
        /// When.
        at: crate::At,
    },
}

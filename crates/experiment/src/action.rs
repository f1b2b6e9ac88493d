//! The only vocabulary between deciding and doing.

use std::time::Duration;

use shakedown_evidence::{At, ProfileKind, Purpose, SnapshotForm, Waiting};

/// One thing that the acquiring side can do. Each brings at least one event, if only a failure.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Write a line into the log book.
    Mark(String),
    /// Look for listening sockets of the service and its children.
    ScanListeners,
    /// Ask the configured URL (`http://…` or `grpc://…`) whether the service is ready.
    AskReady(String),
    /// Ask a listener what it speaks.
    Identify {
        /// Listener, as `Listener::reach`.
        reach: String,
    },
    /// Find out which gRPC methods a listener has, and make up a message for each; none is called.
    ListMethods {
        /// Listener, as `Listener::reach`.
        reach: String,
    },
    /// Read what the executable says of its build, and look for secrets in its command line.
    ReadExecutable,
    /// Send a request in the background; its end becomes an event.
    Call(CallPlan),
    /// Take a profile; ends when it has come whole or has failed.
    Profile {
        /// Which.
        kind: ProfileKind,
        /// Length of the window, for a CPU profile.
        window: Option<Duration>,
    },
    /// Take a CPU profile that is compared with others of its kind; ends as `Profile` does.
    ShortWindow(Duration),
    /// Take an execution trace; ends when it has come whole or has failed.
    Trace {
        /// Length of the window.
        window: Duration,
    },
    /// Read what the block or the mutex profile says of itself.
    Contention(Waiting),
    /// Count goroutines.
    Snapshot {
        /// Which text.
        form: SnapshotForm,
        /// Why, for the log book.
        label: String,
    },
    /// Collect garbage, and see what is alive on the heap.
    LiveHeap {
        /// Why, for the log book.
        label: String,
    },
    /// Count descriptors, by what they lead to, and see how much memory is resident.
    Resources {
        /// Why, for the log book.
        label: String,
    },
    /// See which connections the service itself has opened.
    ScanConnections,
    /// Keep a dependency's answers back.
    Hold {
        /// Name of the stall.
        stall: String,
    },
    /// Let them go on.
    Release {
        /// Name of the stall.
        stall: String,
    },
    /// Close every connection that we hold to the service.
    CloseConnections,
    /// Export a span of our own to our receiver, to see whether it still works.
    Canary,
    /// Send SIGQUIT to the checked process, on which the Go runtime prints every goroutine, and wait
    /// for its end.
    Quit,
    /// As [`Action::Call`], but the second half of the body is held back: the request must have a
    /// body, as each gRPC call has. Ends when the first half has gone out.
    CallHalf(CallPlan),
    /// Send the second half of a request's body. Of no effect if the request has ended.
    Finish(u32),
    /// Send SIGTERM to the owner of the listeners, and note its end from now on.
    Signal,
    /// Look which listeners of the service are still open, and who is connected to them.
    LookAtDrain,
    /// Report how the stop went.
    StopWatching {
        /// Up to this moment the process was watched.
        until: At,
    },
}

/// A request to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallPlan {
    /// Index into the run's requests.
    pub request: usize,
    /// Why.
    pub purpose: Purpose,
    /// Listener, as `Listener::reach`.
    pub reach: String,
    /// Deadline to send along (gRPC only); we do not enforce it ourselves.
    pub deadline: Option<Duration>,
    /// Leave after so long: RST_STREAM for gRPC, closing the connection for HTTP/1.
    pub cancel_after: Option<Duration>,
    /// Give up waiting for an answer after so long.
    pub patience: Duration,
}

//! The only vocabulary between deciding and doing.

use std::time::Duration;

use shakedown_evidence::{ProfileKind, Purpose, SnapshotForm, Waiting};

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
    /// See which connections the service itself has opened.
    ScanConnections,
    /// Close every connection that we hold to the service.
    CloseConnections,
    /// Export a span of our own to our receiver, to see whether it still works.
    Canary,
    /// Send SIGQUIT to the checked process, on which the Go runtime prints every goroutine, and wait
    /// for its end.
    Quit,
    /// Send the signal to the owner of the listeners and watch it for so long.
    Stop {
        /// How long to wait for the process to end.
        grace: Duration,
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

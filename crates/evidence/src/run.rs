//! What the run set out to do, and its log book.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Access, At, Stall};

/// Everything that was decided before the run began. Frozen in the bundle, so that a replay
/// needs neither configuration nor clock.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RunFacts {
    /// Version of the tool.
    pub tool: String,
    /// Wall clock at the run's beginning, nanoseconds since the Unix epoch.
    pub started_unix_ns: u64,
    /// Short name of the service.
    pub name: String,
    /// How the service is had, and what may be done to it. Older bundles are of services that were
    /// started.
    #[serde(default)]
    pub access: Access,
    /// Command as given, or as the process shows it; secrets cut.
    pub command: Vec<String>,
    /// Words after `shakedown check` that repeat this run, secrets cut.
    #[serde(default)]
    pub again: Vec<String>,
    /// Length asked of the CPU window, milliseconds.
    pub window_ms: u64,
    /// `--quick`: such a run can never be READY.
    pub quick: bool,
    /// Items or rules given with `--only`; empty means all.
    pub only: Vec<String>,
    /// Findings of this severity or worse refuse: `error`, `warning` or `info`.
    pub fail_on: String,
    /// Requests that were given.
    pub requests: Vec<Request>,
    /// Forwarders between the service and its dependencies.
    #[serde(default)]
    pub stalls: Vec<Stall>,
    /// Addresses that the configuration calls private.
    pub private: Vec<String>,
    /// How long a stop may take, milliseconds.
    pub grace_ms: u64,
    /// Folder of the service's source, where one was found.
    pub source: Option<String>,
    /// Name of the bundle's folder.
    pub bundle: Option<String>,
}

/// One request that may be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// What is sent.
    pub kind: RequestKind,
    /// Deadline that the caller uses in production, milliseconds.
    pub deadline_ms: Option<u64>,
    /// May be sent many times.
    pub repeat_safe: bool,
    /// False for the probes that are made up where none was given (`GET /`, health).
    pub given: bool,
}

/// The request itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RequestKind {
    /// A unary or server-streaming gRPC call.
    Grpc {
        /// `pkg.Service/Method`.
        method: String,
        /// The message as JSON.
        data: String,
    },
    /// An HTTP/1.1 request.
    Http {
        /// Method, upper case.
        method: String,
        /// Path and query, or an absolute `http://` URL.
        target: String,
        /// Body, sent as JSON if it is not empty.
        body: String,
    },
}

impl Request {
    /// The name used in reports: `pkg.Service/Method` or `GET /path`.
    #[must_use]
    pub fn subject(&self) -> String {
        match &self.kind {
            RequestKind::Grpc { method, .. } => method.clone(),
            RequestKind::Http { method, target, .. } => format!("{method} {target}"),
        }
    }

    /// Deadline that the caller uses in production.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        self.deadline_ms.map(Duration::from_millis)
    }

    /// The command-line words that give this request.
    #[must_use]
    pub fn flags(&self) -> Vec<String> {
        let (flag, text, data) = match &self.kind {
            RequestKind::Grpc { method, data } => ("--grpc", method.clone(), data),
            RequestKind::Http {
                method,
                target,
                body,
            } => ("--http", format!("{method} {target}"), body),
        };
        let mut words = vec![flag.to_owned(), text];
        if !data.is_empty() {
            words.extend(["--data".to_owned(), data.clone()]);
        }
        words
    }
}

/// A named action at a known time, against which growth and effects are measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// When.
    pub at: At,
    /// What, such as `batch 2 of 4: begin`.
    pub name: String,
}

/// Something that went wrong with the run itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// When.
    pub at: At,
    /// What happened and what to do about it.
    pub what: String,
}

/// `/orders/7` of `http://shop.test/orders/7?full=1`.
#[must_use]
pub fn path_of(target: &str) -> &str {
    let path = match target.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => target,
    };
    path.split(['?', '#']).next().unwrap_or(path)
}

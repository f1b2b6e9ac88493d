//! What a run is to do: flags and configuration, merged and checked.

use std::path::PathBuf;
use std::time::Duration;

use shakedown_acquire::follow::LogSource;
use shakedown_acquire::probe::Trust;
use shakedown_evidence::{Access, Consent, Request, Stall};
use shakedown_findings::Severity;

/// Everything that a run needs to know before it begins.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Short name of the service.
    pub name: String,
    /// How it is started. Of one that runs already only `ready` counts.
    pub start: Start,
    /// How it is found, if it runs already.
    pub attach: Option<Attach>,
    /// Logs to follow besides the pipes of what we start.
    pub logs: Vec<LogSource>,
    /// Whom we believe of those who speak TLS; nobody, if it was not said.
    pub trust: Option<Trust>,
    /// Where net/http/pprof is looked for, if not at its usual path; begins and ends with a slash.
    pub pprof_prefix: Option<String>,
    /// Services that it needs, started before and stopped after.
    pub dependencies: Vec<Dependency>,
    /// Forwarders between the service and its dependencies; placeholders allowed in where they lead.
    pub stalls: Vec<Stall>,
    /// Requests that may be sent.
    pub requests: Vec<Request>,
    /// Descriptors of gRPC messages, for servers that do not tell.
    pub proto_set: Option<PathBuf>,
    /// Headers sent with every request; never recorded.
    pub headers: Vec<(String, String)>,
    /// Values that are cut wherever they appear, besides those whose names tell.
    pub secrets: Vec<String>,
    /// Listener addresses that are private although they are not loopback.
    pub private: Vec<String>,
    /// Folder of the service's source; found by itself where it is not given.
    pub source: Option<PathBuf>,
    /// Length of the CPU window.
    pub window: Duration,
    /// How long to look for bursts in short CPU windows; not at all if it was not asked for.
    pub until_jitter: Option<Duration>,
    /// Shortened run that can never be READY.
    pub quick: bool,
    /// Items, rule names or codes; empty means all.
    pub only: Vec<String>,
    /// Findings of this severity or worse refuse.
    pub fail_on: Severity,
    /// How long the service may take to become ready.
    pub ready_timeout: Duration,
    /// How long it may take to end after SIGTERM.
    pub grace: Duration,
    /// Words after `shakedown check` that repeat this run.
    pub again: Vec<String>,
    /// Folder of the bundle; must not exist yet.
    pub out: PathBuf,
    /// Program that acts as guardian when it is called with `__guardian`.
    pub guardian: PathBuf,
}

impl Settings {
    /// How the service is had, and what may be done to it.
    #[must_use]
    pub fn access(&self) -> Access {
        self.attach
            .as_ref()
            .map_or_else(Access::default, crate::attach::access)
    }
}

/// A service that runs already.
#[derive(Debug, Clone, Default)]
pub struct Attach {
    /// Its process, if that is on this machine and may be looked into.
    pub pid: Option<u32>,
    /// Where it listens: `host:port` or `unix:PATH`. Those of a process are found, too.
    pub addresses: Vec<String>,
    /// Port of loopback that it sends its spans to, if that was said.
    pub otlp: Option<u16>,
    /// What its owner allows.
    pub consent: Vec<Consent>,
}

/// How the service is started.
#[derive(Debug, Clone, Default)]
pub struct Start {
    /// Program and arguments; placeholders allowed.
    pub command: Vec<String>,
    /// Environment on top of our own; placeholders allowed.
    pub env: Vec<(String, String)>,
    /// Folder to start in.
    pub cwd: Option<PathBuf>,
    /// URL that says whether it is ready: `http://…` or `grpc://…`.
    pub ready: Option<String>,
}

/// A service that the checked one needs.
#[derive(Debug, Clone)]
pub struct Dependency {
    /// Its name.
    pub name: String,
    /// How it is started.
    pub start: Start,
}

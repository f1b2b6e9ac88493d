//! Processes, their listeners and their executables.

use serde::{Deserialize, Serialize};

use crate::At;

/// Which part a process plays in the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The service that is checked.
    Target,
    /// A service that it needs, by name.
    Dependency(String),
    /// What reads its log to us, such as journalctl, by the name of the log.
    Log(String),
}

/// A process of the run came into being, or was attached to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessStarted {
    /// When.
    pub at: At,
    /// Its part.
    pub role: Role,
    /// Its id. For a wrapper this is the wrapper, not the owner of the listeners.
    pub pid: u32,
}

/// A process of the run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// When.
    pub at: At,
    /// Its part.
    pub role: Role,
    /// Exit code, if it ended by itself.
    pub code: Option<i32>,
    /// Signal that ended it.
    pub signal: Option<i32>,
    /// We had asked for it.
    pub expected: bool,
}

/// When the service was taken to be ready, or that it never was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readiness {
    /// When.
    pub at: At,
    /// How it was decided: `http://… answered 200`, `listeners stable`, `worker: lived 5 s`.
    pub by: String,
    /// False: it never became ready within its time.
    pub ready: bool,
}

/// A listening socket of the service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    /// When it was first seen.
    pub at: At,
    /// Address as bound, such as `127.0.0.1:8080` or `[::]:8080`.
    pub bound: String,
    /// Address to reach it from this machine, such as `127.0.0.1:8080`; `unix:PATH` for a Unix
    /// socket, and `tls:` before either where we speak TLS to it.
    pub reach: String,
    /// Process that owns it; zero for an address that was given, whose owner nobody looked for.
    pub pid: u32,
    /// Bound to a loopback address, or called private by the configuration.
    pub private: bool,
}

impl Listener {
    /// Only its address is known, because somebody gave it.
    #[must_use]
    pub const fn is_given(&self) -> bool {
        self.pid == 0
    }
}

/// One thing that a listener was found to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Speaks {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2: without TLS by prior knowledge, inside of it as agreed.
    H2c,
    /// gRPC.
    Grpc,
    /// TLS; what is inside was not looked at.
    Tls,
    /// net/http/pprof.
    Pprof,
    /// Prometheus text at `/metrics`.
    Prometheus,
    /// The number of goroutines is there.
    GoroutineMetric,
    /// gRPC server reflection.
    Reflection,
    /// The standard gRPC health service.
    Health,
}

/// What a listener answered when it was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerFacts {
    /// When the asking ended.
    pub at: At,
    /// [`Listener::reach`].
    pub reach: String,
    /// What it speaks; empty if it answered nothing that is known.
    pub speaks: Vec<Speaks>,
    /// gRPC services listed by reflection.
    pub services: Vec<String>,
    /// Trace ids of our questions, so that their spans and log lines are not taken for traffic.
    #[serde(default)]
    pub probe_traces: Vec<String>,
    /// Why something could not be found out.
    pub unclear: Option<String>,
}

/// Methods that a gRPC server has, with a message made up for each. Nobody sent them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Methods {
    /// When they were found.
    pub at: At,
    /// [`Listener::reach`].
    pub reach: String,
    /// Where they were found: `reflection`, or a file's name.
    pub from: String,
    /// Those that can be called.
    pub methods: Vec<Method>,
}

/// A gRPC method.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Method {
    /// `pkg.Service/Method`.
    pub name: String,
    /// A message of its type as JSON, made up.
    pub sample: String,
}

/// What the executable says of its build.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildInfo {
    /// File that was read.
    pub executable: String,
    /// Go version such as `go1.26.8`; nothing for an executable that is not Go's.
    pub go: Option<String>,
    /// Version of the Rust compiler, such as `1.95.0`, if it is Rust's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rust: Option<String>,
    /// Main module.
    pub main: Option<Module>,
    /// Modules linked in.
    pub modules: Vec<Module>,
    /// Import path of the main package.
    pub package: Option<String>,
    /// Revision of the source.
    pub revision: Option<String>,
    /// The source had local changes.
    pub modified: Option<bool>,
}

/// A Go module.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Module {
    /// Path.
    pub path: String,
    /// Version, `(devel)` for the main module of a local build.
    pub version: String,
}

impl BuildInfo {
    /// The version of a linked module.
    #[must_use]
    pub fn module(&self, path: &str) -> Option<&str> {
        let found = self.modules.iter().find(|module| module.path == path);
        found.map(|module| module.version.as_str())
    }
}

/// How the service went when it was told to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopReport {
    /// When the signal was sent.
    pub at: At,
    /// The signal's name.
    pub signal: String,
    /// Process that it was sent to.
    pub pid: u32,
    /// When that process was gone; nothing if it was still there when we stopped waiting.
    pub gone: Option<At>,
    /// When we stopped waiting.
    pub until: At,
}

/// The service was started once more, answered a batch of requests, and was ended by SIGQUIT: the Go
/// runtime prints every goroutine then. Its processes, lines and spans are no evidence of this run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FurtherStart {
    /// When it had ended.
    pub at: At,
    /// Which, from 0; each gets a batch more than the one before.
    pub round: usize,
    /// Requests sent in batches.
    pub sent: u64,
    /// Of these, answered well.
    pub ok: u64,
    /// Why there is no dump; else the snapshot of the same round holds it.
    pub failed: Option<String>,
}

/// Connections that the service itself had opened at one time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connections {
    /// When.
    pub at: At,
    /// Remote ends, as `address:port`, without our own receiver.
    pub peers: Vec<String>,
}

//! Profiles that were taken, and probes that failed.

use serde::{Deserialize, Serialize};
use shakedown_pprof::Profile;

use crate::At;

/// Which profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProfileKind {
    /// Processor time over a window.
    Cpu,
    /// Heap: live and allocated, bytes and objects.
    Heap,
}

/// A profile that was taken whole; its bytes are a blob of the bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileRecord {
    /// When it was asked for.
    pub at: At,
    /// When its last byte came.
    pub until: At,
    /// Which.
    pub kind: ProfileKind,
    /// Where it came from.
    pub url: String,
    /// Window asked for, milliseconds.
    pub asked_ms: Option<u64>,
    /// Name of the blob.
    pub blob: String,
    /// One of the short windows, back to back, in which bursts are looked for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub short: bool,
}

/// Where net/http/pprof answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PprofEndpoint {
    /// When it was found.
    pub at: At,
    /// Listener, as [`crate::Listener::reach`].
    pub reach: String,
    /// Path with a trailing slash, such as `/debug/pprof/`.
    pub prefix: String,
    /// Profiles that its index lists or that answered.
    pub profiles: Vec<String>,
    /// Each endpoint of net/http/pprof that answers at once, and what it answered; nothing in
    /// bundles of earlier versions.
    #[serde(default)]
    pub asked: Vec<EndpointAsked>,
}

/// One endpoint of net/http/pprof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointAsked {
    /// `heap`, `cmdline`, …; `index` for the index itself.
    pub name: String,
    /// What it answered.
    pub answer: EndpointAnswer,
}

/// What an endpoint answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndpointAnswer {
    /// What it should.
    Works,
    /// There is no such endpoint: 404, 405 or 501.
    Absent {
        /// The status.
        status: u16,
    },
    /// It is there, and answers something else.
    Broken {
        /// What came.
        what: String,
    },
    /// Nobody could see: no answer in time, or none without credentials.
    Unseen {
        /// What stood in the way.
        why: String,
    },
}

impl PprofEndpoint {
    /// Where a profile is, such as `http://127.0.0.1:6060/debug/pprof/heap`; of a Unix socket its
    /// path stands before that of the profile, with a colon between.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        url_at(&self.reach, &format!("{}{path}", self.prefix))
    }

    /// The command that asks for it.
    #[must_use]
    pub fn curl(&self, path: &str) -> String {
        match self.reach.strip_prefix("unix:") {
            Some(socket) => format!(
                "curl -s --unix-socket {socket} 'http://localhost{}{path}'",
                self.prefix
            ),
            None if self.reach.starts_with("tls:") => format!("curl -sk {}", self.url(path)),
            None => format!("curl -s {}", self.url(path)),
        }
    }
}

/// A page of a listener, as it is shown.
#[must_use]
pub fn url_at(reach: &str, path: &str) -> String {
    match reach.split_once(':') {
        Some(("unix", _)) => format!("{reach}:{path}"),
        Some(("tls", address)) => format!("https://{address}{path}"),
        _ => format!("http://{reach}{path}"),
    }
}

/// What asks a listener for a page: curl, with these words between.
#[must_use]
pub fn curl_at(reach: &str, path: &str, options: &str) -> String {
    let tls = if reach.starts_with("tls:") { "k" } else { "" };
    match reach.strip_prefix("unix:") {
        Some(socket) => {
            format!("curl -s{options} --unix-socket {socket} 'http://localhost{path}'")
        }
        None => format!("curl -s{tls}{options} '{}'", url_at(reach, path)),
    }
}

/// What a failed probe had tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProbeKind {
    /// A CPU profile.
    Cpu,
    /// An execution trace.
    Trace,
    /// A heap profile.
    Heap,
    /// The block or the mutex profile.
    Contention,
    /// A command line.
    CommandLine,
    /// Goroutines.
    Goroutines,
    /// Looking for pprof.
    Pprof,
    /// Asking a listener what it speaks.
    Listener,
    /// Sending a request.
    Call,
    /// Reading the executable.
    Executable,
    /// Descriptors and memory of the process.
    Resources,
}

/// A probe that brought no evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeFailure {
    /// When it failed.
    pub at: At,
    /// What was tried.
    pub kind: ProbeKind,
    /// URL, listener or request.
    pub subject: String,
    /// What came instead, and the remedy.
    pub why: String,
    /// The HTTP status that the server refused with, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
}

/// Checks that bytes are a whole profile of this kind, plain or compressed with gzip; answers with
/// how long was recorded, in milliseconds, if the profile says so.
///
/// # Errors
/// They are something else, or cut; the text says what.
pub fn check_profile(kind: ProfileKind, bytes: &[u8]) -> Result<Option<u64>, String> {
    let profile = Profile::decode(bytes).map_err(|error| error.to_string())?;
    let wanted = match kind {
        ProfileKind::Cpu => "cpu",
        ProfileKind::Heap => "inuse_space",
    };
    let found = profile.sample_type(Some(wanted));
    found.map_err(|error| error.to_string())?;
    let nanos = u64::try_from(profile.duration_nanos).ok();
    Ok(nanos
        .filter(|nanos| *nanos > 0)
        .map(|nanos| nanos / 1_000_000))
}

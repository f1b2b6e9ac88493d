//! `shakedown.toml`: read, checked, with the line of each mistake.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use shakedown_acquire::follow::LogSource;
use shakedown_evidence::{Request, RequestKind, Stall};
use shakedown_findings::Severity;
use toml::Spanned;

mod attach;
mod env_file;
mod error;
mod file;
mod stall;
mod words;

pub use attach::{AttachTable, PprofPlace, address, consent, otlp_port, placed_log, pprof_place};
use attach::{a_log, a_pprof_place};
pub use env_file::env_file;
pub use error::ConfigError;
use stall::StallTable;
pub use stall::{stall, stall_flag};
use words::{command, duration, header_value, json, ready};
pub use words::{grpc, http, parse_duration, ready_url};

/// Name of the file in the working directory.
pub const FILE: &str = "shakedown.toml";

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    schema: Spanned<u32>,
    /// What refuses a launch.
    #[serde(default)]
    pub gate: GateTable,
    /// The services.
    #[serde(default, rename = "service")]
    pub services: Vec<ServiceTable>,
}

/// `[gate]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct GateTable {
    /// Findings of this severity or worse refuse.
    pub fail_on: Option<Severity>,
}

/// `[[service]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ServiceTable {
    name: Spanned<String>,
    /// Folder of its source.
    pub source: Option<PathBuf>,
    /// Descriptors of its gRPC messages.
    pub proto_set: Option<PathBuf>,
    /// How it is started.
    #[serde(default)]
    pub start: StartTable,
    /// How it is found, if it runs already.
    pub attach: Option<AttachTable>,
    /// Where net/http/pprof answers.
    #[serde(default, deserialize_with = "a_pprof_place")]
    pub pprof: Option<PprofPlace>,
    /// Its log, besides its pipes.
    #[serde(default, deserialize_with = "a_log")]
    pub logs: Option<LogSource>,
    /// Private listeners that are not loopback.
    #[serde(default)]
    pub private: Vec<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// Services that it needs.
    #[serde(default, rename = "dependency")]
    pub dependencies: Vec<DependencyTable>,
    #[serde(default, rename = "stall")]
    stalls: Vec<Spanned<StallTable>>,
    #[serde(default, rename = "request")]
    requests: Vec<Spanned<RequestTable>>,
    /// How it stops.
    #[serde(default)]
    pub stop: StopTable,
}

/// `start = { … }`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct StartTable {
    /// Program and arguments.
    #[serde(default, deserialize_with = "command")]
    pub cmd: Vec<String>,
    /// Folder to start in.
    pub cwd: Option<PathBuf>,
    /// Environment on top of our own.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// File with more of it.
    pub env_file: Option<PathBuf>,
    /// URL that says whether it is ready.
    #[serde(default, deserialize_with = "ready")]
    pub ready: Option<String>,
}

/// `[[service.dependency]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DependencyTable {
    /// Its name.
    pub name: String,
    /// Program and arguments.
    #[serde(deserialize_with = "command")]
    pub cmd: Vec<String>,
    /// Folder to start in.
    pub cwd: Option<PathBuf>,
    /// Environment on top of our own.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// URL that says whether it is ready.
    #[serde(default, deserialize_with = "ready")]
    pub ready: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RequestTable {
    grpc: Option<String>,
    http: Option<String>,
    data: Option<toml::Value>,
    #[serde(default, deserialize_with = "duration")]
    deadline: Option<Duration>,
    repeat_safe: Option<bool>,
}

/// `[service.stop]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct StopTable {
    /// How long it may take.
    #[serde(default, deserialize_with = "duration")]
    pub grace: Option<Duration>,
}

impl Config {
    /// Reads a text; `path` is only named in errors.
    ///
    /// # Errors
    /// Something in it is wrong.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let invalid = |span: Option<Range<usize>>, message: String| {
            let (line, column) = position(text, span.map_or(0, |span| span.start));
            ConfigError::Invalid {
                path: path.to_owned(),
                line,
                column,
                message,
            }
        };
        let config: Self = toml::from_str(text)
            .map_err(|error| invalid(error.span(), error.message().to_owned()))?;
        if *config.schema.get_ref() != 1 {
            return Err(invalid(
                Some(config.schema.span()),
                format!(
                    "schema {} is not known here; this version reads schema = 1",
                    config.schema.get_ref()
                ),
            ));
        }
        let mut names: BTreeMap<&str, usize> = BTreeMap::new();
        for service in &config.services {
            let (name, span) = (service.name.get_ref(), service.name.span());
            let (line, _) = position(text, span.start);
            if name.is_empty() || name.contains(['/', '\\']) || name.starts_with('.') {
                return Err(invalid(
                    Some(span),
                    format!(
                        "{name:?} cannot be a service's name: it becomes part of a folder's name"
                    ),
                ));
            }
            if let Some(first) = names.insert(name, line) {
                return Err(invalid(
                    Some(span),
                    format!("service {name:?} stands twice, first in line {first}"),
                ));
            }
            for (header, value) in &service.headers {
                if let Err(message) = header_value(header, value) {
                    return Err(invalid(Some(service.name.span()), message));
                }
            }
            let mut stalls = BTreeSet::new();
            for stall in &service.stalls {
                let checked = stall.get_ref().to_stall().and_then(|stall| {
                    let name = stall.name;
                    let complaint = format!("stall {name} stands twice");
                    stalls.insert(name).then_some(()).ok_or(complaint)
                });
                if let Err(message) = checked {
                    return Err(invalid(Some(stall.span()), message));
                }
            }
            if service.attach.is_some() && !service.start.cmd.is_empty() {
                return Err(invalid(
                    Some(service.name.span()),
                    format!(
                        "{name:?} has start.cmd and attach; a service is started or attached to, not both"
                    ),
                ));
            }
            for request in &service.requests {
                if let Err(message) = request.get_ref().to_request() {
                    return Err(invalid(Some(request.span()), message));
                }
            }
        }
        Ok(config)
    }

    /// The service to check: the only one, or the one that is named.
    ///
    /// # Errors
    /// None or several to choose from, as a sentence.
    pub fn service(&self, name: Option<&str>) -> Result<&ServiceTable, String> {
        let names = || {
            let mut names = String::new();
            for service in &self.services {
                let _ = write!(
                    names,
                    "{}{}",
                    if names.is_empty() { "" } else { ", " },
                    service.name.get_ref()
                );
            }
            names
        };
        match (name, self.services.as_slice()) {
            (None, [only]) => Ok(only),
            (None, []) => Err(format!("{FILE} has no [[service]]")),
            (None, _) => Err(format!(
                "{FILE} has several services ({}); name one: --service NAME",
                names()
            )),
            (Some(name), services) => services
                .iter()
                .find(|service| service.name.get_ref() == name)
                .ok_or_else(|| format!("{FILE} has no service {name:?}; it has {}", names())),
        }
    }
}

impl ServiceTable {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.get_ref()
    }

    /// Its requests; the file was checked when it was read.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.requests
            .iter()
            .filter_map(|request| request.get_ref().to_request().ok())
            .collect()
    }

    /// Its stalls; the file was checked when it was read.
    #[must_use]
    pub fn stalls(&self) -> Vec<Stall> {
        let tables = self.stalls.iter();
        tables
            .filter_map(|table| table.get_ref().to_stall().ok())
            .collect()
    }

    /// Variables that headers are taken from.
    pub fn header_variables(&self) -> impl Iterator<Item = &str> {
        self.headers
            .values()
            .filter_map(|value| value.strip_prefix("env:"))
    }

    /// Headers to send, with `env:NAME` replaced from the environment.
    ///
    /// # Errors
    /// A variable is not set, as a sentence.
    pub fn headers(
        &self,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Vec<(String, String)>, String> {
        let filled = self
            .headers
            .iter()
            .map(|(name, value)| match value.strip_prefix("env:") {
                Some(from) => {
                    let value = variable(from)
                        .ok_or_else(|| format!("header {name}: the environment has no {from}"))?;
                    Ok((name.clone(), value))
                }
                None => Ok((name.clone(), value.clone())),
            });
        filled.collect()
    }
}

impl RequestTable {
    fn to_request(&self) -> Result<Request, String> {
        let data = self.data.as_ref().map(json).transpose()?;
        let (kind, repeat_safe) = match (&self.grpc, &self.http) {
            (Some(method), None) => (grpc(method, data.unwrap_or_default())?, true),
            (None, Some(line)) => {
                let kind = http(line, data.unwrap_or_default())?;
                let safe = matches!(&kind, RequestKind::Http { method, .. } if matches!(method.as_str(), "GET" | "HEAD" | "OPTIONS"));
                (kind, safe)
            }
            _ => {
                return Err(
                    "a request is either grpc = \"pkg.Service/Method\" or http = \"GET /path\""
                        .into(),
                );
            }
        };
        Ok(Request {
            kind,
            deadline_ms: self
                .deadline
                .map(|deadline| u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX)),
            repeat_safe: self.repeat_safe.unwrap_or(repeat_safe),
            given: true,
        })
    }
}

fn position(text: &str, offset: usize) -> (usize, usize) {
    let whole = (0..=offset.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at));
    let before = &text[..whole.unwrap_or(0)];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    (line, column)
}

#[cfg(test)]
mod tests {
    use shakedown_evidence::Answers;

    use super::*;

    fn check(text: &str) -> Result<Config, String> {
        Config::parse(text, Path::new(FILE)).map_err(|error| error.to_string())
    }

    #[test]
    fn the_example_of_the_manual_is_read() {
        let config = check(
            r#"
schema = 1
[gate]
fail-on = "warning"
[[service]]
name = "orders"
source = "."
start = { cmd = ["./orders"], cwd = ".", env = { A = "{otlp.addr}" }, ready = "http://127.0.0.1:8080/healthz" }
private = ["10.0.0.1:6060"]
headers = { authorization = "env:TOKEN" }
[[service.dependency]]
name = "inventory"
cmd = ["./inventory"]
ready = "grpc://127.0.0.1:7001"
[[service.stall]]
name = "inventory"
to = "127.0.0.1:7001"
[[service.stall]]
name = "db"
to = "{port.db}"
answers = "300ms"
[[service.request]]
grpc = "orders.v1.Orders/Get"
data = { id = "1" }
deadline = "500ms"
[[service.request]]
http = "POST /orders"
data = '{"id":2}'
[service.stop]
grace = "10s"
"#,
        )
        .expect("a correct file");
        let service = config.service(None).expect("the only one");
        let stalls = service.stalls();
        assert_eq!(stalls[0].to, "127.0.0.1:7001");
        assert_eq!(stalls[1].answers, Answers::LateByMs(300));
        let requests = service.requests();
        assert_eq!(
            requests[0].flags(),
            ["--grpc", "orders.v1.Orders/Get", "--data", r#"{"id":"1"}"#]
        );
        assert_eq!(
            (requests[0].deadline_ms, requests[0].repeat_safe),
            (Some(500), true)
        );
        assert!(
            !requests[1].repeat_safe,
            "a POST is not repeated unless the file says so"
        );
        assert_eq!(
            service.headers(|_| Some("t".into())),
            Ok(vec![("authorization".into(), "t".into())])
        );
        assert!(
            service
                .headers(|_| None)
                .expect_err("not set")
                .contains("TOKEN")
        );
    }

    #[test]
    fn mistakes_name_their_line() {
        for (text, wanted) in [
            (
                "schema = 1\nfoo = 2\n",
                "shakedown.toml:2:1: unknown field `foo`",
            ),
            (
                "schema = 1\n[[service]]\nname = 3\n",
                "shakedown.toml:3:8: invalid type",
            ),
            ("schema = 2\n", "shakedown.toml:1:10: schema 2"),
            (
                "schema = 1\n[[service]]\nname = \"a\"\n[[service]]\nname = \"a\"\n",
                "shakedown.toml:5:8: service \"a\" stands twice, first in line 3",
            ),
            (
                "schema = 1\n[[service]]\nname = \"a\"\n[service.stop]\ngrace = \"10\"\n",
                "shakedown.toml:5:9: \"10\" is not a duration",
            ),
            (
                "schema = 1\n[[service]]\nname = \"a\"\n[[service.request]]\nhttp = \"get\"\n",
                "is not a request",
            ),
            (
                "schema = 1\n[gate]\nfail-on = \"never\"\n",
                "shakedown.toml:3:11: unknown variant `never`",
            ),
            (
                "schema = 1\n[[service]]\nname = \"a\"\nstart = { cmd = [] }\n",
                "shakedown.toml:4:17: a command names at least its program",
            ),
            (
                "schema = 1\n[[service]]\nname = \"a\"\nstart = { ready = \"ftp://h\" }\n",
                "shakedown.toml:4:19: \"ftp://h\" cannot be asked",
            ),
            (
                "schema = 1\n[[service]]\nname = \"a\"\n[[service.request]]\ngrpc = \"a.B/C\"\ndata = { x = nan }\n",
                "JSON has no number NaN",
            ),
            (
                "schema = 1\n[[service]]\nname = \"a\"\n[[service.stall]]\nname = \"x\"\nto = \"h\"\n",
                "shakedown.toml:4:1: stall x: \"h\" is not an address",
            ),
            ("schema = \n", "shakedown.toml:1:"),
            ("", "missing field `schema`"),
        ] {
            let error = check(text).expect_err(text);
            assert!(
                error.contains(wanted),
                "{text:?}\n  gave {error}\n  not  {wanted}"
            );
        }
    }
}

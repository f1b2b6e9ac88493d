//! `shakedown check [-- COMMAND…]`: the checklist on a running service.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, anyhow, bail};
use clap::ArgMatches;
use shakedown_checklist::config::{self, Config, FILE, ServiceTable, StartTable, parse_duration};
use shakedown_checklist::{Dependency, Settings, Start, rules_named};
use shakedown_evidence::{Request, RequestKind};
use shakedown_findings::{RunReport, Severity};
use shakedown_report::FORMATS;

use crate::exit::{self, Ended};
use crate::progress::Bar;
use crate::terminal;

/// The window of an ordinary run: long enough for what happens every half minute.
const WINDOW: Duration = Duration::from_secs(30);
/// The window of `--quick`.
const WINDOW_QUICK: Duration = Duration::from_secs(5);
/// How long a service may take to become ready.
const READY_TIMEOUT: Duration = Duration::from_secs(60);
/// How long it may take to end: what orchestrators grant by default is 30 s, what a drain should
/// need is less.
const GRACE: Duration = Duration::from_secs(10);

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  shakedown check --http 'GET /orders/1' -- ./orders
  shakedown check --grpc orders.v1.Orders/Get --data '{\"id\":\"1\"}' -- ./orders -config prod.yaml
  shakedown check                      # everything from shakedown.toml

Requests that are given are sent many times, each with its own traceparent: give requests that
may be repeated. Without any, only GET / and gRPC health are asked, and the rest is not exercised.

Exit codes: 0 READY, 1 NOT READY, 2 wrong usage or the service could not be started, 3 NOT PROVEN,
70 our own bug, 130 interrupted.")]
pub(crate) struct Args {
    /// Command that starts the service, after `--`; replaces start.cmd of the configuration
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
    /// Configuration [default: shakedown.toml in this folder, if there is one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Service of the configuration, where it has several
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
    /// gRPC method to call, `pkg.Service/Method`; may be given several times
    #[arg(long, value_name = "METHOD")]
    grpc: Vec<String>,
    /// HTTP request to send, `GET /path` or `GET http://host:port/path`; may be given several times
    #[arg(long, value_name = "REQUEST")]
    http: Vec<String>,
    /// JSON message or body of the request before it
    #[arg(long, value_name = "JSON")]
    data: Vec<String>,
    /// Header for every request; `NAME: env:VARIABLE` takes the value from the environment. Never recorded
    #[arg(long, value_name = "NAME: VALUE")]
    header: Vec<String>,
    /// Variable for the service; `{otlp.addr}`, `{otlp.url}` and `{port.NAME}` are filled in
    #[arg(long, value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// URL that says when the service is ready: http://… or grpc://host:port
    #[arg(long, value_name = "URL")]
    ready: Option<String>,
    /// How long the service may take to become ready
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    ready_timeout: Option<Duration>,
    /// Length of the CPU window
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, conflicts_with = "quick")]
    window: Option<Duration>,
    /// Short windows; such a run is never READY
    #[arg(long)]
    quick: bool,
    /// How long the service may take to end after SIGTERM
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    grace: Option<Duration>,
    /// Address of a listener that is private although it is not loopback
    #[arg(long, value_name = "ADDRESS")]
    private: Vec<String>,
    /// Folder of the service's source [default: found by its module path]
    #[arg(long, value_name = "DIR")]
    source: Option<PathBuf>,
    /// Only these rules: an item, a name or a code; such a run is never READY
    #[arg(long, value_name = "RULE", value_delimiter = ',')]
    only: Vec<String>,
    /// Findings of this severity or worse make the service NOT READY
    #[arg(long, value_name = "SEVERITY", value_parser = ["error", "warning", "info"])]
    fail_on: Option<String>,
    /// Folder for the bundle of this run [default: .shakedown/runs/TIME-NAME]
    #[arg(long, value_name = "DIR")]
    bundle: Option<PathBuf>,
    /// Say nothing on stderr
    #[arg(long)]
    silent: bool,
    #[command(flatten)]
    output: Output,
}

/// Where and how the report is written.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Output {
    /// Format of the report
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = FORMATS.iter().map(|format| format.name).collect::<Vec<_>>())]
    format: String,
    /// File for the report instead of stdout
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Output {
    /// The text report on stdout.
    pub(crate) fn text() -> Self {
        Self {
            format: "text".into(),
            out: None,
        }
    }

    pub(crate) fn write(&self, report: &RunReport) -> anyhow::Result<()> {
        let format = shakedown_report::format(&self.format)
            .ok_or_else(|| anyhow!("no format is called {:?}", self.format))?;
        match &self.out {
            Some(path) => {
                let plain = shakedown_report::Style {
                    colour: false,
                    ..terminal::style()
                };
                fs::write(path, (format.render)(report, plain))
                    .with_context(|| path.display().to_string())
            }
            None => Ok(terminal::show(&(format.render)(report, terminal::style()))?),
        }
    }
}

pub(crate) fn run(args: Args, words: &ArgMatches) -> Ended {
    let settings = settings(&args, words)?;
    let (report, code) = carry_out(&settings, args.silent)?;
    args.output.write(&report)?;
    Ok(code)
}

/// Runs the checklist and keeps its reports in the bundle.
pub(crate) fn carry_out(settings: &Settings, silent: bool) -> anyhow::Result<(RunReport, u8)> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("the runtime")?;
    let bar = Bar::new(silent);
    let outcome = runtime.block_on(async {
        let interrupt = interrupt()?;
        let mut tell = |progress| bar.tell(&progress);
        let outcome = shakedown_checklist::run(settings, &mut tell, interrupt).await;
        anyhow::Ok(outcome?)
    });
    bar.end();
    let outcome = outcome?;
    for (name, render) in FORMATS.iter().map(|format| (format.name, format.render)) {
        let name = if name == "text" {
            "report.txt".to_owned()
        } else {
            format!("report.{name}")
        };
        outcome.keep(
            &name,
            &render(&outcome.report, shakedown_report::Style::default()),
        );
    }
    if let Some(loss) = outcome.bundle_loss() {
        bail!("the run is over, but its bundle is not whole: {loss}");
    }
    let code = if outcome.interrupted {
        exit::INTERRUPTED
    } else {
        exit::of(outcome.report.verdict)
    };
    Ok((outcome.report, code))
}

/// Ctrl-C or SIGTERM.
fn interrupt() -> anyhow::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut int = signal(SignalKind::interrupt()).context("Ctrl-C")?;
    let mut term = signal(SignalKind::terminate()).context("SIGTERM")?;
    let mut hup = signal(SignalKind::hangup()).context("SIGHUP")?;
    Ok(async move {
        tokio::select! {
            _ = int.recv() => {}
            _ = term.recv() => {}
            _ = hup.recv() => {}
        }
    })
}

fn settings(args: &Args, words: &ArgMatches) -> anyhow::Result<Settings> {
    let config = read_config(args)?;
    let table = match &config {
        Some((config, path)) => Some((
            config
                .service(args.service.as_deref())
                .map_err(|why| anyhow!("{why}"))?,
            folder(path),
        )),
        None if args.service.is_some() => bail!("--service needs a configuration: no {FILE} here"),
        None => None,
    };
    let service = table.as_ref().map(|(table, _)| *table);
    let base = table
        .as_ref()
        .map_or(PathBuf::new(), |(_, base)| base.clone());
    let start = start(args, service, &base)?;
    let name = service.map_or_else(
        || name_of(&start.command),
        |service| service.name().to_owned(),
    );
    let mut requests = given(args, words)?;
    if requests.is_empty() {
        requests = service.map(ServiceTable::requests).unwrap_or_default();
    }
    for word in &args.only {
        if rules_named(word).is_empty() {
            bail!(
                "--only {word}: no item and no rule has that name; `shakedown explain` lists them"
            );
        }
    }
    let quick = args.quick;
    let of_config = config.as_ref().and_then(|(config, _)| config.gate.fail_on);
    let fail_on = match args.fail_on.as_deref() {
        Some("warning") => Severity::Warning,
        Some("info") => Severity::Info,
        Some(_) => Severity::Error,
        None => of_config.unwrap_or(Severity::Error),
    };
    Ok(Settings {
        dependencies: service
            .map(|service| dependencies(service, &base))
            .unwrap_or_default(),
        headers: headers(args, service)?,
        private: service
            .map(|service| service.private.clone())
            .into_iter()
            .flatten()
            .chain(args.private.iter().cloned())
            .collect(),
        source: args.source.clone().or_else(|| {
            service.and_then(|service| service.source.as_ref().map(|source| base.join(source)))
        }),
        window: args
            .window
            .unwrap_or(if quick { WINDOW_QUICK } else { WINDOW }),
        quick,
        only: args.only.clone(),
        fail_on,
        ready_timeout: args.ready_timeout.unwrap_or(READY_TIMEOUT),
        grace: args
            .grace
            .or_else(|| service.and_then(|service| service.stop.grace))
            .unwrap_or(GRACE),
        out: args.bundle.clone().unwrap_or_else(|| bundle_dir(&name)),
        guardian: std::env::current_exe().context("our own executable")?,
        name,
        start,
        requests,
    })
}

fn read_config(args: &Args) -> anyhow::Result<Option<(Config, PathBuf)>> {
    let path = match &args.config {
        Some(path) => path.clone(),
        None if Path::new(FILE).exists() => PathBuf::from(FILE),
        None => return Ok(None),
    };
    Ok(Some((Config::read(&path)?, path)))
}

/// Relative paths of a configuration are relative to its folder.
fn folder(path: &Path) -> PathBuf {
    path.parent().map(Path::to_path_buf).unwrap_or_default()
}

fn start(args: &Args, service: Option<&ServiceTable>, base: &Path) -> anyhow::Result<Start> {
    let table = service.map(|service| &service.start);
    let mut env: Vec<(String, String)> = table.map(|table| pairs(&table.env)).unwrap_or_default();
    for word in &args.env {
        let (name, value) = word
            .split_once('=')
            .filter(|(name, _)| !name.is_empty())
            .ok_or_else(|| anyhow!("--env {word}: it is written NAME=VALUE"))?;
        env.retain(|(known, _)| known != name);
        env.push((name.to_owned(), value.to_owned()));
    }
    let from_args = !args.command.is_empty();
    let command = if from_args {
        args.command.clone()
    } else {
        table.map(|table| table.cmd.clone()).unwrap_or_default()
    };
    if command.is_empty() {
        bail!(
            "what is to be checked? give the command that starts the service after `--`, as in: shakedown check --http 'GET /' -- ./service (or start.cmd in {FILE})"
        );
    }
    if command
        .first()
        .is_some_and(|program| program == "docker" || program == "podman")
    {
        bail!(
            "a container's processes are not ours to watch: run the service itself, as in: shakedown check -- ./service"
        );
    }
    let cwd = table
        .filter(|_| !from_args)
        .and_then(|table: &StartTable| table.cwd.as_ref());
    Ok(Start {
        command,
        env,
        cwd: cwd
            .map(|cwd| base.join(cwd))
            .or_else(|| (!from_args && base != Path::new("")).then(|| base.to_owned())),
        ready: args
            .ready
            .clone()
            .or_else(|| table.and_then(|table| table.ready.clone())),
    })
}

fn dependencies(service: &ServiceTable, base: &Path) -> Vec<Dependency> {
    let start = |table: &config::DependencyTable| Start {
        command: table.cmd.clone(),
        env: pairs(&table.env),
        cwd: table
            .cwd
            .as_ref()
            .map(|cwd| base.join(cwd))
            .or_else(|| (base != Path::new("")).then(|| base.to_owned())),
        ready: table.ready.clone(),
    };
    service
        .dependencies
        .iter()
        .map(|table| Dependency {
            name: table.name.clone(),
            start: start(table),
        })
        .collect()
}

fn pairs(table: &std::collections::BTreeMap<String, String>) -> Vec<(String, String)> {
    table
        .iter()
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// The requests of the command line; `--data` belongs to the request before it.
fn given(args: &Args, words: &ArgMatches) -> anyhow::Result<Vec<Request>> {
    let at = |name: &str| words.indices_of(name).into_iter().flatten();
    let mut requests: Vec<(usize, bool, &str)> = at("grpc")
        .zip(&args.grpc)
        .map(|(at, text)| (at, true, text.as_str()))
        .collect();
    requests.extend(
        at("http")
            .zip(&args.http)
            .map(|(at, text)| (at, false, text.as_str())),
    );
    requests.sort_unstable();
    let mut data: Vec<Option<&str>> = vec![None; requests.len()];
    for (at, text) in at("data").zip(&args.data) {
        let owner = requests.iter().rposition(|(before, _, _)| *before < at);
        let owner =
            owner.ok_or_else(|| anyhow!("--data {text}: no --grpc or --http stands before it"))?;
        if data[owner].replace(text).is_some() {
            bail!("--data {text}: {} has data already", requests[owner].2);
        }
    }
    let kinds = requests.iter().zip(data).map(|((_, grpc, text), data)| {
        let data = data.unwrap_or_default().to_owned();
        let kind = if *grpc {
            config::grpc(text, data)
        } else {
            config::http(text, data)
        };
        kind.map_err(|why| anyhow!("{why}"))
    });
    let kinds: Vec<RequestKind> = kinds.collect::<Result<_, _>>()?;
    Ok(kinds
        .into_iter()
        .map(|kind| Request {
            kind,
            deadline_ms: None,
            repeat_safe: true,
            given: true,
        })
        .collect())
}

fn headers(args: &Args, service: Option<&ServiceTable>) -> anyhow::Result<Vec<(String, String)>> {
    let variable = |name: &str| std::env::var(name).ok();
    let mut headers = match service {
        Some(service) => service.headers(variable).map_err(|why| anyhow!("{why}"))?,
        None => Vec::new(),
    };
    for word in &args.header {
        let (name, value) = word
            .split_once(':')
            .ok_or_else(|| anyhow!("a header is written NAME: VALUE"))?;
        let value = value.trim();
        let value = match value.strip_prefix("env:") {
            Some(from) => variable(from)
                .ok_or_else(|| anyhow!("header {name}: the environment has no {from}"))?,
            None => value.to_owned(),
        };
        headers.push((name.trim().to_owned(), value));
    }
    Ok(headers)
}

fn name_of(command: &[String]) -> String {
    let base = |word: &String| {
        Path::new(word)
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
    };
    let name = command.first().and_then(base).unwrap_or_default();
    let clean: String = name
        .chars()
        .filter(|letter| letter.is_alphanumeric() || matches!(letter, '-' | '_'))
        .collect();
    if clean.is_empty() {
        "service".into()
    } else {
        clean
    }
}

/// `.shakedown/runs/2026-11-23T06-31-00-orders`, with a number if that exists already.
pub(crate) fn bundle_dir(name: &str) -> PathBuf {
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let runs = Path::new(".shakedown").join("runs");
    let first = runs.join(format!("{}-{name}", utc(seconds)));
    let numbered = |n: u32| runs.join(format!("{}-{name}-{n}", utc(seconds)));
    std::iter::once(first)
        .chain((2..).map(numbered))
        .find(|path| !path.exists())
        .unwrap_or(runs)
}

/// A moment as `2026-11-23T06-31-00`, by the days-to-civil algorithm (Howard Hinnant, "chrono-
/// Compatible Low-Level Date Algorithms").
fn utc(unix_seconds: u64) -> String {
    let (days, rest) = (unix_seconds / 86_400, unix_seconds % 86_400);
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}-{:02}-{:02}",
        rest / 3600,
        rest / 60 % 60,
        rest % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_the_calendar_has_them() {
        assert_eq!(utc(0), "1970-01-01T00-00-00");
        assert_eq!(utc(951_782_399), "2000-02-28T23-59-59");
        assert_eq!(utc(951_782_400), "2000-02-29T00-00-00");
        assert_eq!(utc(1_795_415_460), "2026-11-23T06-31-00");
    }

    #[test]
    fn a_service_is_named_after_its_program() {
        assert_eq!(name_of(&["./bin/orders".into()]), "orders");
        assert_eq!(name_of(&["../..".into()]), "service");
    }
}

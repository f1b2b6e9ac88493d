//! `shakedown check [-- COMMAND…]`: the checklist on a running service.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{ArgMatches, Args as _, FromArgMatches as _};
use shakedown_checklist::Settings;
use shakedown_checklist::config::parse_duration;
use shakedown_findings::RunReport;
use shakedown_report::FORMATS;

use super::output::Output;
use super::settings::settings;
use super::several;
use crate::exit::{self, Ended};
use crate::progress::Bar;

#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  shakedown check --http 'GET /orders/1' -- ./orders
  shakedown check --grpc orders.v1.Orders/Get --data '{\"id\":\"1\"}' -- ./orders -config prod.yaml
  shakedown check --grpc orders.v1.Orders/Get --stall db=127.0.0.1:5432 \\
      --env 'DATABASE_URL=postgres://app@{stall.db.addr}/orders' -- ./orders
  shakedown check                      # everything from shakedown.toml
  shakedown check --pid 4242 --logs journald:orders --http 'GET /orders/1' --consent load
  docker logs -f --tail 0 orders 2>&1 | shakedown check --logs - \\
      --http 'GET http://127.0.0.1:8080/orders/1' --pprof 127.0.0.1:6060

What each way of reaching a service can prove:
                                   -- COMMAND     --pid              addresses only
  listeners, public or private     yes            yes                as --private says
  build info, connections, exit    yes            yes                no
  logs                             pipes, --logs  --logs             --logs
  spans                            yes            if sent to us      if sent to us
  requests one after another       yes            those given        those given
  batches (leaks)                  yes            --consent load     --consent load
  requests left half-way (audits)  yes            --consent audits   --consent audits
  SIGTERM                          yes            --consent stop     no

Requests that are given are sent many times, each with its own traceparent: give requests that
may be repeated. Without any, only GET / and gRPC health are asked, and the rest is not exercised.

A handler that takes less than 80 ms is over before it can be caught at its deadline. --stall puts
a forwarder before a dependency: bytes go through it untouched, until an audit keeps the answers
back for a moment. `{stall.NAME.addr}` is filled in wherever the service takes the address: in the
command after `--`, in --env and in start.env.

Exit codes: 0 READY, 1 NOT READY, 2 wrong usage or the service could not be started, 3 NOT PROVEN,
70 our own bug, 130 interrupted.")]
pub(crate) struct Args {
    /// Command that starts the service, after `--`; replaces start.cmd of the configuration
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
    /// Configuration [default: shakedown.toml in this folder, if there is one]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Only this service of the configuration [default: all of them, one after another]
    #[arg(long, value_name = "NAME")]
    pub(crate) service: Option<String>,
    /// gRPC method to call, `pkg.Service/Method`; may be given several times
    #[arg(long, value_name = "METHOD")]
    pub(crate) grpc: Vec<String>,
    /// HTTP request to send, `GET /path` or `GET http://host:port/path`; may be given several times
    #[arg(long, value_name = "REQUEST")]
    pub(crate) http: Vec<String>,
    /// JSON message or body of the request before it
    #[arg(long, value_name = "JSON")]
    pub(crate) data: Vec<String>,
    /// Descriptors of the gRPC messages, from `protoc --include_imports --descriptor_set_out=FILE`
    /// [default: what the server says by reflection, else what its executable has in it]
    #[arg(long, value_name = "FILE")]
    pub(crate) proto_set: Option<PathBuf>,
    /// Header for every request; `NAME: env:VARIABLE` takes the value from the environment. Never recorded
    #[arg(long, value_name = "NAME: VALUE")]
    pub(crate) header: Vec<String>,
    /// Variable for the service; `{otlp.addr}`, `{otlp.url}`, `{port.NAME}` and `{stall.NAME.addr}` are filled in
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) env: Vec<String>,
    /// Forwarder before a dependency, to catch fast handlers waiting for it; the service connects to
    /// `{stall.NAME.addr}` instead
    #[arg(long, value_name = "NAME=HOST:PORT")]
    pub(crate) stall: Vec<String>,
    /// File with variables for the service, NAME=VALUE a line; --env wins
    #[arg(long, value_name = "FILE")]
    pub(crate) env_file: Vec<PathBuf>,
    /// Process of a service that runs already, instead of a command
    #[arg(long, value_name = "PID")]
    pub(crate) pid: Option<u32>,
    /// Address of a service that runs already, HOST:PORT or unix:PATH; may be given several times
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) address: Vec<String>,
    /// Where pprof answers: HOST:PORT, URL, unix:PATH, or a /path other than /debug/pprof/
    #[arg(long, value_name = "WHERE")]
    pub(crate) pprof: Option<String>,
    /// Log to follow: FILE, journald:UNIT, or - for one that is piped in
    #[arg(long, value_name = "LOG")]
    pub(crate) logs: Vec<String>,
    /// Port of this machine's loopback to which a service that runs already sends its spans
    /// [default: what its environment says, 4317 and 4318]
    #[arg(long, value_name = "127.0.0.1:PORT")]
    pub(crate) otlp: Option<String>,
    /// What may be done to a service that runs already: load, audits, stop
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    pub(crate) consent: Vec<String>,
    /// URL that says when the service is ready: http://… or grpc://host:port
    #[arg(long, value_name = "URL")]
    pub(crate) ready: Option<String>,
    /// Authorities (PEM) by whose certificates a TLS listener is believed
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    pub(crate) ca: Option<PathBuf>,
    /// Believe every TLS listener, whatever its certificate
    #[arg(long)]
    pub(crate) insecure: bool,
    /// How long the service may take to become ready
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub(crate) ready_timeout: Option<Duration>,
    /// Length of the CPU window
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, conflicts_with = "quick")]
    pub(crate) window: Option<Duration>,
    /// Look so long for bursts of processor time, in windows of 2 s without requests
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub(crate) until_jitter: Option<Duration>,
    /// Short windows; such a run is never READY
    #[arg(long)]
    pub(crate) quick: bool,
    /// How long the service may take to end after SIGTERM
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub(crate) grace: Option<Duration>,
    /// Address of a listener that is private although it is not loopback
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) private: Vec<String>,
    /// Folder of the service's source [default: found by its module path]
    #[arg(long, value_name = "DIR")]
    pub(crate) source: Option<PathBuf>,
    /// Only these rules: an item, a name or a code; such a run is never READY
    #[arg(long, value_name = "RULE", value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// Findings of this severity or worse make the service NOT READY
    #[arg(long, value_name = "SEVERITY", value_parser = ["error", "warning", "info"])]
    pub(crate) fail_on: Option<String>,
    /// Folder for the bundle of this run [default: .shakedown/runs/TIME-NAME]
    #[arg(long, value_name = "DIR")]
    pub(crate) bundle: Option<PathBuf>,
    /// Say nothing on stderr
    #[arg(long)]
    pub(crate) silent: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

pub(crate) fn run(args: Args, words: &ArgMatches) -> Ended {
    if let Some(names) = several::named(&args)? {
        return several::run(&args, words, &names);
    }
    let settings = settings(&args, words)?;
    args.output.prepare()?;
    let (report, code) = carry_out(&settings, args.silent)?;
    args.output.write(&report)?;
    Ok(code)
}

/// Runs the words of a check, for commands that build on it.
pub(crate) fn parsed(words: &[String]) -> anyhow::Result<(RunReport, u8)> {
    let command = Args::augment_args(clap::Command::new("check"));
    let matches = command.try_get_matches_from(words)?;
    let args = Args::from_arg_matches(&matches)?;
    carry_out(&settings(&args, &matches)?, args.silent)
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
        bail!(
            "the run is over, but its bundle is not whole: {loss}; free space there, or name another folder with --bundle"
        );
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

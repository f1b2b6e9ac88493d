//! `shakedown demo`: the check on the bundled example services, one healthy, one with a fault in
//! each item.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail};
use shakedown_checklist::config::parse_duration;
use shakedown_checklist::{Dependency, Settings, Start, config};
use shakedown_evidence::Request;
use shakedown_findings::{Severity, Verdict};

use super::check::{Output, bundle_dir, carry_out};
use crate::exit::{self, Ended};
use crate::terminal;

mod example {
    include!(concat!(env!("OUT_DIR"), "/example.rs"));
}

/// One fault in each item.
const FAULTS: &str = "pprof-public,log-without-trace,deadline-ignored,leak-per-request";

#[derive(Debug, clap::Args)]
#[command(
    after_help = "The example services are written in Go: `orders`, which is checked, and `inventory`, which it
calls. Their sources are unpacked and built in the cache folder; that needs Go 1.26 or later and,
the first time, the Go module proxy. Everything runs on loopback.

Exit code: 0 if the healthy service is READY and the faulty one NOT READY, else 1."
)]
pub(crate) struct Args {
    /// Length of the CPU window
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "6s")]
    window: Duration,
    /// Only one of the two
    #[arg(long, value_name = "WHICH", value_parser = ["healthy", "faulty"])]
    only: Option<String>,
    /// Folder in which the example services are built [default: in the user's cache]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Say nothing on stderr
    #[arg(long)]
    silent: bool,
}

pub(crate) fn run(args: &Args) -> Ended {
    let dir = match &args.dir {
        Some(dir) => dir.clone(),
        None => cache()?,
    };
    let say = |text: &str| {
        if !args.silent {
            terminal::complain(text)
        }
    };
    unpack(&dir)?;
    say(&format!(
        "building the example services in {}",
        dir.display()
    ));
    build(&dir)?;
    let mut as_promised = true;
    for (name, fault, promised) in [
        ("healthy", "", Verdict::Ready),
        ("faulty", FAULTS, Verdict::NotReady),
    ] {
        if args.only.as_deref().is_some_and(|only| only != name) {
            continue;
        }
        let settings = settings(&dir, name, fault, args.window)?;
        say(&format!(
            "\n$ shakedown check {} -- {}",
            flags(&settings),
            settings.start.command.join(" ")
        ));
        let (report, code) = carry_out(&settings, args.silent)?;
        Output::text().write(&report)?;
        terminal::show("\n")?;
        as_promised &= report.verdict == promised;
        if code == exit::INTERRUPTED {
            return Ok(code);
        }
    }
    Ok(if as_promised {
        exit::READY
    } else {
        exit::NOT_READY
    })
}

/// A folder that changes with the sources, so that an old build is never taken for a new one.
fn cache() -> anyhow::Result<PathBuf> {
    let var = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let base = var("XDG_CACHE_HOME").or_else(|| Some(var("HOME")?.join(".cache")));
    let base = base.context("no HOME and no XDG_CACHE_HOME: name a folder with --dir")?;
    let mut hasher = DefaultHasher::new();
    example::FILES.hash(&mut hasher);
    Ok(base
        .join("shakedown")
        .join(format!("demo-{:016x}", hasher.finish())))
}

fn unpack(dir: &Path) -> anyhow::Result<()> {
    for (name, content) in example::FILES {
        let path = dir.join(name);
        if fs::read(&path).is_ok_and(|there| there == *content) {
            continue;
        }
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).with_context(|| parent.display().to_string())?;
        }
        fs::write(&path, content).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

fn build(dir: &Path) -> anyhow::Result<()> {
    let built = Command::new("go")
        .args([
            "build",
            "-buildvcs=false",
            "-o",
            "bin/",
            "./cmd/orders",
            "./cmd/inventory",
        ])
        .current_dir(dir)
        .output();
    let built = match built {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => bail!(
            "the example services are built with Go, and there is no `go` in PATH: install Go 1.26 or later"
        ),
        built => built.context("go build")?,
    };
    if !built.status.success() {
        bail!(
            "go build failed in {}:\n{}",
            dir.display(),
            String::from_utf8_lossy(&built.stderr).trim_end()
        );
    }
    Ok(())
}

/// The example's requests, started on ports that the system gives.
pub(crate) fn settings(
    dir: &Path,
    name: &str,
    fault: &str,
    window: Duration,
) -> anyhow::Result<Settings> {
    let words = |words: &[&str]| {
        words
            .iter()
            .map(|word| (*word).to_owned())
            .collect::<Vec<_>>()
    };
    let program = |name: &str| dir.join("bin").join(name).display().to_string();
    let inventory = "127.0.0.1:{port.inventory}";
    let mut command = words(&[
        &program("orders"),
        "-http",
        "127.0.0.1:0",
        "-grpc",
        "127.0.0.1:0",
        "-admin",
        "127.0.0.1:0",
        "-inventory",
        inventory,
    ]);
    if !fault.is_empty() {
        command.extend(words(&["-fault", fault]));
    }
    let kinds = [
        config::grpc("orders.v1.Orders/Get", r#"{"id":"7"}"#.into()),
        config::grpc("orders.v1.Orders/Search", r#"{"query":"bolt"}"#.into()),
        config::http("GET /orders/7", String::new()),
    ];
    let kinds: Result<Vec<_>, String> = kinds.into_iter().collect();
    let kinds = kinds.map_err(anyhow::Error::msg)?;
    Ok(Settings {
        name: name.into(),
        start: Start {
            command,
            ..Start::default()
        },
        dependencies: vec![Dependency {
            name: "inventory".into(),
            start: Start {
                command: words(&[&program("inventory"), "-grpc", inventory]),
                ready: Some(format!("grpc://{inventory}")),
                ..Start::default()
            },
        }],
        requests: kinds
            .into_iter()
            .map(|kind| Request {
                kind,
                deadline_ms: None,
                repeat_safe: true,
                given: true,
            })
            .collect(),
        headers: Vec::new(),
        private: Vec::new(),
        source: Some(dir.to_owned()),
        window,
        quick: false,
        only: Vec::new(),
        fail_on: Severity::Error,
        ready_timeout: Duration::from_secs(60),
        grace: Duration::from_secs(10),
        out: bundle_dir(name),
        guardian: std::env::current_exe().context("our own executable")?,
    })
}

fn flags(settings: &Settings) -> String {
    settings
        .requests
        .iter()
        .map(Request::flags)
        .collect::<Vec<_>>()
        .join(" ")
}

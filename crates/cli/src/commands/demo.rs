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
use shakedown_findings::Verdict;

use super::output::Output;
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
            terminal::complain(text);
        }
    };
    unpack(&dir)?;
    say(&format!(
        "building the example services in {}",
        dir.display()
    ));
    build(&dir)?;
    let mut as_promised = true;
    for (name, faults, promised) in [
        ("healthy", "", Verdict::Ready),
        ("faulty", FAULTS, Verdict::NotReady),
    ] {
        if args.only.as_deref().is_some_and(|only| only != name) {
            continue;
        }
        let config = dir.join(format!("{name}.toml"));
        fs::write(&config, configuration(name, faults))
            .with_context(|| config.display().to_string())?;
        let mut words = vec![
            "check".into(),
            "--config".into(),
            config.display().to_string(),
        ];
        words.extend(["--window".into(), format!("{}ms", args.window.as_millis())]);
        say(&format!("\n$ shakedown {}", words.join(" ")));
        if args.silent {
            words.push("--silent".into());
        }
        let (report, code) = super::check::parsed(&words)?;
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

/// A configuration as a team would write it; ports are those that the system gives.
fn configuration(name: &str, faults: &str) -> String {
    let fault = if faults.is_empty() {
        String::new()
    } else {
        format!(", \"-fault\", {faults:?}")
    };
    format!(
        r#"schema = 1

[[service]]
name = "{name}"
source = "."
start = {{ cmd = ["./bin/orders", "-http", "127.0.0.1:0", "-grpc", "127.0.0.1:0", "-admin", "127.0.0.1:0", "-inventory", "127.0.0.1:{{port.inventory}}"{fault}] }}

[[service.dependency]]
name = "inventory"
cmd = ["./bin/inventory", "-grpc", "127.0.0.1:{{port.inventory}}"]
ready = "grpc://127.0.0.1:{{port.inventory}}"

[[service.request]]
grpc = "orders.v1.Orders/Get"
data = {{ id = "7" }}

[[service.request]]
grpc = "orders.v1.Orders/Search"
data = {{ query = "bolt" }}

[[service.request]]
http = "GET /orders/7"
"#
    )
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

//! Flags and configuration become the settings of a run.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use clap::ArgMatches;
use shakedown_checklist::config::{self, Config, FILE, ServiceTable, StartTable};
use shakedown_checklist::{Attach, Dependency, Settings, Start, rules_named};
use shakedown_evidence::secret::is_secret_name;
use shakedown_evidence::{Request, RequestKind, Stall};
use shakedown_findings::Severity;

use super::check::Args;
use super::run_dir::bundle_dir;
use super::{container, target};

/// The window of an ordinary run: long enough for what happens every half minute.
const WINDOW: Duration = Duration::from_secs(30);
/// The window of `--quick`.
const WINDOW_QUICK: Duration = Duration::from_secs(5);
/// How long a service may take to become ready.
const READY_TIMEOUT: Duration = Duration::from_secs(60);
/// How long it may take to end: what orchestrators grant by default is 30 s, what a drain should
/// need is less.
const GRACE: Duration = Duration::from_secs(10);

/// Merges flags and configuration; flags win.
pub(crate) fn settings(args: &Args, words: &ArgMatches) -> anyhow::Result<Settings> {
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
    let mut requests = given(args, words)?;
    if requests.is_empty() {
        requests = service.map(ServiceTable::requests).unwrap_or_default();
    }
    let attach = target::attach(args, service, &requests)?;
    let start = start(args, service, &base, attach.is_some())?;
    let name = match (service, &attach) {
        (Some(service), _) => service.name().to_owned(),
        (None, Some(attach)) => attached_name(attach),
        (None, None) => name_of(&start.command),
    };
    for word in &args.only {
        if rules_named(word).is_empty() {
            bail!(
                "--only {word}: no item and no rule has that name; `shakedown explain` lists them"
            );
        }
    }
    if let Some(source) = args.source.as_ref().filter(|source| !source.is_dir()) {
        bail!("--source {}: no such folder", source.display());
    }
    if let Some(url) = &args.ready {
        config::ready_url(url).map_err(|why| anyhow!("--ready {why}"))?;
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
        stalls: stalls(args, service)?,
        proto_set: args.proto_set.clone().or_else(|| {
            let set = service.and_then(|service| service.proto_set.as_ref());
            set.map(|set| base.join(set))
        }),
        secrets: secrets(args, service),
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
        trust: target::trust(args, &requests, attach.as_ref())?,
        logs: target::logs(args, service, &base)?,
        pprof_prefix: target::pprof(args, service)?.prefix,
        window: args
            .window
            .unwrap_or(if quick { WINDOW_QUICK } else { WINDOW }),
        until_jitter: until_jitter(args)?,
        quick,
        only: args.only.clone(),
        fail_on,
        ready_timeout: args.ready_timeout.unwrap_or(READY_TIMEOUT),
        grace: args
            .grace
            .or_else(|| service.and_then(|service| service.stop.grace))
            .unwrap_or(GRACE),
        out: args.bundle.clone().unwrap_or_else(|| bundle_dir(&name)),
        again: again(args, &requests, &start.command),
        guardian: std::env::current_exe().context("our own executable")?,
        name,
        start,
        attach,
        requests,
    })
}

/// Eight windows are the fewest that know what is usual; a thousand fill a bundle.
fn until_jitter(args: &Args) -> anyhow::Result<Option<Duration>> {
    let known = Duration::from_secs(20)..=Duration::from_secs(1800);
    match args.until_jitter {
        Some(asked) if !known.contains(&asked) => {
            bail!("--until-jitter: from 20s to 30m; a burst must come twice to be seen as one")
        }
        asked => Ok(asked),
    }
}

pub(crate) fn read_config(args: &Args) -> anyhow::Result<Option<(Config, PathBuf)>> {
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

fn start(
    args: &Args,
    service: Option<&ServiceTable>,
    base: &Path,
    runs_already: bool,
) -> anyhow::Result<Start> {
    let table = service.map(|service| &service.start);
    let ready = args
        .ready
        .clone()
        .or_else(|| table.and_then(|table| table.ready.clone()));
    if runs_already {
        if !(args.env.is_empty() && args.env_file.is_empty()) {
            bail!("--env: the service runs already, with the environment that it was started with");
        }
        return Ok(Start {
            ready,
            ..Start::default()
        });
    }
    let env = environment(args, table, base)?;
    let from_args = !args.command.is_empty();
    let command = if from_args {
        args.command.clone()
    } else {
        table.map(|table| table.cmd.clone()).unwrap_or_default()
    };
    if command.is_empty() {
        bail!(
            "what is to be checked? give the command that starts the service after `--`, as in: shakedown check --http 'GET /' -- ./service (or start.cmd in {FILE}); or --pid PID or --address HOST:PORT of one that runs"
        );
    }
    if let Some(advice) = container::advice(&command) {
        bail!("{advice}");
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
        ready,
    })
}

/// Variables for the service: the file's, over those of its env-file; flags over both.
fn environment(
    args: &Args,
    table: Option<&StartTable>,
    base: &Path,
) -> anyhow::Result<Vec<(String, String)>> {
    let mut env: Vec<(String, String)> = Vec::new();
    let mut set = |name: String, value: String| {
        env.retain(|(known, _)| *known != name);
        env.push((name, value));
    };
    let of_table = table.and_then(|table| table.env_file.as_ref());
    if let Some(file) = of_table {
        let variables = config::env_file(&base.join(file)).map_err(|why| anyhow!("{why}"))?;
        variables
            .into_iter()
            .for_each(|(name, value)| set(name, value));
    }
    for (name, value) in table.iter().flat_map(|table| &table.env) {
        set(name.clone(), value.clone());
    }
    for file in &args.env_file {
        let variables = config::env_file(file).map_err(|why| anyhow!("{why}"))?;
        variables
            .into_iter()
            .for_each(|(name, value)| set(name, value));
    }
    for word in &args.env {
        let (name, value) = word
            .split_once('=')
            .filter(|(name, _)| !name.is_empty())
            .ok_or_else(|| anyhow!("--env {word}: it is written NAME=VALUE"))?;
        set(name.to_owned(), value.to_owned());
    }
    Ok(env)
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

/// Those of the configuration; a flag of the same name says where that one leads.
fn stalls(args: &Args, service: Option<&ServiceTable>) -> anyhow::Result<Vec<Stall>> {
    let mut stalls = service.map(ServiceTable::stalls).unwrap_or_default();
    for word in &args.stall {
        let given = config::stall_flag(word).map_err(|why| anyhow!("{why}"))?;
        match stalls.iter_mut().find(|known| known.name == given.name) {
            Some(known) => known.to = given.to,
            None => stalls.push(given),
        }
    }
    Ok(stalls)
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
            .ok_or_else(|| anyhow!("--header {word}: it is written NAME: VALUE"))?;
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

/// Values that must not be written down, besides those that the run itself is given: headers taken
/// from the environment, and what the service inherits from it under a secret's name.
fn secrets(args: &Args, service: Option<&ServiceTable>) -> Vec<String> {
    let named = args.header.iter().filter_map(|word| {
        let (_, value) = word.split_once(':')?;
        value.trim().strip_prefix("env:")
    });
    let of_file = service.into_iter().flat_map(ServiceTable::header_variables);
    let of_headers = named
        .chain(of_file)
        .filter_map(|name| std::env::var(name).ok());
    let inherited = std::env::vars_os().filter_map(|(name, value)| {
        let secret = is_secret_name(&name.to_string_lossy());
        value.into_string().ok().filter(|_| secret)
    });
    of_headers.chain(inherited).collect()
}

/// The flags that repeat this run, whatever was said about its output.
fn again(args: &Args, requests: &[Request], command: &[String]) -> Vec<String> {
    let mut words = Vec::new();
    let mut flag = |name: &str, value: &str| words.extend([format!("--{name}"), value.to_owned()]);
    if let Some(config) = &args.config {
        flag("config", &config.display().to_string());
    }
    let text = [
        ("service", &args.service),
        ("ready", &args.ready),
        ("fail-on", &args.fail_on),
        ("pprof", &args.pprof),
        ("otlp", &args.otlp),
    ];
    for (name, value) in text {
        if let Some(value) = value {
            flag(name, value);
        }
    }
    for (name, values) in [
        ("header", &args.header),
        ("env", &args.env),
        ("stall", &args.stall),
        ("private", &args.private),
        ("address", &args.address),
        ("logs", &args.logs),
        ("consent", &args.consent),
    ] {
        values.iter().for_each(|value| flag(name, value));
    }
    for (name, value) in [
        ("window", args.window),
        ("until-jitter", args.until_jitter),
        ("grace", args.grace),
        ("ready-timeout", args.ready_timeout),
    ] {
        if let Some(value) = value {
            flag(name, &spelled(value));
        }
    }
    if let Some(file) = &args.ca {
        flag("ca", &file.display().to_string());
    }
    if let Some(pid) = args.pid {
        flag("pid", &pid.to_string());
    }
    for file in &args.env_file {
        flag("env-file", &file.display().to_string());
    }
    if let Some(set) = &args.proto_set {
        flag("proto-set", &set.display().to_string());
    }
    if let Some(source) = &args.source {
        flag("source", &source.display().to_string());
    }
    if args.insecure {
        words.push("--insecure".into());
    }
    if !(args.grpc.is_empty() && args.http.is_empty()) {
        words.extend(requests.iter().flat_map(Request::flags));
    }
    if !args.command.is_empty() {
        words.push("--".into());
        words.extend(command.iter().cloned());
    }
    words
}

/// A duration as a person writes it for a flag.
fn spelled(duration: Duration) -> String {
    match duration.as_millis() {
        ms if ms % 1000 == 0 => format!("{}s", ms / 1000),
        ms => format!("{ms}ms"),
    }
}

/// A service that runs already is named after its executable, else after where it is.
fn attached_name(attach: &Attach) -> String {
    let executable = attach
        .pid
        .and_then(|pid| std::fs::read_link(format!("/proc/{pid}/exe")).ok());
    if let Some(path) = executable {
        return name_of(&[path.display().to_string()]);
    }
    let address = attach.addresses.first().map_or("", String::as_str);
    let name = address.trim_start_matches("unix:/");
    let plain = |letter: char| letter.is_alphanumeric() || matches!(letter, '.' | '_');
    let name = name.replace(|letter| !plain(letter), "-");
    name.trim_matches(['.', '-']).to_owned()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_named_after_its_program() {
        assert_eq!(name_of(&["./bin/orders".into()]), "orders");
        assert_eq!(name_of(&["../..".into()]), "service");
    }

    #[test]
    fn durations_are_written_as_they_are_read() {
        for (ms, text) in [(6000, "6s"), (1500, "1500ms"), (90_000, "90s"), (0, "0s")] {
            let duration = Duration::from_millis(ms);
            assert_eq!(spelled(duration), text);
            let read = shakedown_checklist::config::parse_duration(text);
            assert_eq!(read.expect("a duration"), duration);
        }
    }
}

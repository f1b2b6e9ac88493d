//! What is to be checked: a command that is started, or a service that runs already.

use std::path::Path;

use anyhow::{anyhow, bail};
use shakedown_acquire::follow::LogSource;
use shakedown_acquire::probe::Trust;
use shakedown_checklist::Attach;
use shakedown_checklist::config::{self, AttachTable, PprofPlace, ServiceTable};
use shakedown_evidence::{Consent, Request, RequestKind};

use super::check::Args;

/// How to find a service that runs already; nothing if one is to be started.
pub(crate) fn attach(
    args: &Args,
    service: Option<&ServiceTable>,
    requests: &[Request],
) -> anyhow::Result<Option<Attach>> {
    let starts = !args.command.is_empty();
    let by_flag = args.pid.is_some() || !args.address.is_empty();
    if starts && by_flag {
        bail!(
            "a service is started or attached to, not both: leave out the command after `--`, or --pid and --address"
        );
    }
    if starts || (!by_flag && service.is_some_and(|service| !service.start.cmd.is_empty())) {
        return started(args);
    }
    let table = service.and_then(|service| service.attach.as_ref());
    let mut addresses = Vec::new();
    let mut add = |address: Option<String>| {
        addresses.extend(address.filter(|address| !addresses.contains(address)));
    };
    for text in &args.address {
        add(Some(said("--address", config::address(text))?));
    }
    // Flags win over the file: they name another service than it does.
    if let Some(table) = table.filter(|_| !by_flag) {
        for address in [&table.http, &table.grpc] {
            add(address.clone());
        }
    }
    add(pprof(args, service)?.address);
    for request in requests {
        if let RequestKind::Http { target, .. } = &request.kind
            && target.contains("://")
        {
            add(Some(said("request", config::address(target))?));
        }
    }
    let pid = args
        .pid
        .or_else(|| table.filter(|_| !by_flag).and_then(|table| table.pid));
    if pid.is_none() && addresses.is_empty() {
        return started(args);
    }
    let mut consent: Vec<Consent> = table.map(|table| table.consent.clone()).unwrap_or_default();
    for word in &args.consent {
        consent.push(said("--consent", config::consent(word))?);
    }
    let otlp = match &args.otlp {
        Some(text) => Some(said("--otlp", config::otlp_port(text))?),
        None => table.and_then(|table| table.otlp),
    };
    if pid.is_none() && consent.contains(&Consent::Stop) {
        bail!(
            "--consent stop: nothing can be told to stop by its address; give --pid PID on the machine of the service"
        );
    }
    Ok(Some(Attach {
        pid,
        addresses,
        otlp,
        consent,
    }))
}

/// A service that we start needs no consent; a flag without effect is a misunderstanding.
fn started(args: &Args) -> anyhow::Result<Option<Attach>> {
    if args.otlp.is_some() {
        bail!(
            "--otlp is for a service that runs already; one that shakedown starts is told where to send its spans, by the variables of OpenTelemetry or by {{otlp.addr}}"
        )
    }
    if args.consent.is_empty() {
        return Ok(None);
    }
    bail!(
        "--consent is for a service that runs already (--pid, --address); one that shakedown starts needs none"
    )
}

/// Whom we believe of those who speak TLS.
pub(crate) fn trust(
    args: &Args,
    requests: &[Request],
    attach: Option<&Attach>,
) -> anyhow::Result<Option<Trust>> {
    if let Some(file) = &args.ca {
        return Ok(Some(Trust::Authorities(file.clone())));
    }
    if args.insecure {
        return Ok(Some(Trust::Everybody));
    }
    let by_url = requests.iter().filter_map(|request| match &request.kind {
        RequestKind::Http { target, .. } => Some(target.clone()),
        RequestKind::Grpc { .. } => None,
    });
    let addresses = attach.into_iter().flat_map(|attach| &attach.addresses);
    let addresses = addresses.map(|address| address.replacen("tls:", "https://", 1));
    let mut named = by_url.chain(addresses);
    if let Some(secured) = named.find(|url| url.starts_with("https://")) {
        bail!(
            "{secured} means TLS: whose certificate is to be believed? --ca FILE (PEM), or --insecure for a listener that you trust anyway"
        );
    }
    Ok(None)
}

/// Where pprof is said to be.
pub(crate) fn pprof(args: &Args, service: Option<&ServiceTable>) -> anyhow::Result<PprofPlace> {
    if let Some(text) = &args.pprof {
        return said("--pprof", config::pprof_place(text));
    }
    let attach = service.and_then(|service| service.attach.as_ref());
    let of_attach = attach.and_then(|attach: &AttachTable| attach.pprof.clone());
    let of_service = || service.and_then(|service| service.pprof.clone());
    Ok(of_attach.or_else(of_service).unwrap_or_default())
}

/// The logs to follow.
pub(crate) fn logs(
    args: &Args,
    service: Option<&ServiceTable>,
    base: &Path,
) -> anyhow::Result<Vec<LogSource>> {
    let given = args
        .logs
        .iter()
        .map(|text| said("--logs", LogSource::parse(text)));
    let given: Vec<LogSource> = given.collect::<Result<_, _>>()?;
    if !given.is_empty() {
        return Ok(given);
    }
    let attach = service.and_then(|service| service.attach.as_ref());
    let of_attach = attach.and_then(|attach| attach.logs.clone());
    let of_service = service.and_then(|service| service.logs.clone());
    let logs = of_attach.or(of_service).into_iter();
    Ok(logs.map(|log| config::placed_log(log, base)).collect())
}

fn said<T>(flag: &str, read: Result<T, String>) -> anyhow::Result<T> {
    read.map_err(|why| anyhow!("{flag}: {why}"))
}

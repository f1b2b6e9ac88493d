//! Starting a process of the run: placeholders filled, our receiver in its environment.

use std::collections::BTreeSet;
use std::sync::Arc;

use shakedown_acquire::Recorder;
use shakedown_acquire::otlp::Receiver;
use shakedown_acquire::process::{Launch, Service};
use shakedown_evidence::{Role, Stall};

use crate::placeholder::{self, Values};
use crate::{RunError, Settings, Start};

pub(crate) async fn launch(
    name: &str,
    start: &Start,
    role: Role,
    settings: &Settings,
    recorder: &Recorder,
    receiver: &Arc<Receiver>,
    values: &Values,
) -> Result<Service, RunError> {
    let mut env = receiver.environment();
    for (variable, value) in &start.env {
        env.retain(|(known, _)| known != variable);
        env.push((variable.clone(), placeholder::fill(value, values)?));
    }
    let command = start
        .command
        .iter()
        .map(|word| placeholder::fill(word, values));
    let launch = Launch {
        command: command.collect::<Result<_, _>>()?,
        env,
        env_remove: receiver.environment_removed(),
        cwd: start.cwd.clone(),
        guardian: Some(settings.guardian.clone()),
    };
    let started = Service::start(recorder.clone(), role, &launch).await;
    started.map_err(|source| RunError::Start {
        name: name.to_owned(),
        source,
    })
}

pub(crate) fn placed(text: Option<&str>, values: &Values) -> Result<Option<String>, RunError> {
    Ok(text
        .map(|text| placeholder::fill(text, values))
        .transpose()?)
}

/// What placeholders stand for; `{port.NAME}` is a free loopback port, the same everywhere.
pub(crate) fn values(settings: &Settings, receiver: &Arc<Receiver>) -> Result<Values, RunError> {
    let mut values: Values = [
        ("otlp.addr".to_owned(), receiver.addr()),
        ("otlp.url".to_owned(), receiver.url()),
    ]
    .into();
    let starts = std::iter::once(&settings.start).chain(
        settings
            .dependencies
            .iter()
            .map(|dependency| &dependency.start),
    );
    let texts = starts
        .flat_map(|start| words(start).chain(&start.ready))
        .chain(settings.stalls.iter().map(|stall| &stall.to));
    let names: BTreeSet<String> = texts
        .flat_map(|text| placeholder::names(text, "port."))
        .collect();
    // All are held open until every one is known, so that no two are the same.
    let mut held = Vec::new();
    for name in names {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").map_err(RunError::Port)?;
        values.insert(
            name,
            listener
                .local_addr()
                .map_err(RunError::Port)?
                .port()
                .to_string(),
        );
        held.push(listener);
    }
    Ok(values)
}

/// What reaches a process when it is started.
fn words(start: &Start) -> impl Iterator<Item = &String> {
    let variables = start.env.iter().map(|(_, value)| value);
    start.command.iter().chain(variables)
}

/// Somebody is told of every stall; another would hold nothing back.
pub(crate) fn check_stalls(settings: &Settings) -> Result<(), RunError> {
    let told: BTreeSet<String> = std::iter::once(&settings.start)
        .chain(settings.dependencies.iter().map(|needed| &needed.start))
        .flat_map(words)
        .flat_map(|text| placeholder::names(text, "stall."))
        .collect();
    if let (Some(_), Some(stall)) = (&settings.attach, settings.stalls.first()) {
        return Err(RunError::StallAttached {
            name: stall.name.clone(),
        });
    }
    let mut stalls = settings.stalls.iter();
    match stalls.find(|stall| !told.contains(&placeholder_of(&stall.name))) {
        None => Ok(()),
        Some(unused) => Err(RunError::StallUnused {
            name: unused.name.clone(),
            to: unused.to.clone(),
        }),
    }
}

/// Where the stalls lead, with their places filled.
pub(crate) fn stalls(settings: &Settings, values: &Values) -> Result<Vec<Stall>, RunError> {
    let filled = settings.stalls.iter().map(|stall| {
        Ok(Stall {
            to: placeholder::fill(&stall.to, values)?,
            ..stall.clone()
        })
    });
    filled.collect()
}

/// The name of what stands for the address of a stall.
pub(crate) fn placeholder_of(stall: &str) -> String {
    format!("stall.{stall}.addr")
}

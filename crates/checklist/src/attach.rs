//! A service that runs already: found before the run begins, and left as it is after it.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use shakedown_acquire::Recorder;
use shakedown_acquire::probe;
use shakedown_acquire::process::{AttachError, Attached, Running, Target};
use shakedown_evidence::{Access, Consent, Event, Listener, Way};

use crate::{Attach, Settings};

/// What was found of a service that runs already.
pub(crate) struct Found {
    running: Option<Running>,
    /// Each address as it was given, and as it is spoken to.
    addresses: Vec<(String, String)>,
}

/// Why a service that is said to run cannot be attached to.
#[derive(Debug, thiserror::Error)]
pub enum NotFound {
    /// Its process.
    #[error(transparent)]
    Process(#[from] AttachError),
    /// One of its addresses.
    #[error("{why}; is the service running, and is this its address as seen from here?")]
    Address {
        /// What came instead of a connection.
        why: String,
    },
}

/// Looks whether everything that was named is there.
pub(crate) async fn find(attach: &Attach) -> Result<Found, NotFound> {
    let running = attach.pid.map(Running::find).transpose()?;
    let mut addresses = Vec::new();
    for address in &attach.addresses {
        probe::reachable(address)
            .await
            .map_err(|why| NotFound::Address { why })?;
        let reach = probe::reach_of(address).await;
        addresses.push((address.trim_start_matches("tls:").to_owned(), reach));
    }
    Ok(Found { running, addresses })
}

impl Found {
    /// Its words, secrets not cut.
    pub(crate) fn command(&self) -> Vec<String> {
        let running = self.running.as_ref();
        running
            .map(|running| running.command.clone())
            .unwrap_or_default()
    }

    /// Its working folder, in which its source may be.
    pub(crate) fn cwd(&self) -> Option<&Path> {
        self.running.as_ref()?.cwd.as_deref()
    }

    /// Values of its environment that must not be written down.
    pub(crate) fn secrets(&self) -> Vec<String> {
        let running = self.running.as_ref();
        running.map(Running::secrets).unwrap_or_default()
    }

    /// Where its environment sends spans: scheme, host and port, without credentials.
    pub(crate) fn exports_to(&self) -> Option<String> {
        let running = self.running.as_ref()?;
        let variables = [
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            "OTEL_EXPORTER_OTLP_ENDPOINT",
        ];
        variables
            .iter()
            .find_map(|name| running.variable(name))
            .map(|endpoint| host_of(&endpoint))
    }

    /// Records what is known before anything is asked, and takes the service.
    pub(crate) fn take(self, settings: &Settings, recorder: &Recorder) -> Target {
        let target = match self.running {
            Some(running) => {
                let may_stop = settings.access().may(Consent::Stop);
                Target::Attached(Attached::to(running, recorder.clone(), may_stop))
            }
            None => Target::Addresses,
        };
        for (bound, reach) in self.addresses {
            recorder.record(Event::Listener(Listener {
                at: recorder.now(),
                private: bound.starts_with("unix:") || settings.private.contains(&bound),
                bound,
                reach,
                pid: 0,
            }));
        }
        target
    }
}

/// How a service that runs already is had.
pub(crate) fn access(attach: &Attach) -> Access {
    Access {
        way: if attach.pid.is_some() {
            Way::Process
        } else {
            Way::Addresses
        },
        consent: attach.consent.clone(),
        exports_to: None,
    }
}

/// `http://user:secret@collector:4317/v1/traces` as `http://collector:4317`.
fn host_of(endpoint: &str) -> String {
    let (scheme, rest) = endpoint.split_once("://").unwrap_or(("http", endpoint));
    let authority = rest.split(['/', '?']).next().unwrap_or(rest);
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}")
}

/// The port of an endpoint on this machine's loopback: nobody but the service itself would miss it
/// if we listened there.
pub(crate) fn loopback_port(endpoint: &str) -> Option<u16> {
    let authority = endpoint
        .split_once("://")
        .map_or(endpoint, |(_, rest)| rest);
    let (host, port) = authority.rsplit_once(':')?;
    let is_loopback = match authority.parse::<SocketAddr>() {
        Ok(address) => address.ip() == IpAddr::from([127, 0, 0, 1]),
        Err(_) => host == "localhost",
    };
    port.parse().ok().filter(|_| is_loopback)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_keeps_no_credentials() {
        for (endpoint, host) in [
            (
                "http://u:s@collector:4317/v1/traces?k=s",
                "http://collector:4317",
            ),
            ("collector:4317", "http://collector:4317"),
            ("https://collector", "https://collector"),
        ] {
            assert_eq!(host_of(endpoint), host);
        }
    }

    #[test]
    fn only_ports_of_this_machine_are_ours_to_take() {
        for (endpoint, port) in [
            ("http://127.0.0.1:5317", Some(5317)),
            ("http://localhost:4317", Some(4317)),
            ("http://10.0.0.1:4317", None),
            ("http://collector:4317", None),
            ("http://localhost", None),
        ] {
            assert_eq!(loopback_port(endpoint), port, "{endpoint}");
        }
    }
}

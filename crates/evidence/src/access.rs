//! How the service is had, and what may be done to it: the one place that says what a run can
//! prove at all.
//!
//! Lanes ask [`Access::may`] before they change anything, and rules ask the same question when
//! they find no evidence, so that what was left out and why are never two opinions.

use serde::{Deserialize, Serialize};

/// How the service is had.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// We started it: its processes, pipes and environment are ours.
    #[default]
    Started,
    /// It ran before us, as a process of this machine.
    Process,
    /// Only addresses are known: it may be anywhere.
    Addresses,
}

/// Something that changes the service, and that is never done to one that is not ours unless it is
/// allowed by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Consent {
    /// Batches of requests, several at once.
    Load,
    /// Requests that are left half-way: their handlers may run on.
    Audits,
    /// SIGTERM.
    Stop,
}

impl Consent {
    /// All, in the order of the run.
    pub const ALL: [Self; 3] = [Self::Load, Self::Audits, Self::Stop];

    /// The word for flags and configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Audits => "audits",
            Self::Stop => "stop",
        }
    }

    /// The consent that a word names.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|consent| consent.name() == word)
    }
}

/// How the service is had, and what its owner allowed. Frozen in the bundle.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// How it is had.
    pub way: Way,
    /// What was allowed by name; a service that we started needs none.
    #[serde(default)]
    pub consent: Vec<Consent>,
    /// Where the environment of a process that ran before us sends spans, without credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exports_to: Option<String>,
}

impl Access {
    /// Whether this may be done to the service.
    #[must_use]
    pub fn may(&self, what: Consent) -> bool {
        match (self.way, what) {
            (Way::Started, _) => true,
            // There is no process to signal.
            (Way::Addresses, Consent::Stop) => false,
            (Way::Process | Way::Addresses, _) => self.consent.contains(&what),
        }
    }

    /// Why this was not done to the service, and what would have it done; nothing if it may be.
    #[must_use]
    pub fn refusal(&self, what: Consent) -> Option<(String, String)> {
        if self.may(what) {
            return None;
        }
        let running = "the service was running before us";
        Some(match (self.way, what) {
            (Way::Addresses, Consent::Stop) => (
                "only addresses of the service are known, and nothing can be told to stop by its address".into(),
                "let shakedown start it (`-- COMMAND`), or --pid PID --consent stop".into(),
            ),
            (_, Consent::Load) => (
                format!("{running}, and nobody allowed batches of requests"),
                "--consent load".into(),
            ),
            (_, Consent::Audits) => (
                format!("{running}, and nobody allowed requests that are left half-way"),
                "--consent audits".into(),
            ),
            (_, Consent::Stop) => (
                format!("{running}, and nobody allowed SIGTERM"),
                "--consent stop".into(),
            ),
        })
    }

    /// Whether its processes can be looked into: listeners, executable, descriptors.
    #[must_use]
    pub const fn has_process(&self) -> bool {
        !matches!(self.way, Way::Addresses)
    }

    /// Whether we gave it its environment: exporter, sampler and log level were ours to set.
    #[must_use]
    pub const fn is_ours(&self) -> bool {
        matches!(self.way, Way::Started)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(way: Way, consent: &[Consent]) -> Access {
        Access {
            way,
            consent: consent.to_vec(),
            exports_to: None,
        }
    }

    #[test]
    fn what_we_started_is_ours() {
        for what in Consent::ALL {
            assert_eq!(access(Way::Started, &[]).refusal(what), None);
        }
    }

    #[test]
    fn what_runs_already_takes_consent_by_name() {
        for way in [Way::Process, Way::Addresses] {
            for what in Consent::ALL {
                let (_, to_prove) = access(way, &[]).refusal(what).expect("not allowed");
                assert!(to_prove.contains(what.name()), "{to_prove}");
                let others: Vec<Consent> = Consent::ALL
                    .into_iter()
                    .filter(|other| *other != what)
                    .collect();
                assert!(!access(way, &others).may(what), "{way:?} {what:?}");
            }
        }
        assert!(access(Way::Process, &Consent::ALL).may(Consent::Stop));
    }

    #[test]
    fn nothing_is_stopped_by_its_address() {
        assert!(!access(Way::Addresses, &Consent::ALL).may(Consent::Stop));
    }

    #[test]
    fn words_name_their_consent() {
        for what in Consent::ALL {
            assert_eq!(Consent::named(what.name()), Some(what));
        }
        assert_eq!(Consent::named("everything"), None);
    }
}

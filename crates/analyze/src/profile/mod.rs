//! Rules of the item profile.

mod bursts;
pub(crate) mod jitter_burst;
pub(crate) mod pprof_missing;
pub(crate) mod pprof_public;
pub(crate) mod profile_window_too_short;

use shakedown_evidence::{Evidence, ProbeKind, Speaks};

use crate::Judgement;

/// A listener in which pprof may be for all that was seen, because nobody could look: it was not
/// asked, or it speaks TLS.
fn closed(seen: &Evidence) -> Option<Judgement> {
    let mut failures = seen.failures.iter();
    if let Some(failure) = failures.find(|failure| failure.kind == ProbeKind::Listener) {
        return Some(Judgement::inconclusive(
            format!(
                "a listener could not be asked: {}: {}",
                failure.subject, failure.why
            ),
            "a run from where the listeners can be reached, as the user whose service it is",
        ));
    }
    seen.listeners.iter().find_map(|listener| {
        let why = match seen.facts_of(&listener.reach) {
            None => "was not asked what it speaks",
            Some(facts) if facts.speaks.contains(&Speaks::Tls) => {
                "speaks TLS; whether pprof is inside was not looked at"
            }
            Some(_) => return None,
        };
        let reach = &listener.reach;
        Some(Judgement::inconclusive(
            format!("{reach} {why}"),
            format!("--ca FILE or --insecure, so that {reach} is entered"),
        ))
    })
}

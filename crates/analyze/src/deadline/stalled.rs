//! Audits of requests that are over before they can be caught, behind dependencies that we stalled.
//!
//! A request may be audited behind several stalls, and waits for some of them only. One of them
//! behind which its handlers were caught is enough to say how it ends.

use std::time::Duration;

use shakedown_evidence::caught::{self, FASTEST, Moment};
use shakedown_evidence::{Call, Evidence, Purpose, Stall};

use super::audits::{Audit, judge_calls};

/// Judges the audits of one request behind every stall of the run.
pub(super) fn judge(
    seen: &Evidence,
    request: usize,
    purpose: Purpose,
    usual: Duration,
) -> Audit<'_> {
    let Some(of) = seen.request(request) else {
        return unstalled(seen, "the request", usual);
    };
    let subject = of.subject();
    if seen.run.stalls.is_empty() {
        return unstalled(seen, &subject, usual);
    }
    let (mut clean, mut unclear) = (None, None);
    let mut idle = Vec::new();
    for stall in &seen.run.stalls {
        let Some(moment) = caught::moment_behind(stall.answers, usual, of.deadline()) else {
            idle.push(Idle::TooSoon(stall));
            continue;
        };
        match judge_calls(seen, request, purpose, moment, Some(stall)) {
            late @ Audit::Late(_) => return late,
            audit @ Audit::Unclear { .. } => unclear = Some(audit),
            audit @ Audit::Clean { .. } => clean = Some(audit),
            Audit::NotExercised { .. } => {
                let calls = seen.audited(request, purpose, Some(&stall.name));
                idle.push(Idle::of(stall, moment, calls.collect()));
            }
        }
    }
    // Of two stalls, what one leaves open is not settled by the other.
    unclear
        .or(clean)
        .unwrap_or_else(|| not_caught(seen, request, &subject, usual, &idle))
}

/// Why nothing was caught behind one stall.
enum Idle<'a> {
    /// Answers came too early even so.
    TooSoon(&'a Stall),
    /// The calls were answered as ever.
    Unmoved(&'a Stall),
    /// They ended otherwise before their moment.
    Ended(&'a Stall),
    /// Too few were caught.
    Seldom(&'a Stall),
    /// None was sent.
    Unsent(&'a Stall),
}

impl<'a> Idle<'a> {
    fn of(stall: &'a Stall, moment: Moment, calls: Vec<&Call>) -> Self {
        let is_early = |call: &&Call| call.took().is_some_and(|took| took < moment.after);
        if calls.is_empty() {
            Self::Unsent(stall)
        } else if calls.iter().all(|call| call.is_ok()) {
            Self::Unmoved(stall)
        } else if calls.iter().all(is_early) {
            Self::Ended(stall)
        } else {
            Self::Seldom(stall)
        }
    }

    fn why(&self) -> String {
        match self {
            Self::TooSoon(stall) => format!("{} answers too early even so", stall.name),
            Self::Unmoved(stall) => format!("it did not wait for {}", stall.name),
            Self::Ended(stall) => format!("it gave up on {} before it could be caught", stall.name),
            Self::Seldom(stall) => {
                format!("it was seldom caught waiting for {}", stall.name)
            }
            Self::Unsent(stall) => format!("it was not asked while {} was held", stall.name),
        }
    }
}

fn takes(subject: &str, usual: Duration) -> String {
    format!("{subject}: takes {} ms", usual.as_millis().max(1))
}

/// Without any stall: the flag that would put one before what the service was seen to call.
fn unstalled<'a>(seen: &Evidence, subject: &str, usual: Duration) -> Audit<'a> {
    let mut peers = seen.connections.iter().flat_map(|look| &look.peers);
    // Some services call themselves, and so do members of a cluster of one.
    let itself = |peer: &String| seen.listeners.iter().any(|own| own.reach == *peer);
    let peer = peers
        .find(|peer| !itself(peer))
        .map_or("HOST:PORT", String::as_str);
    Audit::NotExercised {
        why: format!(
            "{}, too fast to be caught (under {} ms)",
            takes(subject, usual),
            FASTEST.as_millis()
        ),
        to_prove: format!(
            "--stall NAME={peer} before a dependency that {subject} waits for, and {{stall.NAME.addr}} where the service takes that address"
        ),
    }
}

fn not_caught<'a>(
    seen: &Evidence,
    request: usize,
    subject: &str,
    usual: Duration,
    idle: &[Idle<'_>],
) -> Audit<'a> {
    if let Some(end) = seen.unrecovered(request) {
        return Audit::Unclear {
            why: format!(
                "{subject}: no good answer any more after a dependency was stalled{}; what it does then cannot be told from what we did to it",
                super::audits::said(end)
            ),
            to_prove: "a client that connects again by itself, or answers = \"300ms\" for the stall in shakedown.toml".into(),
        };
    }
    if let Some(unnamed) = super::audits::unnamed(seen, subject) {
        return unnamed;
    }
    let reasons: Vec<String> = idle.iter().map(Idle::why).collect();
    Audit::NotExercised {
        why: format!("{}, and {}", takes(subject, usual), reasons.join("; ")),
        to_prove: format!("--stall NAME=HOST:PORT before a dependency that {subject} waits for"),
    }
}

#[cfg(test)]
#[path = "stalled_tests.rs"]
mod tests;

//! PRF005: the window is shorter than what it should catch is apart.
//!
//! Info: it says in numbers what the window of the run may have missed. It is a finding only
//! where something rare was really seen, in short windows beside.

use std::time::Duration;

use shakedown_evidence::{Evidence, ProfileKind, ProfileRecord};
use shakedown_findings::{Certainty, Exhibit, Item, Outcome, RuleMeta, Severity};

use super::bursts::Bursts;
use crate::judgement::Found;
use crate::target::repeat;
use crate::{Judgement, Rule};

pub(crate) const RULE: Rule = Rule {
    meta: RuleMeta {
        code: "PRF005",
        name: "profile-window-too-short",
        item: Item::Profile,
        severity: Severity::Info,
        required: false,
        page: include_str!("profile_window_too_short.md"),
    },
    judge,
};

/// A window that misses what is there more often than it sees it is too short for it.
const ESCAPES_MAX: f64 = 0.5;
/// What a window that is long enough may still miss.
const ESCAPES_RARELY: f64 = 0.05;
/// The rare event that is spoken of where none was seen.
const RARE: Duration = Duration::from_secs(60);

fn judge(seen: &Evidence) -> Judgement {
    let Some(window) = window(seen) else {
        return Judgement::inconclusive(
            "no CPU profile was taken",
            "mount pprof on a private listener: shakedown explain pprof-missing",
        );
    };
    let bursts = match Bursts::of(seen) {
        Ok(bursts) => bursts,
        Err(judgement) => {
            return match judgement.outcome {
                Outcome::Inconclusive { to_prove, .. } | Outcome::NotExercised { to_prove, .. } => {
                    Judgement::not_exercised(numbers(window, RARE), to_prove)
                }
                _ => judgement,
            };
        }
    };
    if bursts.own.is_empty() {
        return Judgement::passed(format!(
            "no burst in {} of short windows; {}",
            seconds(bursts.looked),
            numbers(window, RARE)
        ));
    }
    if bursts.own.len() == 1 {
        return Judgement::inconclusive(
            format!(
                "one burst in {}: how rare it is cannot be said",
                seconds(bursts.looked)
            ),
            format!("--until-jitter {}s", bursts.looked.as_secs() * 2),
        );
    }
    let apart = bursts.apart();
    if escapes(window, apart) <= ESCAPES_MAX {
        return Judgement::passed(numbers(window, apart));
    }
    let enough = long_enough(apart);
    let found = Found {
        certainty: Certainty::Proven,
        subject: format!("window of {}", seconds(window)),
        location: None,
        message: format!(
            "Bursts come about every {}, and {}. What a profile of this length does not show may still be there.",
            seconds(apart),
            numbers(window, apart)
        ),
        exhibits: vec![Exhibit::Quote {
            title: "an event that comes by chance escapes a window with probability e^-(window / distance)".into(),
            lines: [window, apart, enough]
                .iter()
                .map(|window| format!("{:>6}  {:.2}", seconds(*window), escapes(*window, apart)))
                .collect(),
        }],
        fix: format!(
            "--window {}s, or shakedown pprof -until-jitter 5m URL, which stops at the first window that is odd and shows what it took more",
            enough.as_secs()
        ),
        repeat: repeat(seen, RULE.meta.name),
    };
    Judgement::failed(vec![found.by(&RULE.meta)])
}

/// The longest CPU window of the run, short ones aside.
fn window(seen: &Evidence) -> Option<Duration> {
    let is_window = |record: &&ProfileRecord| record.kind == ProfileKind::Cpu && !record.short;
    let windows = seen.profiles.iter().filter(is_window);
    let length = |record: &ProfileRecord| match record.asked_ms {
        Some(asked) => Duration::from_millis(asked),
        None => record.until - record.at,
    };
    windows.map(length).max()
}

/// Chance that none of the events that come `apart` on average falls into a window.
fn escapes(window: Duration, apart: Duration) -> f64 {
    (-window.as_secs_f64() / apart.as_secs_f64().max(0.001)).exp()
}

/// The window that misses such events rarely.
fn long_enough(apart: Duration) -> Duration {
    let exact = apart.as_secs_f64() * -ESCAPES_RARELY.ln();
    Duration::from_secs_f64(exact.ceil().clamp(1.0, 86_400.0))
}

fn numbers(window: Duration, apart: Duration) -> String {
    let enough = long_enough(apart);
    let often = match apart {
        RARE => "once a minute".to_owned(),
        apart => format!("every {}", seconds(apart)),
    };
    format!(
        "an event that comes {often} escapes a window of {} with probability {:.2}, one of {} with {:.2}",
        seconds(window),
        escapes(window, apart),
        seconds(enough),
        escapes(enough, apart)
    )
}

fn seconds(duration: Duration) -> String {
    match duration.subsec_millis() {
        0 => format!("{} s", duration.as_secs()),
        _ => format!("{:.1} s", duration.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::bursts::built::{add, bare, bursting, looked};
    use super::*;

    #[test]
    fn the_numbers_are_those_of_chance() {
        let minute = Duration::from_secs(60);
        let said = numbers(Duration::from_secs(30), minute);
        let wanted = "an event that comes once a minute escapes a window of 30 s with probability 0.61, one of 180 s with 0.05";
        assert_eq!(said, wanted);
    }

    #[test]
    fn without_short_windows_the_numbers_stand_with_the_flag() {
        let mut seen = bare();
        add(&mut seen, 0, 30, false, &Vec::new());
        let Outcome::NotExercised { reason, to_prove } = judge(&seen).outcome else {
            panic!("{:?}", judge(&seen).outcome);
        };
        assert!(
            reason.contains("0.61") && to_prove.contains("--until-jitter"),
            "{reason}"
        );
    }

    #[test]
    fn a_window_shorter_than_bursts_are_apart_is_found() {
        // 30 s and bursts every 20 s: seen more often than missed.
        assert_eq!(judge(&looked(25, bursting)).outcome.name(), "passed");
        let mut seen = looked(25, bursting);
        seen.profiles[0].asked_ms = Some(6000);
        let judged = judge(&seen);
        let [finding] = judged.findings.as_slice() else {
            panic!("{:?}", judged.outcome);
        };
        assert_eq!(finding.subject, "window of 6 s");
        assert!(
            finding.message.contains("about every 20 s"),
            "{}",
            finding.message
        );
        assert!(finding.fix.contains("--window 60s"), "{}", finding.fix);
    }

    #[test]
    fn no_burst_passes_and_one_says_nothing() {
        assert_eq!(judge(&looked(25, |_| Vec::new())).outcome.name(), "passed");
        assert_eq!(judge(&looked(14, bursting)).outcome.name(), "inconclusive");
        assert_eq!(judge(&Evidence::default()).outcome.name(), "inconclusive");
    }
}

//! Rules of the item profile.

mod bursts;
pub(crate) mod contention_profile_off;
pub(crate) mod jitter_burst;
pub(crate) mod pprof_incomplete;
pub(crate) mod pprof_missing;
pub(crate) mod pprof_public;
pub(crate) mod profile_window_refused;
pub(crate) mod profile_window_too_short;
pub(crate) mod secret_in_cmdline;

use shakedown_evidence::{Evidence, ProbeKind, Speaks, Window, WindowEnd, WindowKind};

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

/// No pprof endpoint: what is asked of it cannot be looked at.
fn without_pprof() -> Judgement {
    Judgement::inconclusive(
        "no pprof endpoint was found",
        "mount pprof first: shakedown explain pprof-missing",
    )
}

/// The executable is not Go's, by its build info.
fn is_other_language(seen: &Evidence) -> bool {
    seen.build.as_ref().is_some_and(|build| build.go.is_none())
}

/// The service has the profiles of shakedown-kit: its tasks are called so.
fn is_kit(seen: &Evidence) -> bool {
    let mut roots = seen
        .stacks
        .iter()
        .filter_map(shakedown_evidence::Stack::root);
    roots.any(|frame| frame.function.starts_with("kit::"))
}

/// The last window of a kind that was asked for.
fn last_window(seen: &Evidence, kind: WindowKind) -> Option<&Window> {
    seen.windows.iter().rev().find(|window| window.kind == kind)
}

/// The path of an endpoint with a window is not known to the service.
fn is_absent(window: &Window) -> bool {
    matches!(
        window.end,
        WindowEnd::Refused {
            status: 404 | 405 | 501,
            ..
        }
    )
}

/// What a finding about windows is about: `127.0.0.1:6060/debug/pprof/trace`, or both endpoints as
/// `…/{profile,trace}`.
fn subject_of(windows: &[&Window]) -> String {
    let Some(first) = windows.first() else {
        return String::new();
    };
    let path = first.path.split('?').next().unwrap_or_default();
    let (prefix, _) = path.rsplit_once('/').unwrap_or_default();
    let names: Vec<&str> = windows
        .iter()
        .map(|window| window.kind.endpoint())
        .collect();
    match names.as_slice() {
        [one] => format!("{}{prefix}/{one}", first.reach),
        all => format!("{}{prefix}/{{{}}}", first.reach, all.join(",")),
    }
}

#[cfg(test)]
mod tests {
    use shakedown_evidence::{At, Event, PprofEndpoint};

    use super::*;

    /// A window of 30 s that began at once and was recorded whole.
    pub(super) fn window(kind: WindowKind, end: WindowEnd) -> Window {
        Window {
            at: At(1_000_000),
            until: At(31_000_000),
            kind,
            reach: "127.0.0.1:6060".into(),
            path: format!("/debug/pprof/{}?seconds=30", kind.endpoint()),
            asked_ms: 30_000,
            end,
            bytes: 4_000,
            recorded_ms: Some(30_000),
        }
    }

    /// pprof that was found, and whose endpoints were not asked one by one.
    pub(super) fn pprof() -> Event {
        Event::Pprof(PprofEndpoint {
            at: At(1),
            reach: "127.0.0.1:6060".into(),
            prefix: "/debug/pprof/".into(),
            profiles: vec!["goroutine".into()],
            asked: vec![],
        })
    }

    /// A task of shakedown-kit, by which its profiles are known.
    pub(super) fn kit_task() -> shakedown_evidence::Stack {
        shakedown_evidence::Stack {
            frames: vec![shakedown_evidence::Frame {
                function: "kit::listener".into(),
                ..shakedown_evidence::Frame::default()
            }],
            ..shakedown_evidence::Stack::default()
        }
    }

    #[test]
    fn one_window_is_named_by_its_path_and_two_by_both() {
        let cpu = window(WindowKind::Cpu, WindowEnd::Whole);
        let trace = window(WindowKind::Trace, WindowEnd::Whole);
        assert_eq!(subject_of(&[&trace]), "127.0.0.1:6060/debug/pprof/trace");
        assert_eq!(
            subject_of(&[&cpu, &trace]),
            "127.0.0.1:6060/debug/pprof/{profile,trace}"
        );
    }
}

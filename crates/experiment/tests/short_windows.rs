//! Short windows against a simulated service: how many, and when they end.

use std::time::Duration;

use shakedown_evidence::{
    At, Event, Evidence, PprofEndpoint, ProbeFailure, ProbeKind, ProfileKind, ProfileRecord,
};
use shakedown_experiment::{Action, Experiment, ShortWindows, Step};

/// Runs an experiment of a minute; whether a window of this number comes whole is said. The
/// number of windows that were asked for, how long it took, and its last word.
fn check(has_pprof: bool, is_whole: impl Fn(u64) -> bool) -> (u64, Duration, String) {
    let mut seen = Evidence::default();
    if has_pprof {
        seen.apply(Event::Pprof(PprofEndpoint {
            at: At(0),
            reach: "127.0.0.1:6060".into(),
            prefix: "/debug/pprof/".into(),
            profiles: vec!["profile".into()],
            asked: Vec::new(),
        }));
    }
    let mut experiment = ShortWindows::new(Duration::from_secs(60));
    let (mut now, mut asked) = (At(0), 0);
    loop {
        match experiment.next(&seen, now) {
            Step::Done(word) => return (asked, now - At(0), word),
            Step::Wait(until) => now = until,
            Step::Do(Action::ShortWindow(window)) => {
                let at = now;
                asked += 1;
                if is_whole(asked) {
                    now = now + window + Duration::from_millis(30);
                    seen.apply(Event::Profile(ProfileRecord {
                        at,
                        until: now,
                        kind: ProfileKind::Cpu,
                        url: String::new(),
                        asked_ms: Some(2000),
                        blob: format!("{asked}"),
                        short: true,
                    }));
                } else {
                    now = now + Duration::from_millis(30);
                    seen.apply(Event::ProbeFailed(ProbeFailure {
                        at: now,
                        kind: ProbeKind::Cpu,
                        subject: String::new(),
                        why: "profiling already in use".into(),
                        status: None,
                    }));
                }
            }
            Step::Do(other) => panic!("{other:?}"),
        }
    }
}

#[test]
fn windows_follow_each_other_for_as_long_as_was_asked() {
    let (asked, took, word) = check(true, |_| true);
    assert_eq!((asked, word.as_str()), (30, "30 of 30 windows"));
    assert!(took >= Duration::from_secs(60) && took < Duration::from_secs(64));
}

#[test]
fn a_window_that_fails_now_and_then_ends_nothing() {
    let (asked, _, word) = check(true, |number| number % 3 != 0);
    assert_eq!(word, format!("{} of {asked} windows", asked - asked / 3));
}

#[test]
fn a_profiler_that_stays_in_use_is_left_alone() {
    let (asked, took, word) = check(true, |number| number <= 4);
    assert_eq!((asked, word.as_str()), (7, "4 windows, then 3 failed"));
    assert!(took < Duration::from_secs(10));
}

#[test]
fn without_pprof_nothing_is_asked() {
    assert_eq!(check(false, |_| true).0, 0);
}

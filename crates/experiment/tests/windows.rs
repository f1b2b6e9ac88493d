//! What is taken in the window lane, and from whom.

use std::time::Duration;

use shakedown_evidence::{At, BuildInfo, Event, Evidence, PprofEndpoint, Waiting};
use shakedown_experiment::{Action, Contention, Experiment, Step, TraceWindow};

const WINDOW: Duration = Duration::from_secs(30);

fn with_pprof() -> Evidence {
    let mut seen = Evidence::default();
    seen.apply(Event::Pprof(PprofEndpoint {
        at: At(1),
        reach: "127.0.0.1:6060".into(),
        prefix: "/debug/pprof/".into(),
        profiles: vec!["goroutine".into()],
        asked: vec![],
    }));
    seen
}

/// All that an experiment does.
fn actions(mut experiment: impl Experiment, seen: &Evidence) -> Vec<Action> {
    let mut done = Vec::new();
    while let Step::Do(action) = experiment.next(seen, At(1)) {
        done.push(action);
        assert!(done.len() < 10, "without end");
    }
    done
}

#[test]
fn one_trace_is_taken_over_the_whole_window() {
    let trace = Action::Trace { window: WINDOW };
    assert_eq!(actions(TraceWindow::new(WINDOW), &with_pprof()), [trace]);
    assert_eq!(actions(TraceWindow::new(WINDOW), &Evidence::default()), []);
}

#[test]
fn no_trace_is_asked_of_another_language() {
    let mut seen = with_pprof();
    seen.build = Some(BuildInfo::default());
    assert_eq!(actions(TraceWindow::new(WINDOW), &seen), []);
}

#[test]
fn both_profiles_of_waiting_are_read_once() {
    let both = Waiting::ALL.map(Action::Contention);
    assert_eq!(actions(Contention::default(), &with_pprof()), both);
    assert_eq!(actions(Contention::default(), &Evidence::default()), []);
}

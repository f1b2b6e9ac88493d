//! The order of the run: which experiments overlap, and which wait for rest.
//!
//! Audits leave handlers running, asking a port makes services log, an open connection of ours
//! delays a drain: lanes keep one probe's effect out of another's evidence.

use std::time::Duration;

use shakedown_analyze::{RULES, Rule};
use shakedown_evidence::{Consent, Evidence, Purpose, RequestKind};
use shakedown_experiment::{
    Audit, Batches, Bystanders, Connections, Contention, CpuWindow, Experiment, Heap, Identify,
    Locate, Quiet, ShortWindows, Terminate, TraceWindow, Traffic,
};

use crate::Settings;
use crate::assess::names;

/// Of each request, at least so many in ordinary traffic.
const TRAFFIC_MIN: usize = 4;
/// Calls under way at once in a batch.
const WIDTH: usize = 8;

/// One lane: what runs side by side, and how long it may take at most.
pub(crate) struct Lane {
    pub name: &'static str,
    /// What it usually takes; for the progress bar.
    pub usual: Duration,
    pub limit: Duration,
    /// What `--only` may name for which it runs: items and rules. All, if it is empty.
    pub serves: &'static [&'static str],
    /// What its experiments do to a service, for which one that is not ours takes consent.
    pub takes: Option<Consent>,
    pub experiments: fn(&Settings, &Evidence) -> Vec<Box<dyn Experiment>>,
}

/// The lanes of a run in their order.
pub(crate) fn lanes(settings: &Settings) -> Vec<Lane> {
    let jitter = settings.until_jitter.unwrap_or_default();
    let mut lanes = all(settings.window, jitter, settings.grace);
    lanes.retain(|lane| lane.name != "jitter" || !jitter.is_zero());
    lanes.retain(|lane| lane.name != "stalls" || !settings.stalls.is_empty());
    lanes.retain(|lane| is_wanted(&settings.only, lane.serves));
    lanes
}

/// `window` is the length of the CPU window, `jitter` how long bursts are looked for.
fn all(window: Duration, jitter: Duration, grace: Duration) -> Vec<Lane> {
    let seconds = Duration::from_secs;
    vec![
        Lane {
            name: "look",
            usual: seconds(1),
            limit: seconds(60),
            serves: &[],
            takes: None,
            experiments: look,
        },
        Lane {
            name: "locate",
            usual: seconds(1),
            limit: seconds(60),
            serves: &[],
            takes: None,
            experiments: locate,
        },
        Lane {
            name: "window",
            usual: window,
            limit: window * 3 + seconds(90),
            serves: &[],
            takes: None,
            experiments: observe,
        },
        Lane {
            name: "jitter",
            usual: jitter,
            limit: jitter * 2 + seconds(60),
            serves: &["jitter-burst", "profile-window-too-short"],
            takes: None,
            experiments: short_windows,
        },
        Lane {
            name: "batches",
            usual: seconds(15),
            limit: seconds(240),
            serves: &["trace", "leak-per-request", "fd-leak", "heap-growth"],
            takes: Some(Consent::Load),
            experiments: batches,
        },
        Lane {
            name: "deadlines",
            usual: seconds(8),
            limit: seconds(240),
            serves: &["deadline-ignored", "wrong-status"],
            takes: Some(Consent::Audits),
            experiments: deadlines,
        },
        Lane {
            name: "cancels",
            usual: seconds(8),
            limit: seconds(240),
            serves: &["cancel-ignored", "wrong-status"],
            takes: Some(Consent::Audits),
            experiments: cancels,
        },
        Lane {
            name: "stalls",
            usual: seconds(8),
            limit: seconds(300),
            serves: &["deadline-ignored", "cancel-ignored", "wrong-status"],
            takes: Some(Consent::Audits),
            experiments: stalls,
        },
        Lane {
            name: "stop",
            usual: seconds(2),
            limit: grace * 2 + seconds(90),
            serves: &["sigterm-ignored", "in-flight-dropped", "drain-too-slow"],
            takes: Some(Consent::Stop),
            experiments: stop,
        },
    ]
}

/// A rule that was named reads what the lane leaves. Another lane would cost the reader of a finding
/// time when he repeats it.
pub(crate) fn is_wanted(only: &[String], serves: &[&str]) -> bool {
    if serves.is_empty() {
        return true;
    }
    let serves = |rule: &Rule| serves.iter().any(|word| names(word, rule));
    let named = |rule: &Rule| only.iter().any(|word| names(word, rule));
    let mut rules = RULES.iter().filter(|rule| named(rule));
    only.is_empty() || rules.any(serves)
}

fn boxed(experiment: impl Experiment + 'static) -> Box<dyn Experiment> {
    Box::new(experiment)
}

fn look(_: &Settings, _: &Evidence) -> Vec<Box<dyn Experiment>> {
    vec![boxed(Identify::default())]
}

fn locate(_: &Settings, _: &Evidence) -> Vec<Box<dyn Experiment>> {
    vec![boxed(Locate::new())]
}

fn observe(settings: &Settings, seen: &Evidence) -> Vec<Box<dyn Experiment>> {
    let connections = settings.access().has_process();
    let connections = connections.then(|| boxed(Connections::new(settings.window)));
    let mut experiments = vec![
        boxed(InTurn::new(vec![
            boxed(CpuWindow::new(settings.window)),
            boxed(Heap::default()),
            boxed(Contention::default()),
        ])),
        boxed(TraceWindow::new(settings.window)),
        boxed(Traffic::new(
            settings.window,
            TRAFFIC_MIN,
            seen.run.started_unix_ns,
        )),
    ];
    experiments.extend(connections);
    experiments
}

/// Nothing else runs beside: what bursts here no request of ours has asked for.
fn short_windows(settings: &Settings, _: &Evidence) -> Vec<Box<dyn Experiment>> {
    let lasting = settings.until_jitter.unwrap_or_default();
    vec![boxed(ShortWindows::new(lasting))]
}

fn batches(_: &Settings, seen: &Evidence) -> Vec<Box<dyn Experiment>> {
    let usual = (0..seen.run.requests.len()).filter_map(|request| seen.usual_duration(request));
    let Some(slowest) = usual.map(|(_, median)| median).max() else {
        // Requests that never succeed may each wait for a dependency until they give up: minutes,
        // in which nothing is exercised that users would meet.
        return Vec::new();
    };
    // About two seconds a batch, and never fewer than ten calls of each request.
    let per_request = if slowest < Duration::from_millis(50) {
        40
    } else {
        10
    };
    vec![boxed(Batches::new(per_request, WIDTH))]
}

fn deadlines(settings: &Settings, seen: &Evidence) -> Vec<Box<dyn Experiment>> {
    let audits = with_deadline(seen).map(|request| boxed(Audit::new(request, Purpose::Deadline)));
    // What we have started nobody else calls.
    let others = (!settings.access().is_ours()).then(|| boxed(Bystanders::default()));
    in_turn(others.into_iter().chain(audits))
}

/// Requests that carry a deadline: HTTP has no header for it.
fn with_deadline(seen: &Evidence) -> impl Iterator<Item = usize> {
    let is_grpc = |request: &usize| {
        seen.request(*request)
            .is_some_and(|request| matches!(request.kind, RequestKind::Grpc { .. }))
    };
    (0..seen.run.requests.len()).filter(is_grpc)
}

fn cancels(_: &Settings, seen: &Evidence) -> Vec<Box<dyn Experiment>> {
    let requests = 0..seen.run.requests.len();
    in_turn(requests.map(|request| boxed(Audit::new(request, Purpose::Cancel))))
}

/// Each stall holds alone: behind two at once a handler never comes to the second.
fn stalls(settings: &Settings, seen: &Evidence) -> Vec<Box<dyn Experiment>> {
    let all = 0..seen.run.requests.len();
    let moments = with_deadline(seen)
        .map(|request| (request, Purpose::Deadline))
        .chain(all.map(|request| (request, Purpose::Cancel)));
    let moments: Vec<_> = moments.collect();
    let behind = |name| {
        let audit =
            move |(request, purpose): &(usize, Purpose)| Audit::behind(*request, *purpose, name);
        moments.iter().map(audit)
    };
    let names = settings.stalls.iter().map(|stall| stall.name.as_str());
    in_turn(names.flat_map(behind).map(boxed))
}

fn stop(settings: &Settings, _: &Evidence) -> Vec<Box<dyn Experiment>> {
    vec![boxed(InTurn::new(vec![
        boxed(Quiet::new()),
        boxed(Terminate::new(settings.grace)),
    ]))]
}

/// Audits follow each other: two at once would each see the other's handlers.
fn in_turn(experiments: impl Iterator<Item = Box<dyn Experiment>>) -> Vec<Box<dyn Experiment>> {
    vec![boxed(InTurn::new(experiments.collect()))]
}

/// Experiments one after another.
struct InTurn {
    queue: std::collections::VecDeque<Box<dyn Experiment>>,
}

impl InTurn {
    fn new(experiments: Vec<Box<dyn Experiment>>) -> Self {
        Self {
            queue: experiments.into(),
        }
    }
}

impl Experiment for InTurn {
    fn name(&self) -> String {
        self.queue
            .front()
            .map_or_else(|| "audits".into(), |experiment| experiment.name())
    }

    fn next(&mut self, seen: &Evidence, now: shakedown_evidence::At) -> shakedown_experiment::Step {
        use shakedown_experiment::{Action, Step};
        let Some(first) = self.queue.front_mut() else {
            return Step::Done("all done".into());
        };
        match first.next(seen, now) {
            Step::Done(how) => {
                let mark = format!("{}: {how}", first.name());
                self.queue.pop_front();
                Step::Do(Action::Mark(mark))
            }
            step => step,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every() -> Vec<Lane> {
        let seconds = Duration::from_secs;
        all(seconds(6), seconds(60), seconds(4))
    }

    /// Those after the window, which every rule needs.
    fn names(only: &[&str]) -> Vec<&'static str> {
        let only: Vec<String> = only.iter().map(|&word| word.to_owned()).collect();
        let mut lanes = every();
        lanes.retain(|lane| is_wanted(&only, lane.serves));
        lanes.iter().map(|lane| lane.name).skip(3).collect()
    }

    #[test]
    fn a_rule_alone_runs_what_it_reads() {
        let all = [
            "jitter",
            "batches",
            "deadlines",
            "cancels",
            "stalls",
            "stop",
        ];
        assert_eq!(names(&[]), all);
        assert_eq!(names(&["jitter-burst"]), ["jitter"]);
        assert_eq!(names(&["pprof-public"]), [""; 0]);
        assert_eq!(names(&["trace"]), ["batches"]);
        assert_eq!(names(&["DLN002"]), ["cancels", "stalls"]);
        assert_eq!(names(&["deadline"]), ["deadlines", "cancels", "stalls"]);
        assert_eq!(names(&["lifecycle"]), ["batches", "stop"]);
        assert_eq!(
            names(&["cancel-ignored", "LIF006"]),
            ["cancels", "stalls", "stop"]
        );
    }

    #[test]
    fn every_word_of_a_lane_names_a_rule() {
        for lane in every() {
            for word in lane.serves {
                assert!(RULES.iter().any(|rule| super::names(word, rule)), "{word}");
            }
        }
    }
}

//! The order of the run: which experiments overlap, and which wait for rest.
//!
//! Audits leave handlers running, asking a port makes services log, an open connection of ours
//! delays a drain: lanes keep one probe's effect out of another's evidence.

use std::time::Duration;

use shakedown_evidence::{Evidence, Purpose, RequestKind};
use shakedown_experiment::{
    Audit, Batches, Connections, Contention, CpuWindow, Experiment, Heap, Identify, Locate, Quiet,
    Terminate, TraceWindow, Traffic,
};

use crate::Settings;

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
    pub experiments: fn(&Settings, &Evidence) -> Vec<Box<dyn Experiment>>,
}

/// The lanes in their order. `window` is the length of the CPU window.
pub(crate) fn lanes(settings: &Settings) -> Vec<Lane> {
    let seconds = Duration::from_secs;
    let window = settings.window;
    vec![
        Lane {
            name: "look",
            usual: seconds(1),
            limit: seconds(60),
            experiments: look,
        },
        Lane {
            name: "locate",
            usual: seconds(1),
            limit: seconds(60),
            experiments: locate,
        },
        Lane {
            name: "window",
            usual: window,
            limit: window * 3 + seconds(90),
            experiments: observe,
        },
        Lane {
            name: "batches",
            usual: seconds(15),
            limit: seconds(240),
            experiments: batches,
        },
        Lane {
            name: "deadlines",
            usual: seconds(8),
            limit: seconds(240),
            experiments: deadlines,
        },
        Lane {
            name: "cancels",
            usual: seconds(8),
            limit: seconds(240),
            experiments: cancels,
        },
        Lane {
            name: "stop",
            usual: seconds(2),
            limit: settings.grace + seconds(60),
            experiments: stop,
        },
    ]
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
    vec![
        boxed(InTurn::new(vec![
            boxed(CpuWindow::new(settings.window)),
            boxed(Heap::default()),
            boxed(Contention::default()),
        ])),
        boxed(TraceWindow::new(settings.window)),
        boxed(Connections::new(settings.window)),
        boxed(Traffic::new(
            settings.window,
            TRAFFIC_MIN,
            seen.run.started_unix_ns,
        )),
    ]
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

fn deadlines(_: &Settings, seen: &Evidence) -> Vec<Box<dyn Experiment>> {
    let is_grpc = |request: &usize| {
        seen.request(*request)
            .is_some_and(|request| matches!(request.kind, RequestKind::Grpc { .. }))
    };
    let requests = (0..seen.run.requests.len()).filter(is_grpc);
    audits(
        requests
            .map(|request| Audit::new(request, Purpose::Deadline))
            .collect(),
    )
}

fn cancels(_: &Settings, seen: &Evidence) -> Vec<Box<dyn Experiment>> {
    audits(
        (0..seen.run.requests.len())
            .map(|request| Audit::new(request, Purpose::Cancel))
            .collect(),
    )
}

fn stop(settings: &Settings, _: &Evidence) -> Vec<Box<dyn Experiment>> {
    vec![boxed(InTurn::new(vec![
        boxed(Quiet::new()),
        boxed(Terminate::new(settings.grace)),
    ]))]
}

/// Audits follow each other: two at once would each see the other's handlers.
fn audits(audits: Vec<Audit>) -> Vec<Box<dyn Experiment>> {
    vec![boxed(InTurn::new(audits.into_iter().map(boxed).collect()))]
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

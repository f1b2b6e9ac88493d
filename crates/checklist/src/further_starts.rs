//! Goroutines of a service without pprof: it is started again, answers a batch, and is ended by
//! SIGQUIT, on which the Go runtime prints every stack.
//!
//! Four starts, each with a batch more than the one before, show what grows with the requests. What
//! such a start logs, exports and listens on is no evidence of the run: it has a record of its own,
//! and a span receiver of its own, of which only the dump is taken over. GOTRACEBACK is set, so that
//! an environment that keeps stacks back does not hide them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use shakedown_acquire::otlp::Receiver;
use shakedown_acquire::probe::ProbeSettings;
use shakedown_acquire::process::Target;
use shakedown_acquire::{Hands, Recorder};
use shakedown_evidence::log::Stream;
use shakedown_evidence::{
    At, Event, Evidence, FurtherStart, ParsedGoroutines, Purpose, Role, RunFacts, Snapshot,
    SnapshotForm, labels, parse_quit,
};
use shakedown_experiment::{Batches, Experiment, Identify, Locate};

use crate::launch::{launch, placed};
use crate::placeholder::Values;
use crate::run::requests;
use crate::start::{self, NotReady};
use crate::{RunError, Settings, lanes, plan, redact};

/// Calls under way at once.
const WIDTH: usize = 8;
/// Looking around, finding listeners, one batch.
const LIMIT: Duration = Duration::from_secs(90);
/// How long what is left of a start may take to end.
const END_GRACE: Duration = Duration::from_secs(1);

/// Whether the service can be started again for its goroutines, and nothing else shows them.
pub(crate) fn are_possible(settings: &Settings, seen: &Evidence) -> bool {
    let is_go = seen.build.as_ref().is_some_and(|build| build.go.is_some());
    // One that runs already is not ours to start.
    let is_ours = settings.access().is_ours();
    is_ours && is_go && !settings.quick && seen.pprof.is_empty()
}

/// Whether the dumps of further starts can show anything that nothing else does.
pub(crate) fn are_useful(settings: &Settings, seen: &Evidence) -> bool {
    let is_wanted = plan::is_wanted(&settings.only, &["leak-per-request"]);
    let sent_batches = seen
        .calls
        .iter()
        .any(|call| call.sent.purpose == Purpose::Batch && call.is_ok());
    is_wanted && sent_batches && are_possible(settings, seen)
}

/// What the starts need of the run.
pub(crate) struct Setting<'a> {
    pub(crate) settings: &'a Settings,
    /// The run's own record, which gets the dumps.
    pub(crate) recorder: &'a Recorder,
    pub(crate) values: &'a Values,
    pub(crate) probe: &'a ProbeSettings,
}

/// Starts the service again and again, until a start fails or all are done.
pub(crate) async fn run(of: &Setting<'_>, place: &mut Option<Hands>) -> Result<(), RunError> {
    for round in 0..labels::ROUNDS {
        let began = of.recorder.now();
        let batch = Batches::once(per_request(of.recorder, round), WIDTH);
        let (scratch, dump) = dumped(of, place, Box::new(batch)).await?;
        let batch = |seen: &Evidence, ok: bool| {
            let calls = seen.calls.iter();
            let sent = calls.filter(|call| call.sent.purpose == Purpose::Batch);
            sent.filter(|call| !ok || call.is_ok()).count() as u64
        };
        let (sent, ok) = scratch.read(|seen| (batch(seen, false), batch(seen, true)));
        let dump = match sent {
            0 => Err("none of the requests found its listener".to_owned()),
            _ => dump,
        };
        let failed = keep(of.recorder, began, labels::quit(round), dump).err();
        let stop = failed.is_some();
        of.recorder.record(Event::FurtherStart(FurtherStart {
            at: of.recorder.now(),
            round,
            sent,
            ok,
            failed,
        }));
        if stop {
            break;
        }
    }
    Ok(())
}

/// The record of a start, and its dump or why there is none.
pub(crate) type Dumped = (Recorder, Result<ParsedGoroutines, String>);

/// Starts the service, finds its listeners, and lets `last` end it by SIGQUIT. `place` holds the
/// start that is under way, for whoever ends the run early.
pub(crate) async fn dumped(
    of: &Setting<'_>,
    place: &mut Option<Hands>,
    last: Box<dyn Experiment>,
) -> Result<Dumped, RunError> {
    let scratch = Recorder::new(Instant::now(), None);
    scratch.keep_secret(redact::known(of.settings, None));
    scratch.record(Event::Run(RunFacts::clone(
        &of.recorder.read(|seen| seen.run.clone()),
    )));
    let dump = match one(of, place, &scratch, last).await {
        Ok(()) => dump(&scratch),
        Err(Failed::Not(why)) => Err(why),
        Err(Failed::Begun(error)) => return Err(error),
    };
    if let Some(hands) = place {
        hands.end(END_GRACE).await;
    }
    *place = None;
    Ok((scratch, dump))
}

enum Failed {
    /// The start itself.
    Begun(RunError),
    /// What came of it.
    Not(String),
}

impl From<RunError> for Failed {
    fn from(error: RunError) -> Self {
        Self::Begun(error)
    }
}

/// One start, up to and with its end.
async fn one(
    of: &Setting<'_>,
    place: &mut Option<Hands>,
    scratch: &Recorder,
    last: Box<dyn Experiment>,
) -> Result<(), Failed> {
    let settings = of.settings;
    let receiver = Receiver::start(scratch.clone())
        .await
        .map_err(|error| RunError::Receiver(error.to_string()))?;
    let receiver = Arc::new(receiver);
    let mut values = of.values.clone();
    values.insert("otlp.addr".to_owned(), receiver.addr());
    values.insert("otlp.url".to_owned(), receiver.url());
    let mut start = settings.start.clone();
    start.env.retain(|(name, _)| name != "GOTRACEBACK");
    start.env.push(("GOTRACEBACK".to_owned(), "all".to_owned()));
    let service = launch(
        &settings.name,
        &start,
        Role::Target,
        settings,
        scratch,
        &receiver,
        &values,
    )
    .await?;
    let hands = place.insert(Hands::new(
        scratch.clone(),
        Target::Started(service),
        Arc::clone(&receiver),
        requests(settings),
        of.probe.clone(),
        settings.private.clone(),
    ));
    let ready = placed(settings.start.ready.as_deref(), &values)?;
    match start::target(hands, scratch, ready, settings.ready_timeout).await {
        Ok(_) => {}
        Err(NotReady::Ended) => return Err(Failed::Not("it ended by itself".into())),
        Err(NotReady::Late(why)) => return Err(Failed::Not(format!("it was not ready: {why}"))),
    }
    let steps: [Box<dyn Experiment>; 3] =
        [Box::new(Identify::default()), Box::new(Locate::new()), last];
    for step in steps {
        lanes::run(hands, scratch, &mut [step], LIMIT).await;
    }
    hands.end(END_GRACE).await;
    receiver.stop().await;
    Ok(())
}

/// A batch to fill pools and caches, and as many again in each further round.
fn per_request(recorder: &Recorder, round: usize) -> usize {
    let slowest = recorder.read(|seen| {
        let requests = 0..seen.run.requests.len();
        let usual = requests.filter_map(|request| seen.usual_duration(request));
        usual.map(|(_, median)| median).max()
    });
    let fast = slowest.is_some_and(|slowest| slowest < Duration::from_millis(50));
    (round + 1) * if fast { 30 } else { 10 }
}

/// What the process printed at its end.
fn dump(scratch: &Recorder) -> Result<ParsedGoroutines, String> {
    scratch.read(|seen| {
        if let Some(trouble) = seen.troubles.first() {
            return Err(trouble.what.clone());
        }
        if seen.lines_dropped().is_some() {
            return Err("it logged more than is kept, and lines of the dump are missing".into());
        }
        let stderr = seen
            .lines
            .iter()
            .filter(|line| line.stream == Stream::Stderr);
        let mut text = String::new();
        for line in stderr {
            text.push_str(&line.text);
            text.push('\n');
        }
        parse_quit(&text)
    })
}

/// Takes the dump over into the record of the run.
pub(crate) fn keep(
    recorder: &Recorder,
    began: At,
    label: String,
    dump: Result<ParsedGoroutines, String>,
) -> Result<(), String> {
    let parsed = dump?;
    let snapshot = Snapshot {
        at: began,
        until: recorder.now(),
        form: SnapshotForm::Full,
        label,
        total: parsed.total,
        groups: Vec::new(),
        truncated: false,
    };
    recorder.snapshot(snapshot, parsed.groups);
    Ok(())
}

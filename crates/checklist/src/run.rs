//! A run from start to report: the only place where deciding meets doing.
//!
//! receiver → dependencies → service → lanes → stop → source excerpts → report. Whatever happens,
//! every process is ended before the run returns, and the bundle is readable.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use shakedown_acquire::otlp::Receiver;
use shakedown_acquire::probe::{Headers, ProbeSettings};
use shakedown_acquire::process::{Service, StartError, remedy};
use shakedown_acquire::{Hands, Recorder};
use shakedown_evidence::bundle::{BundleError, Writer};
use shakedown_evidence::{Event, Evidence, Request, RequestKind, Role, RunFacts};
use shakedown_experiment::Action;
use shakedown_findings::RunReport;

use crate::launch::{launch, placed, values};
use crate::placeholder;
use crate::quote::quote_source;
use crate::start::{self, NotReady};
use crate::{Settings, assess, further_starts, lanes, plan, redact};

/// Lines of the service's log shown when it ends early.
const LAST_LINES: usize = 12;
/// Spans that were under way when the service ended may arrive so much later.
const FLUSH: Duration = Duration::from_millis(400);
/// How long processes may take to end when the run is over or was interrupted.
const END_GRACE: Duration = Duration::from_secs(2);

/// What a run came to.
#[derive(Debug)]
pub struct Outcome {
    /// The report.
    pub report: RunReport,
    /// Folder of the bundle.
    pub bundle: PathBuf,
    /// The run was interrupted.
    pub interrupted: bool,
    recorder: Recorder,
}

impl Outcome {
    /// Writes a file into the bundle, beside the evidence.
    pub fn keep(&self, name: &str, text: &str) {
        self.recorder.file(name, text.as_bytes());
    }

    /// What could not be written to the bundle, if anything.
    #[must_use]
    pub fn bundle_loss(&self) -> Option<BundleError> {
        self.recorder.take_loss()
    }
}

/// What a run tells while it goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// The next step began, which usually takes so long.
    Step {
        /// Its name.
        name: &'static str,
        /// Its usual length.
        usual: Duration,
    },
    /// The service is there.
    Ready(String),
}

/// Why a run could not begin. Everything that happens later is in the report.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The bundle cannot be written.
    #[error("the bundle cannot be written: {0}")]
    Bundle(#[from] BundleError),
    /// The span receiver cannot listen.
    #[error("the span receiver cannot listen on loopback: {0}")]
    Receiver(String),
    /// A placeholder in a command or an environment.
    #[error(transparent)]
    Placeholder(#[from] placeholder::Unknown),
    /// The service or a dependency cannot be started.
    #[error("{name} cannot be started: {source}")]
    Start {
        /// Which.
        name: String,
        /// Why.
        source: StartError,
    },
    /// A dependency did not become ready.
    #[error("dependency {name}: {why}")]
    Dependency {
        /// Which.
        name: String,
        /// What was missing, with its last lines.
        why: String,
    },
    /// A port for `{{port.NAME}}` cannot be had.
    #[error("no free port on loopback: {0}")]
    Port(std::io::Error),
    /// A header cannot be sent.
    #[error("{0}")]
    Header(String),
}

/// Runs the checklist. `interrupt` ends it early and orderly.
///
/// # Errors
/// It could not begin: nothing was started, or what was started is gone again.
pub async fn run(
    settings: &Settings,
    progress: &mut (dyn FnMut(Progress) + Send),
    interrupt: impl Future<Output = ()>,
) -> Result<Outcome, RunError> {
    let started = Instant::now();
    let headers = settings
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let headers = Headers::new(headers).map_err(RunError::Header)?;
    let writer = Writer::create(&settings.out)?;
    let recorder = Recorder::new(started, Some(writer));
    recorder.record(Event::Run(facts(settings)));
    let receiver = Receiver::start(recorder.clone())
        .await
        .map_err(|error| RunError::Receiver(error.to_string()))?;
    let receiver = Arc::new(receiver);
    let mut world = World::default();
    tokio::pin!(interrupt);
    let interrupted = tokio::select! {
        result = world.live(settings, &recorder, &receiver, headers, progress) => {
            if let Err(error) = result {
                world.end().await;
                receiver.stop().await;
                return Err(error);
            }
            false
        }
        () = &mut interrupt => true,
    };
    if interrupted {
        recorder.trouble("interrupted: the run was cut short");
    }
    world.end().await;
    receiver.stop().await;
    quote_source(settings, &recorder).await;
    if !interrupted {
        recorder.record(Event::Finished { at: recorder.now() });
    }
    Ok(Outcome {
        report: recorder.read(assess),
        bundle: settings.out.clone(),
        interrupted,
        recorder,
    })
}

fn facts(settings: &Settings) -> RunFacts {
    let unix = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    RunFacts {
        tool: env!("CARGO_PKG_VERSION").into(),
        started_unix_ns: u64::try_from(unix.as_nanos()).unwrap_or(u64::MAX),
        name: settings.name.clone(),
        command: redact::command(&settings.start.command),
        again: redact::command(&settings.again),
        window_ms: millis(settings.window),
        quick: settings.quick,
        only: settings.only.clone(),
        fail_on: settings.fail_on.name().into(),
        requests: requests(settings),
        private: settings.private.clone(),
        grace_ms: millis(settings.grace),
        source: settings
            .source
            .as_ref()
            .map(|path| path.display().to_string()),
        bundle: Some(settings.out.display().to_string()),
    }
}

/// The requests that were given; else the two that every service may be asked.
fn requests(settings: &Settings) -> Vec<Request> {
    if !settings.requests.is_empty() {
        return settings.requests.clone();
    }
    let made_up = |kind| Request {
        kind,
        deadline_ms: None,
        repeat_safe: true,
        given: false,
    };
    vec![
        made_up(RequestKind::Http {
            method: "GET".into(),
            target: "/".into(),
            body: String::new(),
        }),
        made_up(RequestKind::Grpc {
            method: "grpc.health.v1.Health/Check".into(),
            data: String::new(),
        }),
    ]
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The processes of a run.
#[derive(Default)]
struct World {
    dependencies: Vec<Service>,
    target: Option<Hands>,
    /// A start for a look at the goroutines.
    further: Option<Hands>,
}

impl World {
    /// Starts everything and runs the lanes.
    async fn live(
        &mut self,
        settings: &Settings,
        recorder: &Recorder,
        receiver: &Arc<Receiver>,
        headers: Headers,
        progress: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<(), RunError> {
        let values = values(settings, receiver)?;
        let usual = Duration::from_secs(2);
        for dependency in &settings.dependencies {
            progress(Progress::Step {
                name: "dependency",
                usual,
            });
            let role = Role::Dependency(dependency.name.clone());
            let service = launch(
                &dependency.name,
                &dependency.start,
                role,
                settings,
                recorder,
                receiver,
                &values,
            )
            .await?;
            let ready = placed(dependency.start.ready.as_deref(), &values)?;
            let outcome =
                start::dependency(&service, ready.as_deref(), settings.ready_timeout).await;
            let lines = service.last_lines(LAST_LINES);
            self.dependencies.push(service);
            outcome.map_err(|why| RunError::Dependency {
                name: dependency.name.clone(),
                why: with_lines(&why, &lines),
            })?;
        }
        progress(Progress::Step {
            name: "start",
            usual,
        });
        let service = launch(
            &settings.name,
            &settings.start,
            Role::Target,
            settings,
            recorder,
            receiver,
            &values,
        )
        .await?;
        let probe = ProbeSettings {
            headers: headers.clone(),
            ..ProbeSettings::default()
        };
        let hands = self.target.insert(Hands::new(
            recorder.clone(),
            service,
            Arc::clone(receiver),
            probe,
            settings.private.clone(),
        ));
        let ready_url = placed(settings.start.ready.as_deref(), &values)?;
        match start::target(hands, recorder, ready_url, settings.ready_timeout).await {
            Ok(how) => progress(Progress::Ready(how)),
            Err(NotReady::Ended) => {
                recorder.trouble(ended_early(hands));
                return Ok(());
            }
            Err(NotReady::Late(why)) => {
                recorder.trouble(with_lines(
                    &format!("the service never became ready: {why}"),
                    &hands.service().last_lines(LAST_LINES),
                ));
                // What can be seen of it is still worth a look, but no traffic is sent.
                hands.perform(Action::ReadExecutable).await;
                return Ok(());
            }
        }
        self.lanes(settings, recorder, progress).await;
        if recorder.read(|seen| further_starts::are_useful(settings, seen)) {
            // Its ports are wanted again.
            if let Some(hands) = &mut self.target {
                hands.end(END_GRACE).await;
            }
            progress(Progress::Step {
                name: "further starts",
                usual: Duration::from_secs(30),
            });
            recorder.mark("further starts, each ended by SIGQUIT");
            let of = further_starts::Setting {
                settings,
                recorder,
                values: &values,
                headers: &headers,
            };
            further_starts::run(&of, &mut self.further).await?;
        }
        Ok(())
    }

    async fn lanes(
        &mut self,
        settings: &Settings,
        recorder: &Recorder,
        progress: &mut (dyn FnMut(Progress) + Send),
    ) {
        let Some(hands) = &self.target else {
            return;
        };
        let mut read_of = None;
        for lane in plan::lanes(settings) {
            // Who answers the requests is known once their listeners are.
            let target = recorder.read(Evidence::target_pid);
            if read_of != target {
                read_of = target;
                hands.perform(Action::ReadExecutable).await;
            }
            progress(Progress::Step {
                name: lane.name,
                usual: lane.usual,
            });
            recorder.mark(format!("lane {}", lane.name));
            let mut experiments = recorder.read(|seen| (lane.experiments)(settings, seen));
            let ended = hands.service().wait_exit(Duration::from_secs(24 * 3600));
            let stopping = lane.name == "stop";
            tokio::select! {
                () = lanes::run(hands, recorder, &mut experiments, lane.limit) => {}
                exit = ended, if !stopping => {
                    if exit.is_some() {
                        recorder.trouble(ended_early(hands));
                        return;
                    }
                }
            }
        }
        tokio::time::sleep(FLUSH).await;
        hands.perform(Action::Canary).await;
    }

    /// Ends every process, the service first.
    async fn end(&mut self) {
        for hands in [&mut self.further, &mut self.target].into_iter().flatten() {
            hands.end(END_GRACE).await;
        }
        for dependency in &mut self.dependencies {
            dependency.end(END_GRACE).await;
        }
    }
}

/// Why the service ended, with its last lines and the likely remedy.
fn ended_early(hands: &Hands) -> String {
    let exit = hands.service().exit();
    let how = match exit.as_ref().map(|exit| (exit.code, exit.signal)) {
        Some((Some(code), _)) => format!("the service ended by itself with code {code}"),
        Some((_, Some(signal))) => format!("the service was ended by signal {signal}"),
        _ => "the service ended by itself".into(),
    };
    with_lines(&how, &hands.service().last_lines(LAST_LINES))
}

fn with_lines(what: &str, lines: &[String]) -> String {
    let mut text = what.to_owned();
    if let Some(remedy) = remedy(lines) {
        text.push_str("\nlikely remedy: ");
        text.push_str(&remedy);
    }
    if !lines.is_empty() {
        text.push_str("\nits last lines:");
        for line in lines {
            text.push_str("\n  ");
            text.extend(line.chars().take(300));
        }
    }
    text
}

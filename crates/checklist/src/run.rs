//! A run from start to report: the only place where deciding meets doing.
//!
//! receiver → dependencies → service → lanes → stop → source excerpts → report. Whatever happens,
//! every process is ended before the run returns, and the bundle is readable.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use shakedown_acquire::follow::{FollowError, Follower};
use shakedown_acquire::otlp::{Receiver, Senders};
use shakedown_acquire::probe::{self, Declared, Headers, ProbeSettings, TrustError};
use shakedown_acquire::process::{Service, StartError, Target, remedy};
use shakedown_acquire::{Hands, Recorder, Stalls};
use shakedown_evidence::bundle::{BundleError, Writer};
use shakedown_evidence::{Access, Event, Evidence, Request, RequestKind, Role, RunFacts};
use shakedown_experiment::Action;
use shakedown_findings::RunReport;

use crate::attach::{self, Found, NotFound};
use crate::launch::{check_stalls, launch, placed, placeholder_of, stalls, values};
use crate::placeholder::{self, Values};
use crate::quote::quote_source;
use crate::start::{self, NotReady};
use crate::{Settings, assess, lanes, plan, redact};

/// Lines of the service's log shown when it ends early.
const LAST_LINES: usize = 12;
/// Spans that were under way when the service ended may arrive so much later.
const FLUSH: Duration = Duration::from_millis(400);
/// Exporters send every five seconds, unless their environment is ours to set.
const FLUSH_OF_OTHERS: Duration = Duration::from_secs(7);
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
    /// A stall holds nothing back.
    #[error(
        "nothing goes through stall {name}: put {{stall.{name}.addr}} where the service takes the address {to}, in its command, --env or start.env"
    )]
    StallUnused {
        /// Its name.
        name: String,
        /// Where it leads.
        to: String,
    },
    /// A service that is said to run is not there, or not for us to look into.
    #[error(transparent)]
    Attach(#[from] NotFound),
    /// Whom to believe cannot be read.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// A log cannot be followed.
    #[error(transparent)]
    Log(#[from] FollowError),
    /// The file of descriptors says nothing.
    #[error("--proto-set: {0}")]
    ProtoSet(String),
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
    // Side by side: the clocks of spans and of the run are told apart by these two readings.
    let (started, calendar) = (Instant::now(), SystemTime::now());
    let headers = settings
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let headers = Headers::new(headers).map_err(RunError::Header)?;
    let declared = settings.proto_set.as_deref().map(Declared::of_set);
    let declared = declared.transpose().map_err(RunError::ProtoSet)?;
    let mut probe = ProbeSettings {
        headers,
        declared: declared.map(Arc::new),
        ..ProbeSettings::default()
    };
    if let Some(prefix) = &settings.pprof_prefix {
        probe.pprof_prefix.clone_from(prefix);
    }
    check_stalls(settings)?;
    if let Some(trust) = &settings.trust {
        probe::trust(trust)?;
    }
    let found = match &settings.attach {
        Some(attach) => Some(attach::find(attach).await?),
        None => None,
    };
    let exports_to = found.as_ref().and_then(Found::exports_to);
    let cwd = found.as_ref().and_then(Found::cwd).map(Path::to_owned);
    let writer = Writer::create(&settings.out)?;
    let recorder = Recorder::new(started, Some(writer));
    recorder.keep_secret(redact::known(settings, found.as_ref()));
    recorder.record(Event::Run(facts(settings, found.as_ref(), calendar)));
    // A running service cannot be told where we are: we listen where it sends to, if nobody does.
    let said = settings.attach.as_ref().and_then(|attach| attach.otlp);
    let also = said.or_else(|| exports_to.as_deref().and_then(attach::loopback_port));
    let receiver = match &settings.attach {
        None => Receiver::start(recorder.clone()).await,
        Some(attach) => {
            let senders = attach.pid.map_or(Senders::Anyone, Senders::OursAnd);
            Receiver::start_for(recorder.clone(), senders, also).await
        }
    };
    let receiver = receiver.map_err(|error| RunError::Receiver(error.to_string()))?;
    if let Some(port) = said {
        let wanted = format!("127.0.0.1:{port}");
        if !receiver.extra().contains(&wanted) {
            receiver.stop().await;
            return Err(RunError::Receiver(format!(
                "{wanted} is taken; what listens there now, and can it be stopped for this run? (ss -ltnp 'sport = :{port}')"
            )));
        }
    }
    let receiver = Arc::new(receiver);
    let mut world = World {
        found,
        ..World::default()
    };
    tokio::pin!(interrupt);
    let interrupted = tokio::select! {
        result = world.live(settings, &recorder, &receiver, probe, progress) => {
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
    let cwd = cwd.or_else(|| settings.start.cwd.clone());
    quote_source(settings, cwd, &recorder).await;
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

fn facts(settings: &Settings, found: Option<&Found>, calendar: SystemTime) -> RunFacts {
    let unix = calendar.duration_since(UNIX_EPOCH).unwrap_or_default();
    RunFacts {
        tool: env!("CARGO_PKG_VERSION").into(),
        started_unix_ns: u64::try_from(unix.as_nanos()).unwrap_or(u64::MAX),
        name: settings.name.clone(),
        access: Access {
            exports_to: found.and_then(Found::exports_to),
            ..settings.access()
        },
        command: match found {
            Some(found) => redact::command(&found.command()),
            None => redact::command(&settings.start.command),
        },
        again: redact::command(&settings.again),
        window_ms: millis(settings.window),
        quick: settings.quick,
        only: settings.only.clone(),
        fail_on: settings.fail_on.name().into(),
        requests: redact::requests(requests(settings)),
        stalls: settings.stalls.clone(),
        private: settings.private.clone(),
        grace_ms: millis(settings.grace),
        source: settings
            .source
            .as_ref()
            .map(|path| path.display().to_string()),
        bundle: Some(settings.out.display().to_string()),
    }
}

/// The requests that were given; else the two that every service of ours may be asked. One that is
/// not ours is asked nothing that nobody gave.
fn requests(settings: &Settings) -> Vec<Request> {
    if !settings.requests.is_empty() || settings.attach.is_some() {
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

/// Takes the ports of a collector once the service is ready. One that is not ready after so long
/// may be waiting for its collector.
async fn with_collector<T>(
    ready: impl Future<Output = T>,
    receiver: &Receiver,
    patience: Duration,
) -> T {
    tokio::pin!(ready);
    let outcome = tokio::time::timeout(patience, &mut ready).await;
    receiver.listen_for_defaults().await;
    match outcome {
        Ok(outcome) => outcome,
        Err(_) => ready.await,
    }
}

/// The processes of a run.
#[derive(Default)]
struct World {
    stalls: Arc<Stalls>,
    /// A service that runs already, until it is taken.
    found: Option<Found>,
    logs: Vec<Follower>,
    dependencies: Vec<Service>,
    target: Option<Hands>,
}

impl World {
    /// Starts or finds everything and runs the lanes.
    async fn live(
        &mut self,
        settings: &Settings,
        recorder: &Recorder,
        receiver: &Arc<Receiver>,
        probe: ProbeSettings,
        progress: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<(), RunError> {
        let mut values = values(settings, receiver)?;
        let led = stalls(settings, &values)?;
        let opened = Stalls::start(&led).await.map_err(RunError::Port)?;
        let addresses = opened.addresses();
        values.extend(addresses.map(|(name, addr)| (placeholder_of(name), addr.to_string())));
        self.stalls = Arc::new(opened);
        for source in &settings.logs {
            let may_come = settings.attach.is_none();
            let guardian = Some(settings.guardian.clone());
            let log = Follower::start(recorder.clone(), source, may_come, guardian).await?;
            self.logs.push(log);
        }
        let target = match self.found.take() {
            Some(found) => found.take(settings, recorder),
            None => {
                self.start(settings, recorder, receiver, &values, progress)
                    .await?
            }
        };
        let hands = Hands::new(
            recorder.clone(),
            target,
            Arc::clone(receiver),
            requests(settings),
            probe,
            settings.private.clone(),
        );
        let hands = self
            .target
            .insert(hands.with_stalls(Arc::clone(&self.stalls)));
        let ready_url = placed(settings.start.ready.as_deref(), &values)?;
        let ready = start::target(hands, recorder, ready_url, settings.ready_timeout);
        match with_collector(ready, receiver, settings.ready_timeout / 2).await {
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
        Ok(())
    }

    /// Starts what the service needs, and the service.
    async fn start(
        &mut self,
        settings: &Settings,
        recorder: &Recorder,
        receiver: &Arc<Receiver>,
        values: &Values,
        progress: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Target, RunError> {
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
                values,
            )
            .await?;
            let ready = placed(dependency.start.ready.as_deref(), values)?;
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
            values,
        )
        .await?;
        Ok(Target::Started(service))
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
        let access = settings.access();
        for lane in plan::lanes(settings) {
            if let Some((why, _)) = lane.takes.and_then(|consent| access.refusal(consent)) {
                recorder.mark(format!("lane {} left out: {why}", lane.name));
                continue;
            }
            // Who answers the requests is known once their listeners are.
            let target = recorder.read(Evidence::target_pid);
            if read_of != target && access.has_process() {
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
            // A lane that was left may have left a stall holding.
            self.stalls.release_all(recorder);
        }
        for why in self.stalls.unused() {
            recorder.trouble(why);
        }
        let ours = access.is_ours() || hands.service().exit().is_some();
        let waits = if ours || settings.requests.is_empty() {
            FLUSH
        } else {
            FLUSH_OF_OTHERS
        };
        tokio::time::sleep(waits).await;
        hands.perform(Action::Canary).await;
    }

    /// Ends every process that we started, the service first.
    async fn end(&mut self) {
        if let Some(hands) = &mut self.target {
            hands.end(END_GRACE).await;
        }
        for dependency in &mut self.dependencies {
            dependency.end(END_GRACE).await;
        }
        for log in self.logs.drain(..) {
            log.end().await;
        }
    }
}

/// Why the service ended, with its last lines and the likely remedy.
fn ended_early(hands: &Hands) -> String {
    let exit = hands.service().exit();
    if let Target::Attached(_) = hands.service() {
        return "the process ended while it was looked at; shakedown had sent it no signal. If something has restarted it, run again with its new --pid".into();
    }
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

//! A run from start to report: the only place where deciding meets doing.
//!
//! receiver → dependencies → service → lanes → stop → source excerpts → report. Whatever happens,
//! every process is ended before the run returns, and the bundle is readable.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use shakedown_acquire::Recorder;
use shakedown_acquire::follow::FollowError;
use shakedown_acquire::otlp::{Receiver, Senders};
use shakedown_acquire::probe::{self, Declared, Headers, ProbeSettings, TrustError};
use shakedown_acquire::process::StartError;
use shakedown_evidence::bundle::{BundleError, Writer};
use shakedown_evidence::{Access, Event, Request, RequestKind, RunFacts};
use shakedown_findings::RunReport;

use crate::attach::{self, Found, NotFound};
use crate::launch::check_stalls;
use crate::placeholder;
use crate::quote::quote_source;
use crate::world::World;
use crate::{Settings, assess, redact};

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
    /// A service that runs already has its addresses from somebody else.
    #[error(
        "stall {name} cannot come between a service that runs already and what it is connected to; let shakedown start the service: `-- COMMAND`"
    )]
    StallAttached {
        /// Its name.
        name: String,
    },
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
    let mut world = World::of(found);
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
pub(crate) fn requests(settings: &Settings) -> Vec<Request> {
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

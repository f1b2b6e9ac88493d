//! The processes of a run: what is started or found, taken through the lanes, and ended.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use shakedown_acquire::follow::Follower;
use shakedown_acquire::otlp::Receiver;
use shakedown_acquire::probe::ProbeSettings;
use shakedown_acquire::process::{Service, Target, remedy};
use shakedown_acquire::{Hands, Recorder, Stalls};
use shakedown_evidence::{Evidence, Role};
use shakedown_experiment::Action;

use crate::attach::Found;
use crate::launch::{launch, placed, placeholder_of, stalls, values};
use crate::placeholder::Values;
use crate::run::{Progress, RunError, requests};
use crate::start::{self, NotReady};
use crate::{Settings, further_starts, lanes, plan, quit_audits};

/// Lines of the service's log shown when it ends early.
const LAST_LINES: usize = 12;
/// Spans that were under way when the service ended may arrive so much later.
const FLUSH: Duration = Duration::from_millis(400);
/// Exporters send every five seconds, unless their environment is ours to set.
const FLUSH_OF_OTHERS: Duration = Duration::from_secs(7);
/// How long processes may take to end when the run is over or was interrupted.
const END_GRACE: Duration = Duration::from_secs(2);

/// The processes of a run.
#[derive(Default)]
pub(crate) struct World {
    stalls: Arc<Stalls>,
    /// A service that runs already, until it is taken.
    found: Option<Found>,
    logs: Vec<Follower>,
    dependencies: Vec<Service>,
    target: Option<Hands>,
    /// A start for a look at the goroutines.
    further: Option<Hands>,
}

impl World {
    pub(crate) fn of(found: Option<Found>) -> Self {
        Self {
            found,
            ..Self::default()
        }
    }

    /// Starts or finds everything and runs the lanes.
    pub(crate) async fn live(
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
            probe.clone(),
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
        let (leaks, audits) = recorder.read(|seen| {
            (
                further_starts::are_useful(settings, seen),
                quit_audits::are_useful(settings, seen),
            )
        });
        if leaks || audits {
            progress(Progress::Step {
                name: "further starts",
                usual: Duration::from_secs(if leaks && audits { 45 } else { 25 }),
            });
            self.start_further(settings, recorder, &values, &probe, (leaks, audits))
                .await?;
        }
        Ok(())
    }

    /// Starts the service again for its goroutines. Its stalls are the same, and hold nothing.
    async fn start_further(
        &mut self,
        settings: &Settings,
        recorder: &Recorder,
        values: &Values,
        probe: &ProbeSettings,
        (leaks, audits): (bool, bool),
    ) -> Result<(), RunError> {
        // Its ports are wanted again, and what it logs from now on is no evidence.
        if let Some(hands) = &mut self.target {
            hands.end(END_GRACE).await;
        }
        self.end_logs().await;
        recorder.mark("further starts, each ended by SIGQUIT");
        let of = further_starts::Setting {
            settings,
            recorder,
            values,
            probe,
        };
        if leaks {
            further_starts::run(&of, &mut self.further).await?;
        }
        if audits {
            quit_audits::run(&of, &mut self.further).await?;
        }
        Ok(())
    }

    async fn end_logs(&mut self) {
        for log in self.logs.drain(..) {
            log.end().await;
        }
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
    pub(crate) async fn end(&mut self) {
        for hands in [&mut self.further, &mut self.target].into_iter().flatten() {
            hands.end(END_GRACE).await;
        }
        for dependency in &mut self.dependencies {
            dependency.end(END_GRACE).await;
        }
        self.end_logs().await;
    }
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

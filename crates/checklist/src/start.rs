//! Waits until a process that was just started is ready, or shows that it will not be.

use std::time::Duration;

use shakedown_acquire::probe::{Headers, ask_ready};
use shakedown_acquire::process::Service;
use shakedown_acquire::{Hands, Recorder, listeners};
use shakedown_evidence::{Event, Readiness};
use shakedown_experiment::{Action, Decision, Look, Watch};

/// Between two looks at a dependency.
const PACE: Duration = Duration::from_millis(100);

/// Why the service is not ready.
pub(crate) enum NotReady {
    /// It ended.
    Ended,
    /// It did not become ready within its time.
    Late(String),
}

/// Watches the service until it is ready, and records what was decided.
pub(crate) async fn target(
    hands: &Hands,
    recorder: &Recorder,
    url: Option<String>,
    patience: Duration,
) -> Result<String, NotReady> {
    let mut watch = Watch::new(url, patience);
    let mut answer = None;
    loop {
        if hands.service().exit().is_some() {
            return Err(NotReady::Ended);
        }
        let now = recorder.now();
        match recorder.read(|seen| watch.next(seen, now, answer.as_ref())) {
            Look::Do(Action::AskReady(url)) => {
                answer = Some(ask_ready(&url, hands.headers()).await);
                // Listeners are wanted later, whatever the URL says.
                hands.perform(Action::ScanListeners).await;
            }
            Look::Do(action) => hands.perform(action).await,
            Look::Wait(until) => {
                tokio::time::sleep(until.since(recorder.now()).max(Duration::from_millis(1))).await;
            }
            Look::Decided(decision) => {
                let (by, ready) = match &decision {
                    Decision::Ready(by) => (by.clone(), true),
                    Decision::NotReady(why) => (why.clone(), false),
                };
                recorder.record(Event::Ready(Readiness {
                    at: recorder.now(),
                    by,
                    ready,
                }));
                return match decision {
                    Decision::Ready(how) => Ok(how),
                    Decision::NotReady(why) => Err(NotReady::Late(why)),
                };
            }
        }
    }
}

/// Waits for a dependency: its URL, else its first listener.
pub(crate) async fn dependency(
    service: &Service,
    url: Option<&str>,
    patience: Duration,
) -> Result<(), String> {
    let began = tokio::time::Instant::now();
    let mut last = String::from("no listener");
    while began.elapsed() < patience {
        if let Some(exit) = service.exit() {
            return Err(format!(
                "it ended by itself with {}",
                exit.code
                    .map_or("a signal".into(), |code| format!("code {code}"))
            ));
        }
        match url {
            Some(url) => match ask_ready(url, &Headers::default()).await {
                Ok(_) => return Ok(()),
                Err(why) => last = why,
            },
            None => {
                if listeners::scan(&service.tree()).is_ok_and(|found| !found.is_empty()) {
                    return Ok(());
                }
            }
        }
        tokio::time::sleep(PACE).await;
    }
    Err(format!("not ready within {} s: {last}", patience.as_secs()))
}

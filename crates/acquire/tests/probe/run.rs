//! A run with a recorder in memory, as short as a test wants it.

use std::time::{Duration, Instant};

use shakedown_acquire::Recorder;
use shakedown_acquire::probe::{Caller, Headers, ProbeSettings, identify};
use shakedown_evidence::{Call, CallEnd, Evidence, ListenerFacts, Purpose, Request, RequestKind};
use shakedown_experiment::CallPlan;
use tokio::time::timeout;

/// Far more than any of it takes, for a machine that is busy with something else.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn recorder() -> Recorder {
    Recorder::new(Instant::now(), None)
}

/// Everything recorded so far.
pub(crate) fn seen(recorder: &Recorder) -> Evidence {
    recorder.read(Clone::clone)
}

/// What a listener was found to be, and all that was recorded.
pub(crate) async fn facts(reach: &str) -> (ListenerFacts, Evidence) {
    let recorder = recorder();
    identify(&recorder, reach, &ProbeSettings::default()).await;
    let seen = seen(&recorder);
    let facts = seen
        .facts_of(reach)
        .expect("the facts are recorded")
        .clone();
    (facts, seen)
}

pub(crate) fn grpc(method: &str, data: &str) -> Request {
    request(RequestKind::Grpc {
        method: method.to_owned(),
        data: data.to_owned(),
    })
}

pub(crate) fn http(method: &str, target: &str, body: &str) -> Request {
    request(RequestKind::Http {
        method: method.to_owned(),
        target: target.to_owned(),
        body: body.to_owned(),
    })
}

fn request(kind: RequestKind) -> Request {
    Request {
        kind,
        deadline_ms: None,
        repeat_safe: true,
        given: true,
    }
}

pub(crate) fn plan(reach: &str, purpose: Purpose) -> CallPlan {
    CallPlan {
        request: 0,
        purpose,
        reach: reach.to_owned(),
        deadline: None,
        cancel_after: None,
        patience: PATIENCE,
    }
}

pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A caller with one request, number 0.
pub(crate) struct Run {
    pub(crate) recorder: Recorder,
    pub(crate) caller: Caller,
}

impl Run {
    pub(crate) fn of(request: Request) -> Self {
        let recorder = recorder();
        let headers = Headers::new([("x-extra", "from the configuration")]).expect("fine headers");
        let settings = ProbeSettings {
            headers,
            ..ProbeSettings::default()
        };
        let caller = Caller::new(recorder.clone(), vec![request], settings);
        Self { recorder, caller }
    }

    /// Sends it and waits for its end.
    pub(crate) async fn ended(&self, plan: CallPlan) -> Call {
        let id = self.caller.call(plan).await;
        self.end_of(id).await
    }

    pub(crate) async fn end(&self, plan: CallPlan) -> CallEnd {
        self.ended(plan).await.ended.expect("it has ended").end
    }

    pub(crate) async fn end_of(&self, id: u32) -> Call {
        let mut changes = self.recorder.changes();
        let ended = async {
            loop {
                let call = self.call(id);
                if call.ended.is_some() {
                    return call;
                }
                changes.changed().await.expect("the recorder lives");
            }
        };
        timeout(PATIENCE, ended)
            .await
            .expect("the call ends in time")
    }

    pub(crate) fn call(&self, id: u32) -> Call {
        let call = seen(&self.recorder)
            .calls
            .into_iter()
            .find(|call| call.sent.id == id);
        call.expect("it was recorded as sent")
    }

    /// The texts of all failures.
    pub(crate) fn failures(&self) -> Vec<String> {
        seen(&self.recorder)
            .failures
            .into_iter()
            .map(|failure| failure.why)
            .collect()
    }
}

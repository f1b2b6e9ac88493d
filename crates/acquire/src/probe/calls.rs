//! Carries out the requests of the run in the background.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use shakedown_evidence::{
    CallEnd, CallEnded, CallSent, Event, Listener, Methods, ProbeKind, Purpose, Request,
    RequestKind,
};
use shakedown_experiment::CallPlan;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use super::connections::{Connections, Lane};
use super::grpc::{GrpcAsk, Keep, Stay};
use super::h1::Ask;
use super::half::{Holds, Rest};
use super::message::frame;
use super::schemas::{self, Schemas, Server};
use super::{ProbeSettings, TraceParent, grpc, http};
use crate::Recorder;

/// Sends requests and records when each went out and how it ended. Dropping it ends those that are
/// still under way and closes every connection.
#[derive(Debug)]
pub struct Caller {
    line: Arc<Line>,
    tasks: Mutex<JoinSet<()>>,
    closing: watch::Sender<()>,
}

/// What all calls share.
#[derive(Debug)]
struct Line {
    recorder: Recorder,
    requests: Vec<Request>,
    settings: ProbeSettings,
    connections: Connections,
    schemas: Schemas,
    holds: Holds,
    numbers: AtomicU32,
}

impl Caller {
    /// A caller for the run's requests.
    #[must_use]
    pub fn new(recorder: Recorder, requests: Vec<Request>, settings: ProbeSettings) -> Self {
        Self {
            line: Arc::new(Line {
                recorder,
                requests,
                connections: Connections::default(),
                schemas: Schemas::new(settings.declared.clone()),
                holds: Holds::default(),
                settings,
                numbers: AtomicU32::new(1),
            }),
            tasks: Mutex::default(),
            closing: watch::Sender::new(()),
        }
    }

    /// Sends a request and returns its number as soon as it is on its way or has failed: its
    /// [`CallSent`] is recorded then. How it ends is recorded in the background.
    pub async fn call(&self, plan: CallPlan) -> u32 {
        self.begin(plan, false).await
    }

    async fn begin(&self, plan: CallPlan, half: bool) -> u32 {
        let line = Arc::clone(&self.line);
        let id = line.numbers.fetch_add(1, Ordering::Relaxed);
        let (on_its_way, sent) = oneshot::channel();
        let attempt = Attempt {
            id,
            plan,
            half,
            trace: TraceParent::fresh(),
            on_its_way: Mutex::new(Some(on_its_way)),
        };
        let mut closing = self.closing.subscribe();
        {
            let mut tasks = lock(&self.tasks);
            while tasks.try_join_next().is_some() {}
            tasks.spawn(async move {
                let end = tokio::select! {
                    biased;
                    end = line.perform(&attempt) => end,
                    _ = closing.changed() => CallEnd::Failed {
                        why: "shakedown closed its connections before an answer came".to_owned(),
                    },
                };
                line.ended(&attempt, end);
            });
        }
        // An error means that the task was ended with the caller.
        let _ = sent.await;
        id
    }

    /// As [`Self::call`], but the second half of the body is held back.
    pub async fn call_half(&self, plan: CallPlan) -> u32 {
        self.begin(plan, true).await
    }

    /// Sends the second half of a body that is held back.
    pub fn finish(&self, id: u32) {
        self.line.holds.finish(id);
    }

    /// Finds out which methods a listener has and records them, each with a message made up for it.
    pub async fn list_methods(&self, reach: &str) {
        let line = &self.line;
        match line.schemas.methods(line.server(reach)).await {
            Ok((from, methods)) => line.recorder.record(Event::Methods(Methods {
                at: line.recorder.now(),
                reach: reach.to_owned(),
                from,
                methods,
            })),
            // Nothing depends on it but an example in the report.
            Err(why) => line.recorder.mark(format!("methods of {reach}: {why}")),
        }
    }

    /// Calls that have not ended.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        let mut tasks = lock(&self.tasks);
        while tasks.try_join_next().is_some() {}
        tasks.len()
    }

    /// Ends calls that are under way, closes every connection to the service and waits until they
    /// are closed. Later calls open new ones.
    pub async fn close_all(&self) {
        self.closing.send_replace(());
        let mut tasks = std::mem::take(&mut *lock(&self.tasks));
        while tasks.join_next().await.is_some() {}
        self.line.connections.close_all().await;
    }
}

/// One request under way.
#[derive(Debug)]
struct Attempt {
    id: u32,
    plan: CallPlan,
    /// The second half of its body is held back.
    half: bool,
    trace: TraceParent,
    /// Taken when the request has gone out.
    on_its_way: Mutex<Option<oneshot::Sender<()>>>,
}

impl Attempt {
    fn is_on_its_way(&self) -> bool {
        lock(&self.on_its_way).is_none()
    }

    fn stay(&self) -> Stay {
        Stay {
            cancel_after: self.plan.cancel_after,
            patience: self.plan.patience,
        }
    }
}

impl Line {
    async fn perform(&self, attempt: &Attempt) -> CallEnd {
        match self
            .requests
            .get(attempt.plan.request)
            .map(|request| &request.kind)
        {
            None => CallEnd::Failed {
                why: format!("there is no request {}", attempt.plan.request),
            },
            Some(RequestKind::Grpc { method, data }) => self.grpc(attempt, method, data).await,
            Some(RequestKind::Http {
                method,
                target,
                body,
            }) => self.http(attempt, method, target, body).await,
        }
    }

    async fn grpc(&self, attempt: &Attempt, method: &str, data: &str) -> CallEnd {
        let reach = attempt.plan.reach.as_str();
        // Whether there is such a method is told when its listener is looked for; an empty message
        // needs no descriptors.
        let body = if schemas::is_empty(data) && attempt.plan.purpose != Purpose::Locate {
            Ok(frame(b""))
        } else {
            let server = self.server(reach);
            let made = self.schemas.request(server, method, data).await;
            if let Some(why) = made.note {
                self.recorder
                    .failed(ProbeKind::Call, format!("{method} at {reach}"), why);
            }
            made.body
        };
        let ask = match body {
            Ok(body) => GrpcAsk {
                path: format!("/{}", method.strip_prefix('/').unwrap_or(method)),
                body,
                headers: self.settings.headers.with(&attempt.trace),
                deadline: attempt.plan.deadline,
            },
            Err(why) => return CallEnd::Failed { why },
        };
        let end = self.over_held(attempt, ask.clone()).await;
        // The connection was going away just then and the request never left: gRPC calls this a
        // transparent retry.
        if matches!(end, CallEnd::Failed { .. }) && !attempt.is_on_its_way() {
            return self.over_held(attempt, ask).await;
        }
        end
    }

    fn server<'a>(&'a self, reach: &'a str) -> Server<'a> {
        let of = |listener: &Listener| (listener.reach == reach).then_some(listener.pid);
        Server {
            reach,
            pid: self
                .recorder
                .read(|seen| seen.listeners.iter().find_map(of)),
            headers: &self.settings.headers,
        }
    }

    async fn over_held(&self, attempt: &Attempt, ask: GrpcAsk) -> CallEnd {
        let reach = attempt.plan.reach.as_str();
        match self
            .connections
            .get(reach, Lane::of(attempt.plan.purpose))
            .await
        {
            Ok(channel) => {
                let sent = || self.sent(attempt, reach);
                let stay = attempt.stay();
                if attempt.half {
                    let (body, rest) = self.cut(attempt, ask.body.clone());
                    let ask = GrpcAsk { body, ..ask };
                    return grpc::call_half(&channel, ask, rest, stay, sent).await;
                }
                grpc::call(&channel, ask, stay, sent, Keep::Nothing).await
            }
            Err(why) => CallEnd::Failed { why },
        }
    }

    async fn http(&self, attempt: &Attempt, method: &str, target: &str, body: &str) -> CallEnd {
        let headers = self.settings.headers.with(&attempt.trace);
        let made = http::resolve(target, &attempt.plan.reach)
            .and_then(|(reach, path)| Ok((reach, http::request(method, path, body, headers)?)));
        match made {
            Ok((reach, ask)) if attempt.half => {
                let (body, rest) = self.cut(attempt, ask.body.clone());
                let (ask, sent) = (Ask { body, ..ask }, || self.sent(attempt, &reach));
                http::call_half(&reach, ask, rest, attempt.stay(), sent).await
            }
            Ok((reach, ask)) => {
                http::call(&reach, ask, attempt.stay(), || self.sent(attempt, &reach)).await
            }
            Err(why) => CallEnd::Failed { why },
        }
    }

    /// The two halves of a body.
    fn cut(&self, attempt: &Attempt, body: Bytes) -> (Bytes, Rest) {
        let told = self.holds.hold(attempt.id);
        Rest::cut(body, told, self.recorder.clone(), attempt.id)
    }

    fn sent(&self, attempt: &Attempt, reach: &str) {
        let Some(on_its_way) = lock(&attempt.on_its_way).take() else {
            return;
        };
        let millis =
            |span: std::time::Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        self.recorder.record(Event::CallSent(CallSent {
            id: attempt.id,
            request: attempt.plan.request,
            purpose: attempt.plan.purpose,
            at: self.recorder.now(),
            reach: reach.to_owned(),
            trace_id: attempt.trace.trace_id().to_owned(),
            span_id: attempt.trace.span_id().to_owned(),
            deadline_ms: attempt.plan.deadline.map(millis),
            cancel_after_ms: attempt.plan.cancel_after.map(millis),
        }));
        // Nobody waits any more if the one who called has gone.
        let _ = on_its_way.send(());
    }

    fn ended(&self, attempt: &Attempt, end: CallEnd) {
        let at = self.recorder.now();
        self.holds.forget(attempt.id);
        // A call that never went out is recorded too, so that its failure has a place.
        self.sent(attempt, &attempt.plan.reach);
        let id = attempt.id;
        self.recorder
            .record(Event::CallEnded(CallEnded { id, at, end }));
    }
}

/// A panic in a task is our own bug; what it left behind is whole.
fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

//! What does this listener speak?
//!
//! Asked gently: each question is one request on a connection that is closed properly, none is
//! repeated, and all carry ids that are recorded, so that what they leave in the service's logs
//! and spans is not taken for traffic.

use std::collections::BTreeSet;
use std::time::Duration;

use http::StatusCode;
use shakedown_evidence::{
    CallEnd, CommandLine, Event, ListenerFacts, PprofEndpoint, ProbeKind, Speaks, parse_total,
    url_at,
};
use tokio::time::{Instant, timeout};

use super::connect::H2c;
use super::greeting::{Greeting, greet, is_tls};
use super::grpc::{self, GrpcAsk, Keep, Stay};
use super::h1::{self, Answer, Ask, Bounds, Failure};
use super::message::frame;
use super::pprof_listing::{self, Listing};
use super::ready::check_health;
use super::reflect::Mirror;
use super::tls::TLS;
use super::{ProbeSettings, ReflectError, TraceParent};
use crate::Recorder;

/// For one question; a listener that needs longer is unclear.
const QUESTION: Duration = Duration::from_secs(2);
/// For all questions together.
const ALL: Duration = Duration::from_secs(12);
/// What is read of an answer: indexes and the beginnings of profiles.
const PAGE: Bounds = Bounds::whole(256 << 10);

/// Asks a listener what it speaks and records [`Event::ListenerFacts`], before it
/// [`Event::Pprof`] where net/http/pprof answers.
pub async fn identify(recorder: &Recorder, reach: &str, settings: &ProbeSettings) {
    let mut asking = Asking {
        reach,
        settings,
        until: Instant::now() + ALL,
        traces: Vec::new(),
        speaks: BTreeSet::new(),
        services: Vec::new(),
        unclear: Vec::new(),
        pprof_unclear: None,
    };
    let listing = asking.all().await;
    let at = recorder.now();
    if let Some((path, why)) = asking.pprof_unclear {
        recorder.failed(ProbeKind::Pprof, url_at(reach, &path), why);
    }
    if let Some(cmdline) = &listing.cmdline {
        let from = url_at(reach, &format!("{}cmdline", settings.pprof_prefix));
        recorder.record(Event::CommandLine(CommandLine::read(at, from, cmdline)));
    }
    if !listing.profiles.is_empty() {
        recorder.record(Event::Pprof(PprofEndpoint {
            at,
            reach: reach.to_owned(),
            prefix: settings.pprof_prefix.clone(),
            profiles: listing.profiles,
            asked: listing.asked,
        }));
    }
    recorder.record(Event::ListenerFacts(ListenerFacts {
        at,
        reach: reach.to_owned(),
        speaks: asking.speaks.into_iter().collect(),
        services: asking.services,
        probe_traces: asking.traces,
        unclear: (!asking.unclear.is_empty()).then(|| asking.unclear.join("; ")),
    }));
}

struct Asking<'a> {
    reach: &'a str,
    settings: &'a ProbeSettings,
    until: Instant,
    traces: Vec<String>,
    speaks: BTreeSet<Speaks>,
    services: Vec<String>,
    unclear: Vec<String>,
    /// Where pprof may be although it was not found, and why.
    pprof_unclear: Option<(String, String)>,
}

impl Asking<'_> {
    /// All questions; what pprof has here.
    async fn all(&mut self) -> Listing {
        let headers = self.settings.headers.with(&self.trace());
        let greeting = match greet(self.reach, &headers, QUESTION).await {
            Ok(greeting) => greeting,
            Err(why) => {
                self.unclear.push(why);
                return Listing::default();
            }
        };
        match greeting {
            Greeting::Http2(stream) => {
                match H2c::over(stream, self.reach).await {
                    Ok(connection) => self.http2(connection).await,
                    Err(why) => self.unclear.push(why),
                }
                // Inside of TLS a server that speaks both prefers HTTP/2; a gRPC server is none.
                if self.reach.starts_with(TLS) && !self.speaks.contains(&Speaks::Grpc) {
                    return self.http1_inside().await;
                }
            }
            Greeting::Http2Elsewhere => _ = self.preface().await,
            Greeting::Http1 => {
                self.speaks.insert(Speaks::Http1);
                self.preface().await;
                return self.pages().await;
            }
            Greeting::Tls => self.tls(),
            Greeting::Other(said) => self.unclear.push(format!(
                "it speaks another protocol; its first words: `{said}`"
            )),
            Greeting::Closed => {
                if !self.preface().await && is_tls(self.reach, QUESTION).await {
                    self.tls();
                } else if self.speaks.is_empty() {
                    self.unclear
                        .push("it closes connections without an answer".to_owned());
                }
            }
            Greeting::Silent => return self.silent().await,
        }
        Listing::default()
    }

    fn trace(&mut self) -> TraceParent {
        let trace = TraceParent::fresh();
        self.traces.push(trace.trace_id().to_owned());
        trace
    }

    fn tls(&mut self) {
        self.speaks.insert(Speaks::Tls);
        self.unclear.push(
            "it speaks TLS; what is inside was not looked at: --ca FILE or --insecure".to_owned(),
        );
    }

    /// Pages of a server that has agreed on HTTP/2, if it takes HTTP/1.1 as well.
    async fn http1_inside(&mut self) -> Listing {
        if self.page("/").await.is_err() {
            return Listing::default();
        }
        self.speaks.insert(Speaks::Http1);
        self.pages().await
    }

    /// `GET /` may hang although the server is alive: it answers `OPTIONS *` without a handler.
    async fn silent(&mut self) -> Listing {
        let mut options = Ask::get("*", self.settings.headers.with(&self.trace()));
        options.method = http::Method::OPTIONS;
        if h1::ask(self.reach, options, PAGE, QUESTION).await.is_err() {
            self.unclear.push(format!(
                "it accepts connections and answers nothing within {QUESTION:?}"
            ));
            return Listing::default();
        }
        self.speaks.insert(Speaks::Http1);
        self.unclear
            .push(format!("GET / was not answered within {QUESTION:?}"));
        self.pages().await
    }

    /// HTTP/2 by prior knowledge; true if it is spoken.
    async fn preface(&mut self) -> bool {
        let Ok(mut connection) = H2c::connect(self.reach).await else {
            return false;
        };
        let speaks = matches!(timeout(QUESTION, connection.answers()).await, Ok(Ok(())));
        if speaks {
            self.http2(connection).await;
        } else {
            connection.close().await;
        }
        speaks
    }

    /// What is to be asked of a server that speaks HTTP/2.
    async fn http2(&mut self, connection: H2c) {
        self.speaks.insert(Speaks::H2c);
        let headers = self.settings.headers.with(&self.trace());
        match Mirror::of(&connection, &headers).list().await {
            Ok(reflection) => {
                self.speaks.extend([Speaks::Grpc, Speaks::Reflection]);
                self.services = reflection.services;
            }
            // A status is an answer that only gRPC gives.
            Err(ReflectError::Missing) => _ = self.speaks.insert(Speaks::Grpc),
            Err(refused @ ReflectError::Refused { .. }) => {
                self.speaks.insert(Speaks::Grpc);
                self.unclear.push(refused.to_string());
            }
            Err(ReflectError::Broken(why)) => self.unknown_method(&connection, why).await,
        }
        if self.speaks.contains(&Speaks::Grpc) {
            let trace = self.trace();
            let (end, _) = check_health(&connection, "", &self.settings.headers, &trace).await;
            // NOT_FOUND: there is a health service, and it knows no service of this name.
            if matches!(end, CallEnd::Status { code: 0 | 5, .. }) {
                self.speaks.insert(Speaks::Health);
            }
        }
        connection.close().await;
    }

    /// gRPC answers UNIMPLEMENTED to what it does not know, even where reflection breaks.
    async fn unknown_method(&mut self, connection: &H2c, why: String) {
        let ask = GrpcAsk {
            path: "/shakedown.v1.Nothing/Ask".to_owned(),
            body: frame(b""),
            headers: self.settings.headers.with(&self.trace()),
            deadline: None,
        };
        let end = grpc::call(
            &connection.channel,
            ask,
            Stay::patience(QUESTION),
            || (),
            Keep::Nothing,
        )
        .await;
        if matches!(end, CallEnd::Status { .. }) {
            self.speaks.insert(Speaks::Grpc);
            self.unclear.push(why);
        }
    }

    /// pprof and Prometheus; what the former has.
    async fn pages(&mut self) -> Listing {
        let metrics = self.page("/metrics").await;
        if let Some(page) = metrics.ok().filter(is_prometheus) {
            self.speaks.insert(Speaks::Prometheus);
            if parse_total(&page.text()).is_some() {
                self.speaks.insert(Speaks::GoroutineMetric);
            }
        }
        let prefix = self.settings.pprof_prefix.clone();
        let mut listing =
            pprof_listing::look(&prefix, async |path: &str| self.page(path).await).await;
        let told = listing.unclear.iter();
        self.unclear
            .extend(told.map(|(path, why)| format!("{path}: {why}")));
        if listing.profiles.is_empty() {
            self.pprof_unclear = listing.unclear.take();
        } else {
            self.speaks.insert(Speaks::Pprof);
        }
        if Instant::now() > self.until {
            self.unclear.push(format!(
                "its answers took longer than {ALL:?}; some questions were not asked"
            ));
        }
        listing
    }

    async fn page(&mut self, path: &str) -> Result<Answer, Failure> {
        if Instant::now() > self.until {
            return Err(Failure::Silent(ALL));
        }
        let ask = Ask::get(path, self.settings.headers.with(&self.trace()));
        h1::ask(self.reach, ask, PAGE, QUESTION).await
    }
}

/// The text format has a `# TYPE` line for each metric; source: prometheus/docs, exposition
/// formats.
fn is_prometheus(answer: &Answer) -> bool {
    let kind = answer.content_type();
    let is_text =
        kind.starts_with("text/plain") || kind.starts_with("application/openmetrics-text");
    let is_type = |line: &str| line.starts_with("# TYPE ") && line.split(' ').count() == 4;
    answer.status == StatusCode::OK && is_text && answer.text().lines().any(is_type)
}

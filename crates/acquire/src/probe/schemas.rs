//! The bytes of gRPC requests: from what listeners say about themselves, else from what their
//! executables have in them, or from a file of descriptors that was given.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use shakedown_evidence::Method;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::message::frame;
use super::sample::sample;
use super::schema::split;
use super::{Declared, Headers, ReflectError, Reflection, Schema, SchemaError, TraceParent};

/// For all rounds of reflection together; in practice there are two, of milliseconds each.
const FETCH: Duration = Duration::from_secs(10);
/// Services and methods of one listener that are shown.
const SERVICES_MAX: usize = 30;
const METHODS_MAX: usize = 200;
/// Services that every server may have besides its own.
const INFRASTRUCTURE: [&str; 5] = [
    "grpc.health.",
    "grpc.reflection.",
    "grpc.channelz.",
    "grpc.binarylog.",
    "google.",
];

/// The message has no fields: no bytes at all, whatever its type.
pub(crate) fn is_empty(data: &str) -> bool {
    matches!(
        data.split_whitespace().collect::<String>().as_str(),
        "" | "{}"
    )
}

/// A request that was made, or not.
#[derive(Debug)]
pub(crate) struct Made {
    /// Framed, or why it cannot be made.
    pub(crate) body: Result<Bytes, String>,
    /// Something to tell, once for each method and listener.
    pub(crate) note: Option<String>,
}

/// A listener, and the process behind it if that is one of ours.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Server<'a> {
    pub(crate) reach: &'a str,
    pub(crate) pid: Option<u32>,
    pub(crate) headers: &'a Headers,
}

/// A schema, or every reason why there is none.
type Known = Arc<OnceCell<Result<Schema, String>>>;
type Read = Arc<OnceCell<Result<Arc<Declared>, String>>>;

/// Each listener is asked once about each service, each executable is read once.
#[derive(Debug, Default)]
pub(crate) struct Schemas {
    /// What was given by the user comes first.
    given: Option<Arc<Declared>>,
    known: Mutex<HashMap<(String, String), Known>>,
    executables: Mutex<HashMap<u32, Read>>,
    told: Mutex<HashSet<(String, String)>>,
}

impl Schemas {
    /// With descriptors that were given.
    pub(crate) fn new(given: Option<Arc<Declared>>) -> Self {
        Self {
            given,
            ..Self::default()
        }
    }

    /// Makes the request of `method`, `package.Service/Method`, at a listener.
    ///
    /// A method that the listener does not list is called all the same, with an empty message: its
    /// own answer is the evidence.
    pub(crate) async fn request(&self, server: Server<'_>, method: &str, data: &str) -> Made {
        let reach = server.reach;
        let (service, _) = match split(method) {
            Ok(parts) => parts,
            Err(error) => return self.made(reach, method, Err(error.to_string()), None),
        };
        let empty = || Ok(frame(b""));
        let (body, note) = match self.schema(server, service).await {
            Ok(schema) => match schema.encode(method, data) {
                Ok(message) => (Ok(frame(&message)), None),
                Err(
                    error
                    @ (SchemaError::UnknownService { .. } | SchemaError::UnknownMethod { .. }),
                ) => (empty(), Some(error.to_string())),
                Err(error) => (Err(error.to_string()), None),
            },
            Err(_) if is_empty(data) => (empty(), None),
            Err(why) => {
                let why = format!("{reach}: the data cannot be turned into a message: {why}");
                (Err(why), None)
            }
        };
        self.made(reach, method, body, note)
    }

    /// The methods of a listener, each with a message made up for it, and where they were found.
    pub(crate) async fn methods(
        &self,
        server: Server<'_>,
    ) -> Result<(String, Vec<Method>), String> {
        let (from, services) = self.services(server).await?;
        let (mut methods, mut missed) = (Vec::new(), None);
        let own = |name: &&String| !INFRASTRUCTURE.iter().any(|begin| name.starts_with(begin));
        for service in services.iter().filter(own).take(SERVICES_MAX) {
            let schema = match self.schema(server, service).await {
                Ok(schema) => schema,
                Err(why) => {
                    missed.get_or_insert(why);
                    continue;
                }
            };
            let of = schema.methods(service).into_iter().map(|method| Method {
                name: format!("{service}/{}", method.name()),
                sample: sample(&method.input()).to_string(),
            });
            methods.extend(of);
        }
        methods.truncate(METHODS_MAX);
        if let Some(why) = missed.filter(|_| methods.is_empty()) {
            return Err(why);
        }
        Ok((from, methods))
    }

    async fn services(&self, server: Server<'_>) -> Result<(String, Vec<String>), String> {
        if let Some(given) = &self.given {
            return Ok((given.origin().to_owned(), given.services()));
        }
        let trace = TraceParent::fresh();
        match Reflection::list(server.reach, server.headers, &trace).await {
            Ok(reflection) => Ok(("reflection".to_owned(), reflection.services)),
            Err(error) => {
                let declared = self.executable(server.pid).await;
                let declared = declared.map_err(|why| format!("{error}; {why}"))?;
                Ok((declared.origin().to_owned(), declared.served()))
            }
        }
    }

    fn made(
        &self,
        reach: &str,
        method: &str,
        body: Result<Bytes, String>,
        note: Option<String>,
    ) -> Made {
        let note = note.or_else(|| body.as_ref().err().cloned());
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let note = note.filter(|_| told.insert((reach.to_owned(), method.to_owned())));
        Made { body, note }
    }

    async fn schema(&self, server: Server<'_>, service: &str) -> Result<Schema, String> {
        if let Some(Ok(schema)) = self.given.as_ref().map(|given| given.schema(service)) {
            return Ok(schema);
        }
        let known = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            let key = (server.reach.to_owned(), service.to_owned());
            Arc::clone(known.entry(key).or_default())
        };
        let fetch = async || {
            let trace = TraceParent::fresh();
            let reflected = Reflection::schema(server.reach, service, server.headers, &trace);
            let (error, settled) = match timeout(FETCH, reflected).await {
                Ok(Ok(schema)) => return Ok(Ok(schema)),
                Ok(Err(ReflectError::Broken(why))) => (why, false),
                Ok(Err(error)) => (error.to_string(), true),
                Err(_) => (format!("reflection took longer than {FETCH:?}"), false),
            };
            let declared = self.executable(server.pid).await;
            let schema = declared.and_then(|declared| {
                let without = |why| format!("{why}{}", listed(&declared.served()));
                declared.schema(service).map_err(without)
            });
            let given = self.given.as_ref().map_or_else(String::new, |given| {
                format!("{} declares no {service}; ", given.origin())
            });
            let schema = schema.map_err(|why| {
                format!("{given}{error}; {why}; or give its descriptors: --proto-set FILE")
            });
            // What broke may go better next time.
            match schema {
                Err(why) if !settled => Err(why),
                schema => Ok(schema),
            }
        };
        known.get_or_try_init(fetch).await?.clone()
    }

    async fn executable(&self, pid: Option<u32>) -> Result<Arc<Declared>, String> {
        let Some(pid) = pid else {
            return Err("its executable is not known".to_owned());
        };
        let read = {
            let executables = self.executables.lock();
            let mut executables = executables.unwrap_or_else(PoisonError::into_inner);
            Arc::clone(executables.entry(pid).or_default())
        };
        let reading = async || {
            let reading = tokio::task::spawn_blocking(move || Declared::of_process(pid)).await;
            reading.map_or_else(
                |error| Err(format!("reading the executable failed: {error}")),
                |declared| declared.map(Arc::new),
            )
        };
        read.get_or_init(reading).await.clone()
    }
}

/// What there is instead, for an error.
fn listed(services: &[String]) -> String {
    let own = |name: &&String| !INFRASTRUCTURE.iter().any(|begin| name.starts_with(begin));
    let own: Vec<&str> = services
        .iter()
        .filter(own)
        .take(SERVICES_MAX)
        .map(String::as_str)
        .collect();
    if own.is_empty() {
        ", nor any service of its own".to_owned()
    } else {
        format!("; it has {}", own.join(", "))
    }
}

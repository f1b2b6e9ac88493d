//! The bytes of gRPC requests, from what the listeners say about themselves.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::message::frame;
use super::schema::split;
use super::{Headers, ReflectError, Reflection, Schema, SchemaError, TraceParent};

/// For all rounds of reflection together; in practice there are two, of milliseconds each.
const FETCH: Duration = Duration::from_secs(10);

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

type Known = Arc<OnceCell<Result<Schema, ReflectError>>>;

/// Each listener is asked once about each service.
#[derive(Debug, Default)]
pub(crate) struct Schemas {
    known: Mutex<HashMap<(String, String), Known>>,
    told: Mutex<HashSet<(String, String)>>,
}

impl Schemas {
    /// Makes the request of `method`, `package.Service/Method`, at a listener.
    ///
    /// A method that the listener does not list is called all the same, with an empty message: its
    /// own answer is the evidence.
    pub(crate) async fn request(
        &self,
        reach: &str,
        method: &str,
        data: &str,
        headers: &Headers,
    ) -> Made {
        let (service, _) = match split(method) {
            Ok(parts) => parts,
            Err(error) => return self.made(reach, method, Err(error.to_string()), None),
        };
        let empty = || Ok(frame(b""));
        let (body, note) = match self.schema(reach, service, headers).await {
            Ok(schema) => match schema.encode(method, data) {
                Ok(message) => (Ok(frame(&message)), None),
                Err(
                    error
                    @ (SchemaError::UnknownService { .. } | SchemaError::UnknownMethod { .. }),
                ) => (empty(), Some(error.to_string())),
                Err(error) => (Err(error.to_string()), None),
            },
            Err(_) if is_empty(data) => (empty(), None),
            Err(error) => {
                let why = format!("{reach}: the data cannot be turned into a message: {error}");
                (Err(why), None)
            }
        };
        self.made(reach, method, body, note)
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

    async fn schema(
        &self,
        reach: &str,
        service: &str,
        headers: &Headers,
    ) -> Result<Schema, ReflectError> {
        let known = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            let key = (reach.to_owned(), service.to_owned());
            Arc::clone(known.entry(key).or_default())
        };
        let fetch = async || {
            let trace = TraceParent::fresh();
            let fetched = timeout(FETCH, Reflection::schema(reach, service, headers, &trace)).await;
            match fetched {
                Err(_) => Err(ReflectError::Broken(format!(
                    "reflection took longer than {FETCH:?}"
                ))),
                // May go better next time.
                Ok(Err(error @ ReflectError::Broken(_))) => Err(error),
                Ok(settled) => Ok(settled),
            }
        };
        known.get_or_try_init(fetch).await?.clone()
    }
}

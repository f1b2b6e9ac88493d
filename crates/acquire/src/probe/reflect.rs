//! What a gRPC server says about its own services: server reflection, v1 and v1alpha.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use prost::Message;
use prost_reflect::DescriptorPool;
use prost_reflect::prost_types::FileDescriptorProto;
use shakedown_evidence::CallEnd;

use super::connect::{Channel, H2c};
use super::grpc::{self, GrpcAsk, Keep, Stay};
use super::message::frame;
use super::reflect_proto::{Answer, Question, ServerReflectionRequest, ServerReflectionResponse};
use super::schema::Schema;
use super::{Headers, TraceParent};

/// A server on this machine lists its services in milliseconds.
const ANSWER: Duration = Duration::from_secs(2);
/// Imports are fetched level by level; no import graph is this deep.
const ROUNDS_MAX: usize = 64;
/// The largest public API surfaces have some thousand files.
const FILES_MAX: usize = 5_000;
/// Names shown of a server that says it has more are a server gone wrong.
const SERVICES_MAX: usize = 10_000;

/// Which reflection a server has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// `grpc.reflection.v1`.
    V1,
    /// `grpc.reflection.v1alpha`, all that older servers have.
    V1Alpha,
}

impl Version {
    const fn path(self) -> &'static str {
        match self {
            Self::V1 => "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            Self::V1Alpha => "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        }
    }
}

/// Why reflection did not tell.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReflectError {
    /// The server is gRPC and has no reflection.
    #[error(
        "the server has no reflection (neither grpc.reflection.v1 nor v1alpha); register it: reflection.Register(server)"
    )]
    Missing,
    /// The server answered with an error of its own.
    #[error("reflection answered with gRPC status {code} ({message})")]
    Refused {
        /// Status, or error code of the answer.
        code: u16,
        /// The server's words.
        message: String,
    },
    /// Nothing that is gRPC came.
    #[error("{0}")]
    Broken(String),
}

/// A server's list of services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reflection {
    /// Which version answered.
    pub version: Version,
    /// Full names, sorted.
    pub services: Vec<String>,
}

/// One connection on which a server is asked about itself.
pub(crate) struct Mirror<'a> {
    channel: &'a Channel,
    headers: &'a HeaderMap,
}

impl Reflection {
    /// Asks the server at `reach` for its services, over a connection that is closed afterwards.
    ///
    /// # Errors
    /// No connection, no gRPC, or no reflection.
    pub async fn list(
        reach: &str,
        headers: &Headers,
        trace: &TraceParent,
    ) -> Result<Self, ReflectError> {
        let headers = headers.with(trace);
        on_own_connection(reach, async |connection| {
            Mirror::of(connection, &headers).list().await
        })
        .await
    }

    /// Asks the server at `reach` for its services and for everything that describes `service`.
    ///
    /// # Errors
    /// As [`Reflection::list`]. A service that is not listed is no error: the schema then knows
    /// none but the list.
    pub async fn schema(
        reach: &str,
        service: &str,
        headers: &Headers,
        trace: &TraceParent,
    ) -> Result<Schema, ReflectError> {
        let headers = headers.with(trace);
        on_own_connection(reach, async |connection| {
            let mirror = Mirror::of(connection, &headers);
            let reflection = mirror.list().await?;
            if !reflection.services.iter().any(|listed| listed == service) {
                return Ok(Schema::new(DescriptorPool::new(), reflection.services));
            }
            let pool = mirror.describe(reflection.version, service).await?;
            Ok(Schema::new(pool, reflection.services))
        })
        .await
    }
}

async fn on_own_connection<T>(
    reach: &str,
    question: impl AsyncFnOnce(&H2c) -> Result<T, ReflectError>,
) -> Result<T, ReflectError> {
    let connection = H2c::connect(reach).await.map_err(ReflectError::Broken)?;
    let answer = question(&connection).await;
    connection.close().await;
    answer
}

impl<'a> Mirror<'a> {
    pub(crate) fn of(connection: &'a H2c, headers: &'a HeaderMap) -> Self {
        Self {
            channel: &connection.channel,
            headers,
        }
    }

    /// The server's services, by the newest reflection that it has.
    pub(crate) async fn list(&self) -> Result<Reflection, ReflectError> {
        let list = || vec![Question::ListServices(String::new())];
        let (version, answers) = match self.ask(Version::V1, list()).await {
            Err(ReflectError::Missing) => {
                (Version::V1Alpha, self.ask(Version::V1Alpha, list()).await?)
            }
            answered => (Version::V1, answered?),
        };
        let mut services = BTreeSet::new();
        for answer in answers {
            match answer {
                Answer::Services(list) => {
                    services.extend(list.services.into_iter().map(|service| service.name));
                }
                Answer::Error(error) => return Err(refused(error.code, error.message)),
                Answer::Files(_) => {}
            }
        }
        let services = services.into_iter().take(SERVICES_MAX).collect();
        Ok(Reflection { version, services })
    }

    /// Everything that the declaration of `symbol` needs.
    async fn describe(
        &self,
        version: Version,
        symbol: &str,
    ) -> Result<DescriptorPool, ReflectError> {
        let mut files = BTreeMap::new();
        let mut asked = BTreeSet::new();
        let mut questions = vec![Question::FileContainingSymbol(symbol.to_owned())];
        for _ in 0..ROUNDS_MAX {
            for answer in self.ask(version, questions).await? {
                match answer {
                    Answer::Files(come) => take_in(&mut files, &come.files)?,
                    // An import that the server cannot give is left out below: often it holds
                    // options only. But without the service itself there is nothing to do.
                    Answer::Error(error) if files.is_empty() => {
                        return Err(refused(error.code, error.message));
                    }
                    Answer::Error(_) | Answer::Services(_) => {}
                }
            }
            let missing = missing(&files);
            questions = missing
                .into_iter()
                .filter(|name| asked.insert(name.clone()))
                .map(Question::FileByFilename)
                .collect();
            if questions.is_empty() {
                break;
            }
        }
        pool(files)
    }

    /// One stream: all questions, then all answers.
    async fn ask(
        &self,
        version: Version,
        questions: Vec<Question>,
    ) -> Result<Vec<Answer>, ReflectError> {
        let framed: Vec<Bytes> = questions
            .into_iter()
            .map(|question| {
                let request = ServerReflectionRequest {
                    host: String::new(),
                    question: Some(question),
                };
                frame(&request.encode_to_vec())
            })
            .collect();
        let ask = GrpcAsk {
            path: version.path().to_owned(),
            body: framed.concat().into(),
            headers: self.headers.clone(),
            deadline: None,
        };
        let mut come = Vec::new();
        let keep = Keep::Messages(&mut come);
        let stay = Stay::patience(ANSWER);
        let end = grpc::call(self.channel, ask, stay, || (), keep).await;
        match end {
            CallEnd::Status { code: 0, .. } => answers(&come),
            CallEnd::Status { code: 12, .. } => Err(ReflectError::Missing),
            CallEnd::Status { code, message } => Err(ReflectError::Refused { code, message }),
            CallEnd::Http { status } => Err(ReflectError::Broken(format!(
                "the server speaks HTTP/2 but not gRPC: it answered {status}"
            ))),
            CallEnd::Reset { reason } => Err(ReflectError::Broken(format!(
                "the server reset the stream: {reason}"
            ))),
            CallEnd::Failed { why } => Err(ReflectError::Broken(why)),
            CallEnd::TimedOut | CallEnd::Left => Err(ReflectError::Broken(format!(
                "reflection did not answer within {ANSWER:?}"
            ))),
        }
    }
}

fn answers(come: &[Bytes]) -> Result<Vec<Answer>, ReflectError> {
    let decode = |message: &Bytes| {
        ServerReflectionResponse::decode(message.as_ref()).map_err(|error| {
            ReflectError::Broken(format!(
                "reflection sent a message that is none of its own: {error}"
            ))
        })
    };
    let decoded: Result<Vec<_>, _> = come.iter().map(decode).collect();
    Ok(decoded?
        .into_iter()
        .filter_map(|response| response.answer)
        .collect())
}

fn refused(code: i32, message: String) -> ReflectError {
    ReflectError::Refused {
        code: u16::try_from(code).unwrap_or(2),
        message,
    }
}

pub(crate) type Files = BTreeMap<String, FileDescriptorProto>;

fn take_in(files: &mut Files, come: &[Vec<u8>]) -> Result<(), ReflectError> {
    for bytes in come {
        let file = FileDescriptorProto::decode(bytes.as_slice()).map_err(|error| {
            ReflectError::Broken(format!(
                "reflection sent a damaged file descriptor: {error}"
            ))
        })?;
        files.insert(file.name().to_owned(), file);
    }
    if files.len() > FILES_MAX {
        return Err(ReflectError::Broken(format!(
            "reflection sent more than {FILES_MAX} files"
        )));
    }
    Ok(())
}

fn missing(files: &Files) -> BTreeSet<String> {
    let imports = files.values().flat_map(|file| &file.dependency);
    imports
        .filter(|name| !files.contains_key(*name))
        .cloned()
        .collect()
}

/// A pool of these files; what they import and nobody has is left out.
pub(crate) fn pool(mut files: Files) -> Result<DescriptorPool, ReflectError> {
    // Well-known types are known without the server's help.
    let known = DescriptorPool::global();
    for name in missing(&files) {
        if let Some(file) = known.get_file_by_name(&name) {
            files.insert(name, file.file_descriptor_proto().clone());
        }
    }
    for name in missing(&files) {
        for file in files.values_mut() {
            forget_import(file, &name);
        }
    }
    let mut pool = DescriptorPool::new();
    pool.add_file_descriptor_protos(files.into_values())
        .map_err(|error| {
            ReflectError::Broken(format!("the descriptors do not fit together: {error}"))
        })?;
    Ok(pool)
}

/// Takes out one import; public and weak imports are positions in the same list.
fn forget_import(file: &mut FileDescriptorProto, name: &str) {
    let Some(gone) = file.dependency.iter().position(|import| import == name) else {
        return;
    };
    file.dependency.remove(gone);
    let gone = i32::try_from(gone).unwrap_or(i32::MAX);
    for positions in [&mut file.public_dependency, &mut file.weak_dependency] {
        positions.retain(|position| *position != gone);
        for position in positions.iter_mut().filter(|position| **position > gone) {
            *position -= 1;
        }
    }
}

#[cfg(test)]
mod tests;

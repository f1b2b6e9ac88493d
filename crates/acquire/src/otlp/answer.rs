//! Which protocol and signal a request is for, and what it is answered.
//!
//! Traces and logs are taken in; metrics and profiles are accepted and forgotten, because an
//! exporter whose data are refused writes errors into the very log that is judged.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, Version, header};
use http_body_util::combinators::BoxBody;
use hyper::body::Incoming;

use super::body::Refusal;
use super::intake::Intake;
use super::{grpc, http as plain};

/// What every answer carries.
pub(super) type Body = BoxBody<Bytes, Infallible>;

/// Answers one request.
pub(super) async fn answer(intake: Arc<Intake>, request: Request<Incoming>) -> Response<Body> {
    if is_grpc(&request) {
        grpc::answer(&intake, request).await
    } else {
        plain::answer(&intake, request).await
    }
}

fn is_grpc(request: &Request<Incoming>) -> bool {
    request.version() == Version::HTTP_2
        && content_type(request).is_some_and(|kind| kind.starts_with("application/grpc"))
}

/// The content type without its parameters.
pub(super) fn content_type(request: &Request<Incoming>) -> Option<&str> {
    let value = request.headers().get(header::CONTENT_TYPE)?.to_str().ok()?;
    value.split(';').next().map(str::trim)
}

/// Whether bodies are gzip, by a header's value; an encoding that we do not know is refused.
pub(super) fn is_gzip(
    request: &Request<Incoming>,
    name: impl header::AsHeaderName,
) -> Result<bool, Refusal> {
    let Some(value) = request.headers().get(name) else {
        return Ok(false);
    };
    match value.as_bytes().trim_ascii() {
        b"" => Ok(false),
        name if name.eq_ignore_ascii_case(b"identity") => Ok(false),
        name if name.eq_ignore_ascii_case(b"gzip") => Ok(true),
        other => Err(Refusal::Encoding {
            name: other[..other.len().min(32)].escape_ascii().to_string(),
        }),
    }
}

/// Stands for an export that is under way: if its connection breaks and the task is dropped,
/// the spans in it are missing, and that is written down.
pub(super) struct Export<'a> {
    intake: &'a Intake,
    by: &'static str,
    answered: bool,
}

impl<'a> Export<'a> {
    pub(super) const fn begin(intake: &'a Intake, by: &'static str) -> Self {
        Self {
            intake,
            by,
            answered: false,
        }
    }

    /// Writes down a refusal; what was taken needs no note.
    pub(super) fn end(mut self, taken: Result<(), Refusal>) -> Result<(), Refusal> {
        self.answered = true;
        if let Err(refusal) = &taken {
            self.intake.refuse(format!("{}: {refusal}", self.by));
        }
        taken
    }
}

impl Drop for Export<'_> {
    fn drop(&mut self) {
        if !self.answered {
            let by = self.by;
            self.intake.refuse(format!(
                "{by}: the connection broke in the midst of a request"
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::Recorder;
    use crate::otlp::Limits;

    fn check(end: impl FnOnce(Export<'_>)) -> usize {
        let recorder = Recorder::new(Instant::now(), None);
        let intake = Intake::new(recorder.clone(), Limits::default());
        end(Export::begin(&intake, "http"));
        recorder.read(|evidence| evidence.receiver_losses().count())
    }

    #[test]
    fn an_export_whose_task_is_dropped_is_a_loss() {
        assert_eq!(check(|export| drop(export)), 1);
    }

    #[test]
    fn a_refused_export_is_a_loss_once_and_a_taken_one_is_none() {
        let refused = |export: Export<'_>| assert!(export.end(Err(Refusal::Busy)).is_err());
        assert_eq!(check(refused), 1);
        assert_eq!(check(|export| assert!(export.end(Ok(())).is_ok())), 0);
    }
}

//! A request's body: read within its bounds, and inflated within the same.

use std::io::Read;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use flate2::read::MultiGzDecoder;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::decode::DecodeError;
use super::intake::Intake;

/// Why an export is not taken. Each means that spans are missing.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("the request is larger than {limit} bytes")]
    TooLarge { limit: usize },
    #[error("the request inflates to more than {limit} bytes")]
    InflatesTooLarge { limit: usize },
    #[error("the request did not come whole within {seconds} s")]
    Slow { seconds: u64 },
    #[error("the request broke off: {why}")]
    Broken { why: String },
    #[error("too many requests are being read at this time")]
    Busy,
    #[error("the body is not gzip: {why}")]
    Gzip { why: String },
    #[error("encoding `{name}` is not known; gzip and identity are")]
    Encoding { name: String },
    #[error("not one whole gRPC message: {why}")]
    Frame { why: &'static str },
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error("our decoder failed: {why}")]
    Internal { why: String },
}

/// A body that came whole, with its share of what may be buffered.
pub(super) struct Whole {
    pub(super) bytes: Bytes,
    _share: Option<OwnedSemaphorePermit>,
}

/// Reads a body to its end.
pub(super) async fn read(body: Incoming, intake: &Intake) -> Result<Whole, Refusal> {
    within_time(intake, gather(body, intake)).await
}

/// Reads a body to its end and forgets it: an exporter whose request is answered while it still
/// writes reports an error.
pub(super) async fn discard(body: Incoming, intake: &Intake) -> Result<(), Refusal> {
    let limit = intake.limits.request_bytes;
    let all = async {
        let mut body = body;
        let mut total = 0;
        while let Some(data) = next(&mut body).await? {
            total += data.len();
            if total > limit {
                return Err(Refusal::TooLarge { limit });
            }
        }
        Ok(())
    };
    within_time(intake, all).await
}

/// Inflates gzip, to at most `limit` bytes.
pub(super) fn inflate(bytes: &[u8], limit: usize) -> Result<Vec<u8>, Refusal> {
    let mut inflated = Vec::new();
    MultiGzDecoder::new(bytes)
        .take(limit as u64 + 1)
        .read_to_end(&mut inflated)
        .map_err(|error| Refusal::Gzip {
            why: error.to_string(),
        })?;
    if inflated.len() > limit {
        return Err(Refusal::InflatesTooLarge { limit });
    }
    Ok(inflated)
}

async fn within_time<T>(
    intake: &Intake,
    reading: impl Future<Output = Result<T, Refusal>>,
) -> Result<T, Refusal> {
    let limit = intake.limits.request_time;
    timeout(limit, reading).await.unwrap_or(Err(Refusal::Slow {
        seconds: limit.as_secs(),
    }))
}

async fn gather(mut body: Incoming, intake: &Intake) -> Result<Whole, Refusal> {
    let limit = intake.limits.request_bytes;
    if body.size_hint().lower() > limit as u64 {
        return Err(Refusal::TooLarge { limit });
    }
    let mut bytes = BytesMut::new();
    let mut share: Option<OwnedSemaphorePermit> = None;
    while let Some(data) = next(&mut body).await? {
        if bytes.len() + data.len() > limit {
            return Err(Refusal::TooLarge { limit });
        }
        let more = u32::try_from(data.len()).map_err(|_| Refusal::TooLarge { limit })?;
        // Not awaited: readers that wait for each other's bytes would all run out of time.
        let more = Arc::clone(&intake.buffer)
            .try_acquire_many_owned(more)
            .map_err(|_| Refusal::Busy)?;
        match &mut share {
            Some(share) => share.merge(more),
            None => share = Some(more),
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Whole {
        bytes: bytes.freeze(),
        _share: share,
    })
}

/// The next piece of data; trailers are passed over.
async fn next(body: &mut Incoming) -> Result<Option<Bytes>, Refusal> {
    loop {
        match body.frame().await {
            None => return Ok(None),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
            Some(Err(error)) => {
                return Err(Refusal::Broken {
                    why: error.to_string(),
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        writer.write_all(bytes).expect("memory takes it");
        writer.finish().expect("memory takes it")
    }

    #[test]
    fn a_bomb_is_stopped_at_the_bound() {
        let bomb = gzip(&vec![0; 10 << 20]);
        assert!(bomb.len() < 16 << 10);
        assert!(matches!(
            inflate(&bomb, 1 << 20),
            Err(Refusal::InflatesTooLarge { limit: 1_048_576 })
        ));
    }

    #[test]
    fn exactly_the_bound_is_taken() {
        assert_eq!(
            inflate(&gzip(&[7; 1000]), 1000).expect("it fits"),
            [7; 1000]
        );
        assert!(inflate(&gzip(&[7; 1001]), 1000).is_err());
    }

    #[test]
    fn what_is_not_gzip_is_refused() {
        assert!(matches!(inflate(b"plain", 1000), Err(Refusal::Gzip { .. })));
        let whole = gzip(b"whole");
        assert!(inflate(&whole[..whole.len() - 4], 1000).is_err());
    }
}

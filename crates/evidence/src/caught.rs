//! What a call showed whose caller's interest ended while its handler ran: was the handler caught
//! in the act, and when was it gone?

use std::time::Duration;

use crate::{At, Call, CallEnd, Evidence, RequestKind, Snapshot, handler};

/// Calls that must be caught in the act; fewer prove nothing (issue: at least five).
pub const CALLS: usize = 5;
/// A request that usually takes less cannot be caught: one look takes 2 to 10 ms on a busy machine
/// (deadline notes: poll 1.6 ms on average, 9.2 ms at most), and two are needed.
pub const FASTEST: Duration = Duration::from_millis(40);
/// Longest moment that is waited for.
const MOMENT_MAX: Duration = Duration::from_millis(500);
/// Beyond this a handler is late, however long it would have gone on.
///
/// Judgement: handlers that honour their context were gone 1–30 ms after it on an idle two-core
/// machine; the rest is for machines that are busy with something else.
pub const SLACK_MAX: Duration = Duration::from_millis(250);

/// A look counts as taken at the moment if it came so shortly before it; the handler usually goes
/// on for at least [`FASTEST`] / 2 after the moment.
const NEAR: Duration = Duration::from_millis(120);

/// When the caller's interest ends, and how much later a handler may still be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// After sending.
    pub after: Duration,
    /// After that.
    pub slack: Duration,
}

/// Chooses the moment from the shortest usual duration of a request.
#[must_use]
pub fn moment(usual: Duration) -> Option<Moment> {
    if usual < FASTEST {
        return None;
    }
    let after = (usual / 2).min(MOMENT_MAX);
    let slack = ((usual - after) / 2).min(SLACK_MAX);
    Some(Moment { after, slack })
}

/// What one call of an audit showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Catch {
    /// When the caller's interest ended.
    pub due: At,
    /// Last time the handler was surely still there after the moment.
    pub last_seen: Option<At>,
    /// First time it was surely gone.
    pub gone: Option<At>,
}

impl Catch {
    /// How long after the moment the handler was surely still running.
    #[must_use]
    pub fn overran(&self) -> Duration {
        self.last_seen
            .map_or(Duration::ZERO, |seen| seen - self.due)
    }
}

/// What a call showed: nothing if its handler was not seen running just before the moment.
#[must_use]
pub fn catch(seen: &Evidence, call: &Call, next_sent: At) -> Option<Catch> {
    let request = &seen.request(call.sent.request)?.kind;
    let due = due(call)?;
    let looks = || {
        let within = |snapshot: &&Snapshot| {
            snapshot.at >= call.sent.at && snapshot.at < next_sent && !snapshot.groups.is_empty()
        };
        seen.snapshots.iter().filter(within)
    };
    let base = before(seen, call, request);
    let is_there = |snapshot: &Snapshot| handler::running(seen, snapshot, request) > base;
    let caught = looks().any(|look| look.at <= due && look.until + NEAR >= due && is_there(look));
    if !caught {
        return None;
    }
    let gone = looks()
        .find(|look| look.at >= due && !is_there(look))
        .map(|look| look.until);
    let last_seen = looks()
        .rfind(|look| look.at >= due && gone.is_none_or(|gone| look.until < gone) && is_there(look))
        .map(|look| look.at);
    Some(Catch {
        due,
        last_seen,
        gone,
    })
}

/// Handlers that were there before the call: somebody else's, or left over.
fn before(seen: &Evidence, call: &Call, request: &RequestKind) -> u64 {
    let earlier = seen
        .snapshots
        .iter()
        .rev()
        .find(|snapshot| snapshot.until <= call.sent.at && !snapshot.groups.is_empty());
    earlier.map_or(0, |snapshot| handler::running(seen, snapshot, request))
}

/// When the caller's interest ended.
#[must_use]
pub fn due(call: &Call) -> Option<At> {
    if let Some(deadline) = call.sent.deadline_ms {
        return Some(call.sent.at + Duration::from_millis(deadline));
    }
    let ended = call.ended.as_ref()?;
    (ended.end == CallEnd::Left).then_some(ended.at)
}

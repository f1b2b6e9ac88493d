//! Which requests are brought into flight before SIGTERM, and how long before it each goes out.
//!
//! Whole, if its handler takes long enough to be caught by the signal; with half of its body, if it
//! has one and its server waits for the rest; behind a stall, if nothing else brings a request of
//! its listener into flight and its handler was seen to wait for that dependency.

use std::collections::HashMap;
use std::time::Duration;

use shakedown_evidence::Evidence;

use crate::rehearsal::{takes_its_time, waits_behind};

/// As many as a batch has under way: a service that refuses more must not be blamed for it.
pub(crate) const WIDTH: usize = 8;
/// A handler that takes less cannot be caught by the signal with certainty.
const SLOW: Duration = Duration::from_millis(110);
/// A request that takes longer is left out: its run would be waited for.
pub(crate) const SLOWEST: Duration = Duration::from_secs(20);
/// A whole request is at least so old at the signal; [`TAKEN`] and a little.
const LEAD_MIN: Duration = Duration::from_millis(60);
/// After the signal a handler needs no longer than this: a drain that is bounded by a second is
/// short, and no mistake.
pub(crate) const REST_MAX: Duration = Duration::from_millis(900);
/// Half-sent requests are so old at the signal; they do not end by themselves.
const HALF_LEAD: Duration = Duration::from_millis(250);
/// And so old are those whose dependency is held; it answers [`FINISH_SOON`] after the signal.
const HELD_LEAD: Duration = Duration::from_millis(200);
/// The first halves are followed so soon after the signal by their second.
pub(crate) const FINISH_SOON: Duration = Duration::from_millis(150);
/// The others so late, if the handler is quick.
const FINISH_LATE: Duration = Duration::from_millis(500);
/// A request that is to be in flight.
#[derive(Debug, Clone)]
pub(crate) struct Planned {
    pub(crate) request: usize,
    pub(crate) reach: String,
    /// How long before the signal it goes out.
    pub(crate) lead: Duration,
    /// After the signal: when its second half goes out. Nothing for one that is sent whole.
    pub(crate) finish: Option<Duration>,
    /// The stall that holds while it goes out, and until [`FINISH_SOON`] after the signal.
    pub(crate) behind: Option<String>,
}

/// Requests that may be sent and were answered well: number and listener.
pub(crate) fn requests(seen: &Evidence) -> Vec<(usize, String)> {
    let safe = |request: &usize| {
        seen.request(*request)
            .is_some_and(|request| request.repeat_safe)
            && seen.usual_duration(*request).is_some()
    };
    let requests = (0..seen.run.requests.len()).filter(safe);
    requests
        .filter_map(|request| Some((request, seen.reach_of(request)?.to_owned())))
        .collect()
}

/// What is to be in flight; the last goes out first.
pub(crate) fn plan(seen: &Evidence) -> Vec<Planned> {
    // Of each listener its first request, then of each its second: none is left out for another's
    // many.
    let mut of_reach: HashMap<String, usize> = HashMap::new();
    let mut kinds: Vec<(usize, Planned)> = Vec::new();
    let mut stall = None;
    for (request, reach) in requests(seen) {
        let mut add = |lead, finish, behind| {
            let rank = of_reach.entry(reach.clone()).or_default();
            let reach = reach.clone();
            kinds.push((
                *rank,
                Planned {
                    request,
                    reach,
                    lead,
                    finish,
                    behind,
                },
            ));
            *rank += 1;
        };
        if takes_its_time(seen, request) {
            add(HALF_LEAD, Some(FINISH_SOON), None);
        }
        if let Some(lead) = seen
            .usual_duration(request)
            .and_then(|(shortest, _)| lead(shortest))
        {
            add(lead, None, None);
        }
        // One at a time holds: behind two a handler might never come to the second.
        if let Some(behind) = waits_behind(seen, request)
            && *stall.get_or_insert(behind) == behind
        {
            add(HELD_LEAD, None, Some(behind.to_owned()));
        }
    }
    kinds.sort_by_key(|(rank, _)| *rank);
    let kinds = kinds.into_iter().map(|(_, planned)| planned);
    let kinds: Vec<Planned> = kinds.collect();
    let mut queue: Vec<Planned> = kinds.iter().cycle().take(WIDTH).cloned().collect();
    queue.sort_by_key(|planned| planned.lead);
    queue
}

/// How long before the signal a request is sent that takes `shortest` at least.
fn lead(shortest: Duration) -> Option<Duration> {
    if !(SLOW..=SLOWEST).contains(&shortest) {
        return None;
    }
    let early = shortest.saturating_sub(REST_MAX);
    Some((shortest * 2 / 5).max(early).max(LEAD_MIN))
}

/// When the second half follows: all of it and the handler's work within a second, if the handler
/// is quick enough for that.
pub(crate) fn finish_after(seen: &Evidence, request: usize, soon: bool) -> Duration {
    let usual = seen
        .usual_duration(request)
        .map_or(Duration::ZERO, |(_, median)| median);
    if soon {
        FINISH_SOON
    } else {
        REST_MAX
            .saturating_sub(usual)
            .clamp(FINISH_SOON, FINISH_LATE)
    }
}

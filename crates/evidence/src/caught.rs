//! What a call showed whose caller's interest ended while its handler ran: was the handler caught
//! in the act, and when was it gone?

use std::time::Duration;

use crate::labels::OTHERS;
use crate::{Answers, At, Call, CallEnd, Evidence, RequestKind, Snapshot, handler};

/// Calls that must be caught in the act; fewer prove nothing (issue: at least five).
pub const CALLS: usize = 5;
/// A request that usually takes less cannot be caught: a handler that goes on must be told from
/// one that is late because the machine is busy, which takes [`LATE`] after a first look.
pub const FASTEST: Duration = Duration::from_millis(80);
/// First moment at which a caller's interest may end: two looks, each 2 to 10 ms on a busy machine.
const MOMENT_MIN: Duration = Duration::from_millis(20);
/// Longest moment that is waited for.
const MOMENT_MAX: Duration = Duration::from_millis(500);
/// Longest deadline of callers that is waited for: five calls of it are a step of the run.
const DEADLINE_MAX: Duration = Duration::from_secs(5);
/// A handler that is surely still there so long after the moment is late. An honest one is gone
/// after 1 to 30 ms, on two cores beside other work.
pub const LATE: Duration = Duration::from_millis(50);
/// Beyond this a handler is late, however long it would have gone on; judgement, for machines that
/// are very busy with something else.
pub const SLACK_MAX: Duration = Duration::from_millis(250);

/// A look counts as taken at the moment if it came so shortly before it; the handler usually goes
/// on for at least [`FASTEST`] / 2 after the moment.
const NEAR: Duration = Duration::from_millis(120);

/// When the caller's interest ends, and how much later a handler may still be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// After sending.
    pub after: Duration,
    /// After that: a handler that is gone by then has stopped.
    pub slack: Duration,
    /// After that too: a handler that is still there by then goes on. Between the two nothing is
    /// decided.
    pub late: Duration,
}

/// Chooses the moment for a request that takes `usual` at least: the deadline that its callers use
/// in production, if a handler that goes on would show itself after it, else half of its time.
#[must_use]
pub fn moment(usual: Duration, deadline: Option<Duration>) -> Option<Moment> {
    if usual < FASTEST {
        return None;
    }
    // So early that a handler that goes on does so for twice LATE.
    let latest = usual.saturating_sub(LATE * 2).max(MOMENT_MIN);
    let possible = |deadline: &Duration| (MOMENT_MIN..=latest.min(DEADLINE_MAX)).contains(deadline);
    let half = || (usual / 2).min(latest).min(MOMENT_MAX);
    let after = deadline.filter(possible).unwrap_or_else(half);
    let slack = ((usual - after) / 2).min(SLACK_MAX);
    Some(Moment {
        after,
        slack,
        late: slack.max(LATE),
    })
}

/// When the interest of a caller ends whose handler waits for a dependency that does not answer:
/// long after a fast handler has come to its wait, and before the usual time limits of clients. Not
/// a round number: a client with a limit of its own is not to give up in the same moment.
const STALLED: Duration = Duration::from_millis(170);

/// Chooses the moment for a request whose dependency is stalled: however fast its handler usually
/// is, it waits then. Nothing if answers come too early even so.
#[must_use]
pub fn moment_behind(
    answers: Answers,
    usual: Duration,
    deadline: Option<Duration>,
) -> Option<Moment> {
    if let Some(late_by) = answers.late_by() {
        return moment(usual + late_by, deadline);
    }
    let possible = |deadline: &Duration| (STALLED..=DEADLINE_MAX).contains(deadline);
    Some(Moment {
        after: deadline.filter(possible).unwrap_or(STALLED),
        slack: SLACK_MAX,
        late: SLACK_MAX,
    })
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

/// Handlers of a request that ran at most at one time while we sent nothing: of other callers.
#[must_use]
pub fn of_others(seen: &Evidence, request: &RequestKind) -> u64 {
    let looks = seen.snapshots.iter();
    let looks = looks.filter(|snapshot| snapshot.label == OTHERS);
    looks
        .map(|snapshot| handler::running(seen, snapshot, request))
        .max()
        .unwrap_or_default()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn the_moment_leaves_a_handler_that_goes_on_enough_time_to_show_itself() {
        assert_eq!(moment(FASTEST - ms(1), None), None);
        for usual in (80..5_000).map(ms) {
            let moment = moment(usual, None).expect("slow enough to be caught");
            assert!(
                moment.after >= MOMENT_MIN && moment.after <= MOMENT_MAX,
                "{usual:?}"
            );
            let goes_on = usual - moment.after;
            assert!(
                goes_on > moment.late,
                "{usual:?}: it would be gone before it counts as late"
            );
            assert!(
                moment.slack <= moment.late && moment.late >= LATE,
                "{usual:?}"
            );
        }
    }

    #[test]
    fn half_of_a_slow_request_is_waited_for_and_never_long() {
        assert_eq!(
            moment(ms(400), None).map(|moment| (moment.after, moment.slack)),
            Some((ms(200), ms(100)))
        );
        assert_eq!(
            moment(ms(2_500), None).map(|moment| (moment.after, moment.slack)),
            Some((ms(500), SLACK_MAX))
        );
    }

    #[test]
    fn behind_a_stall_every_handler_can_be_caught() {
        let of = |answers, deadline: Option<u64>| {
            moment_behind(answers, ms(3), deadline.map(ms)).map(|moment| moment.after)
        };
        assert_eq!(of(Answers::Held, None), Some(STALLED));
        assert_eq!(of(Answers::Never, Some(800)), Some(ms(800)));
        assert_eq!(of(Answers::Held, Some(20)), Some(STALLED), "too early");
        assert_eq!(of(Answers::LateByMs(300), None), Some(ms(303) / 2));
        assert_eq!(of(Answers::LateByMs(50), None), None, "not late enough");
    }

    #[test]
    fn the_deadline_of_production_is_taken_where_it_can_be_caught() {
        let after =
            |usual, deadline| moment(ms(usual), Some(ms(deadline))).map(|moment| moment.after);
        assert_eq!(after(2_500, 1_000), Some(ms(1_000)));
        assert_eq!(
            after(400, 500),
            Some(ms(200)),
            "the request is always done before it"
        );
        assert_eq!(after(400, 350), Some(ms(200)), "too close to the usual end");
        assert_eq!(after(400, 1), Some(ms(200)), "no look would be in time");
    }
}

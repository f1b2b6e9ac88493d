//! What the audits of one kind showed, request by request. Both rules of the item read it.

use std::collections::BTreeMap;
use std::time::Duration;

use shakedown_evidence::caught::{self, CALLS, Catch, Moment as Instant, catch};
use shakedown_evidence::{
    Answers, At, Call, CallEnd, Evidence, Purpose, RequestKind, Snapshot, Stack, Stall,
    StallChange, handler,
};
use shakedown_findings::{Exhibit, Location, Moment};

use super::{quit, stalled};
use crate::exhibits;

/// What the audit of one request came to.
pub(crate) enum Audit<'a> {
    /// Handlers were caught and went away in time.
    Clean {
        calls: usize,
        slowest: Duration,
        /// The stall that they waited behind.
        behind: Option<&'a Stall>,
    },
    /// Handlers went on.
    Late(Late<'a>),
    /// Nothing was tested.
    NotExercised { why: String, to_prove: String },
    /// It could not be looked at, or what was seen does not decide.
    Unclear { why: String, to_prove: String },
}

/// Handlers that went on after their caller's interest had ended.
pub(crate) struct Late<'a> {
    pub calls: usize,
    pub late: usize,
    pub longest: Duration,
    pub moment: Instant,
    /// The stall that held while they went on.
    pub behind: Option<&'a Stall>,
    pub stack: Option<&'a Stack>,
    /// What happened in one of the calls.
    pub course: Vec<Moment>,
}

/// Why no audit of any request can be judged.
pub(crate) fn blocked(seen: &Evidence) -> Option<(String, String)> {
    if seen.pprof.is_empty() {
        return Some((
            "no goroutine profile: no pprof endpoint was found".into(),
            "mount pprof on a private listener: shakedown explain pprof-missing".into(),
        ));
    }
    None
}

/// Judges the audit of one request.
pub(crate) fn judge(seen: &Evidence, request: usize, purpose: Purpose) -> Audit<'_> {
    let subject = seen
        .request(request)
        .map(shakedown_evidence::Request::subject)
        .unwrap_or_default();
    let not_exercised = |why: String, to_prove: String| Audit::NotExercised { why, to_prove };
    if seen.reach_of(request).is_none() {
        return Audit::Unclear {
            why: format!("{subject}: no listener answered it"),
            to_prove: format!("{subject}: check the request's name, path and data"),
        };
    }
    if seen
        .request(request)
        .is_some_and(|request| !request.repeat_safe)
    {
        return not_exercised(
            format!("{subject}: may not be repeated"),
            format!("repeat-safe = true for {subject} in shakedown.toml"),
        );
    }
    let Some((shortest, _)) = seen.usual_duration(request) else {
        let end = seen
            .calls_for(request, Purpose::Traffic)
            .last()
            .and_then(Call::end);
        return not_exercised(
            format!(
                "{subject}: no successful call{}",
                end.map(said).unwrap_or_default()
            ),
            format!("data that {subject} accepts: --data '{{…}}'"),
        );
    };
    let deadline = seen
        .request(request)
        .and_then(shakedown_evidence::Request::deadline);
    let others = seen
        .request(request)
        .map_or(0, |request| caught::of_others(seen, &request.kind));
    if others > 0 {
        return Audit::Unclear {
            why: format!(
                "{subject}: other callers use it at the same time ({others} of its handlers ran while we sent nothing), and theirs cannot be told from ours"
            ),
            to_prove: "an instance, or a time, without other callers".into(),
        };
    }
    if seen.pprof.is_empty() {
        return quit::judge(seen, request, purpose, caught::moment(shortest, deadline));
    }
    match caught::moment(shortest, deadline) {
        Some(moment) => judge_calls(seen, request, purpose, moment, None),
        None => stalled::judge(seen, request, purpose, shortest),
    }
}

/// Judges the calls of one audit: those behind a stall, or those behind none.
pub(super) fn judge_calls<'a>(
    seen: &'a Evidence,
    request: usize,
    purpose: Purpose,
    moment: Instant,
    behind: Option<&'a Stall>,
) -> Audit<'a> {
    let subject = seen
        .request(request)
        .map(shakedown_evidence::Request::subject)
        .unwrap_or_default();
    let stall = behind.map(|stall| stall.name.as_str());
    let calls: Vec<&Call> = seen.audited(request, purpose, stall).collect();
    let next = calls
        .iter()
        .skip(1)
        .map(|call| call.sent.at)
        .chain([At::MAX]);
    let catches: Vec<(&Call, Catch)> = calls
        .iter()
        .zip(next)
        .filter_map(|(call, next)| Some((*call, catch(seen, call, next)?)))
        .collect();
    let late: Vec<(&Call, Catch)> = catches
        .iter()
        .filter(|(_, catch)| catch.overran() > moment.slack)
        .copied()
        .collect();
    let gone: Vec<Duration> = catches
        .iter()
        .filter_map(|(_, catch)| Some(catch.gone? - catch.due))
        .collect();
    let clean = catches
        .iter()
        .filter(|(_, catch)| catch.gone.is_some() && catch.overran() <= moment.slack)
        .count();
    if late.len() >= 3 && late.len() * 2 > catches.len() {
        let (example, worst) = late
            .iter()
            .max_by_key(|(_, catch)| catch.overran())
            .copied()
            .unwrap_or(catches[0]);
        return Audit::Late(Late {
            calls: catches.len(),
            late: late.len(),
            longest: worst.overran(),
            moment,
            behind,
            stack: usual_stack(seen, &late),
            course: course(&seen.stalls, behind, example, worst),
        });
    }
    // On a busy machine a handler may be late once; one call in five is not a habit.
    let doubtful = catches.len() - clean;
    if clean >= CALLS && doubtful * 5 <= catches.len() {
        let mut gone = gone;
        gone.sort_unstable();
        let slowest = gone
            .get(gone.len().saturating_sub(1 + doubtful))
            .copied()
            .unwrap_or_default();
        return Audit::Clean {
            calls: catches.len(),
            slowest,
            behind,
        };
    }
    if let Some(unnamed) = unnamed(seen, &subject).filter(|_| catches.is_empty()) {
        return unnamed;
    }
    if catches.len() < CALLS {
        return Audit::NotExercised {
            why: format!(
                "{subject}: {} of {} calls were caught running at the moment, {CALLS} are needed",
                catches.len(),
                calls.len()
            ),
            to_prove: format!("a request to {subject} that reliably takes longer"),
        };
    }
    Audit::Unclear {
        why: format!(
            "{subject}: the handler was late in {doubtful} of {} calls; a busy machine and a handler that sometimes goes on look the same",
            catches.len()
        ),
        to_prove: "run again on a machine that is less busy".into(),
    }
}

/// A service in Rust whose handlers run in tasks that no dump shows.
pub(super) fn unnamed<'a>(seen: &Evidence, subject: &str) -> Option<Audit<'a>> {
    let unnamed = seen.is_rust() && seen.stacks.iter().all(|stack| stack.serves.is_none());
    unnamed.then(|| Audit::NotExercised {
        why: format!("{subject}: none of the service's tasks says for which request it works"),
        to_prove: "Kit::serve or Kit::serve_bare of shakedown-kit, whose tasks have an rpc or route label in /debug/pprof/goroutine; other servers spawn theirs unseen".into(),
    })
}

pub(super) fn said(end: &CallEnd) -> String {
    match end {
        CallEnd::Status { code, message } => format!(" (gRPC status {code}: {message})"),
        CallEnd::Http { status } => format!(" (HTTP {status})"),
        CallEnd::Reset { reason } => format!(" (stream reset: {reason})"),
        CallEnd::TimedOut => " (no answer)".into(),
        CallEnd::Failed { why } => format!(" ({why})"),
        CallEnd::Left => String::new(),
    }
}

/// Where the handler stood while it went on: the stack that was seen most often. One look alone,
/// and the last one above all, may show a handler that is just on its way out.
fn usual_stack<'a>(seen: &'a Evidence, late: &[(&Call, Catch)]) -> Option<&'a Stack> {
    let mut looks: BTreeMap<usize, u64> = BTreeMap::new();
    for (call, catch) in late {
        let request: &'a RequestKind = &seen.request(call.sent.request)?.kind;
        let within =
            |snapshot: &&Snapshot| snapshot.at >= catch.due && Some(snapshot.at) <= catch.last_seen;
        for snapshot in seen.snapshots.iter().filter(within) {
            for (group, _) in handler::groups(seen, snapshot, request) {
                *looks.entry(group.stack).or_default() += 1;
            }
        }
    }
    // Of equals the first, which `max_by_key` would not give.
    let most = looks.values().max()?;
    let (stack, _) = looks.iter().find(|(_, looks)| *looks == most)?;
    seen.stacks.get(*stack)
}

impl Late<'_> {
    /// Where the handler stands in the service's own code.
    pub(crate) fn place(&self, seen: &Evidence) -> Option<Location> {
        exhibits::own_place(seen, self.stack?).map(exhibits::location)
    }

    /// What it is doing there.
    pub(crate) fn doing(&self, seen: &Evidence) -> String {
        self.stack.map_or_else(
            || "its handler".into(),
            |stack| exhibits::doing_for(seen, stack),
        )
    }

    /// What is to be done, if its dependency was the reason why it waited.
    pub(crate) fn fix(&self, else_: &str) -> String {
        self.behind.map_or(else_.to_owned(), |stall| {
            format!(
                "pass the handler's own ctx to the call to {}, without context.Background() or context.WithoutCancel on the way; a client or driver that does not watch ctx needs a time limit of its own below the deadline",
                stall.name
            )
        })
    }

    /// What its dependency did meanwhile, to stand after what the handler did.
    pub(crate) fn meanwhile(&self) -> String {
        self.behind.map_or(String::new(), |stall| {
            let name = &stall.name;
            match stall.answers {
                Answers::Held | Answers::Never => format!(", while {name} did not answer"),
                Answers::LateByMs(ms) => format!(", while {name} answered {ms} ms late"),
            }
        })
    }

    /// Source, stack and the course of one call.
    pub(crate) fn exhibits(&self, seen: &Evidence) -> Vec<Exhibit> {
        let place = self.place(seen);
        let mut exhibits: Vec<Exhibit> =
            exhibits::source(seen, place.as_ref()).into_iter().collect();
        exhibits.push(Exhibit::Timeline {
            title: "one of the calls".into(),
            moments: self.course.clone(),
        });
        exhibits.extend(self.stack.map(|stack| {
            exhibits::stack_to_own(seen, "the handler after its caller had gone", stack)
        }));
        exhibits
    }
}

/// The course of one call, its first moment when it was sent.
fn course(
    stalls: &[StallChange],
    behind: Option<&Stall>,
    example: &Call,
    catch: Catch,
) -> Vec<Moment> {
    let since = |at: At| u64::try_from((at - example.sent.at).as_micros()).unwrap_or(u64::MAX);
    let at = |at_us, what: &str| Moment {
        at_us,
        what: what.into(),
    };
    let mut moments = vec![at(0, "sent")];
    let deadline = example.sent.deadline_ms.is_some();
    if let Some(stall) = behind {
        let let_go = |change: &&StallChange| {
            change.name == stall.name && !change.holds && change.at > example.sent.at
        };
        let let_go = stalls.iter().find(let_go);
        let again = format!("{} answers again", stall.name);
        moments.extend(let_go.map(|change| at(since(change.at), &again)));
    }
    moments.push(at(since(catch.due), interest_ends(deadline)));
    if let (true, Some(ended)) = (deadline, &example.ended) {
        let saw = format!("the caller saw{}", saw(&ended.end));
        moments.push(at(since(ended.at), &saw));
    }
    let last_seen = catch.last_seen.map(since);
    moments.extend(last_seen.map(|seen| at(seen, "handler still running")));
    moments.extend(catch.gone.map(|gone| at(since(gone), "handler gone")));
    moments.sort_by_key(|moment| moment.at_us);
    moments
}

/// What ends the interest of a caller.
pub(super) const fn interest_ends(deadline: bool) -> &'static str {
    if deadline {
        "deadline"
    } else {
        "the caller left"
    }
}

fn saw(end: &CallEnd) -> String {
    match end {
        CallEnd::Reset { reason } => {
            format!(" RST_STREAM({reason}): the server reset the stream while the handler ran on")
        }
        CallEnd::TimedOut => " nothing".into(),
        other => said(other),
    }
}

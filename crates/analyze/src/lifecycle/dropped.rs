//! What in-flight-dropped says of requests that were dropped: which, when, how, and what to do.

use std::collections::BTreeMap;
use std::time::Duration;

use shakedown_evidence::drain::{self, Fate, InFlight};
use shakedown_evidence::{CallEnd, Evidence, RequestKind, StopReport};
use shakedown_findings::{Certainty, Exhibit, Finding, Moment};

use super::in_flight_dropped::RULE;
use super::stopping::milliseconds;
use crate::judgement::Found;
use crate::target::repeat;

/// A process that ends sooner than this after the signal has not waited for anything; judgement, for
/// a busy machine.
const AT_ONCE: Duration = Duration::from_millis(50);
/// Rows of the exhibit.
const ROWS: usize = 8;

/// The finding over requests that were dropped; `fates` are all that were in flight.
pub(super) fn finding(
    seen: &Evidence,
    stop: &StopReport,
    fates: &[(InFlight<'_>, Fate)],
    dropped: &[&(InFlight<'_>, Fate)],
) -> Finding {
    let mut by_subject: BTreeMap<String, usize> = BTreeMap::new();
    for (one, _) in dropped {
        *by_subject.entry(subject(seen, one)).or_default() += 1;
    }
    let subjects: Vec<&String> = by_subject.keys().collect();
    let named = match subjects.as_slice() {
        [] => String::new(),
        [one] => (*one).clone(),
        [one, two] => format!("{one}, {two}"),
        [one, two, rest @ ..] => format!("{one}, {two} and {} more", rest.len()),
    };
    let end = match stop.gone {
        Some(gone) => format!(
            "The process was gone {} after the signal",
            milliseconds(gone - stop.at)
        ),
        None => "The process stayed".into(),
    };
    let all = fates.len();
    Found {
        certainty: Certainty::Proven,
        subject: named,
        location: None,
        message: format!(
            "{} of {all} requests in flight at SIGTERM got no answer. {end}{}.{}",
            dropped.len(),
            if is_uncaught(seen, stop) {
                ": nothing catches SIGTERM"
            } else {
                ""
            },
            match drain::late(seen, stop.at).count() {
                0 => String::new(),
                late => format!(" What was sent later ({late}) is not counted."),
            }
        ),
        exhibits: vec![timeline(stop, dropped), quote(seen, stop, dropped)],
        fix: fix(seen, stop, dropped).into(),
        repeat: repeat(seen, RULE.meta.name),
    }
    .by(&RULE.meta)
}

fn subject(seen: &Evidence, one: &InFlight<'_>) -> String {
    let request = seen.request(one.call.sent.request);
    request.map_or_else(String::new, shakedown_evidence::Request::subject)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn timeline(stop: &StopReport, dropped: &[&(InFlight<'_>, Fate)]) -> Exhibit {
    let zero = dropped
        .iter()
        .map(|(one, _)| one.call.sent.at)
        .min()
        .map_or(stop.at, |first| first.min(stop.at));
    let ends = dropped
        .iter()
        .filter_map(|(one, _)| Some(one.call.ended.as_ref()?.at));
    let mut moments = vec![
        (zero, "the first of them was sent".to_owned()),
        (
            stop.at,
            format!("{} sent to process {}", stop.signal, stop.pid),
        ),
    ];
    moments.extend(
        ends.min()
            .map(|at| (at, "the first was dropped".to_owned())),
    );
    moments.extend(stop.gone.map(|at| (at, "the process was gone".to_owned())));
    moments.sort_by_key(|(at, _)| *at);
    let moments = moments.into_iter().map(|(at, what)| Moment {
        at_us: micros(at - zero),
        what,
    });
    Exhibit::Timeline {
        title: "the stop".into(),
        moments: moments.collect(),
    }
}

/// One line for each way in which requests of one kind went.
fn quote(seen: &Evidence, stop: &StopReport, dropped: &[&(InFlight<'_>, Fate)]) -> Exhibit {
    let mut rows: BTreeMap<(String, String, String), (usize, u64)> = BTreeMap::new();
    for (one, fate) in dropped {
        let Fate::Dropped(why) = fate else { continue };
        let after = one
            .call
            .ended
            .as_ref()
            .map_or(0, |ended| micros(ended.at - stop.at));
        let how = match (one.half, one.behind) {
            (true, _) => ", body half sent".to_owned(),
            (false, Some(stall)) => format!(", while {stall} was held"),
            (false, None) => String::new(),
        };
        let row = rows.entry((subject(seen, one), how, why.clone()));
        let (count, first) = row.or_insert((0, after));
        *count += 1;
        *first = after.min(*first);
    }
    let lines = rows
        .into_iter()
        .take(ROWS)
        .map(|((subject, how, why), (count, after))| {
            let after = milliseconds(Duration::from_micros(after));
            format!("{count} x {subject}{how}: {why}, {after} after SIGTERM")
        });
    Exhibit::Quote {
        title: "what became of them".into(),
        lines: lines.collect(),
    }
}

/// The connections were cut while the process lived on.
fn is_cut(stop: &StopReport, dropped: &[&(InFlight<'_>, Fate)]) -> bool {
    let ends = dropped
        .iter()
        .filter_map(|(one, _)| Some(one.call.ended.as_ref()?.at));
    ends.max()
        .is_some_and(|last| stop.gone.is_none_or(|gone| gone - last > AT_ONCE))
}

/// The signal itself ended the process.
fn is_uncaught(seen: &Evidence, stop: &StopReport) -> bool {
    const SIGTERM: i32 = 15;
    let started = seen.processes.iter().any(|process| process.pid == stop.pid);
    // How a wrapper ends says nothing of the service.
    started
        && seen
            .target_exit()
            .is_some_and(|exit| exit.signal == Some(SIGTERM))
}

fn fix(seen: &Evidence, stop: &StopReport, dropped: &[&(InFlight<'_>, Fate)]) -> &'static str {
    let grpc = |one: &InFlight<'_>| {
        seen.request(one.call.sent.request)
            .is_some_and(|request| matches!(request.kind, RequestKind::Grpc { .. }))
    };
    let refused = dropped.iter().any(|(one, _)| {
        matches!(
            one.call.end(),
            Some(CallEnd::Status { .. } | CallEnd::Http { .. })
        )
    });
    if refused {
        return "keep what handlers need (their context, database, clients) until Shutdown and GracefulStop have returned: close it after them, not on the signal";
    }
    if is_cut(stop, dropped) {
        return "use Shutdown instead of Close, and GracefulStop instead of Stop; give both a bound, and end the process after them";
    }
    if is_uncaught(seen, stop) {
        return "catch SIGTERM: ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt); when ctx is done call server.Shutdown(bounded) or grpcServer.GracefulStop, and return from main only when it has returned";
    }
    if stop.gone.is_some_and(|gone| gone - stop.at > AT_ONCE) {
        return "give the drain a longer bound, below the grace: the process waited, and then ended with requests under way";
    }
    if dropped.iter().all(|(one, _)| grpc(one)) {
        "on SIGTERM call grpcServer.GracefulStop with a bound, and return from main only when it has returned"
    } else if dropped.iter().any(|(one, _)| grpc(one)) {
        "on SIGTERM call server.Shutdown(bounded) and grpcServer.GracefulStop, and return from main only when both have returned; no os.Exit and no log.Fatal before that"
    } else {
        "on SIGTERM call server.Shutdown(bounded), and return from main only when it has returned: ListenAndServe returns at once"
    }
}

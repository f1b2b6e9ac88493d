//! LIF007: a process that ends after SIGTERM, but later than it may.

use std::collections::BTreeMap;
use std::time::Duration;

use shakedown_evidence::drain::{self, is_shutdown};
use shakedown_evidence::{At, Evidence, Stack, StopReport};
use shakedown_findings::{Certainty, Exhibit, Finding, Item, Moment, RuleMeta, Severity};

use super::stopping::{not_stopped, seconds, waiting};
use crate::exhibits;
use crate::judgement::Found;
use crate::target::repeat;
use crate::{Judgement, Rule};

pub(crate) const RULE: Rule = Rule {
    meta: RuleMeta {
        code: "LIF007",
        name: "drain-too-slow",
        item: Item::Lifecycle,
        severity: Severity::Warning,
        required: false,
        page: include_str!("drain_too_slow.md"),
    },
    judge,
};

/// A process needs so long to end once its last request of ours is answered: flushing, and
/// scheduling on a busy machine.
const SLACK: Duration = Duration::from_millis(500);
/// Connections that are named.
const ROWS: usize = 8;

fn judge(seen: &Evidence) -> Judgement {
    let Some(stop) = seen.stops.first() else {
        return not_stopped(seen);
    };
    let grace = Duration::from_millis(seen.run.grace_ms);
    let Some(gone) = stop.gone else {
        return Judgement::inconclusive(
            format!(
                "it had not ended {} after SIGTERM",
                seconds(stop.until - stop.at)
            ),
            "a process that ends: shakedown explain sigterm-ignored",
        );
    };
    let took = gone - stop.at;
    if took <= grace.max(needed(seen, stop.at)) {
        return Judgement::passed(format!(
            "gone {} after SIGTERM, of {} allowed",
            seconds(took),
            seconds(grace)
        ));
    }
    Judgement::failed(vec![finding(seen, stop, gone, grace)])
}

/// What the requests that were in flight needed, if they were answered: our doing.
fn needed(seen: &Evidence, signal: At) -> Duration {
    let in_flight = drain::in_flight(seen, signal);
    let answered = in_flight.iter().filter(|one| one.call.is_ok());
    answered
        .filter_map(|one| Some(one.call.ended.as_ref()?.at - signal + SLACK))
        .max()
        .unwrap_or_default()
}

/// What held the process, as far as it could be seen.
enum Held<'a> {
    Asleep(&'a Stack),
    Clients(BTreeMap<String, usize>),
    Draining(&'a Stack),
    Unseen,
}

fn held(seen: &Evidence) -> Held<'_> {
    let asleep = |stack: &Stack| {
        stack.any(|function| function == "main.main")
            && stack.any(|function| function == "time.Sleep")
    };
    if let Some((_, stack)) = waiting(seen, asleep) {
        return Held::Asleep(stack);
    }
    let mut clients: BTreeMap<String, usize> = BTreeMap::new();
    for client in seen.drains.iter().flat_map(|look| &look.clients) {
        let host = client.remote.rsplit_once(':').map_or("?", |(host, _)| host);
        let to = format!("{host} to {}", client.local);
        *clients.entry(to).or_default() += 1;
    }
    if !clients.is_empty() {
        return Held::Clients(clients);
    }
    match waiting(seen, is_shutdown) {
        Some((_, stack)) => Held::Draining(stack),
        None => Held::Unseen,
    }
}

fn finding(seen: &Evidence, stop: &StopReport, gone: At, grace: Duration) -> Finding {
    let took = gone - stop.at;
    let held = held(seen);
    let what = match &held {
        Held::Asleep(_) => "main was asleep".to_owned(),
        Held::Clients(clients) => {
            let count: usize = clients.values().sum();
            let verb = if count == 1 {
                "connection was"
            } else {
                "connections were"
            };
            format!("{count} {verb} still open, none of them ours")
        }
        Held::Draining(_) => {
            "a graceful shutdown was still waiting, although no request of ours was left".to_owned()
        }
        Held::Unseen => "what it was waiting for could not be seen".to_owned(),
    };
    let fix = match &held {
        Held::Asleep(_) => {
            "sleep only as long as clients need to notice (a second or two), or move the wait into a preStop hook and count it into the grace"
        }
        Held::Clients(_) => {
            "answer with Connection: close while draining (gRPC: keepalive.MaxConnectionAge), close hijacked connections and streams with RegisterOnShutdown, and give Shutdown and GracefulStop a bound below the grace"
        }
        Held::Draining(_) | Held::Unseen => {
            "give each step of the stop a bound, and all of them together less than the grace; then close what is left and return"
        }
    };
    let place = match &held {
        Held::Asleep(stack) | Held::Draining(stack) => {
            exhibits::own_place(seen, stack).map(exhibits::location)
        }
        Held::Clients(_) | Held::Unseen => None,
    };
    let mut exhibits: Vec<Exhibit> = exhibits::source(seen, place.as_ref()).into_iter().collect();
    exhibits.push(timeline(seen, stop, gone, grace));
    match &held {
        Held::Asleep(stack) | Held::Draining(stack) => {
            exhibits.push(exhibits::stack("what held it", stack));
        }
        Held::Clients(clients) => exhibits.push(Exhibit::Quote {
            title: "connections that were still open".into(),
            lines: clients
                .iter()
                .take(ROWS)
                .map(|(who, count)| format!("{count} x {who}"))
                .collect(),
        }),
        Held::Unseen => {}
    }
    Found {
        certainty: Certainty::Proven,
        // The time itself varies from run to run; a waiver must not.
        subject: format!("longer than {} after SIGTERM", seconds(grace)),
        location: place,
        message: format!(
            "The process ended {} after SIGTERM, {} later than its grace allows; an orchestrator would have killed it. When the grace was over, {what}.",
            seconds(took),
            seconds(took.saturating_sub(grace))
        ),
        exhibits,
        fix: fix.into(),
        repeat: repeat(seen, RULE.meta.name),
    }
    .by(&RULE.meta)
}

fn timeline(seen: &Evidence, stop: &StopReport, gone: At, grace: Duration) -> Exhibit {
    let mut moments = vec![
        (
            stop.at,
            format!("{} sent to process {}", stop.signal, stop.pid),
        ),
        (stop.at + grace, "its grace was over".to_owned()),
        (gone, "the process was gone".to_owned()),
    ];
    let answered = drain::in_flight(seen, stop.at);
    let last = answered
        .iter()
        .filter(|one| one.call.is_ok())
        .filter_map(|one| Some(one.call.ended.as_ref()?.at))
        .max();
    moments.extend(last.map(|at| (at, "the last request of ours was answered".to_owned())));
    moments.sort_by_key(|(at, _)| *at);
    Exhibit::Timeline {
        title: "the stop".into(),
        moments: moments
            .into_iter()
            .map(|(at, what)| Moment {
                at_us: u64::try_from((at - stop.at).as_micros()).unwrap_or(u64::MAX),
                what,
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use shakedown_evidence::{Client, DrainLook, Event, Purpose};

    use super::super::stopping::built::{OK, SIGNAL_MS, call, http, run, stop};
    use super::*;

    /// The outcome where the process was gone so long after the signal; its grace is 4000 ms.
    fn check(took_ms: Option<u64>) -> &'static str {
        let mut seen = run([http("GET /x", "")]);
        let gone = took_ms.map(|took| SIGNAL_MS + took);
        stop(&mut seen, gone, gone.unwrap_or(SIGNAL_MS + 4000));
        judge(&seen).outcome.name()
    }

    #[test]
    fn within_its_grace_is_in_time() {
        assert_eq!(check(Some(3)), "passed");
        assert_eq!(check(Some(4000)), "passed");
        assert_eq!(check(Some(4001)), "failed");
        assert_eq!(check(None), "inconclusive");
    }

    #[test]
    fn what_our_requests_needed_is_not_held_against_it() {
        let mut seen = run([http("GET /x", "")]);
        call(&mut seen, 0, Purpose::Stop, 1900, Some((6400, OK)));
        stop(&mut seen, Some(6450), 6450);
        assert_eq!(judge(&seen).outcome.name(), "passed");
        let mut seen = run([http("GET /x", "")]);
        call(&mut seen, 0, Purpose::Stop, 1900, Some((2400, OK)));
        stop(&mut seen, Some(6450), 6450);
        assert_eq!(judge(&seen).outcome.name(), "failed");
    }

    #[test]
    fn connections_of_others_are_named() {
        let mut seen = run([http("GET /x", "")]);
        let client = |port: u16| Client {
            local: "127.0.0.1:80".into(),
            remote: format!("10.0.0.9:{port}"),
        };
        seen.apply(Event::Drain(DrainLook {
            at: At(6_000_000),
            listening: vec![],
            clients: vec![client(1), client(2)],
        }));
        stop(&mut seen, Some(7000), 7000);
        let finding = &judge(&seen).findings[0];
        assert!(
            finding
                .message
                .ends_with("2 connections were still open, none of them ours."),
            "{}",
            finding.message
        );
        let Some(Exhibit::Quote { lines, .. }) = finding.exhibits.last() else {
            panic!("{:?}", finding.exhibits);
        };
        assert_eq!(lines, &["2 x 10.0.0.9 to 127.0.0.1:80"]);
    }
}

//! LIF005: a process that does not end when it is told to.

use std::time::Duration;

use shakedown_evidence::labels::STOP;
use shakedown_evidence::{Consent, Evidence, Stack};
use shakedown_findings::{Certainty, Exhibit, Item, Location, Moment, RuleMeta, Severity};

use crate::exhibits;
use crate::judgement::Found;
use crate::target::repeat;
use crate::{Judgement, Rule};

pub(crate) const RULE: Rule = Rule {
    meta: RuleMeta {
        code: "LIF005",
        name: "sigterm-ignored",
        item: Item::Lifecycle,
        severity: Severity::Error,
        required: true,
        page: include_str!("sigterm_ignored.md"),
    },
    judge,
};

fn judge(seen: &Evidence) -> Judgement {
    let Some(stop) = seen.stops.first() else {
        let early = seen.target_exit().filter(|exit| !exit.expected);
        return match early {
            Some(_) => Judgement::inconclusive(
                "the service ended by itself before it was told to",
                "a service that stays up: see its last lines",
            ),
            None => match seen.run.access.refusal(Consent::Stop) {
                Some((why, to_prove)) => Judgement::not_exercised(why, to_prove),
                None => Judgement::not_exercised(
                    "the service was not told to stop",
                    "start the service with `-- COMMAND`",
                ),
            },
        };
    };
    let waited = stop.until - stop.at;
    match stop.gone {
        Some(gone) => Judgement::passed(format!("SIGTERM: gone in {}", seconds(gone - stop.at))),
        None => {
            let place = waiting_main(seen);
            let moments = vec![
                Moment {
                    at_us: 0,
                    what: format!("{} sent to process {}", stop.signal, stop.pid),
                },
                Moment {
                    at_us: u64::try_from(waited.as_micros()).unwrap_or(u64::MAX),
                    what: if seen.run.access.is_ours() {
                        "still there; killed"
                    } else {
                        "still there"
                    }
                    .into(),
                },
            ];
            let found = Found {
                certainty: Certainty::Proven,
                subject: format!("still there {} after SIGTERM", seconds(waited)),
                location: place.as_ref().map(|(place, _)| place.clone()),
                message: format!("Process {} was still there {} after SIGTERM. An orchestrator kills it then, with whatever it was doing.", stop.pid, seconds(waited)),
                exhibits: exhibits::source(seen, place.as_ref().map(|(place, _)| place))
                    .into_iter()
                    .chain([Exhibit::Timeline { title: "the stop".into(), moments }])
                    .chain(place.map(|(_, stack)| exhibits::stack("what main was waiting for", stack)))
                    .collect(),
                fix: "ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt); when ctx is done: server.Shutdown(bounded), grpcServer.GracefulStop with a bound, then return from main".into(),
                repeat: repeat(seen, RULE.meta.name),
            };
            Judgement::failed(vec![found.by(&RULE.meta)])
        }
    }
}

/// Where main waits, if the process could still be asked.
fn waiting_main(seen: &Evidence) -> Option<(Location, &Stack)> {
    let dump = seen
        .snapshots
        .iter()
        .rev()
        .find(|snapshot| snapshot.label == STOP)?;
    let stacks = dump
        .groups
        .iter()
        .filter_map(|group| seen.stacks.get(group.stack));
    let main = stacks
        .into_iter()
        .find(|stack| stack.any(|function| function == "main.main"))?;
    let place = exhibits::own_place(seen, main)?;
    Some((exhibits::location(place), main))
}

fn seconds(duration: Duration) -> String {
    if duration < Duration::from_millis(100) {
        return format!("{} ms", duration.as_millis());
    }
    format!("{:.1} s", duration.as_secs_f64())
}

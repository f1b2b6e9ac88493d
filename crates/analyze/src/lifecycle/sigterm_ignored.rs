//! LIF005: a process that does not end when it is told to.

use shakedown_evidence::Evidence;
use shakedown_findings::{Certainty, Exhibit, Item, Moment, RuleMeta, Severity};

use super::stopping::{not_stopped, seconds, waiting};
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
        return not_stopped(seen);
    };
    let waited = stop.until - stop.at;
    match stop.gone {
        Some(gone) => Judgement::passed(format!("SIGTERM: gone in {}", seconds(gone - stop.at))),
        None if (0..seen.run.requests.len()).any(|request| seen.unrecovered(request).is_some()) => {
            Judgement::inconclusive(
                format!(
                    "still there {} after SIGTERM, but it had not recovered from the stall of a dependency before",
                    seconds(waited)
                ),
                "run again without --stall",
            )
        }
        None => {
            let place = waiting(seen, |stack| stack.any(|function| function == "main.main"));
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

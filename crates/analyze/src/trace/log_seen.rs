//! Was the log there to be read, to the end of the traffic?

use shakedown_evidence::log::LogEvent;
use shakedown_evidence::{At, Evidence, Purpose};

use crate::Judgement;

/// How a log is given.
const FLAG: &str = "--logs FILE, --logs journald:UNIT, or a log stream piped in: docker logs -f NAME 2>&1 | shakedown check --logs - …";

/// Why nothing may be concluded from lines that are missing, if that is so.
pub(crate) fn missing(seen: &Evidence) -> Option<Judgement> {
    if seen.logs.is_empty() {
        let exported = !seen.exported.is_empty();
        return (!seen.run.access.is_ours() && !exported).then(|| {
            Judgement::inconclusive(
                "the service was running before us, and its log was not given",
                FLAG,
            )
        });
    }
    let until = last_request(seen);
    seen.logs.iter().find_map(|event| match event {
        LogEvent::Ended { at, source, why } if Some(*at) < until => Some(Judgement::inconclusive(
            format!("the log {source} ended before the last request: {why}"),
            FLAG,
        )),
        LogEvent::Following { at, source } if Some(*at) > until && until.is_some() => {
            Some(Judgement::inconclusive(
                format!("the log {source} was read only after the last request"),
                FLAG,
            ))
        }
        LogEvent::Ended { .. } | LogEvent::Following { .. } => None,
    })
}

fn last_request(seen: &Evidence) -> Option<At> {
    let mut calls = seen.calls.iter().rev();
    let last = calls.find(|call| call.sent.purpose == Purpose::Traffic)?;
    Some(last.sent.at)
}

//! Audits of a service without pprof: calls whose callers lost interest in one moment, and the
//! goroutines that the Go runtime printed at SIGQUIT a little later.

use std::time::Duration;

use shakedown_evidence::caught::{CALLS, Moment};
use shakedown_evidence::{Evidence, Purpose, QuitAudit, Stack, handler};
use shakedown_findings::Moment as Step;

use super::audits::{Audit, Late, interest_ends};

/// A dump that came so shortly before the handler is over anyway does not show that it stopped.
const MARGIN: Duration = Duration::from_millis(20);
/// What proves the rest.
const PPROF: &str = "mount pprof on a private listener: shakedown explain pprof-missing";

/// Judges the audit of one request; `moment` is nothing for one that is over too soon.
pub(super) fn judge(
    seen: &Evidence,
    request: usize,
    purpose: Purpose,
    moment: Option<Moment>,
) -> Audit<'_> {
    let Some(asked) = seen.request(request) else {
        return Audit::Unclear {
            why: "no such request".into(),
            to_prove: PPROF.into(),
        };
    };
    let subject = asked.subject();
    let usual = seen.usual_duration(request).map(|(shortest, _)| shortest);
    let (Some(moment), Some(usual)) = (moment, usual) else {
        let takes = usual.map_or(0, |usual| usual.as_millis());
        return Audit::NotExercised {
            why: format!("{subject}: takes {takes} ms, too fast to be caught without pprof"),
            to_prove: format!("{PPROF}, and a stall of what it waits for"),
        };
    };
    let unclear = |why: &str, to_prove: &str| Audit::Unclear {
        why: format!("{subject}: {why}"),
        to_prove: to_prove.to_owned(),
    };
    let mut audits = seen.quit_audits.iter();
    let audit = audits.find(|audit| audit.request == request && audit.purpose == purpose);
    let Some(audit) = audit else {
        return unclear("no goroutine profile, and no start was left for it", PPROF);
    };
    let dump = seen
        .snapshots
        .iter()
        .find(|snapshot| snapshot.label == audit.label);
    let (None, Some(dump)) = (&audit.failed, dump) else {
        let why = audit.failed.as_deref().unwrap_or("it is missing");
        return unclear(&format!("no goroutines at SIGQUIT: {why}"), PPROF);
    };
    if audit.open < CALLS {
        return Audit::NotExercised {
            why: format!(
                "{subject}: {} of {} calls were under way at the moment, {CALLS} are needed",
                audit.open, audit.calls
            ),
            to_prove: format!("a request to {subject} that reliably takes longer"),
        };
    }
    let after = Duration::from_millis(audit.after_ms);
    let standing: Vec<(&Stack, u64)> = handler::groups(seen, dump, &asked.kind)
        .map(|(group, stack)| (stack, group.count))
        .collect();
    let count: u64 = standing.iter().map(|(_, count)| count).sum();
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    if count >= 3 && count * 2 > audit.open && after >= moment.late {
        return Audit::Late(Late {
            calls: audit.open,
            late: count.min(audit.open),
            longest: after,
            moment,
            behind: None,
            stack: usual_stack(&standing),
            course: course(audit),
        });
    }
    let over = Duration::from_millis(audit.age_ms) + MARGIN >= usual;
    if count == 0 && !over {
        return Audit::Clean {
            calls: audit.open,
            slowest: after,
            behind: None,
        };
    }
    let why = if over {
        "SIGQUIT came when its handlers were over in any case".to_owned()
    } else {
        format!("{count} of {} handlers were left at SIGQUIT", audit.open)
    };
    unclear(&why, "run again on a machine that is less busy")
}

/// Where most of them stand; of equals the first.
fn usual_stack<'a>(standing: &[(&'a Stack, u64)]) -> Option<&'a Stack> {
    let most = standing.iter().map(|(_, count)| *count).max()?;
    let mut stacks = standing.iter();
    let (stack, _) = stacks.find(|(_, count)| *count == most)?;
    Some(stack)
}

fn course(audit: &QuitAudit) -> Vec<Step> {
    let step = |ms: u64, what: &str| Step {
        at_us: ms * 1000,
        what: what.into(),
    };
    let deadline = audit.purpose == Purpose::Deadline;
    vec![
        step(0, "sent"),
        step(audit.moment_ms, interest_ends(deadline)),
        step(
            audit.moment_ms + audit.after_ms,
            "SIGQUIT: handler still running",
        ),
    ]
}

#[cfg(test)]
#[path = "quit_tests.rs"]
mod tests;

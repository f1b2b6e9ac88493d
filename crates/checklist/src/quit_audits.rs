//! Handlers of a service without pprof, after their callers have lost interest: for each request a
//! start of its own, whose goroutines the Go runtime prints at SIGQUIT.
//!
//! As in [`further_starts`], only the dump is taken over, and what the calls came to.

use std::time::Duration;

use shakedown_acquire::Hands;
use shakedown_evidence::caught::{self, Moment};
use shakedown_evidence::{Event, Evidence, Purpose, QuitAudit, RequestKind, labels};

use crate::further_starts::{self, Setting, dumped, keep};
use crate::{RunError, Settings, plan};

/// Starts at most: each takes some seconds.
const MOST: usize = 8;

/// A request whose handlers can be caught.
struct Planned {
    request: usize,
    purpose: Purpose,
    moment: Moment,
    usual: Duration,
}

/// Whether such starts can show anything that nothing else does.
pub(crate) fn are_useful(settings: &Settings, seen: &Evidence) -> bool {
    further_starts::are_possible(settings, seen) && !planned(settings, seen).is_empty()
}

/// Deadlines before cancels, in the order of the requests.
fn planned(settings: &Settings, seen: &Evidence) -> Vec<Planned> {
    let of = |purpose: Purpose, rule: &str| {
        let is_wanted = plan::is_wanted(&settings.only, &[rule]);
        let requests = (0..seen.run.requests.len()).filter(move |_| is_wanted);
        requests.filter_map(move |request| plan_one(seen, request, purpose))
    };
    of(Purpose::Deadline, "deadline-ignored")
        .chain(of(Purpose::Cancel, "cancel-ignored"))
        .take(MOST)
        .collect()
}

fn plan_one(seen: &Evidence, request: usize, purpose: Purpose) -> Option<Planned> {
    let asked = seen.request(request)?;
    let carries_it = purpose == Purpose::Cancel || matches!(asked.kind, RequestKind::Grpc { .. });
    if !(asked.repeat_safe && asked.given && carries_it) {
        return None;
    }
    let (usual, _) = seen.usual_duration(request)?;
    Some(Planned {
        request,
        purpose,
        moment: caught::moment(usual, asked.deadline())?,
        usual,
    })
}

/// Audits one request after another. A start that fails is told, and the next is tried: its
/// requests are others.
pub(crate) async fn run(of: &Setting<'_>, place: &mut Option<Hands>) -> Result<(), RunError> {
    let planned = of.recorder.read(|seen| planned(of.settings, seen));
    for (number, one) in planned.into_iter().enumerate() {
        let began = of.recorder.now();
        let last =
            shakedown_experiment::QuitAudit::new(one.request, one.purpose, one.moment, one.usual);
        let (scratch, dump) = dumped(of, place, Box::new(last)).await?;
        let label = labels::quit_audit(number);
        let missing = keep(of.recorder, began, label.clone(), dump).err();
        let mut audit = scratch.read(|start| {
            let of_request = (one.request, one.purpose);
            QuitAudit::of(start, of.recorder.now(), of_request, one.moment, label)
        });
        audit.failed = missing.or(audit.failed);
        of.recorder.record(Event::QuitAudit(audit));
    }
    Ok(())
}

//! DLN001: a handler that runs on after its caller's deadline.

use shakedown_evidence::{Consent, Evidence, ProbeKind, Purpose, RequestKind, Speaks};
use shakedown_findings::{Certainty, Finding, Item, RuleMeta, Severity};

use super::audits::{self, Audit, Late};
use crate::judgement::Found;
use crate::target::{repeat, request_to_give};
use crate::{Judgement, Rule};

pub(crate) const RULE: Rule = Rule {
    meta: RuleMeta {
        code: "DLN001",
        name: "deadline-ignored",
        item: Item::Deadline,
        severity: Severity::Error,
        required: true,
        page: include_str!("deadline_ignored.md"),
    },
    judge,
};

fn judge(seen: &Evidence) -> Judgement {
    if without_grpc(seen) {
        return Judgement::not_applicable("no listener speaks gRPC, and HTTP carries no deadline");
    }
    judge_requests(
        seen,
        &audited(seen),
        Purpose::Deadline,
        "--grpc pkg.Service/Method --data '{…}'",
        "caught at their deadline",
        finding,
    )
}

/// The gRPC requests that were given.
pub(super) fn audited(seen: &Evidence) -> Vec<usize> {
    let is_grpc = |position: &usize| {
        seen.request(*position).is_some_and(|request| {
            request.given && matches!(request.kind, RequestKind::Grpc { .. })
        })
    };
    (0..seen.run.requests.len()).filter(is_grpc).collect()
}

/// Every listener was asked, none speaks gRPC, and nobody says that one should.
pub(super) fn without_grpc(seen: &Evidence) -> bool {
    let asked = seen.listeners.iter().all(|listener| {
        seen.facts_of(&listener.reach)
            .is_some_and(|facts| !facts.speaks.is_empty() && !facts.speaks.contains(&Speaks::Tls))
    });
    // A listener that could not be reached may speak gRPC.
    let all = seen
        .failures
        .iter()
        .all(|failure| failure.kind != ProbeKind::Listener);
    let ready = seen.ready.as_ref().is_some_and(|ready| ready.ready);
    // Where only addresses are known, there may be a listener that nobody named.
    ready
        && asked
        && all
        && seen.run.access.has_process()
        && !seen.listeners.is_empty()
        && seen.speaking(Speaks::Grpc).next().is_none()
        && audited(seen).is_empty()
}

/// Judges every request that was given; both rules of the item share it.
pub(super) fn judge_requests(
    seen: &Evidence,
    requests: &[usize],
    purpose: Purpose,
    flags: &str,
    how: &str,
    finding: fn(&Evidence, usize, &Late<'_>) -> Finding,
) -> Judgement {
    if requests.is_empty() {
        return Judgement::not_exercised(
            "no request was given whose handler could be caught",
            request_to_give(seen, flags),
        );
    }
    if let Some((why, to_prove)) = seen.run.access.refusal(Consent::Audits) {
        return Judgement::not_exercised(why, to_prove);
    }
    if let Some((why, to_prove)) = audits::blocked(seen).filter(|_| seen.quit_audits.is_empty()) {
        return Judgement::inconclusive(why, to_prove);
    }
    let mut findings = Vec::new();
    let (mut clean, mut calls, mut slowest) = (Vec::new(), 0, std::time::Duration::ZERO);
    let mut stalls: Vec<&str> = Vec::new();
    let mut open: Option<Judgement> = None;
    for request in requests {
        let subject = seen
            .request(*request)
            .map(shakedown_evidence::Request::subject)
            .unwrap_or_default();
        match audits::judge(seen, *request, purpose) {
            Audit::Clean {
                calls: of,
                slowest: by,
                behind,
            } => {
                clean.push(subject);
                stalls.extend(behind.map(|stall| stall.name.as_str()));
                calls += of;
                slowest = slowest.max(by);
            }
            Audit::Late(late) => findings.push(finding(seen, *request, &late)),
            Audit::NotExercised { why, to_prove } => {
                open.get_or_insert_with(|| Judgement::not_exercised(why, to_prove));
            }
            Audit::Unclear { why, to_prove } => open = Some(Judgement::inconclusive(why, to_prove)),
        }
    }
    if !findings.is_empty() {
        return Judgement::failed(findings);
    }
    // One request that was not tested leaves the rule open: it may be the one.
    open.unwrap_or_else(|| {
        let shown: Vec<&str> = clean
            .iter()
            .map(|subject| crate::exhibits::short_subject(subject))
            .collect();
        stalls.sort_unstable();
        stalls.dedup();
        let behind = if stalls.is_empty() {
            String::new()
        } else {
            format!(" (behind stall {})", stalls.join(", "))
        };
        Judgement::passed(format!(
            "{}: {calls} calls {how}{behind}, gone within {} ms",
            shown.join(", "),
            slowest.as_millis()
        ))
    })
}

fn finding(seen: &Evidence, request: usize, late: &Late<'_>) -> Finding {
    let subject = seen
        .request(request)
        .map(shakedown_evidence::Request::subject)
        .unwrap_or_default();
    Found {
        certainty: Certainty::Proven,
        message: format!(
            "{subject} was still in {} {} ms after its {} ms deadline, in {} of {} calls{}.",
            late.doing(seen),
            late.longest.as_millis(),
            late.moment.after.as_millis(),
            late.late,
            late.calls,
            late.meanwhile()
        ),
        location: late.place(seen),
        exhibits: late.exhibits(seen),
        fix: late.fix("select { case <-work: … case <-ctx.Done(): return nil, status.FromContextError(ctx.Err()).Err() }; pass ctx to every call, and wait with a timer, not with time.Sleep"),
        repeat: repeat(seen, RULE.meta.name),
        subject,
    }
    .by(&RULE.meta)
}

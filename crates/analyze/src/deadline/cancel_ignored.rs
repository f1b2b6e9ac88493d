//! DLN002: a handler that runs on after its caller has left.

use shakedown_evidence::{Evidence, Purpose};
use shakedown_findings::{Certainty, Finding, Item, RuleMeta, Severity};

use super::audits::Late;
use super::deadline_ignored::judge_requests;
use crate::judgement::Found;
use crate::target::repeat;
use crate::{Judgement, Rule};

pub(crate) const RULE: Rule = Rule {
    meta: RuleMeta {
        code: "DLN002",
        name: "cancel-ignored",
        item: Item::Deadline,
        severity: Severity::Error,
        required: true,
        page: include_str!("cancel_ignored.md"),
    },
    judge,
};

fn judge(seen: &Evidence) -> Judgement {
    let given: Vec<usize> = (0..seen.run.requests.len())
        .filter(|position| seen.request(*position).is_some_and(|request| request.given))
        .collect();
    judge_requests(
        seen,
        &given,
        Purpose::Cancel,
        "--grpc pkg.Service/Method or --http 'GET /path'",
        "left by their caller",
        finding,
    )
}

fn finding(seen: &Evidence, request: usize, late: &Late<'_>) -> Finding {
    let subject = seen
        .request(request)
        .map(shakedown_evidence::Request::subject)
        .unwrap_or_default();
    Found {
        certainty: Certainty::Proven,
        message: format!(
            "{subject} was still in {} {} ms after its caller had left, in {} of {} calls{}.",
            late.doing(seen),
            late.longest.as_millis(),
            late.late,
            late.calls,
            late.meanwhile()
        ),
        location: late.place(seen),
        exhibits: late.exhibits(seen),
        fix: late.fix("watch ctx.Done() (r.Context() in HTTP handlers) and return; do not cut the context off with context.Background() or context.WithoutCancel while the caller waits for the answer"),
        repeat: repeat(seen, RULE.meta.name),
        subject,
    }
    .by(&RULE.meta)
}

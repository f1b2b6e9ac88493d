//! LIF010: descriptors that requests leave open.
//!
//! Counted by what they lead to, after each batch, before and after a collection: what the
//! collection closes was forgotten too, and is told apart.

use std::collections::{BTreeMap, BTreeSet};

use shakedown_evidence::labels::{BATCHES, HELD, collected};
use shakedown_evidence::{At, Evidence, Resources};
use shakedown_findings::{Certainty, Exhibit, Finding, Item, RuleMeta, Severity};

use super::batches::{
    HELD_MIN, labels, points, proportional, real64, requests_after, requests_at, unanswered,
    untested,
};
use crate::judgement::Found;
use crate::target::repeat;
use crate::{Judgement, Rule};

pub(crate) const RULE: Rule = Rule {
    meta: RuleMeta {
        code: "LIF010",
        name: "fd-leak",
        item: Item::Lifecycle,
        severity: Severity::Error,
        required: false,
        page: include_str!("fd_leak.md"),
    },
    judge,
};

/// Descriptors a request, as for goroutines (leak-per-request).
const SLOPE: std::ops::RangeInclusive<f64> = 0.05..=10.0;
/// What only the collector closes must be so many a request: a sync.Pool gives a few back at every
/// collection, however many requests there were.
const COLLECTED_MIN: f64 = 0.25;
/// And so many after each batch.
const COLLECTED_EACH: f64 = 2.0;
/// Descriptors whose number others decide.
const NOT_OURS: [&str; 2] = ["connection of a client", "listener"];

fn judge(seen: &Evidence) -> Judgement {
    if let Some(judgement) = untested(seen) {
        return judgement;
    }
    let Some(series) = Series::of(seen) else {
        let why = seen
            .failures
            .iter()
            .find(|failure| failure.kind == shakedown_evidence::ProbeKind::Resources);
        return match why {
            Some(failure) => Judgement::inconclusive(
                format!("descriptors could not be counted: {}", failure.why),
                "run shakedown as the user of the service, or let it start the service: `-- COMMAND`",
            ),
            None => Judgement::inconclusive(
                "descriptors were not counted after every batch",
                "run again, to the end",
            ),
        };
    };
    if let Some(judgement) = unanswered(seen) {
        return judgement;
    }
    let findings = series.findings(seen);
    if !findings.is_empty() {
        return Judgement::failed(findings);
    }
    let (first, last) = (series.left[0].total(), series.left[BATCHES].total());
    let counted = series.counted;
    Judgement::passed(if first == last {
        format!("{counted} requests in {BATCHES} batches: {first} descriptors before and after")
    } else {
        format!("{counted} requests in {BATCHES} batches: {first} descriptors before, {last} after")
    })
}

/// Descriptors after the warm-up, after each batch, and after the hold.
struct Series<'a> {
    /// As the batches left them.
    left: Vec<&'a Resources>,
    /// After the collection that followed, if there was one after each.
    collected: Option<Vec<&'a Resources>>,
    held: &'a Resources,
    requests: Vec<f64>,
    counted: usize,
}

impl<'a> Series<'a> {
    fn of(seen: &'a Evidence) -> Option<Self> {
        let taken = |label: &str| seen.resources.iter().find(|of| of.label == label);
        let left: Vec<&Resources> = labels()
            .iter()
            .map(|label| taken(label))
            .collect::<Option<_>>()?;
        let collected_: Option<Vec<&Resources>> = labels()
            .iter()
            .map(|label| taken(&collected(label)))
            .collect();
        let held = taken(&collected(HELD))
            .filter(|_| collected_.is_some())
            .or_else(|| taken(HELD))?;
        // Another process than before: nothing to compare.
        let same = left.iter().all(|of| of.pid == held.pid);
        let moments: Vec<At> = left.iter().map(|of| of.at).collect();
        same.then(|| Self {
            requests: requests_at(seen, &moments),
            counted: requests_after(seen, moments[0]),
            left,
            collected: collected_,
            held,
        })
    }

    fn kinds(&self) -> BTreeSet<&'a str> {
        let all = self.left.iter().chain(self.collected.iter().flatten());
        let kinds = all.flat_map(|of| of.descriptors.keys());
        kinds
            .map(String::as_str)
            .filter(|kind| !NOT_OURS.contains(kind))
            .collect()
    }

    fn findings(&self, seen: &Evidence) -> Vec<Finding> {
        let count =
            |of: &Resources, kind: &str| real64(of.descriptors.get(kind).copied().unwrap_or(0));
        let mut findings = Vec::new();
        for kind in self.kinds() {
            let of =
                |all: &[&Resources]| -> Vec<f64> { all.iter().map(|of| count(of, kind)).collect() };
            let left = of(&self.left);
            let collected = self.collected.as_deref().map(of);
            let stays = collected.as_ref().unwrap_or(&left);
            if let Some(slope) = self.leaks(stays, count(self.held, kind)) {
                findings.push(self.finding(seen, kind, stays, slope));
            } else if let Some(closed) =
                collected.and_then(|after| self.only_collected(&left, &after))
            {
                findings.push(self.forgotten(seen, kind, &left, &closed));
            }
        }
        if findings.is_empty() {
            findings.extend(self.of_many_kinds(seen));
        }
        findings
    }

    /// The slope of what grows with the requests and stays.
    fn leaks(&self, counts: &[f64], held: f64) -> Option<f64> {
        let slope = proportional(&self.requests, counts)?;
        let rise = counts[counts.len() - 1] - counts[0];
        (SLOPE.contains(&slope) && held - counts[0] >= rise * HELD_MIN).then_some(slope)
    }

    /// How many the collection closed after each batch, if that was a matter of requests.
    fn only_collected(&self, left: &[f64], collected: &[f64]) -> Option<Vec<f64>> {
        let closed: Vec<f64> = left
            .iter()
            .zip(collected)
            .skip(1)
            .map(|(before, after)| before - after)
            .collect();
        let all: f64 = closed.iter().sum();
        let requests = self.requests[self.requests.len() - 1];
        let each = closed.iter().all(|closed| *closed >= COLLECTED_EACH);
        let slope = all / requests.max(1.0);
        (each && (COLLECTED_MIN..=*SLOPE.end()).contains(&slope)).then_some(closed)
    }

    /// Kinds that differ from request to request hide from the count of each.
    fn of_many_kinds(&self, seen: &Evidence) -> Option<Finding> {
        let all = |of: &Resources| {
            let own = of
                .descriptors
                .iter()
                .filter(|(kind, _)| !NOT_OURS.contains(&kind.as_str()));
            real64(own.map(|(_, count)| count).sum())
        };
        let marks = self.collected.as_ref().unwrap_or(&self.left);
        let counts: Vec<f64> = marks.iter().map(|of| all(of)).collect();
        let slope = self.leaks(&counts, all(self.held))?;
        Some(self.finding(seen, "descriptors of many kinds", &counts, slope))
    }

    fn finding(&self, seen: &Evidence, kind: &str, counts: &[f64], slope: f64) -> Finding {
        let rise = counts[counts.len() - 1] - counts[0];
        Found {
            certainty: Certainty::Proven,
            subject: kind.to_owned(),
            location: None,
            message: format!(
                "{rise:.0} descriptors were left open by {} requests ({slope:.2} a request): {kind}.",
                self.counted
            ),
            exhibits: vec![
                Exhibit::Series {
                    title: format!("open: {kind}"),
                    points: points(counts),
                },
                self.quote(),
            ],
            fix: fix(kind).into(),
            repeat: repeat(seen, RULE.meta.name),
        }
        .by(&RULE.meta)
    }

    fn forgotten(&self, seen: &Evidence, kind: &str, left: &[f64], closed: &[f64]) -> Finding {
        let each: Vec<String> = closed.iter().map(|closed| format!("{closed:.0}")).collect();
        let found = Found {
            certainty: Certainty::Proven,
            subject: kind.to_owned(),
            location: None,
            message: format!(
                "Requests leave descriptors open until the garbage collector closes them: {kind}, {} after the {BATCHES} batches. How many are open at once is up to the collector; at a peak it is too late.",
                each.join(", ")
            ),
            exhibits: vec![
                Exhibit::Series {
                    title: format!("open before each collection: {kind}"),
                    points: points(left),
                },
                self.quote(),
            ],
            fix: fix(kind).into(),
            repeat: repeat(seen, RULE.meta.name),
        };
        Finding {
            severity: Severity::Warning,
            ..found.by(&RULE.meta)
        }
    }

    /// What was open at the end, most first.
    fn quote(&self) -> Exhibit {
        let mut kinds: BTreeMap<(std::cmp::Reverse<u64>, &str), u64> = BTreeMap::new();
        for (kind, count) in &self.left[BATCHES].descriptors {
            kinds.insert((std::cmp::Reverse(*count), kind), *count);
        }
        Exhibit::Quote {
            title: format!("open after batch {BATCHES}"),
            lines: kinds
                .iter()
                .take(6)
                .map(|((_, kind), count)| format!("{count} x {kind}"))
                .collect(),
        }
    }
}

/// What usually mends a leak of this kind.
fn fix(kind: &str) -> &'static str {
    if kind.starts_with("connection to") {
        "close what each request opens: defer resp.Body.Close() (and read it to its end), defer rows.Close(), defer conn.Close(); one client and one pool for all requests"
    } else if kind.starts_with("connection left") {
        "a connection that was hijacked, or accepted by hand, is yours: defer conn.Close() on every path out of its loop"
    } else if kind.starts_with("file") {
        "defer file.Close() right after it was opened, in a function that ends with the request"
    } else if kind.starts_with("pipe") {
        "cmd.Wait() after every cmd.Start(), and close both ends of os.Pipe()"
    } else {
        "close it with the request that opened it: defer x.Close()"
    }
}

#[cfg(test)]
mod tests {
    use shakedown_evidence::Event;

    use super::super::batches::built::{marks, run};
    use super::*;

    /// A run in which at mark n so many descriptors of some kinds were open before the collection,
    /// and so many after it.
    fn built(
        before: impl Fn(u64) -> Vec<(&'static str, u64)>,
        after: impl Fn(u64) -> Vec<(&'static str, u64)>,
    ) -> Evidence {
        let mut seen = run(200);
        for (position, (at, label)) in marks().into_iter().enumerate() {
            // The hold adds no requests.
            let n = (position as u64).min(BATCHES as u64);
            let mut add = |label, counts: Vec<(&'static str, u64)>| {
                let counts = counts.into_iter().map(|(kind, count)| (kind.into(), count));
                seen.apply(Event::Resources(Resources {
                    at,
                    label,
                    pid: 7,
                    descriptors: counts.collect(),
                    resident: 1 << 20,
                    threads: 8,
                }));
            };
            add(label.clone(), before(n));
            add(collected(&label), after(n));
        }
        seen
    }

    fn check(
        before: impl Fn(u64) -> Vec<(&'static str, u64)>,
        after: impl Fn(u64) -> Vec<(&'static str, u64)>,
    ) -> Judgement {
        judge(&built(before, after))
    }

    const DB: &str = "connection to 10.0.0.1:5432";

    #[test]
    fn one_for_each_request_is_a_leak() {
        let leaking = |n| vec![("file /etc/hosts", 30 * n), (DB, 4)];
        let judgement = check(leaking, leaking);
        assert_eq!(judgement.findings.len(), 1);
        let finding = &judgement.findings[0];
        assert_eq!(finding.subject, "file /etc/hosts");
        assert!(
            finding
                .message
                .starts_with("120 descriptors were left open by 120 requests (1.00")
        );
        assert_eq!(finding.severity, Severity::Error);
    }

    #[test]
    fn what_does_not_grow_with_every_batch_is_none() {
        for counts in [
            // A pool up to its cap, a cap that is reached late, one more now and then.
            [2, 8, 10, 10, 10],
            [4, 12, 20, 20, 20],
            [4, 4, 5, 5, 6],
            [9, 3, 7, 2, 5],
        ] {
            let pool = |n: u64| vec![(DB, counts[usize::try_from(n).expect("few marks")])];
            assert_eq!(check(pool, pool).outcome.name(), "passed", "{counts:?}");
        }
    }

    #[test]
    fn what_clients_hold_is_theirs() {
        let theirs = |n| vec![("connection of a client", 30 * n), ("listener", n)];
        assert_eq!(check(theirs, theirs).outcome.name(), "passed");
        let left = |n| vec![("connection left by its client", 30 * n)];
        assert_eq!(check(left, left).outcome.name(), "failed");
    }

    #[test]
    fn what_only_the_collector_closes_is_a_warning() {
        let before = |n: u64| vec![("file /etc/hosts", if n == 0 { 0 } else { 20 + n })];
        let judgement = check(before, |_| vec![]);
        assert_eq!(judgement.findings.len(), 1);
        assert_eq!(judgement.findings[0].severity, Severity::Warning);
        assert!(
            judgement.findings[0]
                .message
                .contains("21, 22, 23, 24 after")
        );
        // A sync.Pool gives a few back.
        let pool = |n: u64| vec![(DB, if n == 0 { 0 } else { 4 })];
        assert_eq!(check(pool, |_| vec![]).outcome.name(), "passed");
    }

    #[test]
    fn names_of_their_own_hide_no_leak() {
        // Each batch brings kinds that were never seen before.
        const NAMES: [&str; 5] = ["file /a", "file /b", "file /c", "file /d", "file /e"];
        let many = |n: u64| {
            let names = &NAMES[..usize::try_from(n).expect("few marks")];
            names.iter().map(|name| (*name, 30)).collect()
        };
        let judgement = check(many, many);
        assert_eq!(judgement.findings.len(), 1);
        assert_eq!(judgement.findings[0].subject, "descriptors of many kinds");
    }

    #[test]
    fn a_mark_without_its_count_is_inconclusive() {
        let mut seen = built(|_| vec![(DB, 4)], |_| vec![(DB, 4)]);
        seen.resources.remove(4);
        assert_eq!(judge(&seen).outcome.name(), "inconclusive");
    }

    #[test]
    fn without_a_collection_the_counts_as_they_are_serve() {
        let mut seen = built(|n| vec![(DB, 30 * n)], |_| vec![]);
        seen.resources.retain(|of| !of.label.ends_with("collected"));
        assert_eq!(judge(&seen).outcome.name(), "failed");
    }

    #[test]
    fn requests_that_fail_prove_nothing() {
        let mut seen = built(|_| vec![(DB, 4)], |_| vec![(DB, 4)]);
        for call in &mut seen.calls {
            if call.sent.purpose == shakedown_evidence::Purpose::Batch {
                call.ended = None;
            }
        }
        assert_eq!(judge(&seen).outcome.name(), "not exercised");
    }
}

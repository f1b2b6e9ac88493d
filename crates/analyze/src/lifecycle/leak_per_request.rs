//! LIF001: goroutines that requests leave behind.
//!
//! Exact proportionality to marked batches beats every other evidence, so it needs no excuse for
//! library code or idle connections: pools saturate during the first batch, which is not counted,
//! and connections of ours are closed before every count.

use std::collections::BTreeMap;

use shakedown_evidence::labels::{BATCHES, HELD, ROUNDS, quit};
use shakedown_evidence::{At, Evidence, Frame, FurtherStart, Snapshot, Stack, handler, task};
use shakedown_findings::{Certainty, Exhibit, Finding, Item, Outcome, RuleMeta, Severity};

use super::batches::{
    HELD_MIN, OK_MIN, labels, points_at, proportional, real64, requests_after, requests_at,
    short_labels, unanswered, untested,
};
use super::leak_by_number;
use crate::exhibits::{self, short};
use crate::judgement::Found;
use crate::target::repeat;
use crate::{Judgement, Rule};

pub(crate) const RULE: Rule = Rule {
    meta: RuleMeta {
        code: "LIF001",
        name: "leak-per-request",
        item: Item::Lifecycle,
        severity: Severity::Error,
        required: true,
        page: include_str!("leak_per_request.md"),
    },
    judge,
};

/// Goroutines a request; less is not told from a pool that grows, more is no leak of one request
/// (lifecycle notes, rule A).
pub(super) const SLOPE: std::ops::RangeInclusive<f64> = 0.05..=10.0;

fn judge(seen: &Evidence) -> Judgement {
    if let Some(judgement) = untested(seen) {
        return judgement;
    }
    if seen.pprof.is_empty() {
        return without_pprof(seen);
    }
    let Some(series) = Series::of(seen) else {
        return Judgement::inconclusive(
            "the goroutines could not be counted after every batch",
            "run again; the log book says which count failed",
        );
    };
    if let Some(judgement) = unanswered(seen) {
        return judgement;
    }
    let findings: Vec<Finding> = series
        .leaks()
        .into_iter()
        .map(|leak| finding(seen, &series, leak))
        .collect();
    if !findings.is_empty() {
        return Judgement::failed(findings);
    }
    let (first, last) = (series.totals[0], series.totals[series.totals.len() - 1]);
    let counted = series.requests_counted;
    if first == last {
        Judgement::passed(format!(
            "{counted} requests in {BATCHES} batches: {first} goroutines before and after"
        ))
    } else {
        Judgement::passed(format!(
            "{counted} requests in {BATCHES} batches: {first} goroutines before, {last} after"
        ))
    }
}

/// Without pprof there are dumps of further starts, the number alone, or nothing. A number that
/// grows is believed where the dumps show no growth, since they are of other processes.
fn without_pprof(seen: &Evidence) -> Judgement {
    let by_number = leak_by_number::judge(seen);
    let Some(series) = Series::of_starts(seen) else {
        let mut starts = seen.further_starts.iter();
        let failed = starts.find_map(|start| Some((start.round, start.failed.as_ref()?)));
        return match (by_number.outcome, failed) {
            (Outcome::Inconclusive { reason, to_prove }, Some((round, why))) => {
                let reason = format!("{reason}; further start {}: {why}", round + 1);
                Judgement::inconclusive(reason, to_prove)
            }
            (outcome, _) => Judgement {
                outcome,
                ..by_number
            },
        };
    };
    let findings: Vec<Finding> = series
        .leaks()
        .into_iter()
        .map(|leak| finding(seen, &series, leak))
        .collect();
    if !findings.is_empty() {
        return Judgement::failed(findings);
    }
    if !by_number.findings.is_empty() {
        return by_number;
    }
    Judgement::passed(format!(
        "{} requests over {ROUNDS} starts: nothing grows with them, by the dumps at SIGQUIT",
        series.requests_counted
    ))
}

/// Goroutines with the same origin and the same place to wait.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    root: String,
    created: Option<(String, u32)>,
    blocked: Option<(String, u32)>,
}

impl Key {
    fn of(stack: &Stack) -> Self {
        let place = |frame: &Frame| (frame.function.clone(), frame.line);
        let outside = |frame: &&Frame| {
            let package = handler::package_of(&frame.function);
            !matches!(package, "runtime" | "sync" | "time") && !package.starts_with("internal/")
        };
        Self {
            root: stack
                .root()
                .map(|frame| frame.function.clone())
                .unwrap_or_default(),
            created: stack.created_by.as_ref().map(|frame| {
                if task::is_rust(&frame.function) {
                    // The task that spawned it: one for each protocol that the handler is asked by.
                    (frame.file.clone(), frame.line)
                } else {
                    place(frame)
                }
            }),
            blocked: stack.frames.iter().find(outside).map(place),
        }
    }
}

/// Counts after the warm-up, after each batch and after the hold.
struct Series<'a> {
    counts: BTreeMap<Key, (Vec<f64>, &'a Stack)>,
    totals: Vec<u64>,
    requests: Vec<f64>,
    requests_counted: usize,
    held: Vec<(Key, f64)>,
    /// What each count was taken after.
    labels: Vec<String>,
}

struct Leak<'a> {
    counts: Vec<f64>,
    slope: f64,
    stack: &'a Stack,
}

impl<'a> Series<'a> {
    fn of(seen: &'a Evidence) -> Option<Self> {
        let labels = labels();
        let taken = |label: &str| {
            seen.snapshots
                .iter()
                .find(|snapshot| snapshot.label == label && !snapshot.truncated)
        };
        let snapshots: Vec<&Snapshot> = labels.iter().filter_map(|label| taken(label)).collect();
        if snapshots.len() != labels.len() {
            return None;
        }
        let held = taken(HELD)?;
        let moments: Vec<At> = snapshots.iter().map(|snapshot| snapshot.at).collect();
        Some(Self {
            counts: by_key(seen, &snapshots),
            labels: short_labels(),
            totals: snapshots.iter().map(|snapshot| snapshot.total).collect(),
            requests: requests_at(seen, &moments),
            requests_counted: requests_after(seen, moments[0]),
            held: groups(seen, held)
                .map(|(key, count, _)| (key, count))
                .collect(),
        })
    }

    /// The dumps of further starts, each of which was held before it was dumped.
    fn of_starts(seen: &'a Evidence) -> Option<Self> {
        let starts: Vec<&FurtherStart> = (0..ROUNDS)
            .filter_map(|round| {
                let mut starts = seen.further_starts.iter();
                starts.find(|start| start.round == round && start.failed.is_none())
            })
            .collect();
        let snapshots: Vec<&Snapshot> = (0..ROUNDS)
            .filter_map(|round| {
                let mut snapshots = seen.snapshots.iter();
                snapshots.find(|snapshot| snapshot.label == quit(round) && !snapshot.truncated)
            })
            .collect();
        if starts.len() != ROUNDS || snapshots.len() != ROUNDS {
            return None;
        }
        let answered = |start: &&FurtherStart| {
            start.sent > 0 && real64(start.ok) >= real64(start.sent) * OK_MIN
        };
        let more = starts.windows(2).all(|pair| pair[1].sent > pair[0].sent);
        if !more || !starts.iter().all(answered) {
            return None;
        }
        let requests: Vec<f64> = starts
            .iter()
            .map(|start| real64(start.sent.saturating_sub(starts[0].sent)))
            .collect();
        let last = snapshots[ROUNDS - 1];
        Some(Self {
            counts: by_key(seen, &snapshots),
            labels: starts
                .iter()
                .map(|start| format!("{} requests", start.sent))
                .collect(),
            totals: snapshots.iter().map(|snapshot| snapshot.total).collect(),
            requests_counted: usize::try_from(starts[ROUNDS - 1].sent - starts[0].sent).ok()?,
            held: groups(seen, last)
                .map(|(key, count, _)| (key, count))
                .collect(),
            requests,
        })
    }

    /// Keys whose count grows in proportion to the requests, and stays.
    fn leaks(&self) -> Vec<Leak<'a>> {
        let grows = |(key, (counts, stack)): (&Key, &(Vec<f64>, &'a Stack))| {
            let slope = proportional(&self.requests, counts)?;
            let rise = counts[counts.len() - 1] - counts[0];
            let held: f64 = self
                .held
                .iter()
                .filter(|(held, _)| held == key)
                .map(|(_, count)| count)
                .sum();
            let stays = held - counts[0] >= rise * HELD_MIN;
            (SLOPE.contains(&slope) && stays).then(|| Leak {
                counts: counts.clone(),
                slope,
                stack,
            })
        };
        self.counts.iter().filter_map(grows).collect()
    }
}

fn by_key<'a>(
    seen: &'a Evidence,
    snapshots: &[&'a Snapshot],
) -> BTreeMap<Key, (Vec<f64>, &'a Stack)> {
    let mut counts: BTreeMap<Key, (Vec<f64>, &Stack)> = BTreeMap::new();
    for (position, snapshot) in snapshots.iter().enumerate() {
        for (key, count, stack) in groups(seen, snapshot) {
            let (row, _) = counts
                .entry(key)
                .or_insert_with(|| (vec![0.0; snapshots.len()], stack));
            row[position] += count;
        }
    }
    counts
}

fn groups<'a>(
    seen: &'a Evidence,
    snapshot: &'a Snapshot,
) -> impl Iterator<Item = (Key, f64, &'a Stack)> {
    snapshot.groups.iter().filter_map(|group| {
        let stack = seen.stacks.get(group.stack)?;
        let ours = stack.any(|function| function.starts_with("net/http/pprof."));
        let count = real64(group.count);
        (!ours).then(|| (Key::of(stack), count, stack))
    })
}

fn finding(seen: &Evidence, series: &Series<'_>, leak: Leak<'_>) -> Finding {
    let frame = exhibits::own_place(seen, leak.stack)
        .or(leak.stack.created_by.as_ref())
        .or_else(|| leak.stack.root());
    let place = frame.map(exhibits::location);
    let root = leak
        .stack
        .root()
        .map_or("a goroutine", |frame| short(&frame.function));
    let points = points_at(&series.labels, &leak.counts);
    let mut exhibits: Vec<Exhibit> = exhibits::source(seen, place.as_ref()).into_iter().collect();
    exhibits.push(Exhibit::Series {
        title: format!("goroutines in {root}"),
        points,
    });
    exhibits.push(exhibits::stack("one of them", leak.stack));
    let doing = exhibits::doing(leak.stack);
    let created = leak.stack.created_by.as_ref().map(|frame| {
        format!(
            ", started by {} at {}:{}",
            short(&frame.function),
            exhibits::base(&frame.file),
            frame.line
        )
    });
    Found {
        certainty: Certainty::Proven,
        subject: format!("{root} [{doing}]"),
        message: format!(
            "{:.0} goroutines were left behind by {} requests ({:.2} a request): {root}, blocked in {doing}{}.",
            leak.counts[leak.counts.len() - 1] - leak.counts[0],
            series.requests_counted,
            leak.slope,
            created.unwrap_or_default()
        ),
        location: place,
        exhibits,
        fix: fix(&doing).into(),
        repeat: repeat(seen, RULE.meta.name),
    }
    .by(&RULE.meta)
}

/// What usually mends a goroutine in this state.
fn fix(doing: &str) -> &'static str {
    if doing.contains("send") {
        "give the channel room for every sender (make(chan T, n)), or select on the send and ctx.Done()"
    } else if doing.contains("receive") {
        "close the channel when the sender returns on every path, or select on the receive and ctx.Done()"
    } else if doing.contains("select") {
        "pass the request's ctx and select on ctx.Done() too; call cancel on every path"
    } else if doing.contains("mutex") || doing.contains("Mutex") || doing.contains("semacquire") {
        "two goroutines wait for each other's lock, or one never unlocks: defer mu.Unlock() and one order of locks"
    } else if doing.contains("WaitGroup") {
        "call Done on every path of what the group waits for: defer wg.Done()"
    } else if doing.contains("IO wait") {
        "close what the goroutine reads from: resp.Body.Close(), conn.Close(), watcher.Close()"
    } else {
        "give the goroutine an end: ctx.Done(), a closed channel, or a bound on its loop"
    }
}

#[cfg(test)]
mod tests;

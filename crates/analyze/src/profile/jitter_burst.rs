//! PRF008: a burst of processor time that no request has asked for.

use shakedown_evidence::{At, Evidence};
use shakedown_findings::{Certainty, Exhibit, Finding, Item, Point, RuleMeta, Severity};

use super::bursts::{Burst, Bursts, ms};
use crate::exhibits::{self, short};
use crate::judgement::Found;
use crate::target::repeat;
use crate::{Judgement, Rule};

pub(crate) const RULE: Rule = Rule {
    meta: RuleMeta {
        code: "PRF008",
        name: "jitter-burst",
        item: Item::Profile,
        severity: Severity::Warning,
        required: false,
        page: include_str!("jitter_burst.md"),
    },
    judge,
};

/// Fewer bursts of one function may be anything: a cache that was filled, once.
const BURSTS_MIN: usize = 2;
/// Chance that a window of normal noise is six spreads above the usual.
const P: f64 = 1e-9;
/// Windows that are drawn.
const POINTS: usize = 60;
/// Bursts and functions that are named.
const NAMED: usize = 5;

fn judge(seen: &Evidence) -> Judgement {
    let bursts = match Bursts::of(seen) {
        Ok(bursts) => bursts,
        Err(judgement) => return judgement,
    };
    let count = bursts.windows.len();
    let (subject, of_it) = most_often(seen, &bursts);
    if of_it.len() >= BURSTS_MIN {
        return Judgement::failed(vec![finding(seen, &bursts, &subject, &of_it)]);
    }
    if let Some(once) = bursts.own.first() {
        return Judgement::inconclusive(
            format!(
                "{} ms of processor time in {} above the usual {} ms of a window; whether it comes again is not known",
                ms(once.excess),
                name(seen, once),
                ms(bursts.usual)
            ),
            format!("--until-jitter {}s", bursts.looked.as_secs() * 2),
        );
    }
    if bursts.varies {
        return Judgement::inconclusive(
            format!("{count} windows took so different time that none of them is odd"),
            "a run while the load stays about the same",
        );
    }
    let excused = match bursts.excused {
        0 => String::new(),
        some => format!("; {some} took more for requests or the garbage collector"),
    };
    Judgement::passed(format!(
        "no burst in {count} windows of {} s, usually {} ms of processor time each{excused}",
        bursts.looked.as_secs() / count.max(1) as u64,
        ms(bursts.usual)
    ))
}

/// The function with most bursts, and these.
fn most_often<'a>(seen: &Evidence, bursts: &'a Bursts) -> (String, Vec<&'a Burst>) {
    let mut best: (String, Vec<&Burst>) = (String::new(), Vec::new());
    for burst in &bursts.own {
        let name = name(seen, burst);
        let of_it = bursts
            .own
            .iter()
            .filter(|other| self::name(seen, other) == name);
        let of_it: Vec<&Burst> = of_it.collect();
        if of_it.len() > best.1.len() {
            best = (name, of_it);
        }
    }
    best
}

/// The service's own function that took most of a burst, else the function that grew most.
fn name(seen: &Evidence, burst: &Burst) -> String {
    let own = burst.place(seen).map(|frame| frame.function.as_str());
    let grown = burst.grown.first().map(|(name, _)| name.as_str());
    let function = own.or(grown);
    function.map_or_else(|| "the process".to_owned(), |name| short(name).to_owned())
}

fn finding(seen: &Evidence, bursts: &Bursts, subject: &str, of_it: &[&Burst]) -> Finding {
    let worst = of_it.iter().max_by_key(|burst| burst.excess);
    let place = worst
        .and_then(|burst| burst.place(seen))
        .map(exhibits::location);
    let mut exhibits: Vec<Exhibit> = exhibits::source(seen, place.as_ref()).into_iter().collect();
    exhibits.push(Exhibit::Series {
        title: "processor time of each window, ms".into(),
        points: points(bursts),
    });
    let began = began(bursts);
    let odd = of_it.iter().take(NAMED).map(|burst| {
        let after = (burst.at - began).as_secs();
        format!("after {after} s: {} ms above the usual", ms(burst.excess))
    });
    exhibits.push(Exhibit::Quote {
        title: "bursts".into(),
        lines: odd.collect(),
    });
    if let Some(worst) = worst {
        exhibits.push(match &worst.stack {
            Some(stack) => exhibits::stack("where most of it went", stack),
            None => Exhibit::Quote {
                title: "what took more than usual, with all that it called".into(),
                lines: grown(worst),
            },
        });
    }
    let most = worst.map_or(0, |burst| burst.excess);
    Found {
        certainty: Certainty::Probable { p: P },
        subject: subject.to_owned(),
        location: place,
        message: format!(
            "{} bursts of up to {} ms of processor time, about every {} s, in {} windows that usually take {} ms. No request asked for it, and it is not the garbage collector: what comes at the same moment waits.",
            of_it.len(),
            ms(most),
            bursts.apart().as_secs().max(1),
            bursts.windows.len(),
            ms(bursts.usual)
        ),
        exhibits,
        fix: "do a little of it often: a part of the work at each tick, with an end to each part; or give it to a process of its own. A bound on how many cores it may take (a semaphore, one worker) keeps the others for requests".into(),
        repeat: repeat(seen, RULE.meta.name),
    }
    .by(&RULE.meta)
}

fn grown(burst: &Burst) -> Vec<String> {
    let grown = burst.grown.iter().take(NAMED);
    grown
        .map(|(name, excess)| format!("+{} ms {}", ms(*excess), short(name)))
        .collect()
}

fn began(bursts: &Bursts) -> At {
    let first = bursts.windows.first();
    first.map(|(at, _)| *at).unwrap_or_default()
}

/// The windows that are drawn: all of them, or those around the first burst.
fn points(bursts: &Bursts) -> Vec<Point> {
    let first = bursts.own.first().map(|burst| burst.at);
    let place = bursts.windows.iter().position(|(at, _)| Some(*at) == first);
    let before = place.unwrap_or(0).saturating_sub(POINTS / 4);
    let from = before.min(bursts.windows.len().saturating_sub(POINTS));
    let began = began(bursts);
    let drawn = bursts.windows.iter().skip(from).take(POINTS);
    drawn
        .map(|(at, ms)| Point {
            label: format!("{} s", (*at - began).as_secs()),
            value: *ms,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::bursts::built::{Taken, add, bare, bursting, looked};
    use super::*;

    fn check<'a>(count: u64, taken: impl Fn(u64) -> Taken<'a>) -> Judgement {
        judge(&looked(count, taken))
    }

    #[test]
    fn a_burst_that_comes_again_is_found_at_its_own_function() {
        let judged = check(25, bursting);
        let [finding] = judged.findings.as_slice() else {
            panic!("{:?}", judged.outcome);
        };
        assert_eq!(finding.subject, "main.compact");
        let place = finding.location.as_ref().expect("a place");
        assert_eq!(
            (place.file.as_deref(), place.line),
            (Some("/src/burst.go"), Some(7))
        );
        assert!(
            finding.message.starts_with("2 bursts of up to 900 ms"),
            "{}",
            finding.message
        );
        assert!(
            finding.message.contains("about every 20 s"),
            "{}",
            finding.message
        );
    }

    #[test]
    fn one_burst_may_be_anything() {
        let judged = check(14, bursting);
        assert_eq!(judged.outcome.name(), "inconclusive");
        // One that falls into two windows is still one.
        let judged = check(14, |number| bursting(if number == 6 { 5 } else { number }));
        assert_eq!(
            judged.outcome.name(),
            "inconclusive",
            "{:?}",
            judged.outcome
        );
    }

    #[test]
    fn a_service_that_is_merely_busy_passes() {
        let judged = check(25, |n| {
            vec![(&["main.work"][..], 120 + (n as i64 * 7) % 30)]
        });
        assert_eq!(judged.outcome.name(), "passed", "{:?}", judged.outcome);
    }

    #[test]
    fn what_requests_or_the_collector_take_is_excused() {
        for root in [
            "net/http.(*conn).serve",
            "google.golang.org/grpc.(*Server).handleStream",
            "runtime.gcBgMarkWorker",
        ] {
            let stack = ["main.compact", root];
            let judged = check(25, |n| match n % 10 {
                5 => vec![(&stack[..], 90)],
                _ => Vec::new(),
            });
            assert_eq!(
                judged.outcome.name(),
                "passed",
                "{root}: {:?}",
                judged.outcome
            );
        }
    }

    #[test]
    fn load_that_comes_and_goes_is_no_burst() {
        let judged = check(24, |n| {
            vec![(&["main.work"][..], if n % 3 == 0 { 150 } else { 5 })]
        });
        assert_eq!(
            judged.outcome.name(),
            "inconclusive",
            "{:?}",
            judged.outcome
        );
    }

    #[test]
    fn bursts_of_different_functions_are_not_one_that_comes_again() {
        let judged = check(25, |n| match n {
            5 => vec![(&["main.a"][..], 90)],
            15 => vec![(&["main.b"][..], 90)],
            _ => Vec::new(),
        });
        assert_eq!(
            judged.outcome.name(),
            "inconclusive",
            "{:?}",
            judged.outcome
        );
    }

    #[test]
    fn without_short_windows_nothing_is_exercised() {
        let mut seen = bare();
        add(&mut seen, 0, 30, false, &vec![(&["main.work"], 900)]);
        assert_eq!(judge(&seen).outcome.name(), "not exercised");
        assert_eq!(judge(&Evidence::default()).outcome.name(), "inconclusive");
        let few = check(5, bursting);
        assert_eq!(few.outcome.name(), "inconclusive");
    }

    #[test]
    fn windows_that_cannot_be_read_are_not_counted() {
        let mut seen = looked(25, bursting);
        for bytes in seen.blobs.values_mut() {
            bytes.truncate(5);
        }
        assert_eq!(judge(&seen).outcome.name(), "inconclusive");
    }
}

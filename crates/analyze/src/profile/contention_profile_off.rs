//! PRF006: neither the block nor the mutex profile records anything.

use shakedown_evidence::{Contention, Evidence, ProbeKind, Waiting, Window, WindowEnd, WindowKind};
use shakedown_findings::{Certainty, Exhibit, Item, RuleMeta, Severity};

use super::{is_kit, is_other_language, last_window, without_pprof};
use crate::judgement::Found;
use crate::target::repeat;
use crate::{Judgement, Rule};

pub(crate) const RULE: Rule = Rule {
    meta: RuleMeta {
        code: "PRF006",
        name: "contention-profile-off",
        item: Item::Profile,
        severity: Severity::Info,
        required: false,
        page: include_str!("contention_profile_off.md"),
    },
    judge,
};

fn judge(seen: &Evidence) -> Judgement {
    if seen.pprof.is_empty() {
        return without_pprof();
    }
    if is_kit(seen) {
        return Judgement::not_applicable(
            "Rust's locks record no waiting; polls that block a worker are always recorded (block)",
        );
    }
    if is_other_language(seen) {
        return Judgement::not_applicable("the executable is not Go's");
    }
    let read = |profile| {
        let mut newest_first = seen.contention.iter().rev();
        newest_first.find(|read| read.profile == profile)
    };
    let (mutex, block) = (read(Waiting::Mutex), read(Waiting::Block));
    if let Some(on) = [mutex.and_then(mutex_on), block.and_then(block_on)]
        .into_iter()
        .flatten()
        .reduce(|mutex, block| format!("{mutex}, {block}"))
    {
        return Judgement::passed(on);
    }
    let (Some(mutex), Some(block)) = (mutex, block) else {
        return unread(seen);
    };
    if mutex.period != Some(0) {
        return Judgement::inconclusive(
            format!("{} does not say how often it samples", mutex.url),
            "an answer of net/http/pprof itself, with its line `sampling period=`",
        );
    }
    let Some(window) = waited_through(seen, block) else {
        return Judgement::inconclusive(
            "the block profile is empty, and nothing is known to have waited for long",
            "a CPU profile over the whole window: shakedown explain profile-window-refused",
        );
    };
    let found = Found {
        certainty: Certainty::Proven,
        subject: "block and mutex profiles".into(),
        location: None,
        message: format!(
            "Neither profile of waiting is on: when requests queue for a lock or a channel, nothing will show for whom. The mutex profile samples nothing; the block profile is empty although pprof's own handler has just waited for {} s.",
            window.recorded_ms() / 1000
        ),
        exhibits: vec![Exhibit::Quote {
            title: "read after the window".into(),
            lines: vec![
                format!("{}: sampling period=0, {} stacks", mutex.url, mutex.stacks),
                format!("{}: {} stacks", block.url, block.stacks),
            ],
        }],
        fix: "in main: runtime.SetMutexProfileFraction(100) and runtime.SetBlockProfileRate(1_000_000), that is one contention of a hundred, and one wait for each millisecond waited; or switch them on at an address of your own when they are needed".into(),
        repeat: repeat(seen, RULE.meta.name),
    };
    Judgement::failed(vec![found.by(&RULE.meta)])
}

fn mutex_on(read: &Contention) -> Option<String> {
    let period = read.period.filter(|period| *period > 0)?;
    Some(format!("mutex profile on (1 of {period})"))
}

fn block_on(read: &Contention) -> Option<String> {
    (read.stacks > 0).then(|| "block profile on".to_owned())
}

/// Nobody records only waits that are longer.
const WAITED_MIN_MS: u64 = 1000;

/// The handler of this window waited in a select for as long as it recorded, which a block profile that was on
/// then has recorded, whatever its rate: waits longer than the rate are always recorded.
fn waited_through<'a>(seen: &'a Evidence, block: &Contention) -> Option<&'a Window> {
    let window = last_window(seen, WindowKind::Cpu)?;
    let waited = window.end == WindowEnd::Whole
        && window
            .recorded_ms
            .is_some_and(|waited| waited >= WAITED_MIN_MS);
    (waited && window.until <= block.at).then_some(window)
}

fn unread(seen: &Evidence) -> Judgement {
    let mut failures = seen.failures.iter().rev();
    let failure = failures.find(|failure| failure.kind == ProbeKind::Contention);
    match failure {
        Some(failure) => Judgement::inconclusive(
            format!("{}: {}", failure.subject, failure.why),
            "the block and mutex profiles: shakedown explain pprof-incomplete",
        ),
        None => Judgement::inconclusive(
            "the block and mutex profiles were not read",
            "a run that comes to the end of its window",
        ),
    }
}

#[cfg(test)]
mod tests {
    use shakedown_evidence::{At, Event};

    use super::*;
    use crate::profile::tests::{kit_task, pprof, window};

    fn contention(profile: Waiting, period: Option<i64>, stacks: u64) -> Contention {
        Contention {
            at: At(40_000_000),
            profile,
            url: format!(
                "http://127.0.0.1:6060/debug/pprof/{}?debug=1",
                profile.endpoint()
            ),
            period,
            stacks,
        }
    }

    fn evidence(read: &[Contention], cpu: WindowEnd) -> Evidence {
        let mut seen = Evidence::default();
        seen.apply(pprof());
        seen.apply(Event::Window(window(WindowKind::Cpu, cpu)));
        for read in read {
            seen.apply(Event::Contention(read.clone()));
        }
        seen
    }

    #[test]
    fn no_service_in_rust_is_asked_for_what_its_locks_do_not_record() {
        let mut seen = evidence(&[], WindowEnd::Whole);
        seen.apply(Event::Stack(kit_task()));
        let outcome = judge(&seen).outcome;
        assert_eq!(outcome.name(), "not applicable");
        assert!(outcome.reason().contains("block"), "{outcome:?}");
    }

    fn check(mutex: Option<i64>, block: u64, cpu: WindowEnd) -> &'static str {
        let read = [
            contention(Waiting::Block, None, block),
            contention(Waiting::Mutex, mutex, 0),
        ];
        judge(&evidence(&read, cpu)).outcome.name()
    }

    #[test]
    fn both_off_is_found_and_either_on_is_enough() {
        assert_eq!(check(Some(0), 0, WindowEnd::Whole), "failed");
        assert_eq!(check(Some(100), 0, WindowEnd::Whole), "passed");
        assert_eq!(check(Some(0), 3, WindowEnd::Whole), "passed");
    }

    #[test]
    fn an_empty_block_profile_proves_nothing_before_a_long_wait() {
        let cut = WindowEnd::Cut {
            why: "early".into(),
        };
        assert_eq!(check(Some(0), 0, cut), "inconclusive");
        let mut early = contention(Waiting::Block, None, 0);
        early.at = At(5_000_000);
        let read = [early, contention(Waiting::Mutex, Some(0), 0)];
        let judgement = judge(&evidence(&read, WindowEnd::Whole));
        assert_eq!(judgement.outcome.name(), "inconclusive");
    }

    #[test]
    fn profiles_that_say_nothing_of_their_rate_or_were_not_read_prove_nothing() {
        assert_eq!(check(None, 0, WindowEnd::Whole), "inconclusive");
        let only = [contention(Waiting::Mutex, Some(0), 0)];
        let judgement = judge(&evidence(&only, WindowEnd::Whole));
        assert_eq!(judgement.outcome.name(), "inconclusive");
    }
}

//! Is it inside our requests, or does it merely happen at the same time?
//!
//! What a background loop does falls into our requests as often as they cover the run. What
//! belongs to a request falls into one every time. The binomial tail says how likely the first
//! would look like the second, if the two were independent. On a machine that stops now and then
//! they are not: what it held up goes on at one moment, loops and requests alike. So it is asked,
//! too, how much of it is tied: nearly all that happens, or nearly all requests.

use std::collections::BTreeMap;
use std::time::Duration;

use shakedown_evidence::{At, Call, CallEnd, Evidence, Purpose};

/// Below this the coincidence is ruled out: with a thousand templates in a log, one in a thousand
/// runs would be wrong at 1e-6.
pub(crate) const P_MAX: f64 = 1e-6;
/// Fewer occurrences inside requests are never enough.
pub(crate) const INSIDE_MIN: usize = 5;
/// So much of what happens, or of the requests of one kind, must be tied, beyond what chance would
/// tie. Of a loop beside requests on a machine with twelve times the work that it can do: 0.35.
const TIED_MIN: f64 = 0.5;
/// Fewer requests of a kind say nothing of how many of them it happens in. Ordinary traffic has
/// so many of each at least.
const ALONE_MIN: usize = 4;
/// Occurrences closer together than this count as one, at the time of the first: a job that writes
/// a hundred lines at once is one coincidence, not a hundred. Requests do not divide an episode,
/// or a steady stream would be cut by each of them and seem to begin with it.
const EPISODE: Duration = Duration::from_millis(40);
/// The end of a request is known to us later than to the service, and a line takes a moment to
/// reach us through its pipe.
pub(crate) const LAG: Duration = Duration::from_millis(3);

/// What belongs to the beginning or the end of a request happens this close to it. Requests may
/// cover most of a run; their edges do not.
const EDGE: Duration = Duration::from_millis(30);

/// The times that belong to our requests, in three readings.
#[derive(Debug)]
pub(crate) struct Windows {
    whole: Cover,
    heads: Cover,
    tails: Cover,
    /// Requests that were sent one after another, by kind.
    alone: Vec<Vec<(At, At)>>,
    from: At,
    until: At,
}

/// Where occurrences were looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Within {
    Whole,
    Head,
    Tail,
}

/// How often something happened, and how often inside requests.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Coincidence {
    pub inside: usize,
    pub total: usize,
    pub covered: f64,
    pub p: f64,
    pub within: Within,
    /// What part is tied, of what happened or of the requests of one kind; 1 is all, 0 is chance.
    pub tied: f64,
}

impl Coincidence {
    pub(crate) fn is_ruled_out(&self) -> bool {
        self.inside >= INSIDE_MIN && self.p < P_MAX && self.tied >= TIED_MIN
    }

    /// `65 of 72 fell inside requests of ours, which cover 58 % of the run`.
    pub(crate) fn sentence(&self, verb: &str) -> String {
        let where_ = match self.within {
            Within::Whole => "inside requests of ours".to_owned(),
            Within::Head => format!(
                "within {} ms of the beginning of a request of ours",
                EDGE.as_millis()
            ),
            Within::Tail => format!(
                "within {} ms of the end of a request of ours",
                EDGE.as_millis()
            ),
        };
        format!(
            "{} of {} {verb} {where_}, times that make up {:.0} % of the run",
            self.inside,
            self.total,
            self.covered * 100.0
        )
    }
}

impl Windows {
    /// All of our requests.
    pub(crate) fn of(seen: &Evidence) -> Self {
        Self::of_calls(seen, &seen.calls)
    }

    /// Some of our requests. The run lasts from the first request of all to the last moment before
    /// the service was told to stop. Spans and exported records are stamped by the service, maybe
    /// before we have noted that the request went out.
    pub(crate) fn of_calls<'a>(
        seen: &'a Evidence,
        calls: impl IntoIterator<Item = &'a Call>,
    ) -> Self {
        let mut spans = Vec::new();
        let mut alone: BTreeMap<usize, Vec<(At, At)>> = BTreeMap::new();
        for call in calls {
            let Some(ended) = &call.ended else { continue };
            // A handler whose caller has left goes on for an unknown time.
            let left = matches!(ended.end, CallEnd::Left | CallEnd::Reset { .. });
            let tail = if left { Duration::from_millis(50) } else { LAG };
            let span = (call.sent.at.before(LAG), ended.at + tail);
            spans.push(span);
            if call.sent.purpose == Purpose::Traffic {
                alone.entry(call.sent.request).or_default().push(span);
            }
        }
        let mut alone: Vec<Vec<(At, At)>> = alone.into_values().collect();
        alone.retain(|kind| kind.len() >= ALONE_MIN);
        let answered = seen.calls.iter().filter(|call| call.ended.is_some());
        let from = answered.map(|call| call.sent.at.before(LAG)).min();
        let from = from.unwrap_or_default();
        let until = seen.stops.first().map_or(seen.last, |stop| stop.at);
        Self {
            alone,
            ..Self::over(spans, from, until)
        }
    }

    fn over(spans: Vec<(At, At)>, from: At, until: At) -> Self {
        let part = |within: Within| spans.iter().map(|span| within.of(*span)).collect();
        Self {
            whole: Cover::of(part(Within::Whole)),
            heads: Cover::of(part(Within::Head)),
            tails: Cover::of(part(Within::Tail)),
            alone: Vec::new(),
            from,
            until,
        }
    }

    /// A moment between the first request and the stop.
    pub(crate) fn in_run(&self, at: At) -> bool {
        at >= self.from && at <= self.until
    }

    /// A moment inside a request.
    pub(crate) fn contains(&self, at: At) -> bool {
        self.whole.contains(at)
    }

    /// Judges moments, in any order: what is exported arrives later than what is written. The
    /// strongest of the three readings counts, at three times its p-value (Bonferroni).
    pub(crate) fn judge(&self, moments: impl IntoIterator<Item = At>) -> Coincidence {
        let mut moments: Vec<At> = moments.into_iter().filter(|at| self.in_run(*at)).collect();
        moments.sort_unstable();
        let readings = [
            (Within::Whole, &self.whole),
            (Within::Head, &self.heads),
            (Within::Tail, &self.tails),
        ];
        let judged =
            readings.map(|(within, cover)| cover.judge(within, &moments, self.from, self.until));
        let best = judged
            .into_iter()
            .min_by(|a, b| a.p.total_cmp(&b.p))
            .unwrap_or(judged[0]);
        Coincidence {
            p: (best.p * 3.0).min(1.0),
            tied: best.tied.max(self.touched(best.within, &moments)),
            ..best
        }
    }

    /// The part of the requests of one kind in which it happens, beyond what chance gives them; of
    /// the kind in which it happens most.
    fn touched(&self, within: Within, moments: &[At]) -> f64 {
        let run = (self.until - self.from).as_secs_f64();
        if run <= 0.0 {
            return 0.0;
        }
        let rate = real(moments.len()) / run;
        let of_kind = |kind: &Vec<(At, At)>| {
            let parts = || kind.iter().map(|span| within.of(*span));
            let happens = |(from, until): &(At, At)| {
                let after = moments.partition_point(|at| at < from);
                moments.get(after).is_some_and(|at| at <= until)
            };
            let share = real(parts().filter(happens).count()) / real(kind.len());
            let length: Duration = parts().map(|(from, until)| until - from).sum();
            let by_chance = 1.0 - (-rate * length.as_secs_f64() / real(kind.len())).exp();
            beyond(share, by_chance)
        };
        self.alone.iter().map(of_kind).fold(0.0, f64::max)
    }
}

impl Within {
    /// The part of a request.
    fn of(self, (from, until): (At, At)) -> (At, At) {
        match self {
            Self::Whole => (from, until),
            Self::Head => (from, (from + EDGE).min(until)),
            Self::Tail => (until.before(EDGE).max(from), until),
        }
    }
}

/// A share without what chance gives: 0 for as much as chance, 1 for all.
fn beyond(share: f64, chance: f64) -> f64 {
    if chance >= 1.0 {
        0.0
    } else {
        ((share - chance) / (1.0 - chance)).max(0.0)
    }
}

/// Intervals that do not overlap, in order.
#[derive(Debug, Default)]
struct Cover(Vec<(At, At)>);

impl Cover {
    fn of(mut spans: Vec<(At, At)>) -> Self {
        spans.sort_unstable();
        let mut merged: Vec<(At, At)> = Vec::new();
        for (from, until) in spans {
            match merged.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(until),
                _ => merged.push((from, until)),
            }
        }
        Self(merged)
    }

    fn contains(&self, at: At) -> bool {
        let after = self.0.partition_point(|(from, _)| *from <= at);
        after > 0 && at <= self.0[after - 1].1
    }

    /// The share of the run that is covered.
    fn share(&self, from: At, until: At) -> f64 {
        let inside: Duration = self
            .0
            .iter()
            .map(|(begin, end)| *end.min(&until) - *begin)
            .sum();
        let all = until - from;
        if all.is_zero() {
            1.0
        } else {
            (inside.as_secs_f64() / all.as_secs_f64()).min(1.0)
        }
    }

    fn judge(&self, within: Within, moments: &[At], from: At, until: At) -> Coincidence {
        let (mut inside, mut total, mut last) = (0, 0, None::<At>);
        for at in moments {
            let same = last.is_some_and(|before| *at - before < EPISODE);
            last = Some(*at);
            if !same {
                total += 1;
                inside += usize::from(self.contains(*at));
            }
        }
        let covered = self.share(from, until);
        Coincidence {
            inside,
            total,
            covered,
            p: tail(total, inside, covered),
            within,
            tied: beyond(real(inside) / real(total.max(1)), covered),
        }
    }
}

/// Probability of at least `hits` of `trials`, each with probability `p`.
fn tail(trials: usize, hits: usize, p: f64) -> f64 {
    if hits == 0 {
        return 1.0;
    }
    if p >= 1.0 {
        return 1.0;
    }
    if p <= 0.0 {
        return 0.0;
    }
    // Terms by recurrence in logarithms: nothing overflows, and the small ones are exact enough.
    let (log_p, log_q) = (p.ln(), (1.0 - p).ln());
    let mut log_choose = 0.0;
    let mut sum = 0.0;
    for k in 0..=trials {
        if k > 0 {
            log_choose += real(trials - k + 1).ln() - real(k).ln();
        }
        if k >= hits {
            sum += (log_choose + real(k) * log_p + real(trials - k) * log_q).exp();
        }
    }
    sum.min(1.0)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of lines and spans stay far below 2^53"
)]
const fn real(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn windows(spans: &[(u64, u64)], until: u64) -> Windows {
        let ms = |at: u64| At(at * 1000);
        Windows::over(
            spans.iter().map(|(a, b)| (ms(*a), ms(*b))).collect(),
            ms(spans[0].0),
            ms(until),
        )
    }

    #[test]
    fn the_tail_is_the_textbook_one() {
        assert!((tail(10, 5, 0.5) - 0.623_046_875).abs() < 1e-12);
        assert!((tail(3, 3, 0.1) - 0.001).abs() < 1e-12);
        assert!((tail(100, 0, 0.3) - 1.0).abs() < 1e-12);
        assert!(tail(400, 400, 0.4) > 0.0);
    }

    #[test]
    fn what_happens_in_every_request_and_never_outside_is_no_coincidence() {
        let spans: Vec<(u64, u64)> = (0..30).map(|n| (n * 1000, n * 1000 + 400)).collect();
        let of = windows(&spans, 30_000);
        let found = of.judge((0..30).map(|n| At(n * 1_000_000 + 200_000)));
        assert!(found.is_ruled_out(), "{found:?}");
    }

    #[test]
    fn a_loop_that_runs_all_the_time_is_a_coincidence() {
        let spans: Vec<(u64, u64)> = (0..30).map(|n| (n * 1000, n * 1000 + 400)).collect();
        let of = windows(&spans, 30_000);
        let found = of.judge((0..100).map(|n| At(n * 300_000)));
        assert!(!found.is_ruled_out(), "{found:?}");
    }

    /// Fifty times a second, whatever the requests do.
    #[test]
    fn a_steady_stream_is_a_coincidence_at_any_rate() {
        // With gaps as irregular as those of the window.
        let begin = |n: u64| n * 800 + n * n * 37 % 390;
        let spans: Vec<(u64, u64)> = (0..200).map(|n| (begin(n), begin(n) + 400)).collect();
        let of = windows(&spans, 160_000);
        for every in [1, 5, 20, 39, 41, 50, 200] {
            let count = 160_000 / every;
            let found = of.judge((0..count).map(|n| At(n * every * 1000 + 137)));
            assert!(!found.is_ruled_out(), "every {every} ms: {found:?}");
        }
    }

    /// The machine stops for a second now and then; then requests end and the loop goes on.
    #[test]
    fn what_a_machine_held_up_goes_on_together_and_is_not_tied() {
        let spans: Vec<(u64, u64)> = (0..100).map(|n| (n * 1000, n * 1000 + 500)).collect();
        let of = windows(&spans, 100_000);
        let loops = (0..100).map(|n| {
            let held = n % 3 == 0;
            At((n * 1000 + if held { 490 } else { 800 }) * 1000)
        });
        let found = of.judge(loops);
        assert!(found.p < P_MAX && !found.is_ruled_out(), "{found:?}");
    }

    /// One request in three writes the line, and a loop writes it, too.
    #[test]
    fn what_happens_in_all_requests_of_a_kind_is_tied_whatever_else_does_it() {
        let kinds = |n: u64| (n * 1000, n * 1000 + 400);
        let mut of = windows(&(0..300).map(kinds).collect::<Vec<_>>(), 300_000);
        let moments = || {
            let loops = (0..300).map(|n| n * 1000 + 700);
            let written = (0..300).step_by(3).map(|n| n * 1000 + 395);
            written.chain(loops).map(|ms| At(ms * 1000))
        };
        let found = of.judge(moments());
        assert!(found.p < P_MAX && !found.is_ruled_out(), "{found:?}");
        let ms = |(from, until): (u64, u64)| (At(from * 1000), At(until * 1000));
        of.alone = vec![(0..300).step_by(3).map(|n| ms(kinds(n))).collect()];
        let found = of.judge(moments());
        assert!(found.is_ruled_out(), "{found:?}");
    }

    #[test]
    fn one_burst_is_one_coincidence() {
        let of = windows(&[(0, 400)], 10_000);
        let found = of.judge((0..1000).map(|n| At(100_000 + n)));
        assert_eq!((found.inside, found.total), (1, 1));
        assert!(!found.is_ruled_out());
    }

    #[test]
    fn requests_that_cover_most_of_the_run_still_show_what_begins_with_them() {
        let spans: Vec<(u64, u64)> = (0..40).map(|n| (n * 1000, n * 1000 + 900)).collect();
        let of = windows(&spans, 40_000);
        let found = of.judge((0..40).map(|n| At(n * 1_000_000 + 700)));
        assert!(
            found.is_ruled_out() && found.within == Within::Head,
            "{found:?}"
        );
        let background = of.judge((0..40).map(|n| At(n * 997_003 + 450_000)));
        assert!(!background.is_ruled_out(), "{background:?}");
    }
}

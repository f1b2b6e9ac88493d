//! What the rules over marked batches have in common: was something sent, and does what was
//! counted grow with it?

use shakedown_evidence::labels::{BASE, BATCHES, after};
use shakedown_evidence::{At, Call, Consent, Evidence, Purpose};
use shakedown_findings::Point;

use crate::Judgement;
use crate::target::request_to_give;

/// What stays must be so much of what was born in the batches, after the hold.
pub(super) const HELD_MIN: f64 = 0.9;
/// Of the requests of the batches, so many must have been answered well.
pub(super) const OK_MIN: f64 = 0.8;

/// Why nothing can be said of the batches, if so.
pub(super) fn untested(seen: &Evidence) -> Option<Judgement> {
    if let Some((why, to_prove)) = seen.run.access.refusal(Consent::Load) {
        return Some(Judgement::not_exercised(why, to_prove));
    }
    let sent = sent(seen).count();
    let given = seen.run.requests.iter().any(|request| request.given);
    let succeeds =
        (0..seen.run.requests.len()).any(|request| seen.usual_duration(request).is_some());
    if given && sent == 0 && !succeeds {
        return Some(Judgement::not_exercised(
            "no batch of requests was sent: none of the requests given was answered well",
            "requests that succeed: start what the service needs, or give other --data '{…}'",
        ));
    }
    (!given || sent == 0).then(|| {
        Judgement::not_exercised(
            "no batch of requests was sent",
            request_to_give(
                seen,
                "--http 'GET /path' or --grpc pkg.Service/Method, repeat-safe",
            ),
        )
    })
}

/// Why nothing can be concluded from silence: too few requests were answered well.
pub(super) fn unanswered(seen: &Evidence) -> Option<Judgement> {
    let all = sent(seen).count();
    let ok = sent(seen).filter(|call| call.is_ok()).count();
    (real(ok) < real(all) * OK_MIN).then(|| {
        Judgement::not_exercised(
            format!("only {ok} of {all} requests were answered well"),
            "data that the requests accept: --data '{…}'",
        )
    })
}

fn sent(seen: &Evidence) -> impl Iterator<Item = &Call> {
    seen.calls
        .iter()
        .filter(|call| call.sent.purpose == Purpose::Batch)
}

/// The marks that are counted: before the batches, and after each.
pub(super) fn labels() -> Vec<String> {
    std::iter::once(BASE.to_owned())
        .chain((1..=BATCHES).map(after))
        .collect()
}

/// How many requests had been sent at each of these moments, from the first on.
pub(super) fn requests_at(seen: &Evidence, moments: &[At]) -> Vec<f64> {
    let Some(base) = moments.first() else {
        return Vec::new();
    };
    let until = |at: &At| {
        let counted = sent(seen).filter(|call| call.sent.at >= *base && call.sent.at <= *at);
        real(counted.count())
    };
    moments.iter().map(until).collect()
}

/// How many requests were sent after a moment.
pub(super) fn requests_after(seen: &Evidence, base: At) -> usize {
    sent(seen).filter(|call| call.sent.at >= base).count()
}

/// The marks as reports name them.
pub(super) fn short_labels() -> Vec<String> {
    std::iter::once("base".to_owned())
        .chain((1..=BATCHES).map(|batch| format!("batch {batch}")))
        .collect()
}

/// A series as reports show it.
pub(super) fn points(values: &[f64]) -> Vec<Point> {
    points_at(&short_labels(), values)
}

/// A series that was counted at other marks.
pub(super) fn points_at(labels: &[String], values: &[f64]) -> Vec<Point> {
    labels
        .iter()
        .zip(values)
        .map(|(label, value)| Point {
            label: label.clone(),
            value: *value,
        })
        .collect()
}

/// The slope of counts over requests, if a straight line fits: every step rises, and no point is
/// further from it than one or 5 % of the rise.
pub(super) fn proportional(requests: &[f64], counts: &[f64]) -> Option<f64> {
    let steps = counts.windows(2).filter(|pair| pair[1] > pair[0]).count();
    let falls = counts.windows(2).any(|pair| pair[1] < pair[0]);
    if steps < 3 || falls {
        return None;
    }
    let n = real(counts.len());
    let mean_x = requests.iter().sum::<f64>() / n;
    let mean_y = counts.iter().sum::<f64>() / n;
    let covariance: f64 = requests
        .iter()
        .zip(counts)
        .map(|(x, y)| (x - mean_x) * (y - mean_y))
        .sum();
    let variance: f64 = requests.iter().map(|x| (x - mean_x).powi(2)).sum();
    if variance <= 0.0 {
        return None;
    }
    let slope = covariance / variance;
    let residual = requests
        .iter()
        .zip(counts)
        .map(|(x, y)| (y - mean_y - slope * (x - mean_x)).abs())
        .fold(0.0, f64::max);
    let rise = counts[counts.len() - 1] - counts[0];
    (residual <= (rise * 0.05).max(1.0)).then_some(slope)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of requests, descriptors and bytes stay far below 2^53"
)]
pub(super) const fn real(count: usize) -> f64 {
    count as f64
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of goroutines, descriptors and bytes stay far below 2^53"
)]
pub(super) const fn real64(count: u64) -> f64 {
    count as f64
}

/// Runs with batches, built for the tests of the rules.
#[cfg(test)]
pub(super) mod built {
    use shakedown_evidence::labels::{BASE, BATCHES, HELD, after};
    use shakedown_evidence::{At, CallEnd, CallEnded, CallSent, Event, Evidence, Purpose, Request};

    use super::super::stopping::built::http;

    /// Calls of one batch.
    pub(in crate::lifecycle) const CALLS: u64 = 30;
    /// One batch, in milliseconds.
    const BATCH_MS: u64 = 2000;

    /// When a mark of the batches is taken.
    pub(in crate::lifecycle) fn marks() -> Vec<(At, String)> {
        let at = |batch: usize| At((batch as u64 + 1) * BATCH_MS * 1000);
        std::iter::once((at(0), BASE.to_owned()))
            .chain((1..=BATCHES).map(|batch| (at(batch), after(batch))))
            .chain([(At(at(BATCHES).0 + 3_000_000), HELD.to_owned())])
            .collect()
    }

    /// A run of one request, sent in batches of [`CALLS`], all answered so.
    pub(in crate::lifecycle) fn run(status: u16) -> Evidence {
        let mut seen = Evidence::default();
        seen.run.requests.push(Request {
            kind: http("GET /x", ""),
            deadline_ms: None,
            repeat_safe: true,
            given: true,
        });
        for batch in 0..=BATCHES as u64 {
            for call in 0..CALLS {
                let purpose = if batch == 0 {
                    Purpose::Traffic
                } else {
                    Purpose::Batch
                };
                let id = u32::try_from(seen.calls.len()).expect("few calls");
                let at = At(batch * BATCH_MS * 1000 + 100_000 + call * 10_000);
                seen.apply(Event::CallSent(CallSent {
                    id,
                    request: 0,
                    purpose,
                    at: At(at.0 + BATCH_MS * 1000 / 2),
                    reach: "h:1".into(),
                    trace_id: String::new(),
                    span_id: String::new(),
                    deadline_ms: None,
                    cancel_after_ms: None,
                }));
                seen.apply(Event::CallEnded(CallEnded {
                    id,
                    at: At(at.0 + BATCH_MS * 1000 / 2 + 5000),
                    end: CallEnd::Http { status },
                }));
            }
        }
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUESTS: [f64; 5] = [0.0, 30.0, 60.0, 90.0, 120.0];

    #[test]
    fn one_for_each_request_is_proportional() {
        let slope = proportional(&REQUESTS, &[0.0, 30.0, 60.0, 90.0, 120.0]).expect("a line");
        assert!((slope - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_pool_that_saturates_is_not() {
        assert_eq!(proportional(&REQUESTS, &[4.0, 8.0, 10.0, 10.0, 10.0]), None);
    }

    #[test]
    fn a_count_that_falls_once_is_not() {
        assert_eq!(
            proportional(&REQUESTS, &[0.0, 30.0, 25.0, 60.0, 90.0]),
            None
        );
    }

    #[test]
    fn a_count_that_stays_is_not() {
        assert_eq!(proportional(&REQUESTS, &[8.0; 5]), None);
    }
}

//! How much may be repeated: tokens that failures take and answers bring back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Tokens are counted in thousandths, as an answer brings a part of one.
const WHOLE: u32 = 1000;
/// gRFC A6 allows no more.
const TOKENS_MAX: u32 = 1000;

/// What all calls of a client may repeat together. Clones are the same budget.
///
/// As gRPC's retry throttling: a failed attempt takes a token, an answer brings a part of one back,
/// and nothing is repeated while half of them or fewer are left. So a receiver that fails for
/// everybody gets hardly more calls than it would without retries, however many clients it has.
///
/// ```
/// use shakedown_kit::outgoing::{Budget, Retries};
///
/// // Ten failures in a row are repeated; later a failure in twenty answers.
/// let retries = Retries::new().budget(Budget::new(20, 0.05));
/// ```
#[derive(Debug, Clone)]
pub struct Budget(Arc<Tokens>);

#[derive(Debug)]
struct Tokens {
    most: u32,
    by_answer: u32,
    left: AtomicU32,
}

impl Default for Budget {
    /// Ten tokens, of which an answer brings a tenth of one: what gRPC's own examples have.
    fn default() -> Self {
        Budget::new(10, 0.1)
    }
}

impl Budget {
    /// A full budget of `tokens` (1 to 1000), to which each answer adds `by_answer` (0.001 to 1).
    pub fn new(tokens: u32, by_answer: f64) -> Self {
        let most = tokens.clamp(1, TOKENS_MAX) * WHOLE;
        // A value that is no number becomes the least.
        let by_answer = (by_answer * f64::from(WHOLE)).clamp(1.0, f64::from(WHOLE)) as u32;
        Budget(Arc::new(Tokens {
            most,
            by_answer: by_answer.max(1),
            left: AtomicU32::new(most),
        }))
    }

    /// An attempt failed; true if it may be repeated.
    pub(super) fn failed(&self) -> bool {
        let less = |left: u32| Some(left.saturating_sub(WHOLE));
        let before = self.change(less);
        before.saturating_sub(WHOLE) > self.0.most / 2
    }

    /// An attempt was answered.
    pub(super) fn answered(&self) {
        let Tokens {
            most, by_answer, ..
        } = *self.0;
        // A full budget is the common case, and then nobody writes to what all threads read.
        if self.0.left.load(Ordering::Relaxed) < most {
            self.change(|left| Some((left + by_answer).min(most)));
        }
    }

    fn change(&self, to: impl FnMut(u32) -> Option<u32>) -> u32 {
        let changed = self
            .0
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, to);
        changed.unwrap_or_else(|left| left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_tokens_are_for_repeating() {
        let budget = Budget::new(10, 0.1);
        let repeated = (0..100).filter(|_| budget.failed()).count();
        assert_eq!(repeated, 4, "from ten down to more than five");
        let clone = budget.clone();
        // From nothing to more than half, and the next failure takes one of them.
        for _ in 0..70 {
            clone.answered();
        }
        assert!(budget.failed(), "clones are one budget");
        assert!(!Budget::new(1, 0.1).failed(), "one token is none to spend");
    }

    #[test]
    fn it_never_holds_more_than_at_first() {
        let budget = Budget::new(10, 1.0);
        for _ in 0..1000 {
            budget.answered();
        }
        assert_eq!((0..100).filter(|_| budget.failed()).count(), 4);
    }

    #[test]
    fn what_makes_no_sense_is_bounded() {
        for by_answer in [f64::NAN, f64::INFINITY, -1.0, 0.0, 1e300] {
            for tokens in [0, 1, u32::MAX] {
                let budget = Budget::new(tokens, by_answer);
                budget.failed();
                budget.answered();
                assert!(budget.0.left.load(Ordering::Relaxed) <= TOKENS_MAX * WHOLE);
                assert!(budget.0.by_answer >= 1);
            }
        }
    }
}

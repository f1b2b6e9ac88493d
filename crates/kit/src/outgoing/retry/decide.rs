//! Whether an attempt is followed by another, and when. Without I/O and clock, so that it can be
//! tested to its corners.

use std::error::Error;
use std::io;
use std::time::{Duration, Instant};

use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName, Method, Response, StatusCode};

use super::Retries;

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const PUSHBACK: HeaderName = HeaderName::from_static("grpc-retry-pushback-ms");
const UNAVAILABLE: &[u8] = b"14";
/// Sources of an error that are looked at; real chains have half a dozen.
const CHAIN_MAX: usize = 32;

/// How an attempt went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Its answer is the caller's, good or bad.
    Answered,
    /// There was no connection: nothing was sent.
    Unreachable,
    /// The receiver did not take it, or was lost.
    Failed(Pushback),
}

/// What the receiver said about coming back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pushback {
    /// Nothing.
    None,
    /// After this time.
    After(Duration),
    /// Not at all.
    Never,
}

/// What a call is, as far as it matters for sending it again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    pub(super) grpc: bool,
    /// Its method may be repeated by definition.
    pub(super) idempotent: bool,
}

impl Kind {
    pub(super) fn of(grpc: bool, method: &Method) -> Self {
        Kind {
            grpc,
            idempotent: method.is_idempotent(),
        }
    }

    fn may_be_repeated(self) -> bool {
        self.grpc || self.idempotent
    }

    /// How an attempt went that has an answer.
    pub(super) fn answered<B>(self, answer: &Response<B>) -> Outcome {
        let headers = answer.headers();
        // In the head it stands only if no message came before: nothing has begun.
        let failed = match headers.get(GRPC_STATUS) {
            Some(status) if self.grpc => status.as_bytes() == UNAVAILABLE,
            _ => matches!(
                answer.status(),
                StatusCode::TOO_MANY_REQUESTS
                    | StatusCode::BAD_GATEWAY
                    | StatusCode::SERVICE_UNAVAILABLE
                    | StatusCode::GATEWAY_TIMEOUT
            ),
        };
        if failed && self.may_be_repeated() {
            Outcome::Failed(self.pushback(headers))
        } else {
            Outcome::Answered
        }
    }

    /// How an attempt went that has none.
    pub(super) fn failed(self, unreachable: bool) -> Outcome {
        if unreachable {
            Outcome::Unreachable
        } else if self.may_be_repeated() {
            Outcome::Failed(Pushback::None)
        } else {
            Outcome::Answered
        }
    }

    fn pushback(self, headers: &HeaderMap) -> Pushback {
        let (name, unit_ms) = if self.grpc {
            (PUSHBACK, 1)
        } else {
            (RETRY_AFTER, 1000)
        };
        let Some(value) = headers.get(&name) else {
            return Pushback::None;
        };
        let number = value
            .to_str()
            .ok()
            .and_then(|text| text.parse::<u32>().ok());
        match number {
            Some(number) => Pushback::After(Duration::from_millis(u64::from(number) * unit_ms)),
            // gRPC: negative or unparsable means never. HTTP may say a date, which is later than
            // anybody here waits.
            None => Pushback::Never,
        }
    }
}

/// True for an I/O error that only connecting brings.
pub(super) fn is_connect_error(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| {
        matches!(
            error.kind(),
            io::ErrorKind::ConnectionRefused
                | io::ErrorKind::HostUnreachable
                | io::ErrorKind::NetworkUnreachable
                | io::ErrorKind::NetworkDown
                | io::ErrorKind::AddrNotAvailable
                | io::ErrorKind::NotFound
        )
    })
}

/// Whether `is` holds for an error or one of its sources.
pub(super) fn any_in_chain(
    error: &(dyn Error + 'static),
    is: fn(&(dyn Error + 'static)) -> bool,
) -> bool {
    let mut next = Some(error);
    for _ in 0..CHAIN_MAX {
        let Some(error) = next else { return false };
        if is(error) {
            return true;
        }
        next = error.source();
    }
    false
}

/// What to do after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Give the caller what there is.
    GiveBack,
    /// The same, and the budget is why.
    Withhold,
    /// Send again after this time.
    After(Duration),
}

/// The attempts of one call so far.
#[derive(Debug)]
pub(super) struct Attempts {
    began: Instant,
    deadline: Instant,
    /// Those that may have reached the receiver.
    sent: u32,
    /// Pauses of growing length since the beginning, or since the receiver named one.
    grown: u32,
}

impl Attempts {
    pub(super) fn new(began: Instant, deadline: Instant) -> Self {
        Attempts {
            began,
            deadline,
            sent: 0,
            grown: 0,
        }
    }

    /// Attempts before the next one, for `grpc-previous-rpc-attempts`.
    pub(super) fn sent(&self) -> u32 {
        self.sent
    }

    /// Decides, with `random` from 0 to 1.
    pub(super) fn next(
        &mut self,
        retries: &Retries,
        outcome: Outcome,
        now: Instant,
        random: f64,
    ) -> Next {
        let waited = now.saturating_duration_since(self.began);
        let pushback = match outcome {
            Outcome::Answered => {
                retries.budget.answered();
                return Next::GiveBack;
            }
            Outcome::Unreachable if waited < retries.wait_for_ready => {
                let pause = self.grow(retries, random);
                return self.within_deadline(pause, now);
            }
            // The same as a failure for the budget: it is what storms at start-up are made of.
            Outcome::Unreachable => Pushback::None,
            Outcome::Failed(pushback) => pushback,
        };
        self.sent += 1;
        let allowed = retries.budget.failed();
        if self.sent >= retries.attempts || pushback == Pushback::Never {
            return Next::GiveBack;
        }
        if !allowed {
            return Next::Withhold;
        }
        let pause = match pushback {
            Pushback::After(pause) => {
                self.grown = 0;
                pause
            }
            _ => self.grow(retries, random),
        };
        self.within_deadline(pause, now)
    }

    fn grow(&mut self, retries: &Retries, random: f64) -> Duration {
        let doubled = retries.first_pause.saturating_mul(1 << self.grown.min(20));
        self.grown += 1;
        doubled
            .min(retries.longest_pause)
            .mul_f64(0.8 + 0.4 * random.clamp(0.0, 1.0))
    }

    /// Nothing is sent at the deadline or after it; whoever knows that does not wait for it.
    fn within_deadline(&self, pause: Duration, now: Instant) -> Next {
        match now.checked_add(pause) {
            Some(at) if at < self.deadline => Next::After(pause),
            _ => Next::GiveBack,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Budget;
    use super::*;

    const GRPC: Kind = Kind {
        grpc: true,
        idempotent: false,
    };

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// An answer with these headers.
    fn answer(status: u16, headers: &[(&str, &str)]) -> Response<()> {
        let mut answer = Response::builder().status(status);
        for (name, value) in headers {
            answer = answer.header(*name, *value);
        }
        answer.body(()).expect("it is an answer")
    }

    #[test]
    fn only_what_the_receiver_cannot_have_answered_failed() {
        let failed = Outcome::Failed(Pushback::None);
        for (status, code, outcome) in [
            (200, Some("14"), failed),
            (200, Some("4"), Outcome::Answered),
            (200, Some("8"), Outcome::Answered),
            (200, Some("0"), Outcome::Answered),
            // The head of an answer with messages.
            (200, None, Outcome::Answered),
            // A proxy's word: the gRPC protocol maps these to UNAVAILABLE.
            (503, None, failed),
            (502, None, failed),
            (404, None, Outcome::Answered),
            (500, None, Outcome::Answered),
        ] {
            let code = code.map(|code| ("grpc-status", code));
            let answer = answer(status, code.as_slice());
            assert_eq!(GRPC.answered(&answer), outcome, "{status} {code:?}");
        }
    }

    #[test]
    fn a_post_is_sent_once_unless_nobody_was_there() {
        let post = Kind::of(false, &Method::POST);
        assert_eq!(post.answered(&answer(503, &[])), Outcome::Answered);
        assert_eq!(post.failed(false), Outcome::Answered);
        assert_eq!(post.failed(true), Outcome::Unreachable);
        let get = Kind::of(false, &Method::GET);
        assert_eq!(get.failed(false), Outcome::Failed(Pushback::None));
        let told = answer(503, &[("retry-after", "2")]);
        assert_eq!(
            get.answered(&told),
            Outcome::Failed(Pushback::After(ms(2000)))
        );
    }

    #[test]
    fn the_receiver_says_when_to_come_back() {
        for (value, pushback) in [
            ("0", Pushback::After(ms(0))),
            ("250", Pushback::After(ms(250))),
            ("-1", Pushback::Never),
            ("", Pushback::Never),
            ("soon", Pushback::Never),
            ("99999999999", Pushback::Never),
        ] {
            let answer = answer(
                200,
                &[("grpc-status", "14"), ("grpc-retry-pushback-ms", value)],
            );
            assert_eq!(GRPC.answered(&answer), Outcome::Failed(pushback), "{value}");
        }
    }

    /// What follows on outcomes, each seen the moment that its attempt began, with a deadline of
    /// one second.
    fn check(retries: &Retries, outcomes: &[Outcome]) -> Vec<Next> {
        let began = Instant::now();
        let mut now = began;
        let mut attempts = Attempts::new(began, began + ms(1000));
        let follow = |outcome: &Outcome| {
            let next = attempts.next(retries, *outcome, now, 0.5);
            if let Next::After(pause) = next {
                now += pause;
            }
            next
        };
        outcomes.iter().map(follow).collect()
    }

    const FAILED: Outcome = Outcome::Failed(Pushback::None);

    #[test]
    fn pauses_grow_and_attempts_have_an_end() {
        let retries = Retries::new().attempts(4).pauses(ms(100), ms(150));
        let next = check(&retries, &[FAILED; 4]);
        let after = |pause| Next::After(ms(pause));
        assert_eq!(
            next,
            [after(100), after(150), after(150), Next::GiveBack],
            "half of the way between 80 and 120 %"
        );
        assert_eq!(check(&retries.attempts(1), &[FAILED]), [Next::GiveBack]);
    }

    #[test]
    fn nothing_is_sent_at_the_deadline() {
        let slow = Retries::new().pauses(ms(1000), ms(1000));
        assert_eq!(check(&slow, &[FAILED]), [Next::GiveBack]);
        let told = |pause| Outcome::Failed(Pushback::After(ms(pause)));
        let retries = Retries::new();
        assert_eq!(check(&retries, &[told(1000)]), [Next::GiveBack]);
        assert_eq!(check(&retries, &[told(999)]), [Next::After(ms(999))]);
        let never = Outcome::Failed(Pushback::Never);
        assert_eq!(check(&retries, &[never]), [Next::GiveBack]);
    }

    #[test]
    fn who_is_not_there_is_waited_for_and_no_longer() {
        let patient = Retries::new()
            .pauses(ms(100), ms(100))
            .wait_for_ready(ms(450));
        let next = check(&patient, &[Outcome::Unreachable; 8]);
        let waits = next
            .iter()
            .filter(|next| matches!(next, Next::After(_)))
            .count();
        // Five within 450 ms cost nothing; then attempts count, and there are three.
        assert_eq!(waits, 7, "{next:?}");
        assert_eq!(next[7], Next::GiveBack);
        let beyond = patient.wait_for_ready(ms(60_000));
        let next = check(&beyond, &[Outcome::Unreachable; 12]);
        assert_eq!(next[9], Next::GiveBack, "the deadline is nearer: {next:?}");
    }

    #[test]
    fn a_receiver_that_fails_for_all_gets_hardly_more() {
        let retries = Retries::new().budget(Budget::new(10, 0.1));
        let calls = 1000;
        let mut sent = 0;
        for _ in 0..calls {
            sent += 1;
            for next in check(&retries, &[FAILED; 1]) {
                sent += u32::from(matches!(next, Next::After(_)));
            }
        }
        assert_eq!(sent, calls + 4);
        assert_eq!(check(&retries, &[FAILED]), [Next::Withhold]);
    }

    #[test]
    fn no_connection_is_known_by_its_kind() {
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        assert!(is_connect_error(&refused()));
        assert!(!is_connect_error(&io::Error::from(
            io::ErrorKind::ConnectionReset
        )));
        #[derive(Debug, thiserror::Error)]
        #[error("outer")]
        struct Outer(#[source] io::Error);
        assert!(any_in_chain(&Outer(refused()), is_connect_error));
    }
}

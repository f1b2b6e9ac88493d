//! Audits of a handler that is too fast to be caught, while its dependency does not answer.

use std::time::Duration;

use shakedown_evidence::caught::{CALLS, catch};
use shakedown_evidence::{At, Purpose};
use shakedown_experiment::Audit;

use super::{HONEST, Handler, Simulated, ms};

const FAST: Handler = Handler {
    takes: Duration::from_millis(3),
    ..HONEST
};

/// Audits behind the stall: how the experiment ended, calls, those caught and those late.
fn audit_behind(service: &mut Simulated, purpose: Purpose) -> (String, usize, usize, usize) {
    let how = service.run(&mut Audit::behind(0, purpose, "db"));
    assert!(!service.dependency.held, "answers are still held: {how}");
    let calls: Vec<_> = service.seen.audited(0, purpose, Some("db")).collect();
    let next = calls
        .iter()
        .skip(1)
        .map(|call| call.sent.at)
        .chain([At::MAX]);
    let catches: Vec<_> = calls
        .iter()
        .zip(next)
        .filter_map(|(call, next)| catch(&service.seen, call, next))
        .collect();
    let late = catches
        .iter()
        .filter(|catch| catch.overran() > ms(250))
        .count();
    (how, calls.len(), catches.len(), late)
}

#[test]
fn a_fast_handler_is_caught_waiting_for_its_dependency() {
    for purpose in [Purpose::Deadline, Purpose::Cancel] {
        let mut service = Simulated::new(FAST).with_traffic(4).behind_a_stall(true);
        let (how, calls, caught, late) = audit_behind(&mut service, purpose);
        assert_eq!(
            (calls, caught, late),
            (CALLS, CALLS, 0),
            "{purpose:?}: {how}"
        );
        let recovered = service.seen.calls_for(0, Purpose::Recover);
        assert_eq!(recovered.filter(|call| call.is_ok()).count(), CALLS);
        assert!(service.seen.unrecovered(0).is_none());
    }
}

#[test]
fn a_fast_handler_that_goes_on_behind_a_stall_is_late_and_released() {
    let stubborn = Handler {
        honours: false,
        ..FAST
    };
    for purpose in [Purpose::Deadline, Purpose::Cancel] {
        let mut service = Simulated::new(stubborn)
            .with_traffic(4)
            .behind_a_stall(true);
        let began = service.now;
        let (how, _, caught, late) = audit_behind(&mut service, purpose);
        assert_eq!((caught, late), (CALLS, CALLS), "{purpose:?}: {how}");
        let each = (service.now - began) / u32::try_from(CALLS).expect("few");
        assert!(each < Duration::from_millis(1_200), "{each:?} a call");
    }
}

#[test]
fn a_handler_that_does_not_need_the_dependency_is_left_alone_soon() {
    let mut service = Simulated::new(FAST).with_traffic(4).behind_a_stall(false);
    let (how, calls, caught, _) = audit_behind(&mut service, Purpose::Deadline);
    assert_eq!((calls, caught), (3, 0), "{how}");
}

#[test]
fn a_slow_handler_needs_no_stall() {
    let mut service = Simulated::new(HONEST).with_traffic(4).behind_a_stall(true);
    let (how, calls, _, _) = audit_behind(&mut service, Purpose::Deadline);
    assert!(how.contains("without a stall"), "{how}");
    assert_eq!(calls, 0);
}

#[test]
fn a_service_that_does_not_recover_is_given_time_and_then_left() {
    let mut service = Simulated::new(FAST).with_traffic(4).behind_a_stall(true);
    service.dependency.lost = true;
    let began = service.now;
    let (how, calls, _, _) = audit_behind(&mut service, Purpose::Deadline);
    assert!(how.contains("no good answer within 10 s"), "{how}");
    assert_eq!(calls, 1);
    assert!(service.now - began >= Duration::from_secs(10));
    assert!(service.seen.unrecovered(0).is_some());
}

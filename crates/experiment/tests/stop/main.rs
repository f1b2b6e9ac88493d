//! The stop against simulated services: what is in flight, when it is finished, how long is waited.

mod service;

use std::time::Duration;

use shakedown_evidence::{Answers, At};

use service::{AtSignal, GRACE, Simulated, grpc, http, ms};

const PROMPT: AtSignal = AtSignal::Drain {
    after: Duration::ZERO,
};

#[test]
fn a_drain_answers_what_was_in_flight_and_an_exit_drops_it() {
    for (at_signal, all_dropped) in [(PROMPT, false), (AtSignal::Exit, true)] {
        let kinds = || vec![grpc(), http(""), http("{}")];
        let mut service = Simulated::new(kinds(), ms(400), at_signal);
        let report = service.stop();
        let (all, half, dropped) = service.counts();
        assert_eq!(all, 8, "as many as in a batch");
        assert!(half >= 2 && half < all, "{half}");
        assert_eq!(dropped, if all_dropped { all } else { 0 });
        assert!(report.gone.expect("it ends") - report.at < ms(1100));
    }
}

#[test]
fn a_quick_handler_is_held_in_flight_by_half_a_body_only() {
    let mut service = Simulated::new(vec![http("{}")], ms(3), AtSignal::Exit);
    service.stop();
    assert_eq!(service.counts(), (8, 8, 8));
    let mut service = Simulated::new(vec![http("")], ms(3), AtSignal::Exit);
    service.stop();
    assert_eq!(service.counts(), (0, 0, 0));
}

#[test]
fn a_quick_handler_is_held_in_flight_by_what_it_waits_for() {
    for (at_signal, dropped) in [(PROMPT, 0), (AtSignal::Exit, 8)] {
        let service = Simulated::new(vec![http("")], ms(3), at_signal);
        let mut service = service.behind(Answers::Held);
        let report = service.stop();
        assert_eq!(service.counts(), (8, 0, dropped));
        assert!(report.gone.expect("it ends") - report.at < ms(300));
        assert!(!service.held, "nothing holds at the end");
        assert_eq!(service.seen.stalls.len(), 4, "rehearsed once, then used");
    }
}

#[test]
fn what_does_not_wait_for_it_or_not_long_is_not_held() {
    // Its answer does not need what is held.
    let service = Simulated::new(vec![http("")], ms(3), AtSignal::Exit);
    let mut service = service.behind(Answers::Held);
    service.depends = false;
    service.stop();
    assert_eq!(service.counts(), (0, 0, 0));
    // It gives up sooner than it would be held.
    let service = Simulated::new(vec![http("")], ms(3), PROMPT);
    let mut service = service.behind(Answers::Held);
    service.waits = ms(600);
    service.stop();
    assert_eq!(service.counts(), (0, 0, 0));
    // What is held would never be answered.
    let service = Simulated::new(vec![http("")], ms(3), PROMPT);
    let mut service = service.behind(Answers::Never);
    service.stop();
    assert_eq!(service.counts(), (0, 0, 0));
    // It is in flight without.
    let service = Simulated::new(vec![http("{}")], ms(3), PROMPT);
    let mut service = service.behind(Answers::Held);
    service.stop();
    assert_eq!(service.counts(), (8, 8, 0));
    assert_eq!(service.seen.stalls, []);
}

#[test]
fn no_more_are_under_way_than_in_a_batch() {
    let kinds = std::iter::repeat_with(grpc).take(30).collect();
    let mut service = Simulated::new(kinds, ms(200), AtSignal::Ignore);
    service.stop();
    // One more goes out now and then after the signal.
    assert!(service.most <= 9, "{}", service.most);
}

#[test]
fn second_halves_follow_some_soon_some_later_and_all_early_enough() {
    for takes in [ms(3), ms(400), ms(900)] {
        let mut service = Simulated::new(vec![grpc()], takes, PROMPT);
        let report = service.stop();
        let after = service.finished.iter().filter(|at| **at > report.at);
        let after: Vec<Duration> = after.map(|at| *at - report.at).collect();
        let (first, last) = (after.iter().min(), after.iter().max());
        assert!(
            first.is_some_and(|first| *first >= ms(150) && *first < ms(200)),
            "{after:?}"
        );
        assert!(last.is_some_and(|last| *last <= ms(650)), "{after:?}");
        assert_eq!(service.counts().2, 0);
    }
}

#[test]
fn a_slow_request_is_sent_whole_and_so_early_that_its_rest_is_short() {
    for kind in [http(""), http("{}"), grpc()] {
        let mut service = Simulated::new(vec![kind], ms(6000), PROMPT);
        let report = service.stop();
        assert_eq!(service.counts(), (8, 0, 0));
        assert!(report.gone.expect("it ends") - report.at < ms(1000));
    }
}

#[test]
fn one_that_stays_is_given_up_when_its_grace_is_over() {
    let mut service = Simulated::new(vec![grpc()], ms(400), AtSignal::Ignore);
    let report = service.stop();
    assert_eq!((report.gone, report.until - report.at), (None, GRACE));
}

#[test]
fn one_that_can_be_seen_to_drain_is_watched_for_as_long_again() {
    let slow = |after| AtSignal::Drain { after: ms(after) };
    let mut service = Simulated::new(vec![grpc()], ms(400), slow(6000));
    let report = service.stop();
    assert!(report.gone.is_some_and(|gone| gone - report.at >= ms(6000)));
    assert_eq!(service.counts().2, 0);
    let mut service = Simulated::new(vec![grpc()], ms(400), slow(60_000));
    let report = service.stop();
    assert_eq!((report.gone, report.until - report.at), (None, GRACE * 2));
}

#[test]
fn no_idle_connection_of_ours_holds_the_drain_up() {
    let slow = AtSignal::Drain { after: ms(6000) };
    let mut service = Simulated::new(vec![grpc()], ms(400), slow);
    let report = service.stop();
    let (before, after): (Vec<At>, Vec<At>) =
        service.closed.iter().partition(|at| **at < report.at);
    assert_eq!(
        (before.len(), after.len()),
        (2, 1),
        "before the rehearsal, too"
    );
    assert!(after[0] - report.at < ms(3000));
}

#[test]
fn a_server_without_patience_for_slow_bodies_is_not_blamed() {
    for patience in [ms(100), ms(500), ms(890)] {
        let mut service = Simulated::new(vec![http("{}"), http("")], ms(200), PROMPT);
        service.patience = patience;
        service.stop();
        // Only what is sent whole, of both.
        assert_eq!(service.counts(), (8, 0, 0), "{patience:?}");
    }
    let mut service = Simulated::new(vec![http("{}")], ms(200), PROMPT);
    service.patience = ms(1000);
    service.stop();
    let (all, half, dropped) = service.counts();
    assert!(all == 8 && half > 0 && dropped == 0);
}

#[test]
fn what_may_not_be_repeated_is_not_sent() {
    let mut service = Simulated::new(vec![grpc()], ms(400), PROMPT);
    service.seen.run.requests[0].repeat_safe = false;
    let before = service.seen.calls.len();
    service.stop();
    assert_eq!(service.seen.calls.len(), before);
}

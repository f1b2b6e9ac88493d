//! What is recorded of a service.

use std::time::Duration;

use shakedown_acquire::process::{Signal, remedy};
use shakedown_evidence::log::Stream;
use shakedown_evidence::{Event, Evidence, Exit};

use super::{Live, PATIENCE, run};

/// Runs a script to its own end and ends the rest.
async fn to_its_end(case: &str, script: &str) -> (Live, Exit) {
    let mut live = Live::start(case, script).await;
    let exit = live
        .service
        .wait_exit(PATIENCE)
        .await
        .expect("ends by itself");
    live.service.end(Duration::ZERO).await;
    (live, exit)
}

pub(super) fn an_early_exit_is_recorded_after_its_lines() {
    run(async {
        let script =
            "echo starting; echo 'panic: environment variable \"CART_ADDR\" not set' >&2; exit 3";
        let mut live = Live::start("early", script).await;
        let exit = live
            .service
            .wait_exit(PATIENCE)
            .await
            .expect("ends by itself");
        assert_eq!(
            (exit.code, exit.signal, exit.expected),
            (Some(3), None, false)
        );
        // Both lines are there as soon as the end is.
        let mut last = live.service.last_lines(10);
        last.sort();
        assert_eq!(last.len(), 2);
        assert_eq!(
            remedy(&last).as_deref(),
            Some("set it with --env CART_ADDR=VALUE")
        );
        assert_eq!(live.service.exit(), Some(exit.clone()));
        live.recorder.read(|evidence: &Evidence| {
            assert_eq!(evidence.processes[0].pid, live.service.pid());
            assert_eq!(evidence.exits, [exit]);
            assert_eq!(evidence.lines.len(), 2);
            let panic = evidence
                .lines
                .iter()
                .find(|line| line.stream == Stream::Stderr);
            assert!(panic.expect("stderr is read").text.starts_with("panic: "));
            assert!(
                evidence
                    .lines
                    .iter()
                    .all(|line| line.at >= evidence.processes[0].at)
            );
        });
        live.service.end(Duration::ZERO).await;
    });
}

pub(super) fn a_full_pipe_is_read_before_the_end_is_recorded() {
    run(async {
        let mut live = Live::start("full", "yes 'an order came' | head -n 60000").await;
        live.service
            .wait_exit(PATIENCE)
            .await
            .expect("ends by itself");
        assert_eq!(live.recorder.read(|evidence| evidence.lines.len()), 60_000);
        live.service.end(Duration::ZERO).await;
    });
}

pub(super) fn a_signal_is_recorded() {
    run(async {
        let (_, exit) = to_its_end("signal", "kill -SEGV $$").await;
        assert_eq!(
            (exit.code, exit.signal, exit.expected),
            (None, Some(11), false)
        );
    });
}

pub(super) fn a_long_line_is_cut() {
    run(async {
        let script = "head -c 10000000 /dev/zero | tr '\\0' x; echo; echo next";
        let (live, _) = to_its_end("long", script).await;
        live.recorder.read(|evidence| {
            let (long, next) = (&evidence.lines[0], &evidence.lines[1]);
            assert_eq!(long.text.len(), 64 << 10);
            assert_eq!(long.cut, 10_000_000 - (64 << 10));
            assert_eq!((next.text.as_str(), next.cut), ("next", 0));
        });
        assert!(live.service.last_lines(2)[0].len() <= 4096);
    });
}

pub(super) fn a_flood_is_dropped_and_told_once() {
    run(async {
        let script = "yes 'an order came' | head -n 3000000; echo last";
        let (live, exit) = to_its_end("flood", script).await;
        assert_eq!(exit.code, Some(0));
        assert_eq!(live.service.dropped_lines(), 3_000_001 - 400_000);
        assert_eq!(live.service.last_lines(2), ["an order came", "last"]);
        live.recorder.read(|evidence| {
            assert_eq!(evidence.lines.len(), 400_000);
            assert_eq!(evidence.lines_dropped(), Some(3_000_001 - 400_000));
            assert_eq!(evidence.troubles.len(), 1);
            let what = &evidence.troubles[0].what;
            assert!(
                what.contains("flooded its log: ") && what.contains("lines a second"),
                "{what}"
            );
        });
    });
}

pub(super) fn bytes_that_are_no_text_are_replaced() {
    run(async {
        let (live, _) = to_its_end("bytes", "printf 'a\\377b\\r\\nhalf a line'").await;
        assert_eq!(live.log(), ["a\u{fffd}b", "half a line"]);
    });
}

pub(super) fn a_signal_of_ours_is_expected_and_its_end_is_seen() {
    run(async {
        let script = "trap 'echo drained; exit 0' TERM; echo up; while :; do sleep 0.01; done";
        let mut live = Live::start("ours", script).await;
        live.until_it_says("up").await;
        let pid = live.service.pid();
        let handle = live
            .service
            .handle(pid)
            .expect("can be opened")
            .expect("is running");
        assert!(!handle.gone(Duration::from_millis(1)).await);
        assert!(live.service.signal(pid, Signal::TERM).expect("is ours"));
        assert!(handle.gone(PATIENCE).await);
        assert!(handle.gone(PATIENCE).await, "it stays gone");
        assert!(live.service.wait_gone(pid, PATIENCE).await.is_some());
        let exit = live.service.wait_exit(PATIENCE).await.expect("has ended");
        assert_eq!(
            (exit.code, exit.signal, exit.expected),
            (Some(0), None, true)
        );
        assert!(!live.service.signal(pid, Signal::TERM).expect("is gone"));
        assert!(live.log().contains(&"drained".to_owned()));
        live.service.end(Duration::ZERO).await;
        // A second end of the same process would be a second event.
        let exits = live.recorder.read(|evidence| evidence.exits.len());
        assert_eq!(exits, 1);
    });
}

pub(super) fn a_stranger_gets_no_signal() {
    run(async {
        let mut live = Live::start("stranger", "exec sleep 1000").await;
        let stranger = std::process::id();
        assert!(
            !live
                .service
                .signal(stranger, Signal::KILL)
                .expect("is no error")
        );
        assert!(
            live.service
                .handle(stranger)
                .expect("is no error")
                .is_none()
        );
        live.recorder.record(Event::LinesDropped(0));
        live.service.end(Duration::from_secs(5)).await;
    });
}

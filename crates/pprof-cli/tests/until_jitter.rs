//! `-until-jitter` against a server that has a burst, and one that is merely busy.

mod support;

use shakedown_pprof::{Line, Profile, gzip};
use shakedown_pprof_cli::Request;
use support::{Answer, Desk};

const URL: &str = "http://localhost:6060/debug/pprof/profile?seconds=2";

/// A window of 2 s in which two functions took so many samples.
fn window(work: i64, burst: i64) -> Vec<u8> {
    let mut profile = Profile::new(&[("samples", "count"), ("cpu", "nanoseconds")]);
    profile.duration_nanos = 2_000_000_000;
    profile.period = 10_000_000;
    for (name, count) in [("main.work", work), ("acme.com/x/main.burst", burst)] {
        let function = profile.push_function(name, "/src/main.go", 1);
        let line = Line {
            function,
            line: 2,
            column: 0,
        };
        let location = profile.push_location(1, None, &[line]);
        profile.push_sample(&[location], &[count, count * 10_000_000], &[]);
    }
    gzip(&profile.encode())
}

fn desk(answer: Answer) -> Desk {
    Desk {
        answers: vec![(URL.to_owned(), answer)],
        env: vec![("PPROF_TMPDIR".to_owned(), "/saved".to_owned())],
        ..Desk::default()
    }
}

fn run(desk: &mut Desk, words: &[&str]) -> i32 {
    desk.folder = std::env::temp_dir();
    let words: Vec<&str> = words.iter().copied().chain(["localhost:6060"]).collect();
    desk.run(&words)
}

/// Every tenth window has a burst of 0.9 s.
fn bursting(request: &Request<'_>) -> Result<Vec<u8>, String> {
    use std::cell::Cell;
    thread_local! {
        static TURN: Cell<i64> = const { Cell::new(0) };
    }
    assert_eq!(request.url, URL);
    TURN.set(TURN.get() + 1);
    Ok(window(
        20 + TURN.get() % 3,
        if TURN.get() % 10 == 0 { 90 } else { 0 },
    ))
}

fn busy(_: &Request<'_>) -> Result<Vec<u8>, String> {
    Ok(window(150, 40))
}

#[test]
fn a_burst_ends_the_look_and_is_shown_above_the_usual() {
    let mut desk = desk(bursting);
    let code = run(&mut desk, &["-top", "-until-jitter=1m"]);
    assert_eq!(code, 0, "{}", desk.errors);
    // One more, in which the burst may have its other half.
    assert_eq!(desk.asked.len(), 11);
    assert!(
        desk.errors
            .contains("Window 10: 1.11s of processor time, usually 210ms; main.burst +900ms"),
        "{}",
        desk.errors
    );
    let out = String::from_utf8_lossy(&desk.out).into_owned();
    let first = out.lines().find(|l| l.contains("main.")).expect("a row");
    assert!(
        first.contains("900ms") && first.contains("main.burst"),
        "{out}"
    );
    // The odd window and the ten others.
    let saved: Vec<Profile> = desk
        .written
        .iter()
        .map(|(_, bytes)| Profile::decode(bytes).expect("a profile"))
        .collect();
    let seconds: Vec<i64> = saved
        .iter()
        .map(|p| p.duration_nanos / 1_000_000_000)
        .collect();
    assert_eq!(seconds, [2, 20]);
}

#[test]
fn what_is_merely_busy_ends_with_code_1_and_what_may_have_escaped() {
    let mut desk = desk(busy);
    let code = run(&mut desk, &["-top", "-until-jitter=60s"]);
    assert_eq!((code, desk.asked.len()), (1, 30), "{}", desk.errors);
    assert!(desk.out.is_empty() && desk.written.is_empty());
    for said in [
        "Nothing odd in 30 windows of 2s",
        "1.90s",
        "with probability 0.37",
    ] {
        assert!(desk.errors.contains(said), "{}", desk.errors);
    }
}

#[test]
fn a_server_that_fails_is_given_up() {
    let mut desk = desk(|_| Err("connection refused".to_owned()));
    assert_eq!(run(&mut desk, &["-top", "-until-jitter=60s"]), 2);
    assert_eq!(desk.asked.len(), 3);
    assert!(
        desk.errors.contains("connection refused"),
        "{}",
        desk.errors
    );
}

#[test]
fn mistakes_are_told() {
    let cases: [(&[&str], &str); 5] = [
        (&["-until-jitter=10s"], "-until-jitter=16s"),
        (&["-until-jitter=soon"], "such as 90s, 5m or 1h30m"),
        (
            &["-until-jitter=60s", "-base=x"],
            "leave -base and -diff_base out",
        ),
        (&["-until-jitter=60s", "other:1"], "it takes one server"),
        (&["-until-jitter=60s", "-seconds=30"], "-until-jitter=240s"),
    ];
    for (words, why) in cases {
        let mut desk = desk(busy);
        let words: Vec<&str> = ["-top"].iter().chain(words).copied().collect();
        assert_eq!(run(&mut desk, &words), 2, "{words:?}");
        assert!(desk.errors.contains(why), "{words:?}: {}", desk.errors);
    }
}

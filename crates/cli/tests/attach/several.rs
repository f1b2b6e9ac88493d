//! Several services of one configuration.

use shakedown_testkit::{Ended, Run, orders};

use crate::PROGRAM;

/// A healthy one, a worker without pprof, and one that cannot be started.
fn run(third: &str) -> Run {
    let healthy = orders(&[]).to_toml();
    let config = format!(
        "{healthy}\n[[service]]\nname = \"worker\"\nstart = {{ cmd = [\"bin/worker\"] }}\n{third}"
    );
    Run::of(PROGRAM)
        .file("shakedown.toml", config.as_bytes())
        .flags(["check", "--window", "6s"])
}

fn says(ended: &Ended, texts: &[&str]) {
    for text in texts {
        assert!(
            ended.stdout.contains(text),
            "{text:?} is missing in\n{}\n{}",
            ended.stdout,
            ended.stderr
        );
    }
}

#[test]
fn all_are_checked_and_the_worst_counts() {
    let absent = "[[service]]\nname = \"absent\"\nstart = { cmd = [\"bin/absent\"] }\n";
    let ended = run(absent).end();
    assert_eq!(
        ended.code,
        Some(2),
        "one could not be started: {}",
        ended.stderr
    );
    says(
        &ended,
        &[
            "3 services",
            "orders",
            "READY",
            "worker",
            "NOT READY",
            "absent",
            "NOT CHECKED",
            "no such command",
        ],
    );
    assert!(ended.stderr.contains("absent: "), "{}", ended.stderr);
    for name in ["orders", "worker"] {
        let report = ended.bundle().join(name).join("report.json");
        assert!(report.exists(), "{}", report.display());
    }
}

#[test]
fn a_name_picks_one() {
    let ended = run("")
        .flags(["--service", "worker", "--format", "json"])
        .at_once()
        .end();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert_eq!(ended.report()["target"]["name"], "worker");
}

#[test]
fn what_fits_one_service_only_is_refused() {
    for (words, says) in [
        (&["--http", "GET /"][..], "--service NAME"),
        (&["--format", "html"], "--service NAME"),
        (&["--service", "other"], "no service \"other\""),
    ] {
        let ended = run("").flags(words.iter().copied()).at_once().end();
        assert_eq!(ended.code, Some(2), "{words:?}: {}", ended.stdout);
        assert!(ended.stderr.contains(says), "{words:?}: {}", ended.stderr);
        assert!(!ended.bundle().exists(), "nothing was begun");
    }
}

//! Log lines of 10 MB, of bytes that are no text, cut off, and with commands for a terminal.

use std::fs;

use serde_json::Value;
use shakedown_testkit::Run;

use crate::PROGRAM;
use crate::peak::Peak;
use crate::said::{call, folder};

/// What a terminal, or a reader of code, would take for more than text.
fn is_odd(letter: char) -> bool {
    letter.is_control() && letter != '\n' || ('\u{202a}'..='\u{202e}').contains(&letter)
}

/// Clears the screen, sets the title, colours by a C1 control, turns the direction of writing.
const HOSTILE: &str = r"printf '\033[2J\033]0;gone\007 panic: DB_URL is missing \302\23331m \342\200\256\n' >&2; exit 3";

#[test]
fn odd_lines_are_kept_within_bounds_and_lose_nothing_else() {
    let live = Run::of(PROGRAM)
        .flags(["check", "--window", "2s", "--http", "GET /orders/1"])
        .command([
            "bin/oddlog",
            "-http",
            "127.0.0.1:0",
            "-admin",
            "127.0.0.1:0",
        ])
        .at_once()
        .start();
    let peak = Peak::of(live.pid());
    let ended = live.wait();
    peak.stays_below(300);
    // It has no tracing SDK.
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    assert!(!ended.stdout.contains(is_odd), "{:?}", ended.stdout);
    let events = ended.bundled("events.jsonl");
    let lines: Vec<Value> = events
        .lines()
        .map(|line| serde_json::from_str(line).expect("every event is JSON"))
        .filter(|event: &Value| event["event"] == "line")
        .collect();
    let count = |has: &str| {
        let texts = lines.iter().filter_map(|line| line["of"]["text"].as_str());
        texts.filter(|text| text.contains(has)).count()
    };
    let requests = count("order written");
    assert!(requests > 10, "{requests}");
    for part in [
        "order dumped",
        "M\u{fffd}ller",
        "order cut off",
        "\u{1b}[31m",
    ] {
        assert_eq!(count(part), requests, "{part:?}");
    }
    let long = |line: &&Value| {
        line["of"]["cut"]
            .as_u64()
            .is_some_and(|cut| cut > 10_000_000)
    };
    assert_eq!(lines.iter().filter(long).count(), requests);
    let longest = events.lines().map(str::len).max().unwrap_or_default();
    assert!(longest < 256 << 10, "{longest}");
}

#[test]
fn the_last_lines_of_a_service_are_shown_and_not_obeyed() {
    let ended = Run::of(PROGRAM)
        .flags(["check"])
        .command(["sh", "-c", HOSTILE])
        .at_once()
        .end();
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    for said in [&ended.stdout, &ended.stderr, &ended.bundled("report.json")] {
        assert!(!said.contains(is_odd), "{said:?}");
    }
    assert!(ended.stdout.contains(r"\x1b[2J"), "{}", ended.stdout);
    assert!(
        ended.stdout.contains("--env DB_URL=VALUE"),
        "{}",
        ended.stdout
    );
    let bundle = ended.bundle();
    for format in ["text", "json", "html"] {
        let said = call(&bundle, ["replay", ".", "--format", format]);
        assert!(!said.out.contains(is_odd), "{format}: {:?}", said.out);
    }
}

#[test]
fn the_last_lines_of_a_dependency_are_shown_and_not_obeyed() {
    let config = format!(
        "schema = 1\n[[service]]\nname = \"a\"\nstart = {{ cmd = [\"true\"] }}\n\
         [[service.dependency]]\nname = \"b\"\ncmd = [\"sh\", \"-c\", '''{HOSTILE}''']\n"
    );
    let folder = folder(&[("shakedown.toml", config.as_bytes())]);
    let said = call(folder.path(), ["check"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(!said.err.contains(is_odd), "{said:?}");
    assert!(said.err.contains(r"\x1b[2J"), "{said:?}");
    let runs = folder.path().join(".shakedown/runs");
    assert!(fs::read_dir(runs).is_ok_and(|runs| runs.count() == 1));
}

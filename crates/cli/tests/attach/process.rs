//! By its process.

use shakedown_testkit::Signal;

use crate::callers::Callers;
use crate::expected::{by_pid, check, run};
use crate::outside::Outside;

#[test]
fn without_consent_it_is_only_looked_at() {
    let run = run();
    let mut outside = Outside::start(&run, &[]);
    let ended = by_pid(run, &outside).flags(["--logs", "orders.log"]).end();
    check(
        &ended,
        "NOT PROVEN",
        &[
            ("deadline-ignored", "not exercised", "--consent audits"),
            ("cancel-ignored", "not exercised", "--consent audits"),
            ("leak-per-request", "not exercised", "--consent load"),
            ("sigterm-ignored", "not exercised", "--consent stop"),
        ],
    );
    assert_eq!(ended.code, Some(3));
    assert!(outside.is_alive(), "nobody allowed its end");
    let events = ended.bundled("events.jsonl");
    for forbidden in [
        "\"batch\"",
        "\"deadline\"",
        "\"cancel\"",
        "\"event\":\"stop\"",
    ] {
        let purpose = format!("\"purpose\":{forbidden}");
        let wanted = if forbidden.contains("event") {
            forbidden
        } else {
            &purpose
        };
        assert!(
            !events.contains(wanted),
            "{wanted} was done without consent"
        );
    }
}

#[test]
fn with_full_consent_it_is_ready() {
    let run = run();
    let mut outside = Outside::start(&run, &[]);
    let ended = by_pid(run, &outside)
        .flags(["--logs", "orders.log", "--consent", "load,audits,stop"])
        .end();
    check(&ended, "READY", &[]);
    assert_eq!(ended.code, Some(0));
    assert_eq!(outside.ended(), Some(0), "it was told to stop, and did");
}

#[test]
fn each_consent_is_for_what_it_names() {
    let run = run();
    let mut outside = Outside::start(&run, &[]);
    let ended = by_pid(run, &outside)
        .flags(["--logs", "file:orders.log", "--consent", "load"])
        .end();
    check(
        &ended,
        "NOT PROVEN",
        &[
            ("deadline-ignored", "not exercised", "--consent audits"),
            ("cancel-ignored", "not exercised", "--consent audits"),
            ("sigterm-ignored", "not exercised", "--consent stop"),
        ],
    );
    assert!(outside.is_alive());
}

#[test]
fn a_fault_of_a_running_service_is_found() {
    let run = run();
    let outside = Outside::start(&run, &["-fault", "leak-per-request"]);
    let ended = by_pid(run, &outside)
        .flags(["--logs", "orders.log", "--consent", "load"])
        .end();
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    let report = ended.report();
    let found: Vec<&str> = report["findings"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|finding| finding["rule"].as_str())
        .collect();
    assert!(
        !found.is_empty() && found.iter().all(|rule| *rule == "leak-per-request"),
        "{found:?}"
    );
    let repeat = report["findings"][0]["repeat"].as_str().expect("a command");
    assert!(
        repeat.contains("--pid") && repeat.contains("--consent load"),
        "{repeat}"
    );
}

#[test]
fn a_process_that_ends_meanwhile_is_told_and_blamed_for_nothing() {
    let run = run();
    let mut outside = Outside::start(&run, &[]);
    let mut live = by_pid(run, &outside)
        .flags(["--logs", "orders.log", "--consent", "load,audits,stop"])
        .start();
    live.until_recorded("\"purpose\":\"traffic\"");
    outside.kill();
    let ended = live.wait();
    assert_eq!(ended.code, Some(3), "{}", ended.stdout);
    let report = ended.report();
    let troubles = report["troubles"].to_string();
    assert!(
        troubles.contains("ended while it was looked at"),
        "{troubles}"
    );
    assert_eq!(
        report["findings"].as_array().map(Vec::len),
        Some(0),
        "{report}"
    );
}

#[test]
fn our_own_death_leaves_it_alone() {
    let run = run();
    let mut outside = Outside::start(&run, &[]);
    let mut live = by_pid(run, &outside)
        .flags(["--consent", "load,audits,stop"])
        .start();
    live.until_recorded("\"purpose\":\"traffic\"");
    live.signal(Signal::KILL);
    let ended = live.wait();
    assert_eq!(ended.code, None);
    assert!(outside.is_alive());
}

#[test]
fn an_interrupt_leaves_it_alone() {
    let run = run();
    let mut outside = Outside::start(&run, &[]);
    let mut live = by_pid(run, &outside)
        .flags(["--consent", "load,audits,stop"])
        .start();
    live.until_recorded("\"purpose\":\"traffic\"");
    live.signal(Signal::INT);
    assert_eq!(live.wait().code, Some(130));
    assert!(outside.is_alive());
}

#[test]
fn handlers_of_other_callers_are_not_taken_for_ours() {
    let run = run();
    let outside = Outside::start(&run, &[]);
    let callers = Callers::of(&outside.http, 6);
    let ended = by_pid(run, &outside)
        .flags(["--logs", "orders.log", "--consent", "audits"])
        .end();
    assert!(callers.stop() > 50, "they were there all the time");
    assert_eq!(ended.code, Some(3), "{}", ended.stdout);
    let report = ended.report();
    assert_eq!(
        report["findings"].as_array().map(Vec::len),
        Some(0),
        "{report}"
    );
    let rows = report["rules"].as_array().expect("rows");
    let row = rows.iter().find(|row| row["name"] == "cancel-ignored");
    let row = row.expect("a row");
    assert_eq!(row["outcome"], "inconclusive", "{row}");
    assert!(row["reason"].to_string().contains("other callers"), "{row}");
}

//! A handler of 3 ms at its deadline: without a stall nothing is proven, behind one everything.

use shakedown_testkit::{Ended, Run, fast_orders};

use crate::live::PROGRAM;
use crate::table::{Case, ERROR, Found, HEALTHY, NOT_READY};

const TOO_FAST: &[(&str, &str)] = &[
    ("deadline-ignored", "not exercised"),
    ("cancel-ignored", "not exercised"),
    ("wrong-status", "not exercised"),
    // `GET /orders/7` has no body of which half could be sent, and is answered too soon.
    ("in-flight-dropped", "not exercised"),
];

const AT: Option<(&str, &str)> = Some(("internal/orders/stock_uncancelled.go", "Check("));

const GOES_ON: &[Found] = &[
    Found {
        rule: "deadline-ignored",
        subject: "orders.v1.Orders/Get",
        at: AT,
        because_of: &["cancel-ignored"],
        ..ERROR
    },
    Found {
        rule: "cancel-ignored",
        subject: "GET /orders/7",
        at: AT,
        ..ERROR
    },
];

fn check(case: &Case, stalled: bool) -> Ended {
    let service = fast_orders(case.faults, stalled).grace("4s");
    let ended = Run::of(PROGRAM)
        .config(&service)
        .flags(["check", "--window", "6s", "--format", "json"])
        .end();
    case.check(&ended.report());
    assert_eq!(ended.code, Some(case.code), "{}", ended.stderr);
    ended
}

/// The reason and the proof that is missing, of one rule.
fn row(ended: &Ended, rule: &str) -> (String, String) {
    let report = ended.report();
    let rows = report["rules"].as_array().expect("a list");
    let row = rows.iter().find(|row| row["name"] == rule).expect(rule);
    let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
    (text("reason"), text("to_prove"))
}

#[test]
fn without_a_stall_a_fast_handler_is_not_exercised_whatever_it_does() {
    for faults in [&[][..], &["stock-uncancelled"]] {
        let case = Case {
            name: "too fast",
            faults,
            verdict: "NOT PROVEN",
            code: 3,
            but: TOO_FAST,
            ..HEALTHY
        };
        let ended = check(&case, false);
        let (why, to_prove) = row(&ended, "deadline-ignored");
        assert!(why.contains("too fast to be caught"), "{why}");
        assert!(to_prove.contains("--stall NAME=127.0.0.1:"), "{to_prove}");
    }
}

#[test]
fn behind_a_stall_a_healthy_fast_handler_is_proven() {
    let case = Case {
        name: "healthy, stalled",
        ..HEALTHY
    };
    let ended = check(&case, true);
    for (rule, how) in [
        ("deadline-ignored", "(behind stall inventory)"),
        ("cancel-ignored", "(behind stall inventory)"),
        (
            "in-flight-dropped",
            "8 requests in flight at SIGTERM (4 half sent, 4 behind stall inventory) answered",
        ),
    ] {
        let (why, _) = row(&ended, rule);
        assert!(why.contains(how), "{why}");
    }
}

#[test]
fn behind_a_stall_a_fast_handler_that_goes_on_is_found() {
    let case = Case {
        name: "stock-uncancelled, stalled",
        faults: &["stock-uncancelled"],
        but: &[
            ("deadline-ignored", "failed"),
            ("cancel-ignored", "failed"),
            ("wrong-status", "not exercised"),
        ],
        findings: GOES_ON,
        ..NOT_READY
    };
    let ended = check(&case, true);
    let text = ended.bundled("report.txt");
    assert!(text.contains("while inventory did not answer"), "{text}");
}

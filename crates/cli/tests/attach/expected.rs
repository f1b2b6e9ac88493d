//! What a report on a service that runs already must say.

use serde_json::Value;
use shakedown_testkit::{Ended, Run};

use crate::PROGRAM;
use crate::outside::Outside;

/// Nothing can be told to stop by its address.
pub(crate) const STOP_BY_ADDRESS: (&str, &str, &str) = (
    "sigterm-ignored",
    "not exercised",
    "--pid PID --consent stop",
);

/// A run with requests to all that `orders` serves.
pub(crate) fn run() -> Run {
    Run::of(PROGRAM).flags(["check", "--window", "6s", "--format", "json"])
}

/// The requests, by gRPC method and by a path of its HTTP listener.
pub(crate) fn asks(run: Run, http: &str) -> Run {
    run.flags(["--grpc", "orders.v1.Orders/Get", "--data", r#"{"id":"7"}"#])
        .flags([
            "--grpc",
            "orders.v1.Orders/Search",
            "--data",
            r#"{"query":"bolt"}"#,
        ])
        .flags(["--http".to_owned(), format!("GET {http}/orders/7")])
}

/// By process.
pub(crate) fn by_pid(run: Run, outside: &Outside) -> Run {
    asks(run, "").flags(["--pid".to_owned(), outside.pid().to_string()])
}

/// By addresses.
pub(crate) fn by_address(run: Run, outside: &Outside) -> Run {
    asks(run, &format!("http://{}", outside.http)).flags([
        "--address",
        &outside.grpc,
        "--pprof",
        &format!("http://{}/debug/pprof/", outside.admin),
    ])
}

/// The verdict, no finding, and of each rule that was not passed the outcome and a word of what
/// would prove it.
pub(crate) fn check(ended: &Ended, verdict: &str, but: &[(&str, &str, &str)]) {
    let report = ended.report();
    let rows = report["rules"].as_array().expect("rows");
    let reasons: Vec<String> = rows.iter().map(ToString::to_string).collect();
    let reasons = reasons.join("\n");
    assert_eq!(
        report["verdict"], verdict,
        "{reasons}\n{}",
        report["troubles"]
    );
    assert_eq!(
        report["findings"],
        Value::Array(vec![]),
        "a healthy service"
    );
    for row in rows.iter().filter(|row| row["required"] == true) {
        let name = row["name"].as_str().expect("a name");
        let stands_for = ALIKE.iter().find(|(_, others)| others.contains(&name));
        let stands_for = stands_for.map_or(name, |(rule, _)| rule);
        let Some((_, outcome, proof)) = but.iter().find(|(rule, ..)| *rule == stands_for) else {
            let fine = matches!(row["outcome"].as_str(), Some("passed" | "not applicable"));
            assert!(fine, "{row}");
            continue;
        };
        assert_eq!(row["outcome"], *outcome, "{row}");
        let to_prove = row["to_prove"].as_str().unwrap_or_default();
        assert!(to_prove.contains(proof), "{row}");
    }
}

/// Rules that need the same as another one, whose row is theirs, too.
const ALIKE: [(&str, &[&str]); 2] = [
    ("sigterm-ignored", &["in-flight-dropped"]),
    (
        "log-without-trace",
        &[
            "span-id-without-trace-id",
            "request-without-span",
            "incoming-context-ignored",
            "tracing-missing",
        ],
    ),
];

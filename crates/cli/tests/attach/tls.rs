//! Listeners that speak TLS.

use serde_json::Value;
use shakedown_testkit::{Ended, Run, orders};

use crate::expected::{STOP_BY_ADDRESS, asks, check, run};
use crate::outside::Outside;

/// `orders` with TLS on all listeners, started by the run.
fn started() -> Run {
    let secured = orders(&[]).behind(&["sh", "-c", r#"exec "$0" "$@" -tls ca.pem"#]);
    // The file of authorities is there before the run reads it: the service writes it anew.
    run().config(&secured)
}

fn outcomes(ended: &Ended) -> Vec<(String, String)> {
    let report = ended.report();
    let rows = report["rules"].as_array().expect("rows").iter();
    let text = |row: &Value, field: &str| row[field].as_str().expect("a text").to_owned();
    rows.map(|row| (text(row, "name"), text(row, "outcome")))
        .collect()
}

#[test]
fn a_listener_whose_certificate_is_believed_is_looked_into() {
    let run = run();
    let outside = Outside::start(&run, &["-tls", "ca.pem"]);
    let ended = asks(run, &format!("https://{}", outside.http))
        .flags([
            "--address",
            &outside.grpc,
            "--pprof",
            &format!("https://{}", outside.admin),
        ])
        .flags(["--private", &outside.admin, "--ca", "ca.pem"])
        .flags(["--logs", "orders.log", "--otlp", &outside.collector])
        .flags(["--consent", "load,audits"])
        .end();
    check(&ended, "NOT PROVEN", &[STOP_BY_ADDRESS]);
    let listeners = ended.report()["target"]["listeners"].to_string();
    for what in ["http+tls", "grpc+tls", "tls+pprof"] {
        assert!(listeners.contains(what), "{listeners}");
    }
}

#[test]
fn a_started_service_may_be_believed_whatever_its_certificate() {
    let ended = started().flags(["--insecure"]).end();
    check(&ended, "READY", &[]);
}

#[test]
fn nobody_is_believed_unasked() {
    let ended = started().end();
    assert_eq!(ended.code, Some(3), "{}", ended.stdout);
    assert_eq!(ended.report()["findings"], Value::Array(vec![]));
    let passed = outcomes(&ended)
        .into_iter()
        .filter(|(_, outcome)| outcome == "passed");
    let passed: Vec<String> = passed.map(|(name, _)| name).collect();
    // What needs no request: the process, its end, and what it was built of.
    let unasked = [
        "secret-in-cmdline",
        "tracing-missing",
        "sigterm-ignored",
        "drain-too-slow",
    ];
    assert!(
        passed.iter().all(|name| unasked.contains(&name.as_str())),
        "{passed:?}"
    );
    let row = ended.report()["rules"][0].to_string();
    assert!(row.contains("--ca FILE or --insecure"), "{row}");
}

#[test]
fn a_stranger_s_certificate_is_refused_with_its_remedy() {
    let run = run();
    let outside = Outside::start(&run, &["-tls", "ca.pem"]);
    let other = Outside::start(&run, &["-tls", "other.pem"]);
    let ended = run
        .flags([
            "--http".to_owned(),
            format!("GET https://{}/orders/7", outside.http),
        ])
        .flags(["--ca", "other.pem"])
        .at_once()
        .end();
    drop(other);
    assert_eq!(ended.code, Some(2), "{}", ended.stdout);
    for says in ["certificate", "--insecure"] {
        assert!(ended.stderr.contains(says), "{}", ended.stderr);
    }
}

#[test]
fn a_profile_is_fetched_from_whom_the_flag_or_the_scheme_believes() {
    let run = run();
    let outside = Outside::start(&run, &["-tls", "ca.pem"]);
    let fetch = |words: &[&str]| {
        let mut command = std::process::Command::new(crate::PROGRAM);
        let command = command.args(["pprof", "-top"]).args(words);
        let command = command
            .current_dir(run.folder())
            .env("PPROF_TMPDIR", "saved");
        let ended = command.output().expect("the program runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (
            ended.status.code(),
            text(&ended.stdout) + &text(&ended.stderr),
        )
    };
    let heap = |scheme: &str| format!("{scheme}://{}/debug/pprof/heap", outside.admin);
    for words in [
        &["-tls_ca=ca.pem", &heap("https")][..],
        &[&heap("https+insecure")],
    ] {
        let (code, said) = fetch(words);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("Type: inuse_space"), "{said}");
    }
    for (words, told) in [
        (&[&heap("https")[..]][..], "-tls_ca FILE"),
        (
            &[&heap("http")],
            "Client sent an HTTP request to an HTTPS server",
        ),
        (
            &["-tls_ca=absent.pem", &heap("https")],
            "the authorities in absent.pem",
        ),
    ] {
        let (code, said) = fetch(words);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(told), "{said}");
    }
}

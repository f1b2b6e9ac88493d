//! Secrets that are planted wherever a run meets them: none is in the bundle or in a report.

use std::fs;
use std::io::Write;
use std::path::Path;

use shakedown_testkit::{Ended, Run, orders};

use crate::expected::{by_pid, run};
use crate::outside::Outside;

/// Every planted value has this in it, so that one search finds all of them.
const MARK: &str = "hunter2";

/// A service that writes its secrets into its log: each variable, its words, and what services
/// write by mistake.
const TALKER: &str = r#"#!/bin/sh
echo "starting with $DB_PASSWORD and $API_TOKEN and $SHARED_SECRET and $FILE_SECRET" >&2
echo '{"level":"info","msg":"login","password":"hunter2-json","user":"a"}'
echo 'level=info msg="calling" authorization="Bearer hunter2-0123456789abcdef"'
echo 'dial postgres://shop:hunter2-dsn@db:5432/orders: connection refused'
echo 'GET /orders/7?access_token=hunter2-query&x=1'
echo "words: $*"
exec "$@"
"#;

/// Files of a folder that have a text, by name.
fn having(folder: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(having(&path, text));
        } else if String::from_utf8_lossy(&fs::read(&path).expect("a file")).contains(text) {
            found.push(path.display().to_string());
        }
    }
    found
}

fn none(ended: &Ended) {
    assert_eq!(having(&ended.bundle(), MARK), [""; 0], "kept in the bundle");
    for said in [&ended.stdout, &ended.stderr] {
        assert!(!said.contains(MARK), "said: {said}");
    }
    assert!(
        !having(&ended.bundle(), "[cut]").is_empty(),
        "something was cut"
    );
}

fn planted(run: Run) -> Run {
    run.file("talker", TALKER.as_bytes())
        .file(
            "secret.env",
            b"FILE_SECRET=hunter2-file\nexport SHARED_SECRET='hunter2-shared'\n",
        )
        .env("DB_PASSWORD", "hunter2-inherited")
        .env("HEADER", "hunter2-header-value")
        .flags([
            "--env",
            "API_TOKEN=hunter2-flag",
            "--env-file",
            "secret.env",
        ])
        .flags(["--header", "authorization: env:HEADER"])
        .flags(["--header", "x-api-key: hunter2-direct"])
        .flags(["--http", "GET /orders/7?api_key=hunter2-url"])
}

#[test]
fn of_a_started_service_none_is_kept() {
    let config = orders(&[]).behind(&["sh", "talker"]);
    let ended = planted(run().config(&config)).end();
    none(&ended);
    let events = ended.bundled("events.jsonl");
    for kept in [
        "starting with [cut] and [cut] and [cut] and [cut]",
        "login",
        "db:5432/orders",
    ] {
        assert!(events.contains(kept), "{kept:?} is evidence, and was lost");
    }
    let log = ended.report()["rules"][2].to_string();
    assert!(log.contains("passed"), "what was cut is no loss: {log}");
}

#[test]
fn of_words_after_the_dashes_none_is_kept() {
    let run = Run::of(crate::PROGRAM).flags(["check", "--window", "1s"]);
    let ended = planted(run)
        .command([
            "sh",
            "talker",
            "bin/worker",
            "--db-password=hunter2-word",
            "--token",
            "hunter2-next",
        ])
        .at_once()
        .end();
    none(&ended);
}

#[test]
fn of_a_running_service_none_is_kept() {
    let run = run();
    let words = r#"exec -a "--db-password=hunter2-word" "$0" "$@""#;
    let outside = Outside::with(
        &run,
        &["env", "OWN_SECRET=hunter2-environment", "bash", "-c", words],
    );
    let mut live = by_pid(run, &outside)
        .flags(["--logs", "orders.log"])
        .start();
    live.until_recorded("\"purpose\":\"traffic\"");
    let log = fs::OpenOptions::new()
        .append(true)
        .open(live.folder().join("orders.log"));
    let line = "using hunter2-environment with password=hunter2-line\n";
    log.and_then(|mut log| log.write_all(line.as_bytes()))
        .expect("its log");
    let ended = live.wait();
    none(&ended);
    assert!(
        ended
            .bundled("events.jsonl")
            .contains("using [cut] with password=[cut]")
    );
    assert!(
        ended.report()["target"]["command"]
            .to_string()
            .contains("--db-password=[cut]")
    );
}

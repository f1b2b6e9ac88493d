//! Words that cannot be used are refused before anything is started, or with nothing left of it.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::said::{call, folder};

fn check(words: &[&str], says: &[&str]) {
    let folder = folder(&[]);
    call(folder.path(), words).refuses(says);
    assert!(
        !folder.path().join(".shakedown").exists(),
        "{words:?}: a mistake of the caller leaves no bundle"
    );
}

#[test]
fn a_flag_that_cannot_be_used_is_named_with_what_would_be_right() {
    let get = "--grpc=a.B/Get";
    for (words, says) in [
        (
            &["--data", "{}"][..],
            &["--data {}", "--grpc or --http"][..],
        ),
        (
            &[get, "--data={}", "--data={}"],
            &["--data {}", "has data already"],
        ),
        (
            &[get, "--data", "{bad"],
            &["a.B/Get", "not JSON", "column 2"],
        ),
        (&["--grpc", "Get"], &["\"Get\"", "pkg.Service/Method"]),
        (&["--http", "get me"], &["\"get me\"", "'GET /path'"]),
        (&["--http", "GET https://h/"], &["https://h/", "TLS"]),
        (&["--only", "speed"], &["--only speed", "shakedown explain"]),
        (&["--env", "A"], &["--env A", "NAME=VALUE"]),
        (&["--header", "a"], &["--header a", "NAME: VALUE"]),
        (
            &["--header", "a: env:NOT_SET_HERE"],
            &["header a", "NOT_SET_HERE"],
        ),
        (&["--header", "a b: c"], &["header `a b`"]),
        (&["--window", "10"], &["'10'", "--window", "10s"]),
        (&["--window", "9m", "--quick"], &["--window", "--quick"]),
        (
            &["--ready-timeout", "61m"],
            &["'61m'", "longer than an hour"],
        ),
        (
            &["--ready", "tcp://h:1"],
            &["--ready \"tcp://h:1\"", "grpc://host:port"],
        ),
        (
            &["--stall", "127.0.0.1:5432"],
            &["--stall 127.0.0.1:5432", "NAME=HOST:PORT"],
        ),
        (
            &["--stall", "db=postgres://h:5432"],
            &["stall db", "without a scheme"],
        ),
        (
            &["--stall", "db=h:5432"],
            &["nothing goes through stall db", "{stall.db.addr}", "h:5432"],
        ),
        (
            &["--proto-set", "no.binpb"],
            &["--proto-set", "no.binpb", "No such file"],
        ),
        (&["--format", "xml"], &["'xml'", "--format"]),
        (
            &["--source", "no/such"],
            &["--source no/such", "no such folder"],
        ),
        (&["--out", "no/such/report"], &["--out", "no/such"]),
        (&["--config", "no.toml"], &["no.toml", "--config FILE"]),
        (&["--service", "orders"], &["--service", "shakedown.toml"]),
        (&["--fast"], &["--fast"]),
    ] {
        let mut line = vec!["check"];
        line.extend(words);
        line.extend(["--", "./service"]);
        check(&line, says);
    }
}

#[test]
fn a_command_line_without_a_command_says_how_it_is_written() {
    check(&["check"], &["what is to be checked?", "-- ./service"]);
    check(
        &["check", "--", "docker", "run", "x"],
        &["run the service itself"],
    );
    check(&["sail"], &["sail"]);
    check(&["explain", "speed"], &["\"speed\"", "these exist"]);
    check(&["replay"], &["<DIR>"]);
}

#[test]
fn a_command_that_cannot_be_started_is_named_with_the_remedy() {
    let folder = folder(&[("text", b"words"), ("script", b"#!/no/such/shell\n")]);
    fs::create_dir(folder.path().join("package")).expect("a folder");
    let script = folder.path().join("script");
    fs::set_permissions(script, fs::Permissions::from_mode(0o755)).expect("its owner");
    for (command, says) in [
        (
            &["no-such-service"][..],
            &["no-such-service", "not in PATH"][..],
        ),
        (&["./no-such"], &["./no-such", "is it built"]),
        (&["text"], &["text", "-- ./text"]),
        (&["./text"], &["./text", "chmod +x ./text"]),
        (&["./package"], &["./package is a directory", "go build"]),
        (&["./script"], &["./script", "interpreter"]),
        (&["./text -port 1"], &["./text -port 1"]),
        (
            &["./text", "{otlp.adr}"],
            &["{otlp.adr}", "{otlp.addr}, {otlp.url}"],
        ),
    ] {
        let mut words = vec!["check", "--"];
        words.extend(command);
        call(folder.path(), words).refuses(says);
    }
}

#[test]
fn a_folder_that_has_a_bundle_already_is_not_written_over() {
    let folder = folder(&[("events.jsonl", b"{\"shakedown_bundle\":1}\n")]);
    let said = call(folder.path(), ["check", "--bundle", ".", "--", "true"]);
    said.refuses(&["events.jsonl", "exists"]);
    let kept = fs::read(folder.path().join("events.jsonl")).expect("still there");
    assert_eq!(kept, b"{\"shakedown_bundle\":1}\n");
}

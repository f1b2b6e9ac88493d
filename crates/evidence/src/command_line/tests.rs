use proptest::prelude::*;

use super::*;

/// The words as they are shown, if there is a secret.
fn check(words: &[&str]) -> Vec<String> {
    secrets(words)
        .into_iter()
        .map(|secret| secret.shown)
        .collect()
}

#[test]
fn values_of_flags_that_are_named_so_are_secrets() {
    for (words, shown) in [
        (&["-token", "hunter2"][..], "-token [cut]"),
        (&["--db-password=hunter2"], "--db-password=[cut]"),
        (&["-dbPassword=hunter2"], "-dbPassword=[cut]"),
        (&["-redis.pass", "hunter2"], "-redis.pass [cut]"),
        (&["--api-key=0123456789abcdef"], "--api-key=[cut]"),
        (
            &["-aws-secret-access-key", "wJalr/bPx"],
            "-aws-secret-access-key [cut]",
        ),
        (&["DB_PASSWORD=hunter2"], "DB_PASSWORD=[cut]"),
        (&["-client-secret", "\"hunter2\""], "-client-secret [cut]"),
        (&["-private-key=MIIEvQIBADANBg"], "-private-key=[cut]"),
    ] {
        assert_eq!(check(words), [shown], "{words:?}");
    }
}

#[test]
fn files_references_switches_and_bounds_are_none() {
    for words in [
        &["-token-file=/run/token"][..],
        &["-token-file", "token"],
        &["-password-policy", "strict"],
        &["-token-ttl=24h"],
        &["-secret-name", "orders-db"],
        &["-tokens=500"],
        &["-max-token", "100000"],
        &["-token", "/var/run/secrets/token"],
        &["-private-key", "keys/tls.pem"],
        &["-password=$DB_PASSWORD"],
        &["-password", "env:DB_PASSWORD"],
        &["-secret=arn:aws:secretsmanager:eu-west-1:1:secret:x"],
        &["-require-token", "serve"],
        &["-page-token=CAUQAA"],
        &["-password=true"],
        &["-password", "-v"],
        &["-password="],
        &["-password=******"],
        &["-key=value"],
        &["-public-key=MIIBIjANBgkq"],
        &["-access-key-id=AKIAIOSFODNN7EXAMPLE"],
        &["-sort-key", "created_at"],
        &["-pass", "three"],
        &["-issuer", "https://token.example.com/x?y=1"],
        &["-compass=north"],
        &["-http", "127.0.0.1:8080", "serve", "token"],
    ] {
        assert_eq!(check(words), [""; 0], "{words:?}");
    }
}

#[test]
fn credentials_in_urls_and_connection_strings_are_secrets() {
    for (words, shown) in [
        (
            &[
                "-dsn",
                "postgres://orders:hunter2@db:5432/orders?sslmode=disable",
            ][..],
            "-dsn postgres://orders:[cut]@db:5432/orders?sslmode=disable",
        ),
        (
            &["-redis=redis://:hunter2@cache:6379/0"],
            "-redis=redis://:[cut]@cache:6379/0",
        ),
        (
            &["-dsn=orders:p@ss@tcp(db:3306)/orders"],
            "-dsn=orders:[cut]@tcp(db:3306)/orders",
        ),
        (
            &["-dsn=host=db user=orders password=hunter2 dbname=orders"],
            "-dsn=host=db user=orders password=[cut] dbname=orders",
        ),
        (
            &["Server=db;Uid=orders;Pwd=hunter2;"],
            "Server=db;Uid=orders;Pwd=[cut];",
        ),
        (
            &["-dsn", "postgres://db/x?user=o&password=hunter2"],
            "-dsn postgres://db/x?user=o&password=[cut]",
        ),
    ] {
        assert_eq!(check(words), [shown], "{words:?}");
    }
}

#[test]
fn urls_without_a_password_are_none() {
    for words in [
        &["-dsn", "postgres://orders@db:5432/orders"][..],
        &["-dsn=postgres://orders:$PASSWORD@db/orders"],
        &["-dsn=postgres://orders:{{password}}@db/orders"],
        &["-url=http://a.example:8080/@me"],
        &["-git=git@github.com:a/b.git"],
        &["-image=registry.example:5000/orders@sha256:0123"],
        &["-filter=password, token, secret"],
        &["-format=user:%s password:%s"],
    ] {
        assert_eq!(check(words), [""; 0], "{words:?}");
    }
}

#[test]
fn tokens_are_known_by_the_prefix_of_their_issuer() {
    let github = format!("ghp_{}", "a1".repeat(18));
    assert_eq!(check(&["-auth", &github]), ["-auth ghp_[cut]"]);
    assert_eq!(check(&["--gh", "ghp_short"]), [""; 0]);
    let inside = format!("xghp_{}", "a1".repeat(18));
    assert_eq!(check(&["-id", &inside]), [""; 0]);
    let web = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dBjftJeZ4CVP-mB92K27uhbUJU1p1r";
    assert_eq!(check(&["-jwt", web]), ["-jwt eyJ[cut]"]);
}

#[test]
fn two_secrets_in_one_word_are_both_cut() {
    let word = "postgres://o:hunter2@db/x?sslpassword=hunter3";
    let cut = cut(&["-dsn", word]);
    assert_eq!(cut[1], "postgres://o:[cut]@db/x?sslpassword=[cut]");
    assert!(
        secrets(&["-dsn", word])
            .iter()
            .all(|secret| !secret.shown.contains("hunter"))
    );
}

#[test]
fn a_command_line_keeps_its_secrets_and_none_of_its_words() {
    let read = CommandLine::read(
        At(7),
        "/proc/1/cmdline".into(),
        b"./orders\0-token\0hunter2\0-v\0",
    );
    assert_eq!((read.words, read.secrets.len()), (4, 1));
    let kept = serde_json::to_string(&read).expect("an event");
    assert!(
        !kept.contains("hunter2") && !kept.contains("./orders"),
        "{kept}"
    );
}

proptest! {
    /// Whatever the words are, the value of a secret flag does not come through.
    #[test]
    fn what_is_cut_is_gone(value in "[a-zA-Z0-9]{7,40}", flag in "(-|--)[a-z]{0,6}-?(password|secret|token)") {
        prop_assume!(is_value(&value));
        let known = names_a_secret(&flag);
        let joined = format!("{flag}={value}");
        for words in [vec![flag.as_str(), value.as_str()], vec![joined.as_str()]] {
            let out = cut(&words).join(" ");
            prop_assert_eq!(!out.contains(&value), known, "{}", out);
        }
    }

    #[test]
    fn any_words_are_read(words in prop::collection::vec("\\PC{0,40}", 0..6)) {
        prop_assert_eq!(cut(&words).len(), words.len());
        let _ = CommandLine::read(At(0), String::new(), words.join("\0").as_bytes());
    }
}

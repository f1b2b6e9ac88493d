//! docs/configuration.md names every key that exists, and its examples are read without a mistake.

use std::path::Path;

use shakedown_checklist::config::Config;

use crate::{assert_none, read};

const PAGE: &str = "docs/configuration.md";

/// Every table, as a file in which it has one key too many: the complaint lists the right ones.
const TABLES: &[(&str, &str)] = &[
    ("the file", "schema = 1\nzzz = 1"),
    ("[gate]", "schema = 1\n[gate]\nzzz = 1"),
    (
        "[[service]]",
        "schema = 1\n[[service]]\nname = \"a\"\nzzz = 1",
    ),
    (
        "start",
        "schema = 1\n[[service]]\nname = \"a\"\nstart = { zzz = 1 }",
    ),
    (
        "attach",
        "schema = 1\n[[service]]\nname = \"a\"\nattach = { zzz = 1 }",
    ),
    (
        "[[service.dependency]]",
        "schema = 1\n[[service]]\nname = \"a\"\n[[service.dependency]]\nzzz = 1",
    ),
    (
        "[[service.request]]",
        "schema = 1\n[[service]]\nname = \"a\"\n[[service.request]]\nzzz = 1",
    ),
    (
        "[[service.stall]]",
        "schema = 1\n[[service]]\nname = \"a\"\n[[service.stall]]\nzzz = 1",
    ),
    (
        "[service.stop]",
        "schema = 1\n[[service]]\nname = \"a\"\n[service.stop]\nzzz = 1",
    ),
];

/// The keys of a table, taken from the complaint about a key that it has not.
fn keys(table: &str) -> Vec<String> {
    let error = Config::parse(table, Path::new("x")).expect_err("zzz is no key");
    let message = error.to_string();
    let (_, expected) = message
        .split_once("expected ")
        .unwrap_or_else(|| panic!("another complaint than expected: {message}"));
    expected
        .split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// The fenced blocks of a page in this language.
pub(crate) fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let open = format!("```{language}\n");
    page.split(&open)
        .skip(1)
        .filter_map(|rest| rest.split_once("\n```").map(|(block, _)| block))
        .collect()
}

/// Keys that a page does not name between backticks.
fn unnamed(page: &str, table: &str, keys: &[String]) -> Vec<String> {
    keys.iter()
        .filter(|key| !page.contains(&format!("`{key}`")))
        .map(|key| format!("{PAGE} does not name `{key}` of {table}"))
        .collect()
}

#[test]
fn every_key_is_named() {
    let page = read(PAGE);
    let missing = TABLES.iter().flat_map(|(name, table)| {
        let keys = keys(table);
        assert!(!keys.is_empty(), "{name}");
        unnamed(&page, name, &keys)
    });
    assert_none(&missing.collect::<Vec<_>>());
}

#[test]
fn every_example_is_read() {
    for path in [PAGE, "README.md"] {
        let page = read(path);
        let examples = blocks(&page, "toml");
        assert!(!examples.is_empty(), "{path} has no example");
        for example in examples {
            // A part of a file stands without the first line that every file has.
            let whole = if example.contains("schema =") {
                example.to_owned()
            } else {
                format!("schema = 1\n{example}")
            };
            if let Err(error) = Config::parse(&whole, Path::new(path)) {
                panic!("{error}\n{example}");
            }
        }
    }
}

#[test]
fn a_key_that_nobody_wrote_about_is_seen() {
    let gate = keys("schema = 1\n[gate]\nzzz = 1");
    assert_eq!(gate, ["fail-on"]);
    assert_eq!(unnamed("`fail-on` is …", "[gate]", &gate), [""; 0]);
    assert_eq!(unnamed("fail-on is …", "[gate]", &gate).len(), 1);
}

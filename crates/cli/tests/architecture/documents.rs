//! The documents speak of what there is: links lead somewhere, and what is listed is complete.

use serde_json::Value;
use shakedown_evidence::Event;
use shakedown_findings::SCHEMA;
use shakedown_report::FORMATS;

use crate::{assert_none, files, read, root};

/// Every document of ours, by path.
fn documents() -> Vec<String> {
    let mut documents: Vec<String> = std::fs::read_dir(root())
        .expect("the root is there")
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".md"))
        .collect();
    documents.extend(
        ["docs", "crates", "fuzz", "fixtures"]
            .iter()
            .flat_map(|folder| files(folder, ".md")),
    );
    documents
}

/// The targets of a page's links, without those on other machines and within the page.
fn links(page: &str) -> Vec<&str> {
    // What stands in code is no link.
    let prose = page
        .split("```")
        .step_by(2)
        .flat_map(|part| part.split('`').step_by(2));
    prose
        .flat_map(|part| part.split("](").skip(1))
        .filter_map(|rest| rest.split_once(')').map(|(target, _)| target))
        .map(|target| target.split('#').next().unwrap_or(target))
        .filter(|target| !target.is_empty() && !target.contains("://"))
        .collect()
}

/// Links of a document that lead nowhere.
fn broken(path: &str, page: &str) -> Vec<String> {
    let folder = root()
        .join(path)
        .parent()
        .expect("a file is in a folder")
        .to_owned();
    links(page)
        .into_iter()
        .filter(|target| !folder.join(target).exists())
        .map(|target| format!("{path}: {target} is not there"))
        .collect()
}

/// Files that a page names between backticks, with a folder before the name, that are nowhere: paths
/// begin at the root or in `crates/`. Words in capitals stand for a name.
fn missing(path: &str, page: &str) -> Vec<String> {
    let prose: String = page.split("```").step_by(2).collect();
    let is_path = |word: &&str| {
        let plain = |letter: char| letter.is_ascii_alphanumeric() || "_-./".contains(letter);
        let ends = [".rs", ".md", ".go", ".sh", ".toml"];
        let capitals = word
            .split(['/', '.', '_', '-'])
            .any(|part| ["NAME", "ITEM", "STEP", "FAULT", "N"].contains(&part));
        word.contains('/')
            && word.chars().all(plain)
            && ends.iter().any(|end| word.ends_with(end))
            && !capitals
    };
    prose
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(is_path)
        .filter(|file| !root().join(file).exists() && !root().join("crates").join(file).exists())
        .map(|file| format!("{path}: {file} is not there"))
        .collect()
}

/// Words that a page does not have between backticks.
fn unnamed(path: &str, page: &str, words: &[String]) -> Vec<String> {
    words
        .iter()
        .filter(|word| !page.contains(&format!("`{word}`")))
        .map(|word| format!("{path} does not name `{word}`"))
        .collect()
}

/// The words by which events are known in a bundle, taken from the complaint about another.
fn events() -> Vec<String> {
    let error = serde_json::from_str::<Event>(r#"{"event":"zzz","of":null}"#)
        .expect_err("zzz is no event")
        .to_string();
    let (_, known) = error
        .split_once("expected one of ")
        .expect("a list of what is known");
    known
        .split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// The version that the schema of the JSON report says it is of.
fn version(schema: &Value) -> Option<u64> {
    schema["properties"]["schema"]["const"].as_u64()
}

fn schema() -> Value {
    let text = read(&format!("docs/schema/report-{SCHEMA}.json"));
    serde_json::from_str(&text).expect("the schema is JSON")
}

#[test]
fn every_link_leads_somewhere() {
    let broken = documents()
        .into_iter()
        .flat_map(|path| broken(&path, &read(&path)));
    assert_none(&broken.collect::<Vec<_>>());
}

#[test]
fn every_file_that_is_named_is_there() {
    let pages = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"];
    let missing = pages.iter().flat_map(|path| missing(path, &read(path)));
    assert_none(&missing.collect::<Vec<_>>());
}

#[test]
fn the_published_schema_is_of_this_version() {
    assert_eq!(version(&schema()), Some(u64::from(SCHEMA)));
}

#[test]
fn the_page_of_the_json_report_names_every_field() {
    let schema = schema();
    let of = |value: &Value| -> Vec<String> {
        let properties = value["properties"]
            .as_object()
            .expect("an object has properties");
        properties.keys().cloned().collect()
    };
    let mut fields = of(&schema);
    for part in ["target", "rule", "finding"] {
        fields.extend(of(&schema["$defs"][part]));
    }
    assert_none(&unnamed("docs/json.md", &read("docs/json.md"), &fields));
}

#[test]
fn the_page_of_the_bundle_names_every_event() {
    assert_none(&unnamed(
        "docs/bundle.md",
        &read("docs/bundle.md"),
        &events(),
    ));
}

#[test]
fn the_readme_names_every_format() {
    let formats: Vec<String> = FORMATS
        .iter()
        .map(|format| format.name.to_owned())
        .collect();
    assert_none(&unnamed("README.md", &read("README.md"), &formats));
}

#[test]
fn the_map_names_every_crate() {
    let crates: Vec<String> = crate::crates();
    assert_none(&unnamed(
        "ARCHITECTURE.md",
        &read("ARCHITECTURE.md"),
        &crates,
    ));
}

#[test]
fn a_broken_link_is_seen() {
    let page = "[a](LICENSE-MIT) [b](docs/nowhere.md#x) [c](https://example.org) [d](#here) `[e](x)`\n```\n[f](y)\n```";
    assert_eq!(
        broken("README.md", page),
        ["README.md: docs/nowhere.md is not there"]
    );
}

#[test]
fn a_file_that_is_gone_is_seen() {
    let page = "`cli/src/main.rs` `crates/cli/src/main.rs` `exit.rs` `analyze/src/ITEM/NAME.rs` `cli/src/gone.rs`";
    assert_eq!(
        missing("x.md", page),
        ["x.md: cli/src/gone.rs is not there"]
    );
}

#[test]
fn a_word_that_is_missing_is_seen() {
    let words = ["mark".to_owned()];
    assert_eq!(unnamed("x.md", "| `mark` | an action |", &words), [""; 0]);
    assert_eq!(unnamed("x.md", "marks are actions", &words).len(), 1);
    assert!(events().contains(&"call-sent".to_owned()));
}

#[test]
fn another_version_is_seen() {
    let other = serde_json::json!({"properties": {"schema": {"const": SCHEMA + 1}}});
    assert_ne!(version(&other), Some(u64::from(SCHEMA)));
}

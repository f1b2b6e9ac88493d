//! Bundles as test data: small, and with nothing in them of the machine that made them.
//!
//! A frozen bundle is a folder with `events.jsonl.gz` and the blobs as they were; reports lie
//! beside them, but are not this module's business.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::Value;

const EVENTS: &str = "events.jsonl";
const FROZEN: &str = "events.jsonl.gz";
const BLOBS: &str = "blobs";
/// Attributes of spans that rules read.
const READ: &[&str] = &[
    "http.route",
    "rpc.grpc.status_code",
    "rpc.response.status_code",
    "url.path",
];

/// Freezes a bundle. `folder`, in which the run took place, becomes `/srv`; trace and span ids,
/// which cannot be compressed, are numbered; attributes of spans that no rule reads are left out.
///
/// # Panics
/// If a file cannot be read or written.
pub fn freeze(bundle: &Path, folder: &Path, to: &Path) {
    fs::create_dir_all(to.join(BLOBS)).expect("the folder can be made");
    let events = fs::read_to_string(bundle.join(EVENTS)).expect("a bundle has events");
    let events = events.replace(&folder.display().to_string(), "/srv");
    let events = number_ids(&with_read_attributes(&events));
    let frozen = File::create(to.join(FROZEN)).expect("the file can be written");
    let mut frozen = GzEncoder::new(frozen, Compression::best());
    frozen.write_all(events.as_bytes()).expect("it is written");
    frozen.finish().expect("it is written");
    for entry in fs::read_dir(to.join(BLOBS)).expect("it was made").flatten() {
        fs::remove_file(entry.path()).expect("the old blob goes");
    }
    copy_blobs(bundle, to);
}

/// The event stream of a frozen bundle.
///
/// # Panics
/// If there is none, or it is damaged.
#[must_use]
pub fn thawed_events(frozen: &Path) -> String {
    let path = frozen.join(FROZEN);
    let file = File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut events = String::new();
    let read = GzDecoder::new(file).read_to_string(&mut events);
    read.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    events
}

/// Makes a bundle of a frozen one again.
///
/// # Panics
/// If a file cannot be read or written.
pub fn thaw(frozen: &Path, to: &Path) {
    fs::create_dir_all(to.join(BLOBS)).expect("the folder can be made");
    fs::write(to.join(EVENTS), thawed_events(frozen)).expect("the file can be written");
    copy_blobs(frozen, to);
}

fn copy_blobs(from: &Path, to: &Path) {
    // A run without profiles has none, and git keeps no empty folder.
    for entry in fs::read_dir(from.join(BLOBS))
        .into_iter()
        .flatten()
        .flatten()
    {
        let copy = to.join(BLOBS).join(entry.file_name());
        fs::copy(entry.path(), copy).expect("a blob is copied");
    }
}

fn with_read_attributes(events: &str) -> String {
    let shortened = |line: &str| {
        let mut event: Value = serde_json::from_str(line).ok()?;
        for span in event["of"].get_mut("spans")?.as_array_mut()? {
            let attributes = span["attributes"].as_array_mut()?;
            attributes.retain(|pair| pair[0].as_str().is_some_and(|name| READ.contains(&name)));
        }
        Some(event.to_string())
    };
    let lines = events.lines();
    lines
        .map(|line| shortened(line).unwrap_or_else(|| line.to_owned()) + "\n")
        .collect()
}

/// Replaces what looks like a trace or span id by another of its length, the same for the same.
/// Digits alone are left: they may be a number.
fn number_ids(text: &str) -> String {
    let mut numbers: HashMap<&str, usize> = HashMap::new();
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(begin) = rest.find(|letter: char| letter.is_ascii_alphanumeric()) {
        out.push_str(&rest[..begin]);
        rest = &rest[begin..];
        let end = rest.find(|letter: char| !letter.is_ascii_alphanumeric());
        let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
        rest = after;
        let count = numbers.len();
        match word.len() {
            16 | 32 if is_id(word) => {
                let number = *numbers.entry(word).or_insert(count);
                let width = word.len() - 4;
                out.push_str(&format!("c0de{number:0width$x}"));
            }
            _ => out.push_str(word),
        }
    }
    out.push_str(rest);
    out
}

fn is_id(word: &str) -> bool {
    let mut bytes = word.bytes();
    let hex = bytes.all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    hex && word.bytes().any(|byte| byte.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_numbered_and_numbers_stay() {
        let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
        assert_eq!(
            number_ids(&format!(
                "{trace}, {span}; \"{trace}\" 1795422880568376 go1.26"
            )),
            "c0de0000000000000000000000000000, c0de000000000001; \
             \"c0de0000000000000000000000000000\" 1795422880568376 go1.26"
        );
    }

    #[test]
    fn only_attributes_that_rules_read_are_frozen() {
        let read = r#"["rpc.response.status_code","UNKNOWN"]"#;
        let line = format!(
            r#"{{"event":"spans","of":{{"spans":[{{"attributes":[["peer","h:1"],{read}]}}]}}}}"#
        );
        let left = with_read_attributes(&line);
        assert!(left.contains(read) && !left.contains("peer"), "{left}");
    }

    #[test]
    fn what_was_frozen_is_thawed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let [bundle, frozen, thawed] = ["a", "b", "c"].map(|name| folder.path().join(name));
        fs::create_dir_all(bundle.join(BLOBS)).expect("a folder");
        let events = format!("{{\"at\":\"{}/x\"}}\n", folder.path().display());
        fs::write(bundle.join(EVENTS), events).expect("events");
        fs::write(bundle.join(BLOBS).join("1.gz"), "x").expect("a blob");
        freeze(&bundle, folder.path(), &frozen);
        thaw(&frozen, &thawed);
        let text = fs::read_to_string(thawed.join(EVENTS)).expect("events");
        assert_eq!(text, "{\"at\":\"/srv/x\"}\n");
        assert!(thawed.join(BLOBS).join("1.gz").exists());
    }
}

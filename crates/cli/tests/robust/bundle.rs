//! A damaged bundle is refused by file and line, or judged without what is missing.

use std::fs;
use std::path::Path;

use crate::said::{Said, call, folder};

const HEADER: &str = "{\"shakedown_bundle\":1}";
const MARK: &str = r#"{"event":"mark","of":{"at":1,"name":"batch 1"}}"#;
const PROFILE: &str = r#"{"event":"profile","of":{"at":1,"until":2,"kind":"cpu","url":"http://h/profile","asked_ms":1000,"blob":"BLOB"}}"#;

fn replay(events: &[u8], blobs: &[(&str, &[u8])]) -> Said {
    let folder = folder(&[("events.jsonl", events)]);
    fs::create_dir(folder.path().join("blobs")).expect("a folder");
    for (name, content) in blobs {
        fs::write(folder.path().join("blobs").join(name), content).expect("a blob");
    }
    call(folder.path(), ["replay", "."])
}

fn lines(lines: &[&str]) -> Vec<u8> {
    lines
        .iter()
        .flat_map(|line| format!("{line}\n").into_bytes())
        .collect()
}

/// Never READY, whatever was read.
fn not_proven(said: &Said) {
    said.sane();
    assert_eq!(said.code, Some(3), "{said:?}");
    assert!(said.out.contains("NOT PROVEN"), "{said:?}");
}

#[test]
fn a_damaged_line_is_named() {
    for damage in [
        "{\"event\":\"mark\"",
        "{}",
        "[]",
        "\u{0}\u{0}",
        r#"{"event":"sail","of":1}"#,
    ] {
        let said = replay(&lines(&[HEADER, MARK, damage, MARK]), &[]);
        said.refuses(&["./events.jsonl, line 3: damaged", "cut short"]);
    }
    let said = replay(
        &lines(&[HEADER, MARK, r#"{"event":"mark","of":{"at":-1,"name":""}}"#]),
        &[],
    );
    said.refuses(&["line 3: damaged", "-1"]);
}

#[test]
fn another_format_is_named_with_the_remedy() {
    for header in ["{\"shakedown_bundle\":2}", "{}", "PK\u{3}\u{4}", "", MARK] {
        let said = replay(&lines(&[header, MARK]), &[]);
        said.refuses(&[
            "line 1: not a bundle of format 1",
            "the version of shakedown that wrote it",
        ]);
    }
    replay(&[0x80; 4096], &[]).refuses(&["line 1: not a bundle"]);
}

#[test]
fn what_is_no_bundle_is_named() {
    let folder = folder(&[("file", b"")]);
    fs::create_dir_all(folder.path().join("deep/events.jsonl")).expect("folders");
    for path in ["file", "absent", ".", "/dev/null"] {
        let said = call(folder.path(), ["replay", path]);
        said.refuses(&[path, "is not a bundle", ".shakedown/runs"]);
    }
    call(folder.path(), ["replay", "deep"]).refuses(&["deep/events.jsonl"]);
}

#[test]
fn a_bundle_of_nothing_proves_nothing() {
    not_proven(&replay(b"", &[]));
    not_proven(&replay(&lines(&[HEADER]), &[]));
    not_proven(&replay(
        &lines(&[HEADER, MARK, r#"{"event":"finished","of":{"at":9}}"#]),
        &[],
    ));
    // Cut short in its last line.
    let mut cut = lines(&[HEADER, MARK]);
    cut.extend(&MARK.as_bytes()[..20]);
    not_proven(&replay(&cut, &[]));
}

#[test]
fn a_blob_that_is_missing_or_damaged_is_told() {
    let events = lines(&[HEADER, &PROFILE.replace("BLOB", "0001-cpu.pb.gz")]);
    let said = replay(&events, &[]);
    not_proven(&said);
    assert!(
        said.out.contains("blobs/0001-cpu.pb.gz is missing"),
        "{said:?}"
    );
    let said = replay(&events, &[("0001-cpu.pb.gz", b"no profile")]);
    not_proven(&said);
    assert!(
        said.out.contains("blobs/0001-cpu.pb.gz cannot be read"),
        "{said:?}"
    );
}

#[test]
fn a_name_cannot_lead_out_of_the_bundle() {
    for name in ["../../etc/passwd", "/etc/passwd", ".hidden", "a/b", ""] {
        let said = replay(&lines(&[HEADER, &PROFILE.replace("BLOB", name)]), &[]);
        said.refuses(&["plain file name"]);
        assert!(!said.err.contains("root:"), "{said:?}");
    }
}

#[test]
fn a_bundle_without_end_is_not_read_to_it() {
    let folder = folder(&[]);
    let events = folder.path().join("events.jsonl");
    std::os::unix::fs::symlink(Path::new("/dev/zero"), events).expect("a link");
    call(folder.path(), ["replay", "."]).refuses(&["events.jsonl: larger than"]);
}

//! A file answers one question, and a file that grows answers several.

use crate::{assert_none, files, read};

/// No source file is longer.
const LINES_MAX: usize = 500;

/// Files that may be longer for now, and what has to happen to them.
const LONGER: &[(&str, &str)] = &[
    (
        "crates/checklist/src/config.rs",
        "the tables of the file, their checks and the tests belong into files of their own",
    ),
    (
        "crates/checklist/src/run.rs",
        "starting, the placeholders and the source excerpts belong into files of their own",
    ),
];

/// Every file that somebody writes and reads.
fn sources() -> Vec<String> {
    let rust = ["crates", "fuzz"]
        .iter()
        .flat_map(|folder| files(folder, ".rs"));
    let go = ["crates", "fixtures"]
        .iter()
        .flat_map(|folder| files(folder, ".go"));
    rust.chain(go.filter(|path| !path.ends_with(".pb.go")))
        .chain(["dev".to_owned(), ".ci/run".to_owned()])
        .collect()
}

fn complaint(path: &str, lines: usize) -> Option<String> {
    let may_be_longer = LONGER.iter().any(|(longer, _)| *longer == path);
    match (lines > LINES_MAX, may_be_longer) {
        (true, false) => Some(format!("{path} has {lines} lines, {LINES_MAX} are enough")),
        (false, true) => Some(format!(
            "{path} has {lines} lines: it may leave the list of longer files"
        )),
        _ => None,
    }
}

#[test]
fn no_file_is_too_long() {
    let sources = sources();
    for (longer, _) in LONGER {
        assert!(
            sources.iter().any(|path| path == longer),
            "{longer} is gone: take it off the list"
        );
    }
    let complaints = sources
        .iter()
        .filter_map(|path| complaint(path, read(path).lines().count()));
    assert_none(&complaints.collect::<Vec<_>>());
}

#[test]
fn a_long_file_is_seen() {
    assert_eq!(complaint("x.rs", LINES_MAX), None);
    assert!(complaint("x.rs", LINES_MAX + 1).is_some());
    let (longer, _) = LONGER[0];
    assert_eq!(complaint(longer, LINES_MAX + 1), None);
    assert!(complaint(longer, LINES_MAX).is_some());
}

//! A file answers one question, and a file that grows answers several.

use crate::{assert_none, files, read};

/// No source file is longer.
const LINES_MAX: usize = 500;

/// Files that are longer all the same, and why that is better than two files.
const LONGER: &[(&str, &str)] = &[];

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

fn complaint(path: &str, lines: usize, longer: &[(&str, &str)]) -> Option<String> {
    let may_be_longer = longer.iter().any(|(longer, _)| *longer == path);
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
    let found = sources()
        .iter()
        .filter_map(|path| complaint(path, read(path).lines().count(), LONGER))
        .collect::<Vec<_>>();
    assert_none(&found);
}

#[test]
fn a_long_file_is_seen() {
    let longer = [("long.rs", "a table")];
    assert_eq!(complaint("x.rs", LINES_MAX, &longer), None);
    assert!(complaint("x.rs", LINES_MAX + 1, &longer).is_some());
    assert_eq!(complaint("long.rs", LINES_MAX + 1, &longer), None);
    assert!(complaint("long.rs", LINES_MAX, &longer).is_some());
}

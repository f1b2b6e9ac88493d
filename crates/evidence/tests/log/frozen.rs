//! Lines of the real libraries, read: `tests/data/lines.NAME.log` against
//! `tests/data/lines.NAME.read`, line by line. README.md beside them says how both are made.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use shakedown_evidence::log::{Id, LineClass, ParsedLine, classify, template};

/// What was read from a text, one line each.
fn read(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let line = ParsedLine::read(line);
        let shown = |id: &Option<Id>| {
            id.as_ref()
                .map_or("-".to_owned(), |id| id.to_string()[..4].to_owned())
        };
        let level = line
            .level
            .map_or("-".to_owned(), |level| format!("{level:?}"));
        let (class, peer) = match classify(&line) {
            LineClass::Application => ("Application".to_owned(), None),
            LineClass::Continuation => ("Continuation".to_owned(), None),
            LineClass::AccessLog { peer } => ("AccessLog".to_owned(), peer),
            LineClass::LibraryNoise { from, peer } => (format!("{from:?}"), peer),
        };
        let peer = peer.map_or(String::new(), |peer| format!("({peer})"));
        write!(
            out,
            "{:?} {level} {}/{} {class}{peer}",
            line.format,
            shown(&line.ids.trace),
            shown(&line.ids.span)
        )
        .unwrap();
        if let Some(moment) = line.unix_ns {
            write!(out, " @{moment}").unwrap();
        }
        if let Some(caller) = &line.caller {
            write!(
                out,
                " {}:{} {}",
                caller.file,
                caller.line,
                caller.function.as_deref().unwrap_or_default()
            )
            .unwrap();
        }
        writeln!(
            out,
            " [{}] {}",
            line.logger.as_deref().unwrap_or_default(),
            template(&line)
        )
        .unwrap();
    }
    out
}

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

fn names() -> Vec<String> {
    let files = std::fs::read_dir(data())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = files
        .filter_map(|file| Some(file.strip_suffix(".log")?.to_owned()))
        .collect();
    names.sort();
    names
}

#[test]
fn real_lines_are_read_as_frozen() {
    let names = names();
    assert!(names.len() >= 14, "data is missing: {names:?}");
    let mut differences = String::new();
    for name in names {
        let raw = std::fs::read(data().join(format!("{name}.log"))).unwrap();
        let found = read(&String::from_utf8_lossy(&raw));
        let expected = data().join(format!("{name}.read"));
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&expected, &found).unwrap();
        }
        let expected = std::fs::read_to_string(&expected).unwrap_or_default();
        let pairs = found
            .lines()
            .zip(expected.lines().chain(std::iter::repeat("")));
        for (number, (found, expected)) in pairs
            .enumerate()
            .filter(|(_, (found, expected))| found != expected)
        {
            writeln!(
                differences,
                "{name}.log:{}\n  found    {found}\n  expected {expected}",
                number + 1
            )
            .unwrap();
        }
        if found.lines().count() != expected.lines().count() {
            writeln!(differences, "{name}.read has another number of lines").unwrap();
        }
    }
    assert!(differences.is_empty(), "{differences}");
}

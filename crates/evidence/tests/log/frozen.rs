//! Lines of the real libraries, read: `tests/data/lines.NAME.log` against
//! `tests/data/lines.NAME.read`, line by line. README.md beside them says how both are made.

use std::path::{Path, PathBuf};

use shakedown_evidence::log::{Id, LineClass, ParsedLine, classify, template};

/// What was read from a line, in one line.
fn read(line: &str) -> String {
    let line = ParsedLine::read(line);
    let (class, peer) = match classify(&line) {
        LineClass::AccessLog { peer } => ("AccessLog".to_owned(), peer),
        LineClass::LibraryNoise { from, peer } => (format!("{from:?}"), peer),
        other => (format!("{other:?}"), None),
    };
    let caller = line.caller.as_ref().map(|caller| {
        let function = caller.function.as_deref().unwrap_or("");
        format!("{}:{} {function}", caller.file, caller.line)
    });
    let parts = [
        format!("{:?}", line.format),
        line.level.map_or("-".into(), |level| format!("{level:?}")),
        format!("{}/{}", start(&line.ids.trace), start(&line.ids.span)),
        class,
        peer.map_or(String::new(), |peer| format!("({peer})")),
        line.unix_ns.map_or(String::new(), |at| format!("@{at}")),
        caller.unwrap_or_default(),
        format!("[{}]", line.logger.as_deref().unwrap_or("")),
        template(&line),
    ];
    let said = parts.iter().map(|part| part.trim());
    said.filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

fn start(id: &Option<Id>) -> String {
    let id = id.as_ref().map(Id::to_string);
    id.map_or("-".into(), |id| id.chars().take(4).collect())
}

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

fn names() -> Vec<String> {
    let files = std::fs::read_dir(data()).unwrap();
    let files = files.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = files
        .filter_map(|file| file.strip_suffix(".log").map(str::to_owned))
        .collect();
    names.sort();
    names
}

#[test]
fn real_lines_are_read_as_frozen() {
    let names = names();
    assert!(names.len() >= 14, "data is missing: {names:?}");
    let mut differences = Vec::new();
    for name in names {
        let raw = std::fs::read(data().join(format!("{name}.log"))).unwrap();
        let found: Vec<_> = String::from_utf8_lossy(&raw).lines().map(read).collect();
        let file = data().join(format!("{name}.read"));
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&file, found.join("\n") + "\n").unwrap();
        }
        let expected = std::fs::read_to_string(&file).unwrap_or_default();
        let expected: Vec<_> = expected.lines().collect();
        for (number, (found, expected)) in found.iter().zip(&expected).enumerate() {
            if found != expected {
                let place = format!("{name}.log:{}", number + 1);
                differences.push(format!(
                    "{place}\n  found    {found}\n  expected {expected}"
                ));
            }
        }
        if found.len() != expected.len() {
            differences.push(format!("{name}.read has {} lines", expected.len()));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

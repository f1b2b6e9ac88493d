//! What bytes are that are not what was asked for.
//!
//! Only a guess for a person to read; no decoder depends on it.

use std::fmt;

/// What came instead: the guess that error messages show.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Came {
    /// An HTML page, with its title or first line.
    Html(String),
    /// JSON.
    Json,
    /// Text, with its first line: often a server's own error.
    Text(String),
    /// A text or binary profile from before profile.proto; which one.
    Legacy(&'static str),
    /// A goroutine dump of `debug=2`, of SIGQUIT or of a panic.
    GoroutineDump,
    /// A Go execution trace.
    ExecutionTrace,
    /// A profile.proto or other bytes compressed with gzip.
    Gzip,
    /// Bytes compressed with zstd.
    Zstd,
    /// Linux perf's perf.data.
    PerfData,
    /// An ELF executable.
    Executable,
    /// Bytes of no known kind.
    Binary,
}

/// First lines shown to a person; longer ones are cut.
const SHOWN_CHARS: usize = 120;
/// How far into the input the guess looks.
const LOOKED_AT_BYTES: usize = 4096;

impl Came {
    /// Guesses what `bytes` are.
    pub fn guess(bytes: &[u8]) -> Came {
        let head = bytes.get(..LOOKED_AT_BYTES).unwrap_or(bytes);
        if let Some(known) = by_magic(head) {
            return known;
        }
        if !is_text(head) {
            return Came::Binary;
        }
        let text = String::from_utf8_lossy(head);
        let text = text.trim_start_matches('\u{feff}').trim_start();
        let lower = text.to_ascii_lowercase();
        if ["<!doctype html", "<html", "<head", "<body"]
            .iter()
            .any(|start| lower.starts_with(start))
        {
            return Came::Html(title(text, &lower));
        }
        if let Some(legacy) = legacy_text(text) {
            return Came::Legacy(legacy);
        }
        if text.starts_with("goroutine ") || text.contains("\ngoroutine ") && text.contains("]:\n")
        {
            return Came::GoroutineDump;
        }
        if text.starts_with(['{', '[']) {
            return Came::Json;
        }
        Came::Text(first_line(text))
    }
}

impl fmt::Display for Came {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Came::Html(title) if title.is_empty() => f.write_str("an HTML page"),
            Came::Html(title) => write!(f, "an HTML page ({title})"),
            Came::Json => f.write_str("JSON"),
            Came::Text(line) if line.is_empty() => f.write_str("blank text"),
            Came::Text(line) => write!(f, "text: {line}"),
            Came::Legacy(kind) => write!(f, "a legacy profile ({kind})"),
            Came::GoroutineDump => f.write_str("a goroutine dump (debug=2)"),
            Came::ExecutionTrace => f.write_str("a Go execution trace"),
            Came::Gzip => f.write_str("gzip"),
            Came::Zstd => f.write_str("zstd"),
            Came::PerfData => f.write_str("a perf.data file"),
            Came::Executable => f.write_str("an ELF executable"),
            Came::Binary => f.write_str("unknown binary data"),
        }
    }
}

fn by_magic(head: &[u8]) -> Option<Came> {
    let known = [
        (&b"\x1f\x8b"[..], Came::Gzip),
        (b"\x28\xb5\x2f\xfd", Came::Zstd),
        (b"\x7fELF", Came::Executable),
        (b"PERFILE2", Came::PerfData),
    ];
    for (magic, came) in known {
        if head.starts_with(magic) {
            return Some(came);
        }
    }
    if head.starts_with(b"go 1.")
        && head
            .get(..16)
            .is_some_and(|h| h.windows(6).any(|w| w == b" trace"))
    {
        return Some(Came::ExecutionTrace);
    }
    // gperftools: the words 0, 3 (header length), 0, period, 0, of 4 or 8 bytes in either order.
    let words = [
        &[0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0][..],
        &[0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0],
        &[0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0],
        &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3],
    ];
    words
        .iter()
        .any(|w| head.starts_with(w))
        .then_some(Came::Legacy("gperftools CPU"))
}

fn legacy_text(text: &str) -> Option<&'static str> {
    let starts = [
        ("heap profile:", "heap, text"),
        ("--- heapz", "heapz"),
        ("--- heap", "heap"),
        ("--- growth", "heap growth"),
        ("--- contention", "contention"),
        ("--- mutex", "mutex, text"),
        ("--- block", "block, text"),
        ("--- threadz", "threadz"),
        ("--- Thread", "threads"),
    ];
    for (start, kind) in starts {
        if text.starts_with(start) {
            return Some(kind);
        }
    }
    first_line(text)
        .contains(" profile: total ")
        .then_some("goroutine or thread counts, debug=1")
}

fn is_text(head: &[u8]) -> bool {
    let control = head
        .iter()
        .filter(|&&b| b < b' ' && !matches!(b, b'\n' | b'\r' | b'\t' | b'\x1b'))
        .count();
    control == 0
}

fn title(text: &str, lower: &str) -> String {
    // Lower-casing ASCII keeps every byte offset.
    let inside = lower.find("<title").and_then(|open| {
        let from = open + lower.get(open..)?.find('>')? + 1;
        let to = from + lower.get(from..)?.find("</title")?;
        text.get(from..to)
    });
    first_line(inside.unwrap_or("").trim())
}

fn first_line(text: &str) -> String {
    text.lines()
        .next()
        .unwrap_or("")
        .trim()
        .chars()
        .filter(|c| !c.is_control())
        .take(SHOWN_CHARS)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], shown: &str) {
        assert_eq!(Came::guess(bytes).to_string(), shown);
    }

    #[test]
    fn html_shows_its_title() {
        check(
            b"<!DOCTYPE html>\n<html><head><title>404 Not Found</title>",
            "an HTML page (404 Not Found)",
        );
        check(b"<html>", "an HTML page");
    }

    #[test]
    fn a_servers_own_words_are_shown() {
        check(
            b"Could not enable CPU profiling: cpu profiling already in use\n",
            "text: Could not enable CPU profiling: cpu profiling already in use",
        );
        check(b"", "blank text");
        check(br#"{"code": 404}"#, "JSON");
    }

    #[test]
    fn other_formats_are_named() {
        check(
            b"heap profile: 1: 2 [3: 4] @ heap/1048576\n",
            "a legacy profile (heap, text)",
        );
        check(
            b"goroutine profile: total 7\n",
            "a legacy profile (goroutine or thread counts, debug=1)",
        );
        check(
            b"goroutine 1 [running]:\nmain.main()\n",
            "a goroutine dump (debug=2)",
        );
        check(
            b"SIGQUIT: quit\n\ngoroutine 1 [running]:\n",
            "a goroutine dump (debug=2)",
        );
        check(b"go 1.26 trace\0\0\0", "a Go execution trace");
        check(b"\x7fELF\x02", "an ELF executable");
        check(
            &[0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 1],
            "a legacy profile (gperftools CPU)",
        );
        check(&[0xff, 0, 1], "unknown binary data");
    }
}

//! Goroutines drawn at random, printed as each Go runtime prints them, read again.

use std::fmt::Write;

use proptest::collection::vec;
use proptest::prelude::*;
use shakedown_pprof::goroutine::{Counts, Dump};

#[derive(Debug, Clone)]
struct Drawn {
    id: u64,
    state: String,
    minutes: u64,
    /// leaked, locked to thread
    marks: (bool, bool),
    labels: Vec<(String, String)>,
    frames: Vec<(String, String, u32, bool)>,
    created_by: Option<(String, u64)>,
}

/// Which runtime prints.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Writer {
    Go126,
    Go127,
    Crash,
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let state = prop::sample::select(vec![
        "chan receive",
        "chan send",
        "select",
        "select (no cases)",
        "chan receive (nil chan)",
        "IO wait",
        "sync.Mutex.Lock",
        "sync.WaitGroup.Wait",
        "running",
        "syscall",
        "sleep",
    ]);
    let function =
        r"[a-z./]{1,9}(\.\(\*[A-Z][a-z]{0,4}\))?\.[a-zé]{1,5}(\[\.\.\.\])?(\.func[1-9])?";
    let file = r"/[a-z@. :_-]{0,12}[a-z]\.go";
    let frame = (function, file, 1..=u32::MAX, any::<bool>());
    (
        any::<u64>(),
        state.prop_map(str::to_owned),
        prop_oneof![Just(0), any::<u64>()],
        any::<(bool, bool)>(),
        vec((".{0,8}", ".{0,8}"), 0..3),
        vec(frame, 1..6),
        proptest::option::of((function, any::<u64>())),
    )
        .prop_map(
            |(id, state, minutes, marks, labels, frames, created_by)| Drawn {
                id,
                state,
                minutes,
                marks,
                labels,
                frames,
                created_by,
            },
        )
}

/// `runtime.printquoted`.
fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '\n' => quoted += "\\n",
            '\r' => quoted += "\\r",
            '\t' => quoted += "\\t",
            '\\' | '"' => quoted.extend(['\\', c]),
            ' '..='~' => quoted.push(c),
            _ if (c as u32) < 127 => _ = write!(quoted, "\\x{:02x}", c as u32),
            _ if (c as u32) < 0x1_0000 => _ = write!(quoted, "\\u{:04x}", c as u32),
            _ => _ = write!(quoted, "\\U{:08x}", c as u32),
        }
    }
    quoted + "\""
}

/// Go 1.27 quotes only what needs it.
fn quote_if_needed(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "./_".contains(c);
    match !text.is_empty() && text.chars().all(plain) {
        true => text.to_owned(),
        false => quote(text),
    }
}

fn label_set(labels: &[(String, String)], quote: fn(&str) -> String, colon: &str) -> String {
    let pairs: Vec<_> = labels
        .iter()
        .map(|(k, v)| format!("{}{colon}{}", quote(k), quote(v)))
        .collect();
    format!("{{{}}}", pairs.join(", "))
}

fn print(g: &Drawn, writer: Writer) -> String {
    let mut text = format!("goroutine {}", g.id);
    if writer == Writer::Crash {
        text += " gp=0x35dab156e1e0 m=3 mp=0x35dab15a7008";
    }
    text += &format!(" [{}", g.state);
    if g.marks.0 {
        text += " (leaked)";
    }
    if g.minutes > 0 {
        _ = write!(text, ", {} minutes", g.minutes);
    }
    if g.marks.1 {
        text += ", locked to thread";
    }
    match writer {
        _ if g.labels.is_empty() => text += "]:\n",
        Writer::Go127 => _ = writeln!(text, "] {}:", label_set(&g.labels, quote_if_needed, ": ")),
        _ => _ = writeln!(text, " labels:{}]:", label_set(&g.labels, quote, ": ")),
    }
    let addresses = if writer == Writer::Crash {
        " fp=0x1 sp=0x2 pc=0x3"
    } else {
        ""
    };
    for (function, file, line, inlined) in &g.frames {
        match inlined {
            true => _ = write!(text, "{function}(...)\n\t{file}:{line}\n"),
            false => {
                let _ = write!(
                    text,
                    "{function}({{0x1?, 0x2}}, 0x3)\n\t{file}:{line} +0x1f{addresses}\n"
                );
            }
        }
    }
    if let Some((function, parent)) = &g.created_by {
        _ = write!(
            text,
            "created by {function} in goroutine {parent}\n\t/made.go:7 +0x2\n"
        );
    }
    text
}

fn check(drawn: &[Drawn], writer: Writer) {
    let texts: Vec<_> = drawn.iter().map(|g| print(g, writer)).collect();
    let text = texts.join("\n");
    let dump = Dump::decode(text.as_bytes()).expect("a dump");
    assert_eq!((dump.unread_lines, dump.truncated), (0, None), "{text}");
    assert_eq!(dump.goroutines.len(), drawn.len(), "{text}");
    for (read, wrote) in dump.goroutines.iter().zip(drawn) {
        assert_eq!(
            (read.id, &*read.state, read.wait_minutes),
            (wrote.id, &*wrote.state, wrote.minutes)
        );
        assert_eq!((read.leaked, read.locked_to_thread), wrote.marks);
        let labels: Vec<_> = read
            .labels
            .iter()
            .map(|l| (l.key.to_string(), l.value.to_string()))
            .collect();
        assert_eq!(labels, wrote.labels, "{text}");
        let frames: Vec<_> = read
            .frames
            .iter()
            .map(|f| (&*f.function, &*f.file, f.line))
            .collect();
        let expected: Vec<_> = wrote.frames.iter().map(|f| (&*f.0, &*f.1, f.2)).collect();
        assert_eq!(frames, expected);
        let created = read
            .created_by
            .as_ref()
            .map(|c| (c.frame.function.to_string(), c.parent));
        assert_eq!(
            created,
            wrote
                .created_by
                .clone()
                .map(|(f, parent)| (f, Some(parent)))
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn dumps_of_each_runtime_are_read_again(drawn in vec(drawn(), 1..6)) {
        check(&drawn, Writer::Go126);
        check(&drawn, Writer::Go127);
        check(&drawn, Writer::Crash);
    }

    #[test]
    fn counts_are_read_again(drawn in vec(drawn(), 1..6)) {
        let mut text = format!("goroutine profile: total {}\n", drawn.len() * 3);
        for g in &drawn {
            text += "3 @ 0x1 0x2\n";
            if !g.labels.is_empty() {
                _ = writeln!(text, "# labels: {}", label_set(&g.labels, quote, ":"));
            }
            for (function, file, line, _) in &g.frames {
                _ = writeln!(text, "#\t0x1\t{function}+0x18\t\t{file}:{line}");
            }
            text += "\n";
        }
        let counts = Counts::decode(text.as_bytes()).expect("a profile");
        prop_assert_eq!((counts.counted(), counts.unread_lines), (counts.total, 0));
        for (group, wrote) in counts.groups.iter().zip(&drawn) {
            let labels: Vec<_> = group.labels.iter().map(|l| (l.key.to_string(), l.value.to_string())).collect();
            prop_assert_eq!(&labels, &wrote.labels);
            let frames: Vec<_> = group.frames.iter().map(|f| (&*f.function, &*f.file, f.line)).collect();
            let expected: Vec<_> = wrote.frames.iter().map(|f| (&*f.0, &*f.1, f.2)).collect();
            prop_assert_eq!(frames, expected);
        }
    }
}

//! Profiles as the texts that net/http/pprof gives with `debug=1`, for people and for tools that read
//! those. They are made from the same bytes as the binary form.

use std::fmt::Write as _;

use shakedown_pprof::{LocationId, Profile};

/// As text what a binary profile says; nothing if it cannot be read, which its maker rules out.
pub(super) fn of(name: &str, bytes: &[u8]) -> Option<String> {
    let profile = Profile::decode(bytes).ok()?;
    let mut text = head(name, &profile);
    for sample in profile.samples() {
        let value = |index: usize| sample.values.get(index).copied().unwrap_or(0);
        match name {
            "heap" | "allocs" => {
                let _ = write!(
                    text,
                    "{}: {} [{}: {}]",
                    value(2),
                    value(3),
                    value(0),
                    value(1)
                );
            }
            "block" => {
                let _ = write!(text, "{} {}", value(1), value(0));
            }
            _ => {
                let _ = write!(text, "{}", value(0));
            }
        }
        frames(&mut text, &profile, sample.locations);
    }
    if matches!(name, "heap" | "allocs") {
        foot(&mut text);
    }
    Some(text)
}

/// The first line, by which readers know what it is.
fn head(name: &str, profile: &Profile) -> String {
    let sum = |index: usize| -> i64 {
        let values = profile
            .samples()
            .map(|sample| sample.values.get(index).copied());
        values.flatten().fold(0, i64::saturating_add)
    };
    match name {
        // Estimates of the whole, so that nobody is to scale them up: a rate of one byte.
        "heap" | "allocs" => format!(
            "heap profile: {}: {} [{}: {}] @ heap/2\n",
            sum(2),
            sum(3),
            sum(0),
            sum(1)
        ),
        "block" => "--- contention:\ncycles/second=1000000000\n".to_owned(),
        _ => format!("{name} profile: total {}\n", sum(0)),
    }
}

/// Addresses on the line of a sample, and a line for each function below it.
fn frames(text: &mut String, profile: &Profile, locations: &[LocationId]) {
    text.push_str(" @");
    let known = |location: &LocationId| profile.locations().get(location.index());
    for location in locations.iter().filter_map(known) {
        let _ = write!(text, " {:#x}", location.address);
    }
    text.push('\n');
    for id in locations {
        let address = known(id).map_or(0, |location| location.address);
        for line in profile.lines(*id) {
            let Some(function) = profile.functions().get(line.function.index()) else {
                continue;
            };
            let file = match profile.text(function.file) {
                "" => "?",
                file => file,
            };
            let name = profile.text(function.name);
            let _ = writeln!(text, "#\t{address:#x}\t{name}+0x0\t{file}:{}", line.line);
        }
    }
    text.push('\n');
}

/// What is exact, in the words of Go's runtime; nothing where nobody counts.
fn foot(text: &mut String) {
    if let Some(bytes) = crate::profile::heap::live_bytes() {
        let _ = write!(text, "\n# HeapAlloc = {bytes}\n");
    }
}

#[cfg(test)]
mod tests {
    use shakedown_pprof::Line;

    use super::*;

    fn profile(types: &[(&str, &str)], values: &[i64]) -> Vec<u8> {
        let mut profile = Profile::new(types);
        let function = profile.push_function("orders::find", "/src/api.rs", 0);
        let line = Line {
            function,
            line: 7,
            column: 0,
        };
        let location = profile.push_location(0x1f0, None, &[line]);
        profile.push_sample(&[location], values, &[]);
        profile.encode()
    }

    #[test]
    fn each_text_begins_as_gos_does() {
        let heap = profile(
            &[
                ("alloc_objects", "count"),
                ("alloc_space", "bytes"),
                ("inuse_objects", "count"),
                ("inuse_space", "bytes"),
            ],
            &[4, 400, 1, 100],
        );
        let text = of("heap", &heap).expect("it was encoded here");
        let wanted = "heap profile: 1: 100 [4: 400] @ heap/2\n\
            1: 100 [4: 400] @ 0x1f0\n#\t0x1f0\torders::find+0x0\t/src/api.rs:7\n\n";
        assert!(text.starts_with(wanted), "{text}");
        let block = profile(
            &[("contentions", "count"), ("delay", "nanoseconds")],
            &[2, 30],
        );
        let text = of("block", &block).expect("it was encoded here");
        let wanted = "--- contention:\ncycles/second=1000000000\n30 2 @ 0x1f0\n#\t0x1f0\t";
        assert!(text.starts_with(wanted), "{text}");
        let threads = profile(&[("threadcreate", "count")], &[3]);
        let text = of("threadcreate", &threads).expect("it was encoded here");
        let wanted = "threadcreate profile: total 3\n3 @ 0x1f0\n#\t0x1f0\t";
        assert!(text.starts_with(wanted), "{text}");
        assert_eq!(of("heap", b"\xff"), None);
    }
}

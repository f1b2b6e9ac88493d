//! Every goroutine file of tests/data is read without loss.
//!
//! What there is to find is counted independently, by plain line patterns.

use std::path::{Path, PathBuf};

use shakedown_pprof::goroutine::{Counts, Dump, Truncation};

fn files(ending: &str) -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/goroutine");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("tests/data/goroutine is there")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.to_string_lossy().ends_with(ending))
        .collect();
    files.sort();
    assert!(!files.is_empty());
    let text = |path: &PathBuf| std::fs::read_to_string(path).expect("UTF-8");
    files
        .iter()
        .map(|path| (path.clone(), text(path)))
        .collect()
}

fn named(name: &str) -> Dump {
    let (_, text) = files(name).swap_remove(0);
    Dump::decode(text.as_bytes()).expect(name)
}

fn lines_with(text: &str, is: impl Fn(&str) -> bool) -> usize {
    text.lines().filter(|line| is(line)).count()
}

#[test]
fn dumps_lose_nothing() {
    let mut dumps = files(".d2.txt");
    dumps.extend(files("sigquit_all.txt"));
    for (path, text) in dumps {
        let dump = Dump::decode(text.as_bytes()).expect("a dump");
        let headers = lines_with(&text, |l| l.starts_with("goroutine ") && l.contains(" ["));
        let places = lines_with(&text, |l| l.starts_with("\t"));
        let created = lines_with(&text, |l| l.starts_with("created by "));
        let frames: usize = dump.goroutines.iter().map(|g| g.frames.len()).sum();
        let creations = dump
            .goroutines
            .iter()
            .filter(|g| g.created_by.is_some())
            .count();
        assert_eq!(dump.goroutines.len(), headers, "{path:?}");
        assert_eq!(creations, created, "{path:?}");
        assert_eq!(frames + creations, places, "{path:?}");
        assert_eq!((dump.unread_lines, dump.truncated), (0, None), "{path:?}");
        let minutes = lines_with(&text, |l| {
            l.starts_with("goroutine ") && l.contains(" minutes")
        });
        assert_eq!(
            dump.goroutines
                .iter()
                .filter(|g| g.wait_minutes > 0)
                .count(),
            minutes
        );
        let leaked = lines_with(&text, |l| {
            l.starts_with("goroutine ") && l.contains("(leaked)")
        });
        assert_eq!(
            dump.goroutines.iter().filter(|g| g.leaked).count(),
            leaked,
            "{path:?}"
        );
        let locked = lines_with(&text, |l| {
            l.starts_with("goroutine ") && l.contains("locked to")
        });
        assert_eq!(
            dump.goroutines
                .iter()
                .filter(|g| g.locked_to_thread)
                .count(),
            locked
        );
        let labelled = lines_with(&text, |l| {
            l.starts_with("goroutine ") && l.contains("o\\\"te")
        });
        let quoted = |g: &&shakedown_pprof::goroutine::Goroutine| {
            g.labels
                .iter()
                .any(|l| &*l.key == "quo\"te" && &*l.value == "a b\n{}")
        };
        assert_eq!(
            dump.goroutines.iter().filter(quoted).count(),
            labelled,
            "{path:?}"
        );
        for goroutine in &dump.goroutines {
            assert!(goroutine.root().is_some(), "{path:?}: {goroutine:?}");
            for frame in goroutine.frames.iter() {
                assert!(
                    frame.line > 0 && !frame.file.is_empty(),
                    "{path:?}: {frame:?}"
                );
                assert!(!frame.function.ends_with(')'), "{path:?}: {frame:?}");
            }
        }
    }
}

#[test]
fn counts_lose_nothing() {
    for (path, text) in files(".d1.txt") {
        let counts = Counts::decode(text.as_bytes()).expect("a profile");
        let groups = lines_with(&text, |l| l.contains(" @ "));
        let frames = lines_with(&text, |l| l.starts_with("#\t"));
        let labels = lines_with(&text, |l| l.starts_with("# labels: "));
        assert_eq!(counts.groups.len(), groups, "{path:?}");
        assert_eq!(
            counts.groups.iter().map(|g| g.frames.len()).sum::<usize>(),
            frames
        );
        assert_eq!(
            counts
                .groups
                .iter()
                .filter(|g| !g.labels.is_empty())
                .count(),
            labels
        );
        assert_eq!(counts.counted(), counts.total, "{path:?}");
        assert_eq!(counts.unread_lines, 0, "{path:?}");
        let leak =
            path.to_string_lossy().contains("leak.d1") || path.to_string_lossy().contains("leak_");
        assert_eq!(
            counts.kind,
            if leak { "goroutineleak" } else { "goroutine" }
        );
    }
}

#[test]
fn both_forms_agree_on_a_leak() {
    let (_, text) = files("go127m.leak.d1.txt").swap_remove(0);
    let counts = Counts::decode(text.as_bytes()).expect("a profile");
    let group = &counts.groups[3];
    assert_eq!(group.count, 1);
    assert_eq!(&*group.frames[0].function, "main.leakLabelled");
    let dump = named("go127m.leak.d2.txt");
    let mut leaked = dump.goroutines.iter().filter(|g| g.leaked);
    let same = leaked.find(|g| g.root() == group.frames.last() && g.labels == group.labels);
    let same = same.expect("the leaked goroutine is in both");
    assert_eq!(&*same.state, "chan receive");
    let created_by = same.created_by.as_ref().expect("not the main goroutine");
    assert_eq!(&*created_by.frame.file, "/src/front/main.go");
    assert!(created_by.parent.is_some());
}

#[test]
fn a_crash_dump_is_read_to_its_end() {
    let dump = named("sigquit_crash.txt");
    assert_eq!((dump.goroutines.len(), dump.truncated), (17, None));
    assert_eq!(dump.unread_lines, 0);
    let spin = &dump.goroutines[0];
    assert_eq!(
        spin.root().map(|f| (&*f.function, f.line)),
        Some(("main.spin", 1))
    );
    let deep = dump
        .goroutines
        .iter()
        .find(|g| g.elided_after.is_some())
        .expect("main.deep");
    assert_eq!((deep.elided_after, deep.frames.len()), (Some(50), 100));
    assert_eq!(deep.root().map(|f| &*f.function), Some("main.main.gowrap1"));
}

#[test]
fn ancestors_are_not_part_of_the_stack() {
    let dump = named("panic_ancestors.txt");
    assert_eq!(
        (dump.goroutines.len(), dump.unread_lines, dump.truncated),
        (7, 0, None)
    );
    let watch = &dump.goroutines[6];
    assert_eq!(
        watch.root().map(|f| &*f.function),
        Some("main.(*store).watch")
    );
    assert!(watch.locked_to_thread);
    let created_by = watch.created_by.as_ref().expect("made by main.parent");
    assert_eq!(&*created_by.frame.function, "main.parent.func1");
}

#[test]
fn a_cut_dump_says_so() {
    let (_, text) = files("leak_cockroach584.d2.txt").swap_remove(0);
    let whole = Dump::decode(text.as_bytes()).expect("a dump");
    for cut in (200..text.len()).step_by(37) {
        let dump = Dump::decode(&text.as_bytes()[..cut]).expect("a dump");
        let missing = dump.goroutines.len() < whole.goroutines.len();
        let at_border = text[..cut].ends_with("\n");
        assert!(
            at_border || dump.truncated == Some(Truncation::LastBlock),
            "cut at {cut}: {:?}",
            &text[cut - 40..cut]
        );
        assert!(!missing || dump.goroutines.iter().rev().skip(1).all(|g| !g.incomplete));
    }
}

#[cfg(feature = "gunzip")]
#[test]
fn three_forms_of_one_process_agree() {
    let bytes = include_bytes!("data/goroutine/three_forms.pb.gz");
    let profile = shakedown_pprof::Profile::decode(bytes).expect("a profile");
    let from_proto = Counts::from_profile(&profile).expect("small");
    let from_text =
        Counts::decode(include_bytes!("data/goroutine/three_forms.d1.txt")).expect("text");
    let dump = named("three_forms.d2.txt");
    assert_eq!(from_proto.total, from_text.total);
    assert_eq!(dump.goroutines.len() as u64, from_text.total);
    assert_eq!(from_proto.kind, from_text.kind);
    // The last group wrote the profiles and stood elsewhere each time.
    for (proto, text) in from_proto.groups.iter().zip(&from_text.groups).take(2) {
        assert_eq!((proto.count, &proto.labels), (text.count, &text.labels));
        let leafless: Vec<_> = proto
            .frames
            .iter()
            .filter(|f| !f.function.starts_with("runtime."))
            .collect();
        assert_eq!(leafless, text.frames.iter().collect::<Vec<_>>());
        let alive = dump
            .goroutines
            .iter()
            .filter(|g| g.root() == text.frames.last());
        assert!(alive.count() as u64 >= text.count);
    }
}

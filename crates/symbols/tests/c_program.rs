//! Frames of a C program that the machine's compiler made: debug information, symbol table,
//! build id, and what damage does to them.

use std::fs;
use std::process::Command;
use std::sync::OnceLock;

use proptest::prelude::*;
use shakedown_symbols::{Frame, Mapped, Names, Symbols};

const PROGRAM: &str = "\
static inline unsigned long twist(unsigned long x) {
    x ^= x << 13;
    return x ^ (x >> 7);
}
static inline unsigned long mix(unsigned long a, unsigned long b) {
    return twist(a ^ b) + b;
}
__attribute__((noinline)) unsigned long fold(const unsigned long *items, int n) {
    unsigned long total = 0;
    for (int i = 0; i < n; i++)
        total += mix(items[i], total);
    return total;
}
int main(int argc, char **argv) {
    unsigned long items[64] = {(unsigned long)argc};
    return (int)fold(items, 64);
}
";

fn build(flags: &[&str], strip: Option<&str>) -> Vec<u8> {
    let dir = tempfile::tempdir().expect("make folder");
    fs::write(dir.path().join("fold.c"), PROGRAM).expect("write");
    let mut command = Command::new("cc");
    command
        .args(["-O2", "-o", "fold"])
        .args(flags)
        .arg("fold.c");
    let built = command.current_dir(dir.path()).output();
    let built = built.expect("these tests need a C compiler");
    assert!(built.status.success(), "{built:?}");
    if let Some(how) = strip {
        let stripped = Command::new("strip")
            .arg(how)
            .arg("fold")
            .current_dir(dir.path())
            .status();
        assert!(stripped.expect("strip is there").success());
    }
    fs::read(dir.path().join("fold")).expect("read")
}

fn sample() -> &'static [u8] {
    static SAMPLE: OnceLock<Vec<u8>> = OnceLock::new();
    SAMPLE.get_or_init(|| build(&["-g", "-Wl,--build-id=0xabcdef01"], None))
}

/// Frames of every address of the program.
fn all(symbols: &Symbols<'_>) -> Vec<Vec<Frame>> {
    (0x1000..0x1400)
        .map(|address| symbols.frames(address))
        .collect()
}

fn names(frames: &[Frame]) -> Vec<&str> {
    frames
        .iter()
        .map(|frame| frame.system_name.as_str())
        .collect()
}

#[test]
fn inlined_calls_are_frames_of_their_own() {
    let symbols = Symbols::parse(sample()).expect("ELF");
    let all = all(&symbols);
    let deepest = all
        .iter()
        .find(|frames| frames.len() == 3)
        .expect("twist in mix in fold");
    assert_eq!(names(deepest), ["twist", "mix", "fold"]);
    let lines: Vec<u32> = deepest.iter().map(|frame| frame.line).collect();
    assert!(
        (1..=4).contains(&lines[0]) && lines[1] == 6 && lines[2] == 11,
        "{lines:?}"
    );
    let starts: Vec<u32> = deepest.iter().map(|frame| frame.start_line).collect();
    assert_eq!(starts, [1, 5, 8]);
    assert!(deepest.iter().all(|frame| frame.file.ends_with("fold.c")));
    assert_eq!(deepest[0].function(Names::Simple), "twist");
}

#[test]
fn without_debug_information_the_symbol_table_names_functions() {
    let bytes = build(&[], None);
    let symbols = Symbols::parse(&bytes).expect("ELF");
    let all = all(&symbols);
    let fold = all
        .iter()
        .find(|frames| names(frames) == ["fold"])
        .expect("fold");
    assert_eq!((fold[0].file.as_str(), fold[0].line), ("", 0));
    let address = (0x1000..0x1400).find(|at| symbols.name(*at).as_deref() == Some("fold"));
    assert!(address.is_some());
}

#[test]
fn a_stripped_program_knows_nothing() {
    let bytes = build(&["-g"], Some("-s"));
    let symbols = Symbols::parse(&bytes).expect("ELF");
    assert!(
        all(&symbols)
            .iter()
            .all(|frames| !names(frames).contains(&"fold"))
    );
}

#[test]
fn compressed_debug_information_is_read() {
    let (plain, packed) = (build(&["-g"], None), build(&["-g", "-gz=zlib"], None));
    // The folders of the two builds differ, and only they.
    let lines = |bytes: &[u8]| -> Vec<Vec<(String, u32)>> {
        let all = all(&Symbols::parse(bytes).expect("ELF"));
        let line = |frame: Frame| (frame.system_name, frame.line);
        let lines = all.into_iter().map(|f| f.into_iter().map(line).collect());
        lines.collect()
    };
    assert!(packed.len() < plain.len());
    assert!(lines(&plain) == lines(&packed));
    assert!(lines(&packed).iter().any(|frames| frames.len() == 3));
}

#[test]
fn the_build_id_is_the_linkers() {
    let symbols = Symbols::parse(sample()).expect("ELF");
    assert_eq!(symbols.build_id().as_deref(), Some("abcdef01"));
    assert_eq!(symbols.go_build_id(), None);
    let bytes = build(&["-Wl,--build-id=none"], None);
    assert_eq!(Symbols::parse(&bytes).expect("ELF").build_id(), None);
}

#[test]
fn what_is_no_program_is_said() {
    let why = |data: &[u8]| Symbols::parse(data).expect_err("no ELF").to_string();
    assert_eq!(why(b""), "not an ELF file");
    assert_eq!(why(b"#!/bin/sh\n"), "not an ELF file");
    assert_eq!(
        why(b"\x7fELF\x09"),
        "an ELF file neither of 32 nor of 64 bits"
    );
    assert_eq!(why(b"\x7fELF\x02\x01\x01"), "damaged ELF headers");
}

fn look(bytes: &[u8]) {
    let Ok(symbols) = Symbols::parse(bytes) else {
        return;
    };
    let _ = (symbols.build_id(), symbols.go_build_id());
    for address in (0x1000..0x1400).step_by(16) {
        let _ = (symbols.frames(address), symbols.name(address));
        let mapped = Mapped {
            start: address & !0xfff,
            limit: address | 0xffff,
            offset: address & 0xf000,
        };
        let _ = symbols.place(mapped, address);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn damage_never_panics(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..64)) {
        let mut bytes = sample().to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        look(&bytes);
    }

    #[test]
    fn damage_of_the_debug_information_never_panics(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..16)) {
        let mut bytes = sample().to_vec();
        // Behind what is loaded: debug information, symbols, section headers.
        let first = 0x3000.min(bytes.len() - 1);
        for (at, byte) in changes {
            let at = first + at.index(bytes.len() - first);
            bytes[at] = byte;
        }
        look(&bytes);
    }

    #[test]
    fn a_program_that_is_cut_short_never_panics(end in any::<prop::sample::Index>()) {
        look(&sample()[..end.index(sample().len())]);
    }
}

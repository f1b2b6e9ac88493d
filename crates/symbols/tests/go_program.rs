//! Frames of programs that `go build` made, against what their own runtime says of the same
//! instructions: the innermost frame (`runtime.CallersFrames`) and the function that has the
//! code (`runtime.FuncForPC`), in programs plain, stripped and position-independent.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use shakedown_symbols::{Mapped, Symbols};

/// Prints where it is mapped, and for some instructions of two functions their frames.
const PROGRAM: &str = r#"package main

import (
	"fmt"
	"os"
	"reflect"
	"runtime"
	"strings"
)

type bag[T int | int64] struct{ items []T }

func (b *bag[T]) sum() (total T) {
	for _, item := range b.items {
		total += T(mix(int(item), int(total)))
	}
	return total
}

func mix(a, b int) int { return twist(a^b) + b }

func twist(x int) int {
	x ^= x << 13
	x ^= x >> 7
	return x ^ x<<17
}

//go:noinline
func fold(items []int) int {
	b := bag[int]{items}
	return b.sum() + mix(len(items), 3)
}

func main() {
	maps, _ := os.ReadFile("/proc/self/maps")
	exe, _ := os.Executable()
	for _, line := range strings.Split(string(maps), "\n") {
		if strings.HasSuffix(line, exe) && strings.Contains(line, "r-x") {
			fields := strings.Fields(line)
			fmt.Println("map", strings.ReplaceAll(fields[0], "-", " "), fields[2])
		}
	}
	for _, f := range []any{fold, main, fmt.Fprintf, strings.Fields} {
		entry := reflect.ValueOf(f).Pointer()
		for pc := entry; runtime.FuncForPC(pc+1).Entry() == entry; pc++ {
			// What is given is a return address: the instruction before it is meant.
			frame, _ := runtime.CallersFrames([]uintptr{pc + 1}).Next()
			if frame.Line == 0 {
				continue // Between functions.
			}
			outer := runtime.FuncForPC(entry).Name()
			fmt.Printf("%x %s %s %d %s\n", pc, frame.Function, frame.File, frame.Line, outer)
		}
	}
	fmt.Fprintln(os.Stderr, fold([]int{1, 2, 3}))
}
"#;

/// The innermost function, its file and line, and the function that has the code.
type Said = (String, String, u32, String);

struct Built {
    _dir: tempfile::TempDir,
    executable: PathBuf,
}

fn build(flags: &[&str]) -> Built {
    let dir = tempfile::tempdir().expect("make folder");
    fs::write(
        dir.path().join("go.mod"),
        "module example.org/fold\n\ngo 1.22\n",
    )
    .expect("write");
    fs::write(dir.path().join("main.go"), PROGRAM).expect("write");
    let executable = dir.path().join("fold");
    let built = Command::new("go")
        .args(["build", "-buildvcs=false", "-o"])
        .arg(&executable)
        .args(flags)
        .current_dir(dir.path())
        .env("CGO_ENABLED", "0")
        .env("GOFLAGS", "")
        .output()
        .expect("these tests need Go installed");
    assert!(built.status.success(), "{built:?}");
    Built {
        _dir: dir,
        executable,
    }
}

/// What the program says of itself: where it is mapped, and frames by address in the process.
fn said(executable: &Path) -> (Vec<Mapped>, BTreeMap<u64, Said>) {
    let output = Command::new(executable).output().expect("runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let hex = |word: &str| u64::from_str_radix(word, 16).expect("hexadecimal");
    let (mut mapped, mut frames) = (Vec::new(), BTreeMap::<u64, Said>::new());
    for line in text.lines() {
        match line.split(' ').collect::<Vec<_>>().as_slice() {
            ["map", start, limit, offset] => mapped.push(Mapped {
                start: hex(start),
                limit: hex(limit),
                offset: hex(offset),
            }),
            [pc, function, file, line, outer] => {
                let line = line.parse().expect("a line");
                let said = (
                    (*function).to_owned(),
                    (*file).to_owned(),
                    line,
                    (*outer).to_owned(),
                );
                frames.insert(hex(pc), said);
            }
            _ => panic!("{line}"),
        }
    }
    (mapped, frames)
}

/// The table has the shapes that a generic function was compiled for; the runtime prints dots.
fn printed(name: &str) -> String {
    match (name.find('['), name.rfind(']')) {
        (Some(open), Some(close)) => format!("{}[...]{}", &name[..open], &name[close + 1..]),
        _ => name.to_owned(),
    }
}

fn check(flags: &[&str]) {
    let built = build(flags);
    let (mapped, expected) = said(&built.executable);
    let bytes = fs::read(&built.executable).expect("read");
    let symbols = Symbols::parse(&bytes).expect("ELF");
    let (mut inlined, mut generic) = (0, 0);
    assert!(expected.len() > 500, "{}", expected.len());
    for (pc, expected) in &expected {
        let holds = |m: &&Mapped| (m.start..m.limit).contains(pc);
        let at = mapped.iter().find(holds).expect("mapped");
        let place = symbols.place(*at, *pc).expect("in the file");
        let frames = symbols.frames(place);
        let (inner, outer) = (
            frames.first().expect("a frame"),
            frames.last().expect("a frame"),
        );
        let found = (
            printed(&inner.system_name),
            inner.file.clone(),
            inner.line,
            printed(&outer.system_name),
        );
        assert_eq!(&found, expected, "{flags:?} {pc:x} at {place:x}");
        inlined += usize::from(frames.len() > 2);
        generic += usize::from(found.0.contains("bag[...]"));
    }
    assert!(inlined > 10 && generic > 10, "{inlined} {generic}");
    let fold = symbols.frames(
        symbols
            .place(mapped[0], *expected.keys().next().expect("some"))
            .expect("there"),
    );
    assert_eq!(fold.last().map(|frame| frame.start_line > 0), Some(true));
    assert!(symbols.go_build_id().is_some_and(|id| id.contains('/')));
}

#[test]
fn frames_are_the_runtimes_own() {
    check(&[]);
}

#[test]
fn stripping_and_trimming_change_nothing() {
    check(&["-trimpath", "-ldflags=-s -w"]);
}

#[test]
fn a_program_that_runs_anywhere_is_found_by_its_mapping() {
    check(&["-buildmode=pie"]);
    check(&["-buildmode=pie", "-ldflags=-s -w"]);
}

#[test]
fn section_headers_are_not_needed() {
    let built = build(&[]);
    let whole = fs::read(&built.executable).expect("read");
    let mut bare = whole.clone();
    // e_shoff, then e_shnum and e_shstrndx.
    bare[40..48].fill(0);
    bare[60..64].fill(0);
    let (_, expected) = said(&built.executable);
    let (whole, bare) = (
        Symbols::parse(&whole).expect("ELF"),
        Symbols::parse(&bare).expect("ELF"),
    );
    for pc in expected.keys() {
        assert_eq!(bare.frames(*pc), whole.frames(*pc));
        assert!(!bare.frames(*pc).is_empty());
    }
}

#[test]
fn words_that_the_loader_will_write_need_not_be_in_the_file() {
    use object::{Object, ObjectSegment};

    let built = build(&["-buildmode=pie", "-ldflags=-s -w"]);
    let whole = fs::read(&built.executable).expect("read");
    // As lld links: a relocation holds the address, the file zeros.
    let mut bare = whole.clone();
    let file = object::File::parse(&*whole).expect("ELF");
    let mut zeroed = 0;
    for (at, _) in file.dynamic_relocations().expect("some") {
        let holds =
            |s: &object::Segment<'_, '_>| (s.address()..s.address() + s.size()).contains(&at);
        let segment = file.segments().find(holds).expect("loaded");
        let (offset, _) = segment.file_range();
        let at = usize::try_from(offset + at - segment.address()).expect("small");
        zeroed += usize::from(bare[at..at + 8] != [0; 8]);
        bare[at..at + 8].fill(0);
    }
    assert!(zeroed > 100, "{zeroed}");
    let symbols = |bytes| Symbols::parse(bytes).expect("ELF");
    let (whole, bare) = (symbols(&whole), symbols(&bare));
    let (mapped, expected) = said(&built.executable);
    let mut inlined = 0;
    for pc in expected.keys() {
        let holds = |m: &&Mapped| (m.start..m.limit).contains(pc);
        let at = mapped.iter().find(holds).expect("mapped");
        let place = whole.place(*at, *pc).expect("in the file");
        assert_eq!(bare.frames(place), whole.frames(place));
        inlined += usize::from(whole.frames(place).len() > 1);
    }
    assert!(inlined > 10, "{inlined}");
}

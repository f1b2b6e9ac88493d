//! `-symbolize`: profiles that lost their names and lines, and the programs that have them.
//!
//! The expected text is what `go tool pprof` prints of the same files, and what Go's own runtime
//! wrote into the profile before it was taken away.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use shakedown_pprof::{Profile, gzip};
use support::Desk;
use support::oracle::Original;

const GO_PROGRAM: &str = r#"package main

import (
	"fmt"
	"os"
	"runtime/pprof"
	"syscall"
)

type shape interface{ area(n int) int }
type square struct{ side int }

func (s square) area(n int) int { return mix(s.side, n) }

func mix(a, b int) int { return twist(a^b) + b }

func twist(x int) int {
	x ^= x << 13
	x ^= x >> 7
	return x ^ x<<17
}

func sum[T int | int64](items []T) (total T) {
	for _, item := range items {
		total += T(mix(int(item), int(total)))
	}
	return total
}

//go:noinline
func spin(until int64) int {
	shapes := []shape{square{3}, square{4}}
	items := make([]int, 4096)
	total := 0
	// By processor time: on a busy machine the clock runs ahead of the samples.
	for used := int64(0); used < until; {
		var usage syscall.Rusage
		syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
		used = usage.Utime.Sec*1_000_000 + usage.Utime.Usec
		for i := range items {
			items[i] = shapes[i%2].area(i + total)
		}
		total += sum(items)
	}
	return total
}

func main() {
	out, err := os.Create(os.Args[1])
	if err != nil {
		panic(err)
	}
	pprof.StartCPUProfile(out)
	fmt.Println(spin(500_000))
	pprof.StopCPUProfile()
	out.Close()
}
"#;

const C_PROGRAM: &str = "\
static inline unsigned long twist(unsigned long x) {
    x ^= x << 13;
    return x ^ (x >> 7);
}
__attribute__((noinline)) unsigned long fold(const unsigned long *items, int n) {
    unsigned long total = 0;
    for (int i = 0; i < n; i++)
        total += twist(items[i] ^ total);
    return total;
}
int main(int argc, char **argv) {
    unsigned long items[64] = {(unsigned long)argc};
    return (int)fold(items, 64);
}
";

/// Programs and their profiles, made once.
struct Subjects {
    folder: PathBuf,
}

fn run(command: &mut Command) {
    let output = command.output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {output:?}");
}

fn subjects() -> &'static Subjects {
    static SUBJECTS: OnceLock<Subjects> = OnceLock::new();
    SUBJECTS.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("symbolize");
        fs::create_dir_all(&folder).expect("make folder");
        let write = |name: &str, text: &str| fs::write(folder.join(name), text).expect("write");
        write("go.mod", "module example.org/spin\n\ngo 1.22\n");
        write("main.go", GO_PROGRAM);
        write("fold.c", C_PROGRAM);
        for (name, flags) in [
            ("spin", &[][..]),
            ("anywhere", &["-buildmode=pie"]),
            ("stripped", &["-trimpath", "-ldflags=-s -w"]),
        ] {
            run(Command::new("go")
                .args(["build", "-buildvcs=false", "-o", name])
                .args(flags)
                .env("GOFLAGS", "")
                .env("CGO_ENABLED", "0")
                .current_dir(&folder));
            let profile = folder.join(format!("{name}.pb.gz"));
            run(Command::new(folder.join(name)).arg(&profile));
            let bytes = bare(&fs::read(&profile).expect("a profile"));
            fs::write(folder.join(format!("{name}.bare.pb.gz")), bytes).expect("write");
        }
        run(Command::new("cc")
            .args([
                "-O2",
                "-g",
                "-no-pie",
                "-Wl,--build-id=0xfeed0123",
                "-o",
                "fold",
                "fold.c",
            ])
            .current_dir(&folder));
        Subjects { folder }
    })
}

/// The profile without what the runtime knew of its addresses.
fn bare(bytes: &[u8]) -> Vec<u8> {
    let mut profile = Profile::decode(bytes).expect("a profile");
    for id in profile.location_ids() {
        profile.set_lines(id, &[]);
    }
    for id in profile.mapping_ids() {
        let mapping = profile.mapping_mut(id).expect("there");
        mapping.has_functions = false;
    }
    gzip(&profile.encode())
}

/// A CPU profile as gperftools writes it, with one stack for each address.
fn legacy(addresses: &[u64], maps: &str) -> Vec<u8> {
    let mut words = vec![0, 3, 0, 10_000, 0];
    for (count, address) in (1u64..).zip(addresses) {
        words.extend([count, 1, *address]);
    }
    words.extend([0, 1, 0]);
    let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.extend(maps.as_bytes());
    bytes
}

/// Addresses of the C program's functions, by its linker's map of symbols.
fn addresses_of_fold(folder: &Path) -> Vec<u64> {
    let symbols = Command::new("nm")
        .args(["-S", "fold"])
        .current_dir(folder)
        .output();
    let symbols = String::from_utf8(symbols.expect("nm is there").stdout).expect("UTF-8");
    let line = symbols
        .lines()
        .find(|line| line.ends_with(" T fold"))
        .expect("fold");
    let mut words = line.split(' ').map(|word| u64::from_str_radix(word, 16));
    let (start, size) = (words.next().expect("start"), words.next().expect("size"));
    let (start, size) = (start.expect("hexadecimal"), size.expect("hexadecimal"));
    (start..start + size).step_by(3).collect()
}

fn desk() -> Desk {
    Desk {
        folder: subjects().folder.clone(),
        ..Desk::default()
    }
}

/// Runs us; code, output and messages.
fn check(line: &str) -> (i32, String, String) {
    let mut desk = desk();
    let code = desk.run(&line.split_whitespace().collect::<Vec<_>>());
    (
        code,
        String::from_utf8_lossy(&desk.out).into_owned(),
        desk.errors,
    )
}

/// What `go tool pprof` prints of the same words.
fn original(line: &str) -> (i32, String, String) {
    static ORIGINAL: OnceLock<Original> = OnceLock::new();
    let original = ORIGINAL.get_or_init(Original::of_go);
    let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    let printed = original.run(&subjects().folder, &words);
    (
        printed.code,
        String::from_utf8_lossy(&printed.out).into_owned(),
        printed.errors,
    )
}

#[test]
fn what_go_tool_pprof_finds_is_found() {
    for profile in ["spin", "anywhere", "stripped"] {
        for command in [
            "-top",
            "-top -lines",
            "-top -addresses",
            "-tree -filefunctions",
            "-traces",
            "-raw",
            "-list=main",
            "-peek=main",
        ] {
            if command.starts_with("-list") && profile == "stripped" {
                // Its paths are trimmed: we find the files, the original does not.
                continue;
            }
            let line = |mode: &str| format!("{command} -symbolize={mode} {profile}.bare.pb.gz");
            let (ours, theirs) = (check(&line("local:gotool")), original(&line("local")));
            assert_eq!(ours, theirs, "{command} {profile}");
            assert!(
                ours.1.contains("main.spin"),
                "{command} {profile}: {}",
                ours.1
            );
        }
    }
}

#[test]
fn a_program_is_the_first_argument() {
    let line = "-top -symbolize=local:gotool stripped spin.bare.pb.gz";
    let (_, _, said) = check(line);
    assert!(
        said.contains("Local symbolization failed for stripped (build ID "),
        "{said}"
    );
    // A profile of another machine has another path; the program lies here.
    let moved = fs::read(subjects().folder.join("spin.bare.pb.gz")).expect("there");
    let mut moved = Profile::decode(&moved).expect("a profile");
    let file = moved.intern("/far/away/spin");
    moved.main_mapping_mut().expect("one").file = file;
    fs::write(subjects().folder.join("moved.pb.gz"), gzip(&moved.encode())).expect("write");
    let (code, without, said) = check("-top -symbolize=local moved.pb.gz");
    assert_eq!(
        (code, said.as_str()),
        (
            0,
            &*format!(
                "Local symbolization failed for spin (build ID {}): open /far/away/spin: \
                 no such file or directory\n\
                 Some binary filenames not available. Symbolization may be incomplete.\n\
                 Try setting PPROF_BINARY_PATH to the search path for local binaries.\n",
                moved.text(moved.mappings()[0].build_id)
            )
        )
    );
    assert!(!without.contains("main.spin"), "{without}");
    let (code, with, said) = check("-top -symbolize=local spin moved.pb.gz");
    assert_eq!((code, said.as_str()), (0, ""));
    assert!(with.contains("main.spin"), "{with}");
}

/// Function, file and line of every location, the innermost first.
fn lines(profile: &Profile) -> Vec<Vec<(String, String, i64)>> {
    let line = |line: &shakedown_pprof::Line| {
        let function = profile.functions()[line.function.index()];
        let name = profile.text(function.name).to_owned();
        (name, profile.text(function.file).to_owned(), line.line)
    };
    let ids = profile.location_ids();
    ids.map(|id| profile.lines(id).iter().map(line).collect())
        .collect()
}

#[test]
fn inlined_calls_come_back_as_the_runtime_wrote_them() {
    let mut inlined = 0;
    for name in ["spin", "anywhere", "stripped"] {
        let mut desk = desk();
        let file = format!("{name}.bare.pb.gz");
        assert_eq!(
            desk.run(&["-proto", "-symbolize=local", &file]),
            0,
            "{}",
            desk.errors
        );
        let ours = Profile::decode(&desk.out).expect("a profile");
        let theirs = fs::read(subjects().folder.join(format!("{name}.pb.gz"))).expect("there");
        let theirs = Profile::decode(&theirs).expect("a profile");
        assert_eq!(lines(&ours), lines(&theirs), "{name}");
        inlined += lines(&ours).iter().filter(|lines| lines.len() > 1).count();
    }
    assert!(inlined > 0, "{inlined}");
}

#[test]
fn a_c_program_is_read_by_its_debug_information() {
    let folder = &subjects().folder;
    let maps = format!(
        "00400000-00500000 r-xp 00000000 08:01 7 {}\n",
        folder.join("fold").display()
    );
    fs::write(
        folder.join("fold.prof"),
        legacy(&addresses_of_fold(folder), &maps),
    )
    .expect("write");
    let (code, top, said) = check("-top -symbolize=local fold.prof");
    assert_eq!((code, said.as_str()), (0, ""));
    assert!(
        top.contains(" twist (inline)") && top.contains("  fold\n"),
        "{top}"
    );
    for command in ["-top -lines", "-raw", "-list=fold"] {
        let line = |mode: &str| format!("{command} -symbolize={mode} fold.prof");
        assert_eq!(
            check(&line("local:gotool")),
            original(&line("local")),
            "{command}"
        );
    }
    let (_, fast, _) = check("-top -lines -symbolize=fastlocal fold.prof");
    assert!(
        fast.contains("  fold\n") && !fast.contains("fold.c"),
        "{fast}"
    );
    let (_, none, _) = check("-top -symbolize=none fold.prof");
    assert!(!none.contains("  fold\n"), "{none}");
    let (_, remote, _) = check("-top -symbolize=remote fold.prof");
    assert_eq!(remote, none);
}

#[test]
fn binaries_are_found_by_build_id_and_by_path() {
    let folder = &subjects().folder;
    let program = fs::read(folder.join("fold")).expect("there");
    let mut profile = Profile::new(&[("samples", "count")]);
    let (file, build_id) = (profile.intern("/far/bin/fold"), profile.intern("feed0123"));
    let mapping = profile.push_mapping(shakedown_pprof::Mapping {
        start: 0x40_0000,
        limit: 0x50_0000,
        file,
        build_id,
        ..shakedown_pprof::Mapping::default()
    });
    let address = addresses_of_fold(folder)[0];
    let location = profile.push_location(address, Some(mapping), &[]);
    profile.push_sample(&[location], &[1], &[]);
    fs::write(folder.join("far.pb.gz"), gzip(&profile.encode())).expect("write");
    for (case, path) in [
        "feed0123/fold",
        "feed0123/renamed",
        "far/bin/fold/feed0123",
        "fe/ed0123.debug",
        "fold",
        "far/bin/fold",
        "far/bin/.debug/fold.debug",
        "usr/lib/debug/far/bin/fold.debug",
    ]
    .into_iter()
    .enumerate()
    {
        let binaries = folder.join(format!("binaries{case}"));
        let at = binaries.join(path);
        fs::create_dir_all(at.parent().expect("a folder")).expect("make");
        fs::write(&at, &program).expect("write");
        for (name, value) in [
            (
                "PPROF_BINARY_PATH",
                format!("/nothing:{}", binaries.display()),
            ),
            (
                "HOME",
                folder.join(format!("home{case}")).display().to_string(),
            ),
        ] {
            if name == "HOME" {
                let own = Path::new(&value).join("pprof/binaries").join(path);
                fs::create_dir_all(own.parent().expect("a folder")).expect("make");
                fs::write(own, &program).expect("write");
            }
            let mut desk = desk();
            desk.env.push((name.to_owned(), value));
            assert_eq!(desk.run(&["-top", "far.pb.gz"]), 0);
            assert_eq!(desk.errors, "", "{path}");
            let out = String::from_utf8_lossy(&desk.out).into_owned();
            assert!(out.contains("  fold\n"), "{path}: {out}");
        }
    }
    // Another build of the same name is not taken.
    let binaries = folder.join("others");
    fs::create_dir_all(&binaries).expect("make");
    fs::copy(folder.join("spin"), binaries.join("fold")).expect("copy");
    let mut desk = desk();
    desk.env.push((
        "PPROF_BINARY_PATH".to_owned(),
        binaries.display().to_string(),
    ));
    assert_eq!(desk.run(&["-top", "far.pb.gz"]), 0);
    let ignored = format!(
        "Ignoring local file {}/fold: build-id mismatch (feed0123 != ",
        binaries.display()
    );
    assert!(desk.errors.starts_with(&ignored), "{}", desk.errors);
}

#[test]
fn a_profile_that_names_no_program_says_so() {
    fs::write(
        subjects().folder.join("nameless.prof"),
        legacy(&[0x40_1000], ""),
    )
    .expect("write");
    let line = "-top nameless.prof";
    assert_eq!(check(line), original(line));
    assert_eq!(check(line).2, "Main binary filename not available.\n");
}

#[test]
fn what_is_no_program_is_not_read() {
    fs::write(subjects().folder.join("text"), "#!/bin/sh\n").expect("write");
    let at = subjects().folder.join("text").display().to_string();
    for file in [at.as_str(), "/dev/null", "/nowhere/at/all"] {
        let maps = format!("00400000-00500000 r-xp 00000000 08:01 7 {file}\n");
        fs::write(
            subjects().folder.join("odd.prof"),
            legacy(&[0x40_1000], &maps),
        )
        .expect("write");
        assert_eq!(check("-top odd.prof"), original("-top odd.prof"), "{file}");
    }
    for file in [
        "[vdso]",
        "linux-vdso.so.1",
        "//anon",
        "/memfd:jit",
        "/dev/dri/card0",
    ] {
        let maps = format!("00400000-00500000 r-xp 00000000 08:01 7 {file}\n");
        fs::write(
            subjects().folder.join("none.prof"),
            legacy(&[0x40_1000], &maps),
        )
        .expect("write");
        assert_eq!(
            check("-top none.prof").2,
            original("-top none.prof").2,
            "{file}"
        );
    }
}

#[test]
fn words_that_are_unknown_are_told() {
    let (code, _, said) = check("-top -symbolize=everything spin.pb.gz");
    assert_eq!(code, 0);
    assert!(
        said.starts_with("ignoring unrecognized symbolization option: everything\n"),
        "{said}"
    );
}

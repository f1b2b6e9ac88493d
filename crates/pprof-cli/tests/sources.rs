//! Source files of a program that was built with `-trimpath`, found without a flag: in the module
//! cache, in the vendor folder, in GOROOT and in the module that is worked on.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::Desk;

/// A module with a dependency whose name is in upper case, which the module cache escapes.
const MAIN: &str = r#"package main

import (
	"os"
	"runtime/pprof"
	"sort"
	"syscall"

	"example.com/Upper/Fold"
)

func main() {
	pprof.StartCPUProfile(os.Stdout)
	numbers := make([]int, 1<<14)
	// By processor time: on a busy machine the clock runs ahead of the samples.
	for used := int64(0); used < 400_000; {
		var usage syscall.Rusage
		syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
		used = usage.Utime.Sec*1_000_000 + usage.Utime.Usec
		fold.Scatter(numbers)
		sort.Ints(numbers)
	}
	pprof.StopCPUProfile()
}
"#;

const FOLD: &str = r"package fold

// Scatter is at work long enough to be sampled.
//
//go:noinline
func Scatter(numbers []int) {
	for round := 0; round < 40; round++ {
		for i := range numbers {
			numbers[i] = (i*7919 + numbers[i]) % len(numbers)
		}
	}
}
";

const FOLD_MOD: &str = "module example.com/Upper/Fold\n\ngo 1.22\n";
const MODULE: &str =
    "module example.org/work\n\ngo 1.22\n\nrequire example.com/Upper/Fold v1.0.0\n";

fn write(path: PathBuf, text: &str) {
    fs::create_dir_all(path.parent().expect("a file has a folder")).expect("make folder");
    fs::write(path, text).expect("write");
}

fn go(folder: &Path, cache: &Path, args: &[&str]) {
    let output = Command::new("go")
        .args(args)
        .current_dir(folder)
        .env("GOFLAGS", "-modcacherw")
        .env("GOMODCACHE", cache)
        .env("GOPROXY", "off")
        .env("GOSUMDB", "off")
        .env("GOTOOLCHAIN", "local")
        .env("CGO_ENABLED", "0")
        .output()
        .expect("these tests need Go installed");
    assert!(output.status.success(), "{args:?}: {output:?}");
}

/// Builds the program, and gives its folder and module cache.
fn build(name: &str, with_vendor: bool) -> (PathBuf, PathBuf) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    let (work, cache) = (folder.join("work"), folder.join("cache"));
    write(work.join("go.mod"), MODULE);
    write(work.join("cmd/work/main.go"), MAIN);
    // What a download leaves: the module, and what is known of it.
    let module = cache.join("example.com/!upper/!fold@v1.0.0");
    write(module.join("go.mod"), FOLD_MOD);
    write(module.join("fold.go"), FOLD);
    let known = cache.join("cache/download/example.com/!upper/!fold/@v");
    write(known.join("v1.0.0.mod"), FOLD_MOD);
    write(known.join("v1.0.0.info"), r#"{"Version":"v1.0.0"}"#);
    let sum = "h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    write(known.join("v1.0.0.ziphash"), sum);
    write(known.join("v1.0.0.zip"), "");
    go(&work, &cache, &["mod", "tidy"]);
    if with_vendor {
        go(&work, &cache, &["mod", "vendor"]);
    }
    go(
        &work,
        &cache,
        &[
            "build",
            "-trimpath",
            "-buildvcs=false",
            "-o",
            "busy",
            "./cmd/work",
        ],
    );
    let profile = Command::new(work.join("busy")).output().expect("runs");
    fs::write(work.join("cpu.pb.gz"), profile.stdout).expect("write");
    (work, cache)
}

fn goroot() -> String {
    let output = Command::new("go")
        .args(["env", "GOROOT"])
        .output()
        .expect("go");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The listing, with these variables set.
fn list(work: &Path, pattern: &str, env: &[(&str, &str)]) -> (String, String) {
    let mut desk = Desk {
        folder: work.to_owned(),
        ..Desk::default()
    };
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    desk.env = env.iter().map(owned).collect();
    let code = desk.run(&[&format!("-list={pattern}"), "cpu.pb.gz"]);
    assert_eq!(code, 0, "{}", desk.errors);
    (String::from_utf8_lossy(&desk.out).into_owned(), desk.errors)
}

#[test]
fn trimmed_paths_lead_to_module_cache_and_goroot() {
    let (work, cache) = build("trimmed", false);
    let cache = cache.display().to_string();
    let goroot = goroot();
    let env = [("GOMODCACHE", cache.as_str()), ("GOROOT", goroot.as_str())];
    let (out, said) = list(&work, "Scatter|main.main|insertionSort|pdq", &env);
    assert!(
        out.contains("in example.com/Upper/Fold@v1.0.0/fold.go"),
        "{out}"
    );
    assert!(
        out.contains(":	for round := 0; round < 40; round++ {"),
        "{out}"
    );
    assert!(out.contains(":		sort.Ints(numbers)"), "{out}");
    assert!(
        out.contains(":func pdqsort") || out.contains(":func insertionSort"),
        "{out}"
    );
    assert!(!out.contains("Error:"), "{out}");
    let warning = format!("Source of the standard library is that of {goroot} (go");
    assert_eq!(said.matches(&warning).count(), 1, "{said}");
    // Nothing says where to look: the original's words.
    let (out, _) = list(&work, "Scatter", &[]);
    assert!(
        out.contains(" Error: could not find file example.com/Upper/Fold@v1.0.0"),
        "{out}"
    );
}

#[test]
fn the_vendor_folder_is_looked_into() {
    let (work, _) = build("vendored", true);
    let (out, said) = list(&work, "Scatter", &[]);
    assert!(
        out.contains(":	for round := 0; round < 40; round++ {"),
        "{out}"
    );
    assert_eq!(said, "");
}

#[test]
fn the_cache_is_found_as_go_finds_it() {
    let (work, cache) = build("written", false);
    // By GOPATH, by what `go env -w` wrote, and by the default below HOME.
    let home = work.join("../home");
    let inside = home.join("go/pkg");
    fs::create_dir_all(&inside).expect("make");
    fs::rename(&cache, inside.join("mod")).expect("move");
    let home = home.canonicalize().expect("there").display().to_string();
    let gopath = format!("{home}/go");
    let written = format!("{home}/env");
    write(
        PathBuf::from(&written),
        &format!("GOTELEMETRY=off\nGOMODCACHE={gopath}/pkg/mod\n"),
    );
    for env in [("HOME", &home), ("GOPATH", &gopath), ("GOENV", &written)] {
        let (out, _) = list(&work, "Scatter", &[(env.0, env.1.as_str())]);
        assert!(
            out.contains(":	for round := 0; round < 40; round++ {"),
            "{env:?}: {out}"
        );
    }
}

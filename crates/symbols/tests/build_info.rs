//! Build info of executables that `go build` made, against what `go version -m` prints.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use proptest::prelude::*;
use shakedown_symbols::{BuildInfoError, GoBuild, GoModule, build_info, build_info_from};

/// A module with a dependency that is replaced by a folder, so that nothing is downloaded.
const FILES: &[(&str, &str)] = &[
    (
        "go.mod",
        "module example.com/orders\n\ngo 1.22\n\nrequire example.com/dep v1.2.3\n\n\
         replace example.com/dep => ./dep\n",
    ),
    (
        "cmd/orders/main.go",
        "package main\n\nimport \"example.com/dep\"\n\nfunc main() { println(dep.Name) }\n",
    ),
    ("dep/go.mod", "module example.com/dep\n\ngo 1.22\n"),
    ("dep/dep.go", "package dep\n\nvar Name = \"dep\"\n"),
];

fn run(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}; these tests need it installed"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {stderr}");
    String::from_utf8(output.stdout).expect("prints UTF-8")
}

fn build(dir: &Path, goarch: &str, ldflags: &str) -> PathBuf {
    for (name, content) in FILES {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().expect("a file has a folder")).expect("make folder");
        fs::write(path, content).expect("write source");
    }
    let executable = dir.join("orders");
    run(Command::new("go")
        .args(["build", "-trimpath", "-buildvcs=false"])
        .args(["-ldflags", ldflags, "-o"])
        .arg(&executable)
        .arg("./cmd/orders")
        .current_dir(dir)
        .env("GOARCH", goarch)
        .env("CGO_ENABLED", "0")
        .env("GOFLAGS", ""));
    executable
}

fn sample() -> &'static [u8] {
    static SAMPLE: OnceLock<Vec<u8>> = OnceLock::new();
    SAMPLE.get_or_init(|| {
        let dir = tempfile::tempdir().expect("make folder");
        fs::read(build(dir.path(), "amd64", "-s -w")).expect("read executable")
    })
}

/// The text of `go version -m`, made from what we read.
fn printed(executable: &Path, build: &GoBuild) -> String {
    let module = |kind: &str, of: &GoModule| {
        let line = format!("\t{kind}\t{}\t{}\t{}", of.path, of.version, of.sum);
        line.trim_end().to_owned() + "\n"
    };
    let mut text = format!("{}: {}\n", executable.display(), build.go);
    text += &format!("\tpath\t{}\n", build.package.as_deref().unwrap_or_default());
    text.extend(build.main.iter().map(|main| module("mod", main)));
    for dep in &build.deps {
        text += &module("dep", dep);
        let replacement = dep.replaced_by.as_deref();
        text.extend(replacement.map(|by| module("=>", by)));
    }
    for (key, value) in &build.settings {
        let quoted = value.contains([' ', '"', '`', '\t', '\n']);
        text += &if quoted {
            format!("\tbuild\t{key}={value:?}\n")
        } else {
            format!("\tbuild\t{key}={value}\n")
        };
    }
    text
}

/// Reads an executable both ways and compares it with `go version -m`.
fn check(executable: &Path) -> GoBuild {
    let expected = run(Command::new("go").args(["version", "-m"]).arg(executable));
    // The printer leaves an empty line after a replacement.
    let trimmed: String = expected
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.trim_end().to_owned() + "\n")
        .collect();
    let bytes = fs::read(executable).expect("read executable");
    let build = build_info(&bytes).expect("is sound").expect("is Go's");
    assert_eq!(printed(executable, &build), trimmed);
    let file = fs::File::open(executable).expect("open executable");
    assert_eq!(build_info_from(file).as_ref(), Ok(&Some(build.clone())));
    build
}

#[test]
fn plain_stripped_and_foreign_executables_say_what_go_says() {
    for (goarch, ldflags) in [
        ("amd64", ""),
        ("amd64", "-s -w -X 'main.version=1 \"2\"'"),
        ("arm64", ""),
        ("386", ""),
        ("s390x", ""),
    ] {
        let dir = tempfile::tempdir().expect("make folder");
        let build = check(&build(dir.path(), goarch, ldflags));
        assert_eq!(
            build.package.as_deref(),
            Some("example.com/orders/cmd/orders")
        );
        assert_eq!(
            build.main.expect("a main module").path,
            "example.com/orders"
        );
        let replaced_by = build.deps[0].replaced_by.as_ref();
        assert_eq!(replaced_by.expect("is replaced").path, "./dep");
    }
}

#[test]
fn the_toolchain_itself_is_read() {
    let go = run(Command::new("go").args(["env", "GOROOT", "GOVERSION"]));
    let (root, version) = go.trim().split_once('\n').expect("two lines");
    let build = check(&Path::new(root).join("bin/go"));
    assert_eq!(build.go, version);
    assert_eq!(build.package.as_deref(), Some("cmd/go"));
}

#[test]
fn version_control_is_read() {
    let dir = tempfile::tempdir().expect("make folder");
    build(dir.path(), "amd64", "");
    let git = |args: &[&str]| {
        run(Command::new("git")
            .args(["-c", "user.name=a", "-c", "user.email=a@example.com"])
            .args(args)
            .current_dir(dir.path()))
    };
    git(&["init", "--quiet"]);
    git(&["add", "go.mod", "cmd", "dep"]);
    git(&["commit", "--quiet", "--message", "first"]);
    let revision = git(&["rev-parse", "HEAD"]);
    let executable = dir.path().join("orders");
    run(Command::new("go")
        .args(["build", "-buildvcs=true", "-o"])
        .arg(&executable)
        .arg("./cmd/orders")
        .env("GOFLAGS", "")
        .current_dir(dir.path()));
    let build = check(&executable);
    assert_eq!(build.setting("vcs.revision"), Some(revision.trim()));
    assert_eq!(build.setting("vcs.modified"), Some("true"));
}

/// Section headers are no part of what runs, and some tools remove them.
#[test]
fn without_section_headers_the_segment_is_searched() {
    let mut bytes = sample().to_vec();
    let whole = build_info(&bytes);
    // e_shoff, e_shnum and e_shstrndx of a 64-bit file header.
    bytes[40..48].fill(0);
    bytes[60..64].fill(0);
    assert_eq!(build_info(&bytes), whole);
    assert!(whole.expect("is sound").is_some());
}

#[test]
fn other_executables_and_other_files_are_told_apart() {
    let own = std::env::current_exe().expect("a test has an executable");
    let own = fs::read(own).expect("read own executable");
    assert_eq!(build_info(&own), Ok(None));
    assert_eq!(build_info(b"#!/bin/sh\n"), Err(BuildInfoError::NotElf));
    assert_eq!(build_info(b""), Err(BuildInfoError::NotElf));
    assert_eq!(build_info(b"\x7fELF"), Err(BuildInfoError::NotElf));
}

/// An ELF file of Go before 1.18: the blob holds pointers to the strings.
#[test]
fn pointers_of_older_toolchains_are_followed() {
    for big_endian in [false, true] {
        let build = build_info(&pointer_format(big_endian));
        let build = build.expect("is sound").expect("is Go's");
        assert_eq!(build.go, "go1.17.13");
        assert_eq!(build.package.as_deref(), Some("example.com/old"));
    }
}

fn pointer_format(big_endian: bool) -> Vec<u8> {
    const BASE: u64 = 0x40_0000;
    let number = |value: u64, size: usize| {
        let bytes = value.to_be_bytes()[8 - size..].to_vec();
        let swapped = bytes.iter().rev().copied().collect();
        if big_endian { bytes } else { swapped }
    };
    let text = format!("{:16}path\texample.com/old\n{:16}", "", "");
    let mut file = vec![0x7f, b'E', b'L', b'F', 2, 1 + u8::from(big_endian), 1];
    file.resize(16, 0);
    for (value, size) in [(2, 2), (62, 2), (1, 4), (0, 8), (64, 8), (0, 8), (0, 4)] {
        file.extend(number(value, size));
    }
    for (value, size) in [(64, 2), (56, 2), (1, 2), (64, 2), (0, 2), (0, 2)] {
        file.extend(number(value, size));
    }
    // One writable segment that is the whole file.
    for (value, size) in [
        (1, 4),
        (6, 4),
        (0, 8),
        (BASE, 8),
        (BASE, 8),
        (4096, 8),
        (4096, 8),
        (0, 8),
    ] {
        file.extend(number(value, size));
    }
    file.resize(128, 0);
    file.extend(b"\xff Go buildinf:");
    file.extend([8, u8::from(big_endian)]);
    file.extend(number(BASE + 256, 8));
    file.extend(number(BASE + 272, 8));
    file.resize(256, 0);
    for (at, length) in [(512, 9), (1024, text.len() as u64)] {
        file.extend(number(BASE + at, 8));
        file.extend(number(length, 8));
    }
    file.resize(512, 0);
    file.extend(b"go1.17.13");
    file.resize(1024, 0);
    file.extend(text.bytes());
    file.resize(4096, 0);
    file
}

/// Places that steer the reader: file header, program and section headers, the blob.
fn steering() -> &'static [std::ops::Range<usize>] {
    static PLACES: OnceLock<Vec<std::ops::Range<usize>>> = OnceLock::new();
    PLACES.get_or_init(|| places(sample()))
}

fn places(bytes: &[u8]) -> Vec<std::ops::Range<usize>> {
    let shoff = u64::from_le_bytes(bytes[40..48].try_into().expect("eight bytes")) as usize;
    let blob = bytes.windows(14).position(|at| at == b"\xff Go buildinf:");
    let blob = blob.expect("has build info");
    vec![0..64, 64..1024, shoff..bytes.len(), blob..blob + 256]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn mutated_executables_never_panic(
        mutations in prop::collection::vec((0_usize..4, any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = sample().to_vec();
        let places = steering();
        for (place, index, value) in mutations {
            let range = places[place].clone();
            bytes[range.start + index.index(range.len())] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let by_bytes = build_info(&bytes);
        prop_assert_eq!(by_bytes, build_info_from(Cursor::new(bytes)));
    }

    #[test]
    fn mutated_old_executables_never_panic(
        mutations in prop::collection::vec((0_usize..1100, any::<u8>()), 1..8),
        big_endian in any::<bool>(),
    ) {
        let mut bytes = pointer_format(big_endian);
        for (at, value) in mutations {
            bytes[at] = value;
        }
        let _ = build_info(&bytes);
    }

    #[test]
    fn any_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..4096)) {
        let _ = build_info(&bytes);
        let _ = build_info(&[b"\x7fELF\x02\x01\x01".as_slice(), &bytes].concat());
    }
}

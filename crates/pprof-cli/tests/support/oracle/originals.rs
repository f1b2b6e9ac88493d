//! The programs that we compare with, and how.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use shakedown_pprof::Profile;
use shakedown_pprof::report::{Zone, raw};

use crate::support::Desk;

/// What a command printed: exit code, and its output without gzip.
pub(crate) struct Printed {
    pub(crate) code: i32,
    pub(crate) out: Vec<u8>,
    pub(crate) errors: String,
}

impl PartialEq for Printed {
    fn eq(&self, other: &Self) -> bool {
        self.is(other)
    }
}

impl Printed {
    /// Of a command that succeeded.
    pub(crate) fn of(out: Vec<u8>) -> Self {
        Printed {
            code: 0,
            out,
            errors: String::new(),
        }
    }

    /// True if code and output are the same; messages may differ.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.code == other.code && self.out == other.out
    }
}

/// Runs us.
pub(crate) fn ours(folder: &Path, args: &[String]) -> Printed {
    let mut desk = Desk {
        folder: folder.to_path_buf(),
        ..Desk::default()
    };
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let code = desk.run(&args);
    Printed {
        code,
        out: plain(desk.out),
        errors: desk.errors,
    }
}

/// A program that prints what we should.
pub(crate) struct Original {
    program: PathBuf,
}

impl Original {
    /// The program behind `go tool pprof`, which Go builds on first use.
    pub(crate) fn of_go() -> Self {
        let out = Command::new("go").args(["tool", "-n", "pprof"]).output();
        let out = out.expect("the oracle needs Go on the path");
        let program = PathBuf::from(String::from_utf8_lossy(&out.stdout).trim());
        Original { program }
    }

    /// google/pprof at `version` from the Go module proxy, installed below `scratch`.
    pub(crate) fn of_google(version: &str, scratch: &Path) -> Self {
        let module = format!("github.com/google/pprof@{version}");
        let status = Command::new("go")
            .args(["install", &module])
            .env("GOBIN", scratch)
            .status();
        assert!(
            status.is_ok_and(|s| s.success()),
            "go install {module} failed: is the module proxy there?"
        );
        Original {
            program: scratch.join("pprof"),
        }
    }

    /// Runs it, in UTC.
    pub(crate) fn run(&self, folder: &Path, args: &[String]) -> Printed {
        let out = Command::new(&self.program)
            .args(args)
            .current_dir(folder)
            .env("TZ", "UTC")
            .env("PPROF_TMPDIR", std::env::temp_dir())
            .env("PPROF_BINARY_PATH", "/path/to")
            .output()
            .expect("the original runs");
        Printed {
            code: out.status.code().unwrap_or(-1),
            out: plain(out.stdout),
            errors: String::from_utf8_lossy(&out.stderr).into_owned(),
        }
    }

    /// What it prints in many more runs.
    pub(crate) fn again(&self, folder: &Path, args: &[String]) -> Vec<Printed> {
        (0..RERUNS).map(|_| self.run(folder, args)).collect()
    }
}

fn plain(bytes: Vec<u8>) -> Vec<u8> {
    let mut plain = Vec::new();
    match flate2::read::GzDecoder::new(&*bytes).read_to_end(&mut plain) {
        Ok(_) => plain,
        Err(_) => bytes,
    }
}

/// Where the original's order is that of a random walk through a map: nodes that
/// print alike (files; mapped files where the profile is `nameless`), paths of a tree, and
/// edges of a difference that weigh the same with opposite signs, which its order of edges
/// takes for neither equal nor less.
pub(super) fn may_vary(args: &[String], nameless: bool) -> bool {
    let has = |name: &str| args.iter().any(|a| a.starts_with(name));
    nameless || has("-files") || has("-call_tree") || has("-base=") || has("-diff_base=")
}

/// Two orders that come up equally often show both in so many runs, but for one time
/// in 65,536.
const RERUNS: usize = 16;

/// Whether ours is one of what the original prints, whose runs differ: the rows of one of
/// them in another order; or, where its runs differ in their rows as well (of edges that
/// weigh the same it drops others each time), each row as often as they have it, or off by no
/// more than they are among themselves.
/// A drawing of paths or files may leave out others of the same weight: there the head is
/// compared, which says how many it shows.
pub(super) fn is_one_of(args: &[String], our: &[u8], their: &[&[u8]]) -> bool {
    let has = |name: &str| args.iter().any(|a| a == name);
    if has("-dot") && (has("-call_tree") || has("-files")) {
        let head = |out: &[u8]| -> Vec<String> {
            let text = String::from_utf8_lossy(out);
            text.lines().take(3).map(str::to_owned).collect()
        };
        return their.iter().any(|their| head(their) == head(our));
    }
    let (our, their): (_, Vec<_>) = (rows(our), their.iter().map(|out| rows(out)).collect());
    if their.contains(&our) {
        return true;
    }
    let count = |rows: &BTreeMap<String, usize>, row: &str| rows.get(row).copied().unwrap_or(0);
    let within = |row: &String| {
        let counts = their.iter().map(|rows| count(rows, row));
        let (least, most) = counts.fold((usize::MAX, 0), |(least, most), n| {
            (least.min(n), most.max(n))
        });
        let apart = most - least;
        (least.saturating_sub(apart)..=most + apart).contains(&count(&our, row))
    };
    their
        .iter()
        .chain([&our])
        .flat_map(BTreeMap::keys)
        .all(within)
}

/// Each row and how often it comes. Numbers that follow from the order (running sums,
/// numbers of nodes, steps from row to row) and the width of columns are not looked at.
fn rows(out: &[u8]) -> BTreeMap<String, usize> {
    let text = match Profile::decode(out) {
        Ok(profile) => raw(&profile, &Zone::default()),
        Err(_) => String::from_utf8_lossy(out).into_owned(),
    };
    let mut rows = BTreeMap::new();
    for row in text.lines() {
        let moves = |c: char| c.is_ascii_digit() || "+-*".contains(c);
        let letters = row.chars().map(|c| if moves(c) { ' ' } else { c });
        let letters: String = letters.filter(|c| *c != '.').collect();
        let words: Vec<&str> = letters.split_whitespace().collect();
        *rows.entry(words.join(" ")).or_default() += 1;
    }
    rows
}

pub(super) fn difference(line: &str, our: &Printed, their: &Printed) -> String {
    let text = |p: &Printed| String::from_utf8_lossy(&p.out).into_owned();
    let (our_text, their_text) = (text(our), text(their));
    let mut pairs = our_text.lines().zip(their_text.lines());
    let at = pairs.position(|(a, b)| a != b);
    let at = at.unwrap_or(our_text.lines().count().min(their_text.lines().count()));
    format!(
        "{line}\n  codes {} {} line {at}\n  ours   {:?} {}\n  theirs {:?} {}",
        our.code,
        their.code,
        our_text.lines().nth(at),
        our.errors.lines().next().unwrap_or(""),
        their_text.lines().nth(at),
        their.errors.lines().next().unwrap_or("")
    )
}

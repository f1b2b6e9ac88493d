//! Random command lines, run by `go tool pprof` and by us.
//!
//! One generator for the test with a fixed seed and for `xtask pprof-oracle`.

#![allow(dead_code, reason = "the test and the command use different parts")]

use std::collections::HashSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use shakedown_pprof::{LabelValue, Profile};

use super::Desk;

/// SplitMix64 (Steele, Lea, Flood 2014): a seed gives the same cases everywhere.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, count: usize) -> usize {
        (self.next() % count.max(1) as u64) as usize
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }
}

/// A profile to ask about, and what there is to ask for.
pub(crate) struct Subject {
    pub(crate) path: String,
    names: Vec<String>,
    labels: Vec<(String, String)>,
    numbers: Vec<(String, i64)>,
    types: Vec<String>,
}

/// Every profile below `folder` that we read; paths are relative to it.
pub(crate) fn subjects(folder: &Path) -> Vec<Subject> {
    let mut found = Vec::new();
    for part in [
        "data/profile",
        "data/goroutine",
        "golden/driver",
        "golden/profile",
    ] {
        let entries = std::fs::read_dir(folder.join(part)).expect("a data folder");
        for entry in entries {
            let name = entry.expect("an entry").file_name();
            let path = format!("{part}/{}", name.to_string_lossy());
            let bytes = std::fs::read(folder.join(&path)).unwrap_or_default();
            if let Ok(profile) = Profile::decode(&bytes) {
                found.push(subject(path, &profile));
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn subject(path: String, profile: &Profile) -> Subject {
    let text = |id| profile.text(id).to_owned();
    let names = profile.functions().iter().map(|f| text(f.name));
    let types = profile.sample_types().iter().map(|t| text(t.kind));
    let mut labels = Vec::new();
    let mut numbers = Vec::new();
    for label in profile.samples().flat_map(|s| s.labels.to_vec()).take(500) {
        match label.value {
            LabelValue::Text(value) => labels.push((text(label.key), text(value))),
            LabelValue::Number { value, .. } => numbers.push((text(label.key), value)),
        }
    }
    Subject {
        path,
        names: names.filter(|n| !n.is_empty()).collect(),
        labels,
        numbers,
        types: types.collect(),
    }
}

/// Arguments of one case.
pub(crate) fn case(dice: &mut Dice, subjects: &[Subject]) -> Vec<String> {
    let subject = &subjects[dice.below(subjects.len())];
    let mut args = vec!["-symbolize=none".to_owned()];
    let commands = [
        "-top",
        "-text",
        "-tree",
        "-peek",
        "-traces",
        "-tags",
        "-raw",
        "-dot",
        "-callgrind",
        "-list",
        "-proto",
        "-topproto",
        "-comments",
    ];
    // Comments have nothing to vary.
    let command = match dice.pick(&commands) {
        "-comments" if !dice.one_in(4) => "-top",
        command => command,
    };
    args.push(match command {
        "-peek" | "-list" => format!("{command}={}", expression(dice, subject)),
        command => command.to_owned(),
    });
    for _ in 0..dice.below(5) {
        option(dice, subject, &mut args);
    }
    if dice.one_in(8) {
        let twins: Vec<&Subject> = subjects
            .iter()
            .filter(|s| s.types == subject.types)
            .collect();
        let twin = &twins[dice.below(twins.len())].path;
        args.push(format!("{}={twin}", dice.pick(&["-base", "-diff_base"])));
        if dice.one_in(3) {
            args.push("-normalize".to_owned());
        }
    }
    args.push(subject.path.clone());
    // The original takes a gperftools CPU profile before another source for a program.
    if dice.one_in(10) && !subject.path.ends_with(".cpu") {
        let twins: Vec<&Subject> = subjects
            .iter()
            .filter(|s| s.types == subject.types)
            .collect();
        args.push(twins[dice.below(twins.len())].path.clone());
    }
    args
}

fn option(dice: &mut Dice, subject: &Subject, args: &mut Vec<String>) {
    let frames = ["focus", "ignore", "hide", "show", "show_from", "prune_from"];
    let given = match dice.below(20) {
        0 => "-cum".to_owned(),
        1 => dice
            .pick(&[
                "-lines",
                "-addresses",
                "-filefunctions",
                "-functions",
                "-files",
            ])
            .to_owned(),
        2 | 3 => "-noinlines".to_owned(),
        4 | 5 => format!("-{}={}", dice.pick(&frames), expression(dice, subject)),
        6 => format!("-nodecount={}", dice.pick(&["3", "10", "40", "0"])),
        7 => format!("-nodefraction={}", dice.pick(&["0", "0.02", "0.1"])),
        8 => format!("-edgefraction={}", dice.pick(&["0", "0.01", "0.05"])),
        9 => format!(
            "-unit={}",
            dice.pick(&["auto", "ms", "s", "kb", "bytes", "count"])
        ),
        10 => dice
            .pick(&[
                "-trim=false",
                "-compact_labels",
                "-call_tree",
                "-showcolumns",
            ])
            .to_owned(),
        11 => "-mean".to_owned(),
        12 => format!("-divide_by={}", dice.pick(&["2", "0.5", "3.7", "1000"])),
        13 => "-relative_percentages".to_owned(),
        14 | 15 => {
            let types = &subject.types;
            let name = &types[dice.below(types.len())];
            match dice.one_in(3) {
                true => format!("-sample_index={}", dice.below(types.len())),
                false => format!("-sample_index={name}"),
            }
        }
        16 => "-drop_negative".to_owned(),
        _ => return tag_option(dice, subject, args),
    };
    let stem = given.split('=').next().unwrap_or("").to_owned();
    let granularity = [
        "-lines",
        "-addresses",
        "-filefunctions",
        "-functions",
        "-files",
    ];
    let same = |a: &String| {
        a.starts_with(&stem) || granularity.contains(&&*stem) && granularity.contains(&a.as_str())
    };
    if !args.iter().any(same) {
        args.push(given);
    }
}

fn tag_option(dice: &mut Dice, subject: &Subject, args: &mut Vec<String>) {
    let text = |dice: &mut Dice| {
        let found = subject.labels.get(dice.below(subject.labels.len()));
        found.cloned().unwrap_or_default()
    };
    let (key, value) = text(dice);
    let number = subject.numbers.get(dice.below(subject.numbers.len()));
    let (number_key, number) = number.cloned().unwrap_or_default();
    let options = [
        format!("-tagfocus={value}"),
        format!("-tagignore={key}={value}"),
        format!("-tagshow={key}"),
        format!("-taghide={key}"),
        format!("-tagroot={key}"),
        format!("-tagleaf={key},{number_key}"),
        format!("-tagfocus={number}b:"),
        format!("-tagignore={number_key}=:{number}"),
    ];
    let given = options[dice.below(options.len())].clone();
    if !given.ends_with(['=', ',']) {
        args.push(given);
    }
}

/// A regular expression that matches some function of the profile.
fn expression(dice: &mut Dice, subject: &Subject) -> String {
    let Some(name) = subject.names.get(dice.below(subject.names.len())) else {
        return "0".to_owned();
    };
    let last = name.rsplit(['.', '/', ':']).next().unwrap_or(name);
    let word: String = last
        .chars()
        .filter(|c| c.is_alphanumeric())
        .take(6)
        .collect();
    let package = name.split(['.', ':']).next().unwrap_or(name).to_owned();
    match dice.below(6) {
        0 => format!(r"\Q{name}\E"),
        1 => format!(r"(?i){word}"),
        2 => format!(r"^{package}"),
        3 => format!(r"\b{word}\w*$"),
        4 => format!(r"[[:upper:]]\w+|{word}"),
        _ => word,
    }
}

/// What a command printed: exit code, and its output without gzip.
#[derive(PartialEq, Eq)]
pub(crate) struct Printed {
    pub(crate) code: i32,
    pub(crate) out: Vec<u8>,
    pub(crate) errors: String,
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

/// The program behind `go tool pprof`, which builds it on first use.
pub(crate) fn original() -> PathBuf {
    let out = Command::new("go").args(["tool", "-n", "pprof"]).output();
    let out = out.expect("the oracle needs Go on the path");
    PathBuf::from(String::from_utf8_lossy(&out.stdout).trim())
}

/// Runs the original in UTC.
pub(crate) fn theirs(program: &Path, folder: &Path, args: &[String]) -> Printed {
    let out = Command::new(program)
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

fn plain(bytes: Vec<u8>) -> Vec<u8> {
    let mut plain = Vec::new();
    match flate2::read::GzDecoder::new(&*bytes).read_to_end(&mut plain) {
        Ok(_) => plain,
        Err(_) => bytes,
    }
}

/// What came of many cases.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) cases: usize,
    /// Distinct outputs that were not empty and were equal.
    pub(crate) equal: HashSet<Vec<u8>>,
    /// Both failed.
    pub(crate) errors: usize,
    /// The original differs from itself; rows are equal when sorted.
    pub(crate) unstable: Vec<String>,
    pub(crate) different: Vec<String>,
}

/// Runs `count` cases; differences are told by `seen` as they come.
pub(crate) fn compare(folder: &Path, seed: u64, count: usize, mut seen: impl FnMut(&str)) -> Tally {
    let (program, subjects) = (original(), subjects(folder));
    let mut dice = Dice(seed);
    let mut tally = Tally::default();
    while tally.cases < count {
        let args = case(&mut dice, &subjects);
        tally.cases += 1;
        let (our, their) = (ours(folder, &args), theirs(&program, folder, &args));
        let line = args.join(" ");
        if our.code != 0 && their.code != 0 {
            tally.errors += 1;
        } else if our.code == their.code && our.out == their.out {
            if !our.out.is_empty() {
                tally.equal.insert(our.out);
            }
        } else if our.code == their.code
            && may_vary(&args)
            && is_unstable(&program, folder, &args, &their)
        {
            tally.unstable.push(line);
        } else {
            let told = difference(&line, &our, &their);
            seen(&told);
            tally.different.push(told);
        }
    }
    tally
}

/// Where the original's order is that of a random walk through a map: nodes that
/// print alike, paths of a tree, and edges of a difference that weigh the same with
/// opposite signs, which its order of edges takes for neither equal nor less.
fn may_vary(args: &[String]) -> bool {
    let has = |name: &str| args.iter().any(|a| a.starts_with(name));
    has("-files") || has("-call_tree") || has("-base=") || has("-diff_base=")
}

/// Two orders that come up equally often show both in so many runs, but for one
/// time in 65,536.
const RERUNS: usize = 16;

fn is_unstable(program: &Path, folder: &Path, args: &[String], their: &Printed) -> bool {
    (0..RERUNS).any(|_| theirs(program, folder, args).out != their.out)
}

fn difference(line: &str, our: &Printed, their: &Printed) -> String {
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

//! Command lines, drawn so that each command and each option is asked for often enough.

use super::dice::Dice;
use super::subjects::Subject;

/// Every command that both programs have, without the viewers and the disassembly.
pub(crate) const COMMANDS: [&str; 12] = [
    "top",
    "tree",
    "peek",
    "traces",
    "tags",
    "raw",
    "dot",
    "callgrind",
    "list",
    "proto",
    "topproto",
    "comments",
];

/// Every option that can change what is printed.
pub(crate) const OPTIONS: [&str; 47] = [
    "addresses",
    "all_frames",
    "add_comment",
    "alloc_objects",
    "alloc_space",
    "base",
    "buildid",
    "call_tree",
    "compact_labels",
    "contentions",
    "cum",
    "diff_base",
    "divide_by",
    "drop_negative",
    "edgefraction",
    "filefunctions",
    "files",
    "focus",
    "hide",
    "ignore",
    "inuse_objects",
    "inuse_space",
    "lines",
    "mean",
    "mean_delay",
    "nodecount",
    "nodefraction",
    "noinlines",
    "normalize",
    "prune_from",
    "relative_percentages",
    "sample_index",
    "show",
    "show_from",
    "showcolumns",
    "source_path",
    "tagfocus",
    "taghide",
    "tagignore",
    "tagleaf",
    "tagroot",
    "tagshow",
    "total_delay",
    "trim",
    "trim_path",
    "unit",
    "second source",
];

const GRANULARITIES: [&str; 5] = ["addresses", "filefunctions", "files", "functions", "lines"];

/// A command line: flags, then sources.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) command: &'static str,
    /// Options by name, with the words they take.
    pub(crate) options: Vec<(&'static str, Vec<String>)>,
    argument: String,
    pub(crate) symbolize_none: bool,
    pub(crate) source: String,
}

impl Case {
    pub(crate) fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        if self.symbolize_none {
            words.push("-symbolize=none".to_owned());
        }
        words.push(match self.argument.as_str() {
            "" => format!("-{}", self.command),
            argument => format!("-{}={argument}", self.command),
        });
        let mut behind = Vec::new();
        for (name, given) in &self.options {
            match *name {
                "second source" => behind.clone_from(given),
                _ => words.extend(given.iter().cloned()),
            }
        }
        words.push(self.source.clone());
        words.extend(behind);
        words
    }

    /// The same without one option.
    pub(crate) fn without(&self, option: &str) -> Case {
        let mut case = self.clone();
        case.options.retain(|(name, _)| *name != option);
        case
    }
}

/// Draws a case with `command` and, where given, `option`.
pub(crate) fn draw(
    dice: &mut Dice,
    subjects: &[Subject],
    command: &'static str,
    option: Option<&'static str>,
) -> Case {
    let subject = &subjects[dice.below(subjects.len())];
    let mut case = Case {
        command,
        options: Vec::new(),
        argument: match command {
            "peek" | "list" => expression(dice, subject),
            _ => String::new(),
        },
        symbolize_none: dice.one_in(2),
        source: subject.path.clone(),
    };
    if let Some(option) = option {
        add(dice, subjects, subject, option, &mut case);
    }
    let more = if command == "comments" {
        2
    } else {
        dice.below(4)
    };
    for _ in 0..more {
        let option = match command {
            "comments" => "add_comment",
            _ => OPTIONS[dice.below(OPTIONS.len())],
        };
        add(dice, subjects, subject, option, &mut case);
    }
    case
}

fn add(
    dice: &mut Dice,
    subjects: &[Subject],
    subject: &Subject,
    option: &'static str,
    case: &mut Case,
) {
    let is_set = |name: &str| case.options.iter().any(|(n, _)| *n == name);
    let clash = |names: &[&str]| names.contains(&option) && names.iter().any(|n| is_set(n));
    let types = [
        "sample_index",
        "inuse_space",
        "inuse_objects",
        "alloc_space",
        "alloc_objects",
        "contentions",
        "total_delay",
        "mean_delay",
    ];
    if is_set(option) || clash(&GRANULARITIES) || clash(&types) || clash(&["base", "diff_base"]) {
        return;
    }
    let Some(value) = value(dice, subjects, subject, option) else {
        return;
    };
    let mut words = match value.as_str() {
        "" => vec![format!("-{option}")],
        value => vec![format!("-{option}={value}")],
    };
    match option {
        "second source" => words = vec![value],
        "normalize" => {
            let Some(twin) = twin(dice, subjects, subject) else {
                return;
            };
            if !is_set("base") && !is_set("diff_base") {
                case.options.push(("base", vec![format!("-base={twin}")]));
            }
        }
        "drop_negative" if !is_set("base") && !is_set("diff_base") => {
            if let Some(twin) = twin(dice, subjects, subject) {
                case.options.push(("base", vec![format!("-base={twin}")]));
            }
        }
        "showcolumns" if !case.options.iter().any(|(n, _)| GRANULARITIES.contains(n)) => {
            case.options.push(("lines", vec!["-lines".to_owned()]));
        }
        "trim_path" if !case.options.iter().any(|(n, _)| GRANULARITIES.contains(n)) => {
            case.options
                .push(("filefunctions", vec!["-filefunctions".to_owned()]));
        }
        _ => {}
    }
    case.options.push((option, words));
}

/// The value of an option; empty for a bool, `None` where the subject has nothing for it.
fn value(dice: &mut Dice, subjects: &[Subject], subject: &Subject, option: &str) -> Option<String> {
    let has = |kind: &str| subject.types.iter().any(|t| t == kind);
    let label = |dice: &mut Dice| {
        let found = subject.labels.get(dice.below(subject.labels.len()));
        found.cloned()
    };
    let number = |dice: &mut Dice| {
        let found = subject.numbers.get(dice.below(subject.numbers.len()));
        found.cloned()
    };
    Some(match option {
        "focus" | "ignore" | "hide" | "show" | "show_from" | "prune_from" => {
            expression(dice, subject)
        }
        "add_comment" => format!("run {}", dice.below(1_000)),
        "buildid" => format!("{:08x}", dice.below(1 << 30)),
        "divide_by" => dice.pick(&["2", "0.5", "3.7", "1000"]).to_owned(),
        "edgefraction" => dice.pick(&["0", "0.01", "0.05", "0.3"]).to_owned(),
        "nodefraction" => dice.pick(&["0", "0.02", "0.1"]).to_owned(),
        "nodecount" => dice.pick(&["3", "10", "40", "0", "1"]).to_owned(),
        "unit" => dice
            .pick(&["auto", "ms", "s", "kb", "bytes", "count", "us", "GB"])
            .to_owned(),
        "trim" => "false".to_owned(),
        "sample_index" => {
            let at = dice.below(subject.types.len());
            match dice.one_in(3) {
                true => at.to_string(),
                false => subject.types.get(at)?.clone(),
            }
        }
        "inuse_space" | "inuse_objects" | "alloc_space" | "alloc_objects" | "contentions" => {
            return has(option).then(String::new);
        }
        "total_delay" | "mean_delay" => return has("delay").then(String::new),
        "base" | "diff_base" | "second source" => twin(dice, subjects, subject)?,
        "trim_path" => {
            let file = subject.files.get(dice.below(subject.files.len()))?;
            let cut = file.rfind('/').unwrap_or(0);
            file.get(..cut).filter(|c| !c.is_empty())?.to_owned()
        }
        "source_path" => dice
            .pick(&["data/list/src", "golden/driver", "/nowhere"])
            .to_owned(),
        "tagfocus" | "tagignore" => match dice.below(4) {
            0 => {
                let (_, number) = number(dice)?;
                format!("{number}b:")
            }
            1 => {
                let (key, number) = number(dice)?;
                format!("{key}=:{number}")
            }
            2 => label(dice)?.1,
            _ => {
                let (key, value) = label(dice)?;
                format!("{key}={value}")
            }
        },
        "tagshow" | "taghide" | "tagroot" | "tagleaf" => match dice.one_in(2) {
            true => label(dice)?.0,
            false => number(dice)?.0,
        },
        _ => String::new(),
    })
}

/// Another profile that measures the same.
fn twin(dice: &mut Dice, subjects: &[Subject], subject: &Subject) -> Option<String> {
    let alike = |s: &&Subject| s.types == subject.types && s.path != subject.path;
    let twins: Vec<&Subject> = subjects.iter().filter(alike).collect();
    // The original takes a gperftools CPU profile before another source for a program.
    if subject.path.ends_with(".cpu") {
        return None;
    }
    Some(twins.get(dice.below(twins.len()))?.path.clone())
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

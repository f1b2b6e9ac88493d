//! From flags to what is to be done.
//!
//! Source: google/pprof, internal/driver/cli.go `parseFlags`.

use std::time::Duration;

use shakedown_pprof::report::{Command, Granularity, Options, Sort};

use crate::flags::Parsed;
use crate::{Stop, Tls, World};

/// What is to be done.
pub(crate) struct Arguments {
    pub(crate) command: Command,
    /// What Graphviz makes of the report: `svg`, `png`, …
    pub(crate) drawn_as: Option<&'static str>,
    pub(crate) options: Options,
    pub(crate) sources: Vec<String>,
    /// The program, where it was named before the sources.
    pub(crate) program: Option<String>,
    pub(crate) build_id: String,
    pub(crate) base: Option<Base>,
    pub(crate) comment: String,
    pub(crate) all_frames: bool,
    /// What is done with names of functions, in the original's words.
    pub(crate) symbolize: String,
    pub(crate) output: String,
    /// How long a server measures; `None` is what the URL says.
    pub(crate) seconds: Option<u64>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) tls: Tls,
    /// For how long to look for an odd window.
    pub(crate) until_jitter: Option<Duration>,
}

/// What the profile is compared with.
pub(crate) struct Base {
    pub(crate) source: String,
    pub(crate) how: shakedown_pprof::report::Difference,
}

/// Flags that are another name for a sample type, in the original's order.
const SAMPLE_TYPES: [(&str, &str); 7] = [
    ("total_delay", "delay"),
    ("mean_delay", "delay"),
    ("contentions", "contentions"),
    ("inuse_space", "inuse_space"),
    ("inuse_objects", "inuse_objects"),
    ("alloc_space", "alloc_space"),
    ("alloc_objects", "alloc_objects"),
];

impl Arguments {
    pub(crate) fn from_flags(mut flags: Parsed, world: &mut dyn World) -> Result<Self, Stop> {
        if flags.rest.is_empty() {
            return Err(Stop::Usage("no profile source specified".to_owned()));
        }
        let program = program(&mut flags.rest, world);
        let options = options(&flags, world)?;
        let (command, drawn_as) = command(&flags)?;
        let base = base(&flags)?;
        if flags.bool("normalize", false) && base.is_none() {
            return Err(Stop::failed("must have base profile to normalize by"));
        }
        let seconds = u64::try_from(flags.int("seconds", -1)).ok();
        let timeout = u64::try_from(flags.int("timeout", -1)).ok();
        Ok(Arguments {
            command,
            drawn_as,
            options,
            sources: std::mem::take(&mut flags.rest),
            program,
            build_id: flags.text("buildid", ""),
            base,
            comment: flags.text("add_comment", ""),
            all_frames: flags.is_set("all_frames"),
            symbolize: flags.text("symbolize", ""),
            output: flags.text("output", ""),
            seconds: seconds.filter(|s| *s > 0),
            timeout: timeout.filter(|s| *s > 0).map(Duration::from_secs),
            tls: tls(&flags)?,
            until_jitter: until_jitter(&flags)?,
        })
    }
}

/// Takes the first of several sources if it is an executable.
fn program(sources: &mut Vec<String>, world: &mut dyn World) -> Option<String> {
    if sources.len() < 2 {
        return None;
    }
    let bytes = world.read(sources.first()?).ok()?;
    let magics: [&[u8]; 4] = [b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"MZ"];
    let is_program = magics.iter().any(|magic| bytes.starts_with(magic));
    is_program.then(|| sources.remove(0))
}

fn options(flags: &Parsed, world: &mut dyn World) -> Result<Options, Stop> {
    let known = Options::default();
    let text = |name: &str| flags.text(name, "");
    let sort = one(flags, &[("cum", Sort::Cum), ("flat", Sort::Flat)])?;
    let granularity = one(
        flags,
        &[
            ("functions", Granularity::Functions),
            ("filefunctions", Granularity::FileFunctions),
            ("files", Granularity::Files),
            ("lines", Granularity::Lines),
            ("addresses", Granularity::Addresses),
        ],
    )?;
    let mut sample_index = text("sample_index");
    for (flag, sample_type) in SAMPLE_TYPES {
        if !flags.is_set(flag) {
            continue;
        }
        if sample_index.is_empty() {
            sample_type.clone_into(&mut sample_index);
        } else {
            world.stderr(&format!("Multiple value selections, ignoring -{flag}\n"));
        }
    }
    Ok(Options {
        call_tree: flags.is_set("call_tree"),
        relative_percentages: flags.is_set("relative_percentages"),
        unit: flags.text("unit", &known.unit),
        compact_labels: flags.is_set("compact_labels"),
        source_path: text("source_path"),
        trim_path: text("trim_path"),
        mean: flags.is_set("mean") || flags.is_set("mean_delay"),
        sample_index,
        divide_by: flags.float("divide_by", known.divide_by),
        sort: sort.unwrap_or_default(),
        tag_root: text("tagroot"),
        tag_leaf: text("tagleaf"),
        drop_negative: flags.is_set("drop_negative"),
        node_count: flags.int("nodecount", known.node_count),
        node_fraction: flags.float("nodefraction", known.node_fraction),
        edge_fraction: flags.float("edgefraction", known.edge_fraction),
        trim: flags.bool("trim", known.trim),
        focus: text("focus"),
        ignore: text("ignore"),
        prune_from: text("prune_from"),
        hide: text("hide"),
        show: text("show"),
        show_from: text("show_from"),
        tag_focus: text("tagfocus"),
        tag_ignore: text("tagignore"),
        tag_show: text("tagshow"),
        tag_hide: text("taghide"),
        no_inlines: flags.is_set("noinlines"),
        show_columns: flags.is_set("showcolumns"),
        short_names: flags.is_set("short-names"),
        granularity,
        zone: known.zone,
    })
}

/// The one of several flags that is set.
fn one<T: Copy>(flags: &Parsed, choices: &[(&'static str, T)]) -> Result<Option<T>, Stop> {
    let set: Vec<_> = choices.iter().filter(|(n, _)| flags.is_set(n)).collect();
    match set.as_slice() {
        [] => Ok(None),
        [(_, choice)] => Ok(Some(*choice)),
        several => {
            let names: Vec<&str> = several.iter().map(|(name, _)| *name).collect();
            let names = names.join(" ");
            Err(Stop::failed(format!("conflicting options set: [{names}]")))
        }
    }
}

/// Makes a command of its regular expression.
type WithArgument = fn(String) -> Command;

fn command(flags: &Parsed) -> Result<(Command, Option<&'static str>), Stop> {
    let plain = [
        ("callgrind", Command::Callgrind),
        ("comments", Command::Comments),
        ("csv", Command::Csv),
        ("flame", Command::Flame),
        ("folded", Command::Folded),
        ("heap-sites", Command::HeapSites),
        ("json", Command::Json),
        ("speedscope", Command::Speedscope),
        ("dot", Command::Dot),
        ("proto", Command::Proto),
        ("raw", Command::Raw),
        ("tags", Command::Tags),
        ("text", Command::Top),
        ("top", Command::Top),
        ("topproto", Command::TopProto),
        ("traces", Command::Traces),
        ("tree", Command::Tree),
    ];
    let drawn = ["gif", "pdf", "png", "ps", "svg"];
    let with_argument: [(&str, WithArgument); 3] = [
        ("list", Command::List),
        ("peek", Command::Peek),
        ("weblist", Command::WebList),
    ];
    let mut found = Vec::new();
    let is_set = |name: &str| flags.is_set(name);
    found.extend(
        plain
            .into_iter()
            .filter(|(n, _)| is_set(n))
            .map(|(_, c)| (c, None)),
    );
    found.extend(
        drawn
            .into_iter()
            .filter(|n| is_set(n))
            .map(|n| (Command::Dot, Some(n))),
    );
    for (name, command) in with_argument {
        let argument = flags.text(name, "");
        if !argument.is_empty() {
            found.push((command(argument), None));
        }
    }
    match (found.pop(), found.is_empty()) {
        (Some(command), true) => Ok(command),
        (Some(_), false) => Err(Stop::failed("must set at most one output format")),
        (None, _) => Err(Stop::Usage(
            "no output format specified; the interactive shell is not part of this command"
                .to_owned(),
        )),
    }
}

fn tls(flags: &Parsed) -> Result<Tls, Stop> {
    let given = |name: &str| Some(flags.text(name, "")).filter(|path| !path.is_empty());
    let shown = match (given("tls_cert"), given("tls_key")) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        (None, Some(_)) => {
            let why = "-tls_key is specified, so -tls_cert must also be specified";
            return Err(Stop::failed(why));
        }
        (Some(_), None) => {
            let why = "-tls_cert is specified, so -tls_key must also be specified";
            return Err(Stop::failed(why));
        }
    };
    Ok(Tls {
        authorities: given("tls_ca"),
        shown,
    })
}

fn until_jitter(flags: &Parsed) -> Result<Option<Duration>, Stop> {
    let text = flags.text("until-jitter", "");
    if text.is_empty() {
        return Ok(None);
    }
    let duration = duration(&text).ok_or_else(|| {
        let why = "want a duration such as 90s, 5m or 1h30m";
        Stop::Usage(format!(
            "invalid value {text:?} for flag -until-jitter: {why}"
        ))
    });
    duration.map(Some)
}

/// A duration as Go writes it: `90s`, `1h30m`.
fn duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut sum = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let count: u32 = rest.get(..digits)?.parse().ok()?;
        rest = rest.get(digits..)?;
        let end = rest.find(|c: char| c.is_ascii_digit());
        let (unit, after) = rest.split_at(end.unwrap_or(rest.len()));
        let one = match unit {
            "ms" => Duration::from_millis(1),
            "s" => Duration::from_secs(1),
            "m" => Duration::from_secs(60),
            "h" => Duration::from_secs(3600),
            _ => return None,
        };
        sum = sum.checked_add(one.checked_mul(count)?)?;
        rest = after;
    }
    Some(sum).filter(|sum| !sum.is_zero())
}

fn base(flags: &Parsed) -> Result<Option<Base>, Stop> {
    let (base, diff) = (flags.text("base", ""), flags.text("diff_base", ""));
    if !base.is_empty() && !diff.is_empty() {
        let why = "-base and -diff_base flags cannot both be specified";
        return Err(Stop::failed(why));
    }
    let how = shakedown_pprof::report::Difference {
        of_base: !diff.is_empty(),
        normalize: flags.is_set("normalize"),
    };
    let source = if base.is_empty() { diff } else { base };
    Ok((!source.is_empty()).then_some(Base { source, how }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_gos() {
        let check = |text: &str, ms: Option<u64>| {
            assert_eq!(duration(text), ms.map(Duration::from_millis), "{text}");
        };
        check("90s", Some(90_000));
        check("1h30m", Some(5_400_000));
        check("1500ms", Some(1_500));
        for wrong in ["", "90", "s", "1d", "0s", "-1s", "99999999999s", "1.5s"] {
            check(wrong, None);
        }
    }
}

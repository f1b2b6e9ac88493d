//! Flags by the rules of Go's flag package.
//!
//! One or two dashes; `-x=v` or `-x v`, but a bool takes `=` only; the first
//! argument that is no flag ends them, and so does `--`. A flag given twice
//! counts as it came last.
//!
//! To add a flag: one line in [`FLAGS`], and its use in `arguments`.

use std::collections::HashMap;

use crate::Stop;

/// What a flag takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Bool,
    Int,
    Float,
    Text,
}

/// A flag, and the head of the usage text it stands under.
pub(crate) struct Flag {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) group: Group,
    pub(crate) help: &'static str,
}

/// Parts of the usage text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    Format,
    Option,
    Sort,
    Granularity,
    Source,
    Alias,
}

const fn flag(name: &'static str, kind: Kind, group: Group, help: &'static str) -> Flag {
    Flag {
        name,
        kind,
        group,
        help,
    }
}

/// Every flag.
pub(crate) const FLAGS: &[Flag] = {
    use Group::{Alias, Format, Granularity, Option, Sort, Source};
    use Kind::{Bool, Float, Int, Text};
    &[
        flag("callgrind", Bool, Format, "Graph for KCachegrind"),
        flag("comments", Bool, Format, "Comments of the profile"),
        flag(
            "csv",
            Bool,
            Format,
            "Nodes of -top as comma-separated values",
        ),
        flag("flame", Bool, Format, "Flame graph as one HTML file"),
        flag("folded", Bool, Format, "Stacks as lines"),
        flag(
            "heap-sites",
            Bool,
            Format,
            "In use, allocated and churn of each heap site",
        ),
        flag("json", Bool, Format, "Nodes of -top as JSON"),
        flag("speedscope", Bool, Format, "Stacks for speedscope.app"),
        flag("dot", Bool, Format, "Graph for Graphviz"),
        flag("gif", Bool, Format, "Graph drawn by Graphviz"),
        flag("pdf", Bool, Format, "Graph drawn by Graphviz"),
        flag("list", Text, Format, "Source lines of what matches"),
        flag("peek", Text, Format, "Callers and callees of what matches"),
        flag("png", Bool, Format, "Graph drawn by Graphviz"),
        flag("proto", Bool, Format, "The profile, compressed"),
        flag("ps", Bool, Format, "Graph drawn by Graphviz"),
        flag("raw", Bool, Format, "The profile's tables as text"),
        flag("svg", Bool, Format, "Graph drawn by Graphviz"),
        flag("tags", Bool, Format, "Labels and their values"),
        flag("text", Bool, Format, "Same as -top"),
        flag("top", Bool, Format, "Nodes with the most value"),
        flag("topproto", Bool, Format, "Nodes of -top as a profile"),
        flag("traces", Bool, Format, "Every sample with its stack"),
        flag("tree", Bool, Format, "Nodes with callers and callees"),
        flag(
            "weblist",
            Text,
            Format,
            "Source lines of what matches, as a web page",
        ),
        flag("call_tree", Bool, Option, "Paths, not functions, are nodes"),
        flag("compact_labels", Bool, Option, "Leaves the head out"),
        flag("divide_by", Float, Option, "Divides all values"),
        flag("drop_negative", Bool, Option, "Leaves negative nodes out"),
        flag("edgefraction", Float, Option, "Hides edges below <f>*total"),
        flag("focus", Text, Option, "Keeps samples with a matching frame"),
        flag("hide", Text, Option, "Drops matching frames"),
        flag(
            "ignore",
            Text,
            Option,
            "Drops samples with a matching frame",
        ),
        flag("intel_syntax", Bool, Option, "Assembly in Intel syntax"),
        flag("mean", Bool, Option, "Divides values by the sample's count"),
        flag("nodecount", Int, Option, "Most nodes to show"),
        flag("nodefraction", Float, Option, "Hides nodes below <f>*total"),
        flag(
            "noinlines",
            Bool,
            Option,
            "Counts inlined calls for callers",
        ),
        flag("normalize", Bool, Option, "Scales the profile to the base"),
        flag("output", Text, Option, "File to write"),
        flag(
            "prune_from",
            Text,
            Option,
            "Drops what matching frames call",
        ),
        flag(
            "relative_percentages",
            Bool,
            Option,
            "Percentages of what is left",
        ),
        flag(
            "sample_index",
            Text,
            Option,
            "Sample type, by name or place",
        ),
        flag(
            "short-names",
            Bool,
            Option,
            "Functions by package and name, as long as that tells them apart",
        ),
        flag("show", Text, Option, "Keeps matching frames only"),
        flag(
            "show_from",
            Text,
            Option,
            "Drops frames above the highest match",
        ),
        flag("showcolumns", Bool, Option, "Shows column numbers"),
        flag("source_path", Text, Option, "Where sources are searched"),
        flag(
            "tagfocus",
            Text,
            Option,
            "Keeps samples with a matching label",
        ),
        flag("taghide", Text, Option, "Drops labels with matching names"),
        flag(
            "tagignore",
            Text,
            Option,
            "Drops samples with a matching label",
        ),
        flag("tagleaf", Text, Option, "Labels that become leaf frames"),
        flag("tagroot", Text, Option, "Labels that become root frames"),
        flag("tagshow", Text, Option, "Keeps labels with matching names"),
        flag("trim", Bool, Option, "Honours the three limits"),
        flag("trim_path", Text, Option, "Prefixes cut from source paths"),
        flag("unit", Text, Option, "Unit of values"),
        flag("cum", Bool, Sort, "By value with that of callees"),
        flag("flat", Bool, Sort, "By own value"),
        flag("addresses", Bool, Granularity, "Addresses"),
        flag("filefunctions", Bool, Granularity, "Functions by file"),
        flag("files", Bool, Granularity, "Files"),
        flag("functions", Bool, Granularity, "Functions"),
        flag("lines", Bool, Granularity, "Lines"),
        flag(
            "add_comment",
            Text,
            Source,
            "A comment to add to the profile",
        ),
        flag("all_frames", Bool, Source, "Ignores drop_frames"),
        flag("base", Text, Source, "Profile to subtract"),
        flag("buildid", Text, Source, "Build id of the main program"),
        flag("diff_base", Text, Source, "Profile to compare with"),
        flag("http", Text, Source, "Address of the web page"),
        flag("no_browser", Bool, Source, "Opens no browser"),
        flag("seconds", Int, Source, "How long a server measures"),
        flag(
            "symbolize",
            Text,
            Source,
            "Names and lines: none, local, fastlocal, gotool, remote; force; demangle=none|full|templates",
        ),
        flag(
            "timeout",
            Int,
            Source,
            "Longest wait for a server, in seconds",
        ),
        flag("tls_ca", Text, Source, "Certificates to trust"),
        flag("tls_cert", Text, Source, "Certificate to show"),
        flag("tls_key", Text, Source, "Its key"),
        flag("tools", Text, Source, "Where object tools are"),
        flag(
            "until-jitter",
            Text,
            Source,
            "Looks for so long, in short windows, for one that is odd",
        ),
        flag("alloc_objects", Bool, Alias, "-sample_index=alloc_objects"),
        flag("alloc_space", Bool, Alias, "-sample_index=alloc_space"),
        flag("contentions", Bool, Alias, "-sample_index=contentions"),
        flag("inuse_objects", Bool, Alias, "-sample_index=inuse_objects"),
        flag("inuse_space", Bool, Alias, "-sample_index=inuse_space"),
        flag("mean_delay", Bool, Alias, "-mean -sample_index=delay"),
        flag("total_delay", Bool, Alias, "-sample_index=delay"),
    ]
};

/// Flags that were given, checked against their kinds, and the other arguments.
#[derive(Debug, Default)]
pub(crate) struct Parsed {
    given: HashMap<&'static str, Value>,
    pub(crate) rest: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
enum Value {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
}

impl Parsed {
    pub(crate) fn is_set(&self, name: &str) -> bool {
        self.given.get(name) == Some(&Value::Bool(true))
    }

    pub(crate) fn bool(&self, name: &str, default: bool) -> bool {
        match self.given.get(name) {
            Some(Value::Bool(value)) => *value,
            _ => default,
        }
    }

    pub(crate) fn int(&self, name: &str, default: i64) -> i64 {
        match self.given.get(name) {
            Some(Value::Int(value)) => *value,
            _ => default,
        }
    }

    pub(crate) fn float(&self, name: &str, default: f64) -> f64 {
        match self.given.get(name) {
            Some(Value::Float(value)) => *value,
            _ => default,
        }
    }

    pub(crate) fn text(&self, name: &str, default: &str) -> String {
        match self.given.get(name) {
            Some(Value::Text(value)) => value.clone(),
            _ => default.to_owned(),
        }
    }
}

/// Reads `args`.
pub(crate) fn parse(args: &[String]) -> Result<Parsed, Stop> {
    let mut parsed = Parsed::default();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let flag = match arg.strip_prefix('-') {
            None | Some("") => {
                parsed.rest.push(arg.clone());
                break;
            }
            Some("-") => break,
            Some(flag) => flag.strip_prefix('-').unwrap_or(flag),
        };
        if flag.is_empty() || flag.starts_with(['-', '=']) {
            return Err(Stop::Usage(format!("bad flag syntax: {arg}")));
        }
        let (name, inline) = match flag.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (flag, None),
        };
        let Some(known) = FLAGS.iter().find(|f| f.name == name) else {
            return Err(match name {
                "h" | "help" => Stop::Help,
                _ => Stop::Usage(format!("flag provided but not defined: -{name}")),
            });
        };
        let value = match (known.kind, inline) {
            (Kind::Bool, None) => "true",
            (_, Some(value)) => value,
            (_, None) => match args.next() {
                Some(value) => value,
                None => return Err(Stop::Usage(format!("flag needs an argument: -{name}"))),
            },
        };
        let read = read(known.kind, value).ok_or_else(|| {
            Stop::Usage(match known.kind {
                Kind::Bool => format!("invalid boolean value {value:?} for -{name}: parse error"),
                _ => format!("invalid value {value:?} for flag -{name}: parse error"),
            })
        })?;
        parsed.given.insert(known.name, read);
    }
    parsed.rest.extend(args.cloned());
    Ok(parsed)
}

fn read(kind: Kind, value: &str) -> Option<Value> {
    match kind {
        Kind::Bool => match value {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(Value::Bool(true)),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(Value::Bool(false)),
            _ => None,
        },
        Kind::Int => int(value).map(Value::Int),
        Kind::Float => value.parse().ok().map(Value::Float),
        Kind::Text => Some(Value::Text(value.to_owned())),
    }
}

/// A number as in Go's source: `0x1f`, `0b1`, `0o17`, `017`, `1_000`.
fn int(value: &str) -> Option<i64> {
    let (negative, digits) = match value.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, value.strip_prefix('+').unwrap_or(value)),
    };
    let lower = digits.to_ascii_lowercase();
    let based = [("0x", 16), ("0b", 2), ("0o", 8)]
        .iter()
        .find_map(|(prefix, base)| Some((lower.strip_prefix(prefix)?, *base)));
    let (digits, base) = match based {
        Some(found) => found,
        None if lower.len() > 1 && lower.starts_with('0') => (&lower[1..], 8),
        None => (lower.as_str(), 10),
    };
    let plain = digits.replace('_', "");
    if !plain.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return None;
    }
    let sign = if negative { "-" } else { "" };
    i64::from_str_radix(&format!("{sign}{plain}"), base).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str) -> Result<Parsed, String> {
        let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        parse(&args).map_err(|stop| match stop {
            Stop::Help => "help".to_owned(),
            Stop::Usage(why) | Stop::Failed(why) | Stop::NothingOdd(why) => why,
        })
    }

    #[test]
    fn both_forms_are_read() {
        let parsed = check("-top --nodecount=0x10 -focus a.b -trim=false f g").expect("valid");
        assert!(parsed.is_set("top"));
        assert_eq!(parsed.int("nodecount", -1), 16);
        assert_eq!(parsed.text("focus", ""), "a.b");
        assert!(!parsed.bool("trim", true));
        assert_eq!(parsed.rest, ["f", "g"]);
    }

    #[test]
    fn the_first_other_argument_ends_the_flags() {
        assert_eq!(check("f -top").expect("valid").rest, ["f", "-top"]);
        assert_eq!(check("-- -top").expect("valid").rest, ["-top"]);
        assert_eq!(check("-top - x").expect("valid").rest, ["-", "x"]);
    }

    #[test]
    fn mistakes_are_told_in_gos_words() {
        let cases = [
            ("-nope", "flag provided but not defined: -nope"),
            ("-focus", "flag needs an argument: -focus"),
            ("---top", "bad flag syntax: ---top"),
            ("-=x", "bad flag syntax: -=x"),
            ("-help", "help"),
            (
                "-top=maybe",
                "invalid boolean value \"maybe\" for -top: parse error",
            ),
            (
                "-nodecount=1.5",
                "invalid value \"1.5\" for flag -nodecount: parse error",
            ),
        ];
        for (line, said) in cases {
            assert_eq!(check(line).map(|_| ()), Err(said.to_owned()));
        }
    }

    #[test]
    fn no_flag_stands_twice() {
        for (i, flag) in FLAGS.iter().enumerate() {
            assert!(
                FLAGS[..i].iter().all(|f| f.name != flag.name),
                "{}",
                flag.name
            );
        }
    }
}

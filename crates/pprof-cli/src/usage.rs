//! The usage text, made from the table of flags.

use std::fmt::Write as _;

use crate::flags::{FLAGS, Group, Kind};

pub(crate) fn usage() -> String {
    let mut out = String::from(
        "usage:\n\n   pprof <format> [options] [binary] <source> ...\n\nA source is a file or a URL; several are merged.\n",
    );
    let groups = [
        (Group::Format, "Output formats (select at most one)"),
        (Group::Option, "Options"),
        (Group::Sort, "Order (one)"),
        (Group::Granularity, "Granularity (one)"),
        (Group::Source, "Sources"),
        (Group::Alias, "Same as other options"),
    ];
    for (group, head) in groups {
        let _ = writeln!(out, "\n  {head}:");
        for flag in FLAGS.iter().filter(|f| f.group == group) {
            let value = match flag.kind {
                Kind::Bool => "",
                Kind::Int => "=n",
                Kind::Float => "=f",
                Kind::Text => "=…",
            };
            let name = format!("-{}{value}", flag.name);
            let _ = writeln!(out, "    {name:<24} {}", flag.help);
        }
    }
    out
}

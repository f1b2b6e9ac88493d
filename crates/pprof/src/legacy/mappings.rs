//! Mapped files at the end of a profile, as /proc/self/maps has them or shorter.
//!
//! Source: google/pprof, profile/legacy_profile.go `parseMappingEntry`; its two
//! regular expressions stand above the functions that do the same by hand.

use super::addresses::{map_locations, order_functions, order_locations, tidy_mappings};
use super::builder::Builder;
use super::scan::{Lines, starts_memory_map};
use super::{Parsed, Unread};
use crate::{Mapping, Profile};

/// Reads on to the list of mapped files, if there is one, and finishes the profile.
pub(super) fn additional_sections(lines: &mut Lines<'_>, builder: Builder) -> Parsed<Profile> {
    while !starts_memory_map(&lines.line) && lines.next() {}
    memory_map(lines, builder)
}

/// Reads mapped files to the end and finishes the profile.
pub(super) fn memory_map(lines: &mut Lines<'_>, mut builder: Builder) -> Parsed<Profile> {
    let mut attributes: Vec<(String, String)> = Vec::new();
    while lines.next() {
        let line = without_log_prefix(&lines.line);
        let line = replace(line, &attributes);
        match entry(&line) {
            Some(Some(entry)) => {
                builder.budget.rows::<(Mapping, [u64; 4])>(1)?;
                let file = builder.profile.intern(entry.file);
                let build_id = builder.profile.intern(entry.build_id);
                builder.profile.push_mapping(Mapping {
                    file,
                    build_id,
                    ..entry.mapping
                });
            }
            Some(None) => {}
            None => {
                if let Some((name, value)) = line.split_once('=') {
                    builder.budget.bytes(line.len())?;
                    let name = format!("${}", name.trim());
                    attributes.push((name, value.trim().to_owned()));
                }
            }
        }
    }
    let mut profile = builder.profile;
    tidy_mappings(&mut profile);
    order_locations(&mut profile);
    order_functions(&mut profile);
    map_locations(&mut profile);
    match profile.sample_types().is_empty() {
        true => Err(Unread::Unrecognized),
        false => Ok(profile),
    }
}

/// What a logger wrote before: `^[^\[\]]+:[0-9]+]\s`
fn without_log_prefix(line: &str) -> &str {
    let found = || {
        let close = line.find(['[', ']'])?;
        let prefix = line.get(..close)?;
        let after = line.get(close..)?.strip_prefix(']')?;
        let (file, number) = prefix.rsplit_once(':')?;
        let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
        let message = after.strip_prefix(|c: char| c.is_ascii_whitespace())?;
        (digits && !file.is_empty()).then_some(message)
    };
    found().unwrap_or(line)
}

/// Puts the values of attributes in the places of their names.
fn replace(line: &str, attributes: &[(String, String)]) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        // The earlier attribute wins, as in Go's strings.Replacer.
        match attributes.iter().find(|(name, _)| rest.starts_with(name)) {
            Some((name, value)) => {
                out.push_str(value);
                rest = rest.get(name.len()..).unwrap_or("");
            }
            None => {
                out.push(first);
                rest = rest.get(first.len_utf8()..).unwrap_or("");
            }
        }
    }
    out
}

struct Entry<'a> {
    mapping: Mapping,
    file: &'a str,
    build_id: &'a str,
}

/// A mapped file; `Some(None)` for one that holds no code.
fn entry(line: &str) -> Option<Option<Entry<'_>>> {
    let parts = proc_maps(line).or_else(|| brief(line))?;
    if !parts.permissions.is_empty() && !parts.permissions.contains('x') {
        return Some(None);
    }
    let hex = |text: &str| u64::from_str_radix(text, 16).ok();
    let mapping = Mapping {
        start: hex(parts.start)?,
        limit: hex(parts.limit)?,
        offset: match parts.offset {
            "" => 0,
            offset => hex(offset)?,
        },
        ..Mapping::default()
    };
    Some(Some(Entry {
        mapping,
        file: parts.file,
        build_id: parts.build_id,
    }))
}

#[derive(Default)]
struct Parts<'a> {
    start: &'a str,
    limit: &'a str,
    permissions: &'a str,
    offset: &'a str,
    file: &'a str,
    build_id: &'a str,
}

/// `start-limit perm offset dev:dev inode [file]`
fn proc_maps(line: &str) -> Option<Parts<'_>> {
    let (start, limit, rest) = range(line)?;
    let (permissions, rest) = permissions(rest);
    let (offset, rest) = spaced(rest, is_hex).unwrap_or(("", rest));
    let parsed = device_and_inode(rest).map(|rest| (offset, rest));
    // The offset may be missing; what looks like it is then the device.
    let (offset, rest) = parsed.or_else(|| {
        let rest = spaced(rest, is_hex).map_or(rest, |_| rest);
        device_and_inode(rest).map(|rest| ("", rest))
    })?;
    let file = spaced(rest, |c| !c.is_ascii_whitespace()).map_or("", |(file, _)| file);
    Some(Parts {
        start,
        limit,
        permissions,
        offset,
        file,
        build_id: "",
    })
}

fn device_and_inode(rest: &str) -> Option<&str> {
    let (_, rest) = spaced(rest, is_hex)?;
    let rest = rest.strip_prefix(':')?;
    let minor = rest.bytes().take_while(u8::is_ascii_hexdigit).count();
    let rest = rest.get(minor..).filter(|_| minor > 0)?;
    let (_, rest) = spaced(rest, |c| c.is_ascii_digit())?;
    Some(rest)
}

/// `start-limit [perm] [file] [(@offset)] [build id]`
fn brief(line: &str) -> Option<Parts<'_>> {
    let (start, limit, rest) = range(line)?;
    let (permissions, rest) = permissions(rest);
    let (file, rest) = spaced(rest, |c| !c.is_ascii_whitespace()).unwrap_or(("", rest));
    let at = || {
        let inner = rest.trim_start().strip_prefix("(@")?;
        let (offset, rest) = inner.split_once(')')?;
        let valid = !offset.is_empty() && offset.chars().all(is_hex);
        valid.then_some((offset, rest))
    };
    let (offset, rest) = at().unwrap_or(("", rest));
    let build_id = spaced(rest, is_hex).map_or("", |(id, _)| id);
    Some(Parts {
        start,
        limit,
        permissions,
        offset,
        file,
        build_id,
    })
}

fn is_hex(c: char) -> bool {
    c.is_ascii_hexdigit()
}

/// `start-limit`, with `0x` or not, and a colon after it or not.
fn range(line: &str) -> Option<(&str, &str, &str)> {
    let line = line.trim_start();
    let (start, rest) = hex_part(line)?;
    let rest = rest.trim_start().strip_prefix('-').unwrap_or(rest);
    let (limit, rest) = hex_part(rest.trim_start())?;
    Some((start, limit, rest.strip_prefix(':').unwrap_or(rest)))
}

fn hex_part(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix("0x").unwrap_or(text);
    let len = text.bytes().take_while(u8::is_ascii_hexdigit).count();
    (len > 0).then(|| text.split_at_checked(len)).flatten()
}

fn permissions(rest: &str) -> (&str, &str) {
    spaced(rest, |c| "-rwxp".contains(c)).unwrap_or(("", rest))
}

/// Blanks, then at least one character that `is` holds for.
fn spaced(rest: &str, is: impl Fn(char) -> bool) -> Option<(&str, &str)> {
    let word = rest.trim_start_matches(|c: char| c.is_ascii_whitespace());
    let len = word.find(|c| !is(c)).unwrap_or(word.len());
    (word.len() < rest.len() && len > 0)
        .then(|| word.split_at_checked(len))
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str) -> Option<(u64, u64, u64, &str, &str)> {
        let entry = entry(line)??;
        let m = entry.mapping;
        Some((m.start, m.limit, m.offset, entry.file, entry.build_id))
    }

    #[test]
    fn both_forms_are_read() {
        assert_eq!(
            check("00400000-02d00000 r-xp 00001000 00:00 123 /bin/x y"),
            Some((0x40_0000, 0x2d0_0000, 0x1000, "/bin/x", ""))
        );
        assert_eq!(
            check("0x40000-0x80000 /path/to/binary      (@FF00)            abc123456"),
            Some((0x4_0000, 0x8_0000, 0xff00, "/path/to/binary", "abc123456"))
        );
        assert_eq!(
            check("40000-80000: /b"),
            Some((0x4_0000, 0x8_0000, 0, "/b", ""))
        );
        assert_eq!(check("40000-80000 rw-p 0 00:00 0 /b"), None);
        assert_eq!(check("build=/b"), None);
    }

    #[test]
    fn loggers_and_attributes_are_undone() {
        assert_eq!(without_log_prefix("I0101 x.cc:12] 40-80"), "40-80");
        assert_eq!(without_log_prefix("40-80 [vdso]"), "40-80 [vdso]");
        let attributes = [("$build".to_owned(), "/b".to_owned())];
        assert_eq!(replace("1 $build/x $", &attributes), "1 /b/x $");
    }
}

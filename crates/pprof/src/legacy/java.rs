//! Java's CPU, heap and contention profiles, which name their functions at the end.
//!
//! Source: google/pprof, profile/legacy_java_profile.go.

use std::collections::HashMap;

use super::addresses::{map_locations, order_functions, order_locations};
use super::builder::Builder;
use super::heap::unsample;
use super::scan::{Lines, hex_numbers, stack_part};
use super::{Parsed, Unread, malformed};
use crate::paths::base;
use crate::{FunctionId, Line, Profile};

/// Bytes between two samples of the Java heap profiler.
const HEAP_RATE: i64 = 524_288;

/// What the two text profiles differ in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Heap,
    Contention,
}

pub(super) fn parse(bytes: &[u8], mut builder: Builder) -> Parsed<Profile> {
    let mut lines = Lines::of(bytes);
    lines.next();
    let kind = match lines.line.trim() {
        "--- heapz 1 ---" => Kind::Heap,
        "--- contentionz 1 ---" => Kind::Contention,
        _ => return Err(Unread::Unrecognized),
    };
    header(kind, &mut lines, &mut builder)?;
    while samples(kind, &lines.line, &mut builder)? && lines.next() {}
    locations(&mut lines, builder)
}

/// Names the locations of a binary profile, whose samples were read.
pub(super) fn finish(rest: &[u8], builder: Builder) -> Parsed<Profile> {
    let mut lines = Lines::of(rest);
    lines.next();
    locations(&mut lines, builder)
}

/// Reads `name=value` lines up to the first that is none.
fn header(kind: Kind, lines: &mut Lines<'_>, builder: &mut Builder) -> Parsed<()> {
    while lines.next() {
        let line = lines.line.trim().to_owned();
        if line.is_empty() {
            continue;
        }
        let Some((name, value)) = attribute(&line) else {
            return Ok(());
        };
        let number = || match value.parse::<i64>() {
            Ok(number) => Ok(number),
            Err(_) => malformed("an attribute is no number"),
        };
        match (kind, name) {
            (_, "format") if value == "java" => {}
            (Kind::Heap, "resolution") => {
                builder.sample_types(&[("inuse_objects", "count"), ("inuse_space", value)]);
            }
            (Kind::Contention, "resolution") => {
                builder.sample_types(&[("contentions", "count"), ("delay", value)]);
            }
            (Kind::Contention, "sampling period") => {
                builder.profile.period_type = builder.value_type("contentions", "count");
                builder.profile.period = number()?;
            }
            (Kind::Contention, "ms since reset") => {
                builder.profile.duration_nanos = number()?.wrapping_mul(1_000_000);
            }
            _ => return Err(Unread::Unrecognized),
        }
    }
    Ok(())
}

/// `([\w ]+)=([\w ]+)`
fn attribute(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once('=')?;
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ' ';
    let name = name.rsplit(|c| !is_part(c)).next()?;
    let value = value.split(|c| !is_part(c)).next()?;
    (!name.is_empty() && !value.is_empty()).then_some((name.trim(), value.trim()))
}

/// Reads one row; false where the samples end.
fn samples(kind: Kind, line: &str, builder: &mut Builder) -> Parsed<bool> {
    let line = line.trim();
    if line.is_empty() {
        return Ok(true);
    }
    let Some((second, first, stack)) = split(line) else {
        return Ok(false);
    };
    let (Ok(mut first), Ok(mut second)) = (first.parse::<i64>(), second.parse::<i64>()) else {
        return malformed("a number of a Java sample is too large");
    };
    let Some(mut addresses) = hex_numbers(stack_part(stack)) else {
        return malformed("an address of a Java sample is too large");
    };
    let mut bytes = None;
    match kind {
        Kind::Heap if first == 0 => return malformed("a Java heap sample of no objects"),
        Kind::Heap => {
            bytes = Some(second.wrapping_div(first));
            (first, second) = unsample(first, second, HEAP_RATE);
        }
        Kind::Contention => {
            let period = builder.profile.period;
            if period != 0 {
                first = first.wrapping_mul(period);
                second = second.wrapping_mul(period);
            }
        }
    }
    // Adding one undoes the step back into the call: these are no addresses.
    addresses.iter_mut().for_each(|a| *a = a.wrapping_add(1));
    builder.sample(&addresses, false, &[first, second], bytes)?;
    Ok(true)
}

/// `(\d+) +(\d+) +@ +(stack)`
fn split(line: &str) -> Option<(&str, &str, &str)> {
    let (numbers, stack) = line.split_once("@ ")?;
    let mut words = numbers.split(' ').filter(|w| !w.is_empty());
    let (first, second) = (words.next()?, words.next()?);
    let digits = |w: &str| w.bytes().all(|b| b.is_ascii_digit());
    let spaced = numbers.ends_with(' ') && words.next().is_none();
    (spaced && digits(first) && digits(second)).then_some((first, second, stack))
}

/// Reads the names of locations, from the line at hand to the end.
fn locations(lines: &mut Lines<'_>, mut builder: Builder) -> Parsed<Profile> {
    let mut functions: HashMap<String, FunctionId> = HashMap::new();
    loop {
        if let Some((address, what)) = location(lines.line.trim())
            && let Some(&id) = builder.by_address.get(&address)
        {
            builder.budget.rows::<[u64; 16]>(1)?;
            builder.budget.bytes(what.len().saturating_mul(2))?;
            let (name, file, number) = named(what);
            let profile = &mut builder.profile;
            let known = functions.get(name).copied();
            let function = known.unwrap_or_else(|| {
                let function = profile.push_function(name, file, 0);
                functions.insert(name.to_owned(), function);
                function
            });
            let start = crate::profile::row(profile.lines.len());
            profile.lines.push(Line {
                function,
                line: number,
                column: 0,
            });
            if let Some(location) = profile.locations.get_mut(id.index()) {
                location.lines = start..start + 1;
                location.address = 0;
            }
        }
        if !lines.next() {
            break;
        }
    }
    let mut profile = builder.profile;
    order_locations(&mut profile);
    order_functions(&mut profile);
    map_locations(&mut profile);
    // The addresses are made up: without them, profiles merge better.
    profile.locations.iter_mut().for_each(|l| l.address = 0);
    match profile.sample_types().len() {
        2 => Ok(profile),
        _ => malformed("a Java profile does not say its resolution"),
    }
}

/// `0x1f name (file:line)`
fn location(line: &str) -> Option<(u64, &str)> {
    let rest = line.strip_prefix("0x")?;
    let digits = rest.bytes().take_while(u8::is_ascii_hexdigit).count();
    let (digits, rest) = rest.split_at_checked(digits)?;
    let what = rest.trim_start();
    let address = u64::from_str_radix(digits, 16).ok()?;
    (what.len() < rest.len()).then_some((address, what))
}

/// Function, file and line of a location.
fn named(what: &str) -> (&str, &str, i64) {
    let inside = || {
        let (before, inside) = what.strip_suffix(')')?.rsplit_once('(')?;
        let mut chars = before.chars();
        let blank = chars.next_back().is_some_and(char::is_whitespace);
        blank.then_some((chars.as_str(), inside))
    };
    let Some((name, inside)) = inside() else {
        return match what.contains("generated stub/JIT") {
            true => ("STUB", "", 0),
            false => (what, "", 0),
        };
    };
    if let Some((file, number)) = inside.rsplit_once(':')
        && let Ok(number) = number.parse::<i64>()
        && !file.is_empty()
    {
        return (name, file, number.max(0));
    }
    // The path of a library.
    (name, base(inside), 0)
}

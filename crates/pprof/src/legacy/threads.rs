//! Threads and their stacks: threadz.

use super::builder::Builder;
use super::mappings::additional_sections;
use super::scan::{Lines, hex_numbers, starts_memory_map};
use super::{Parsed, Unread, malformed};
use crate::Profile;

pub(super) fn parse(bytes: &[u8], mut builder: Builder) -> Parsed<Profile> {
    let mut lines = Lines::of(bytes);
    lines.skip_comments();
    if is_head(&lines.line) {
        while lines.next() {
            if starts_memory_map(&lines.line) || lines.line.starts_with('-') {
                break;
            }
        }
    } else if !is_thread(&lines.line) {
        return Err(Unread::Unrecognized);
    }
    builder.sample_types(&[("thread", "count")]);
    builder.profile.period_type = builder.value_type("thread", "count");
    builder.profile.period = 1;
    while !starts_memory_map(&lines.line) {
        if lines.line.starts_with("---- no stack trace for") {
            break;
        }
        if !is_thread(&lines.line) {
            return Err(Unread::Unrecognized);
        }
        let addresses = stack(&mut lines)?;
        if addresses.is_empty() {
            // The same as the thread before.
            if let Some(count) = builder.profile.samples.values.last_mut() {
                *count = count.wrapping_add(1);
            }
            continue;
        }
        builder.sample(&addresses, true, &[1], None)?;
    }
    let budget = builder.budget.clone();
    let profile = additional_sections(&mut lines, builder)?;
    let mut builder = Builder::new(budget);
    builder.profile = profile;
    builder.drop_repeated_leaf();
    Ok(builder.profile)
}

/// `--- threadz 1 ---`
fn is_head(line: &str) -> bool {
    let found = line.split_once("--- threadz ").map(|(_, rest)| rest);
    let number = found.and_then(|rest| rest.split_once(" ---"));
    number.is_some_and(|(n, _)| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

/// `--- Thread 7f00 (name: main/1234) stack: ---`
fn is_thread(line: &str) -> bool {
    let matched = || {
        let (_, rest) = line.split_once("--- Thread ")?;
        let (id, rest) = rest.split_once(" (name: ")?;
        let (name, _) = rest.rsplit_once(") stack: ---")?;
        let (_, number) = name.rsplit_once('/')?;
        let hex = !id.is_empty() && id.bytes().all(|b| b.is_ascii_hexdigit());
        let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
        (hex && digits).then_some(())
    };
    matched().is_some()
}

/// The addresses up to the next head; none if it says "same as previous".
fn stack(lines: &mut Lines<'_>) -> Parsed<Vec<u64>> {
    let (mut addresses, mut same) = (Vec::new(), false);
    while lines.next() {
        let line = lines.line.trim();
        if line.is_empty() {
            continue;
        }
        if line.starts_with("---") {
            break;
        }
        if line.contains("same as previous thread") {
            same = true;
            continue;
        }
        match hex_numbers(line) {
            Some(numbers) => addresses.extend(numbers),
            None => return malformed("an address of a thread is too large"),
        }
    }
    lines.line = lines.line.trim().to_owned();
    Ok(if same { Vec::new() } else { addresses })
}

//! Contention: gperftools' contentionz, Go's `debug=1` mutex and block profiles.

use super::builder::Builder;
use super::mappings::additional_sections;
use super::scan::{Lines, hex_numbers, is_blank_or_comment, stack_part};
use super::{Parsed, Unread, malformed};
use crate::Profile;
use crate::scale::to_int;

pub(super) fn parse(bytes: &[u8], mut builder: Builder) -> Parsed<Profile> {
    let mut lines = Lines::of(bytes);
    lines.next();
    let heads = ["--- contentionz ", "--- mutex:", "--- contention:"];
    if !heads.iter().any(|head| lines.line.starts_with(head)) {
        return Err(Unread::Unrecognized);
    }
    builder.profile.period_type = builder.value_type("contentions", "count");
    builder.profile.period = 1;
    builder.sample_types(&[("contentions", "count"), ("delay", "nanoseconds")]);
    let hertz = attributes(&mut lines, &mut builder.profile)?;
    loop {
        let line = lines.line.trim();
        if line.starts_with("---") {
            break;
        }
        if !is_blank_or_comment(line) {
            let (values, addresses) = row(line, builder.profile.period, hertz)?;
            builder.sample(&addresses, false, &values, None)?;
        }
        if !lines.next() {
            break;
        }
    }
    additional_sections(&mut lines, builder)
}

/// Reads `name = value` lines up to the first that is none; cycles per second.
fn attributes(lines: &mut Lines<'_>, profile: &mut Profile) -> Parsed<i64> {
    let mut hertz = 0;
    while lines.next() {
        let line = lines.line.trim();
        if is_blank_or_comment(line) {
            continue;
        }
        let Some((name, value)) = line.split_once('=') else {
            break;
        };
        if line.starts_with("---") {
            break;
        }
        let number = || {
            value
                .trim()
                .parse::<i64>()
                .map_err(|_| Unread::Unrecognized)
        };
        match name.trim() {
            "cycles/second" => hertz = number()?,
            "sampling period" => profile.period = number()?,
            "ms since reset" => profile.duration_nanos = number()?.wrapping_mul(1_000_000),
            "discarded samples" => {}
            // `format` and `resolution` are Java's.
            _ => return Err(Unread::Unrecognized),
        }
    }
    Ok(hertz)
}

/// `delay count @ 0x1 0x2`: count and delay in ns, and the stack.
fn row(line: &str, period: i64, hertz: i64) -> Parsed<([i64; 2], Vec<u64>)> {
    let Some((delay, count, stack)) = split(line) else {
        return Err(Unread::Unrecognized);
    };
    let (Ok(mut delay), Ok(mut count)) = (delay.parse::<i64>(), count.parse::<i64>()) else {
        return malformed("a number of a contention sample is too large");
    };
    if period > 0 {
        if hertz > 0 {
            let per_nano = hertz as f64 / 1e9;
            delay = to_int(delay as f64 * period as f64 / per_nano);
        }
        count = count.wrapping_mul(period);
    }
    match hex_numbers(stack_part(stack)) {
        Some(addresses) => Ok(([count, delay], addresses)),
        None => malformed("an address of a contention sample is too large"),
    }
}

fn split(line: &str) -> Option<(&str, &str, &str)> {
    let (numbers, stack) = line.split_once(" @")?;
    let digits_from = |text: &str| {
        let digits = text.bytes().rev().take_while(u8::is_ascii_digit).count();
        text.len() - digits
    };
    let (before, count) = numbers.split_at_checked(digits_from(numbers))?;
    let before = before.trim_end_matches(' ');
    let delay = before.get(digits_from(before)..)?;
    (!count.is_empty() && !delay.is_empty()).then_some((delay, count, stack))
}

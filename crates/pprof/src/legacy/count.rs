//! Counts by stack: Go's `debug=1` goroutine and threadcreate profiles.

use super::builder::Builder;
use super::mappings::additional_sections;
use super::scan::{Lines, hex_numbers, is_blank_or_comment};
use super::{Parsed, Unread, malformed};
use crate::Profile;

pub(super) fn parse(bytes: &[u8], mut builder: Builder) -> Parsed<Profile> {
    let mut lines = Lines::of(bytes);
    lines.skip_comments();
    let Some(kind) = header(&lines.line) else {
        return Err(Unread::Unrecognized);
    };
    builder.sample_types(&[(kind, "count")]);
    builder.profile.period_type = builder.value_type(kind, "count");
    builder.profile.period = 1;
    while lines.next() {
        if is_blank_or_comment(&lines.line) {
            continue;
        }
        if lines.line.starts_with("---") {
            break;
        }
        let Some((count, addresses)) = row(&lines.line) else {
            return malformed("a count and a stack were expected");
        };
        builder.sample(&addresses, false, &[count], None)?;
    }
    additional_sections(&mut lines, builder)
}

/// `goroutine profile: total 7`
fn header(line: &str) -> Option<&str> {
    let (kind, total) = line.split_once(" profile: total ")?;
    let digits = !total.is_empty() && total.bytes().all(|b| b.is_ascii_digit());
    let word = !kind.is_empty() && !kind.contains(char::is_whitespace);
    (digits && word).then_some(kind)
}

/// `3 @ 0x1 0x2`
fn row(line: &str) -> Option<(i64, Vec<u64>)> {
    let (count, stack) = line.split_once(" @ ")?;
    let addresses = stack.split(' ').map(|a| {
        let digits = a.strip_prefix("0x")?;
        let lower = digits
            .bytes()
            .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let numbers = hex_numbers(a)?;
        (lower && !digits.is_empty()).then_some(*numbers.first()?)
    });
    let unsigned = count.bytes().all(|b| b.is_ascii_digit());
    let count = count.parse().ok().filter(|_| unsigned)?;
    Some((count, addresses.collect::<Option<Vec<u64>>>()?))
}

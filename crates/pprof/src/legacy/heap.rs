//! Heap profiles as text: gperftools' heap and growth, heap v2, Go's `debug=1`.

use super::builder::Builder;
use super::mappings::additional_sections;
use super::scan::{
    Lines, four_numbers, hex_numbers, is_blank_or_comment, stack_part, starts_memory_map,
};
use super::{Parsed, Unread, malformed};
use crate::Profile;
use crate::scale::to_int;

/// What the header says.
struct Header {
    /// Values are samples of a Poisson process and are scaled up.
    sampled: bool,
    period: i64,
    has_alloc: bool,
}

pub(super) fn parse(bytes: &[u8], mut builder: Builder) -> Parsed<Profile> {
    let mut lines = Lines::of(bytes);
    lines.next();
    let header = header(&lines.line).ok_or(Unread::Unrecognized)?;
    builder.profile.period = header.period;
    builder.profile.period_type = builder.value_type("space", "bytes");
    match header.has_alloc {
        // The last type is shown unless another is asked for.
        true => builder.sample_types(&[
            ("alloc_objects", "count"),
            ("alloc_space", "bytes"),
            ("inuse_objects", "count"),
            ("inuse_space", "bytes"),
        ]),
        false => builder.sample_types(&[("objects", "count"), ("space", "bytes")]),
    }
    while lines.next() {
        let line = lines.line.trim();
        if is_blank_or_comment(line) {
            continue;
        }
        if starts_memory_map(line) {
            break;
        }
        let Some((numbers, rest)) = four_numbers(line, true) else {
            return malformed("a heap sample was expected");
        };
        let parsed = numbers.map(|n| n.parse::<i64>().ok());
        let [Some(count), Some(size), Some(allocated), Some(alloc_size)] = parsed else {
            return malformed("a number of a heap sample is too large");
        };
        let Some(addresses) = hex_numbers(stack_part(rest)) else {
            return malformed("an address of a heap sample is too large");
        };
        let mut values = Vec::with_capacity(4);
        let mut block = 0;
        if header.has_alloc {
            push(allocated, alloc_size, &header, &mut values, &mut block)?;
        }
        push(count, size, &header, &mut values, &mut block)?;
        builder.sample(&addresses, false, &values, Some(block))?;
    }
    additional_sections(&mut lines, builder)
}

fn push(
    count: i64,
    size: i64,
    header: &Header,
    values: &mut Vec<i64>,
    block: &mut i64,
) -> Parsed<()> {
    if count == 0 && size != 0 {
        return malformed("a heap sample of no objects has bytes");
    }
    let (mut count, mut size) = (count, size);
    if count != 0 {
        *block = size.wrapping_div(count);
        if header.sampled {
            (count, size) = unsample(count, size, header.period);
        }
    }
    values.extend([count, size]);
    Ok(())
}

/// What `count` objects of `size` bytes stand for, where one byte in `rate` is sampled.
pub(super) fn unsample(count: i64, size: i64, rate: i64) -> (i64, i64) {
    if count == 0 || size == 0 {
        return (0, 0);
    }
    if rate <= 1 {
        return (count, size);
    }
    let average = size as f64 / count as f64;
    let scale = 1.0 / (1.0 - (-average / rate as f64).exp());
    (to_int(count as f64 * scale), to_int(size as f64 * scale))
}

fn header(line: &str) -> Option<Header> {
    let (_, rest) = line.split_once("heap profile:")?;
    let (numbers, rest) = four_numbers(rest, false)?;
    let [count, size, allocated, alloc_size] = numbers;
    let rest = rest.trim_start_matches(' ');
    if rest.starts_with("growth") || rest.starts_with("fragmentation") {
        return Some(Header {
            sampled: false,
            period: 1,
            has_alloc: false,
        });
    }
    let is_kind = |b: &u8| matches!(b, b'_' | b'0'..=b'9' | b'a'..=b'z');
    let len = rest.bytes().take_while(|b| is_kind(b)).count();
    let (kind, rest) = rest.split_at_checked(len)?;
    let rest = rest.strip_prefix('/').unwrap_or(rest);
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let period: i64 = match rest.get(..digits)? {
        "" => 0,
        digits => digits.parse().ok()?,
    };
    let (sampled, period) = match kind {
        "heapz_v2" | "heap_v2" => (true, period),
        "heapprofile" => (false, 1),
        "heap" => (true, period / 2),
        _ => return None,
    };
    let has_alloc =
        allocated != count && allocated != "0" || alloc_size != size && alloc_size != "0";
    Some(Header {
        sampled,
        period,
        has_alloc,
    })
}

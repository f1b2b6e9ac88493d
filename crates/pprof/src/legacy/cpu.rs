//! CPU profiles of gperftools: words of 4 or 8 bytes in either order.
//!
//! The header is 0, 3, 0 (1 for Java), the period in µs and 0. Then samples:
//! how often, how many addresses, the addresses; 0, 1, 0 ends them.

use std::collections::HashMap;

use super::builder::{Builder, address};
use super::mappings::memory_map;
use super::scan::Lines;
use super::{Parsed, Unread, java};
use crate::{LocationId, Profile};

/// Of samples that end alike, one in so many may differ.
const ALIKE: usize = 32;
/// At most so many frames of the signal handler are taken out.
const HANDLER_FRAMES: usize = 2;

/// How words are written.
#[derive(Clone, Copy)]
struct Words {
    bytes: usize,
    big_endian: bool,
}

impl Words {
    /// The next word and what follows; nothing follows a word that is cut.
    fn next(self, bytes: &[u8]) -> (u64, Option<&[u8]>) {
        let Some((word, rest)) = bytes.split_at_checked(self.bytes) else {
            return (0, None);
        };
        let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        let value = match self.big_endian {
            true => word.iter().fold(0, add),
            false => word.iter().rev().fold(0, add),
        };
        (value, Some(rest))
    }
}

pub(super) fn parse(bytes: &[u8], mut builder: Builder) -> Parsed<Profile> {
    for (size, big_endian) in [(4, false), (4, true), (8, false), (8, true)] {
        let words = Words {
            bytes: size,
            big_endian,
        };
        let mut rest = Some(bytes);
        let mut header = [0u64; 5];
        for word in &mut header {
            (*word, rest) = rest.map_or((0, None), |r| words.next(r));
        }
        let (Some(rest), [0, 3, language @ (0 | 1), period @ (1..), 0]) = (rest, header) else {
            continue;
        };
        builder.profile.period = period.cast_signed().wrapping_mul(1000);
        builder.profile.period_type = builder.value_type("cpu", "nanoseconds");
        builder.sample_types(&[("samples", "count"), ("cpu", "nanoseconds")]);
        let rest = samples(rest, words, language == 0, &mut builder)?;
        return match language {
            0 => native(rest, builder),
            _ => java::finish(rest, builder),
        };
    }
    Err(Unread::Unrecognized)
}

/// Reads samples; what follows them.
fn samples<'a>(
    bytes: &'a [u8],
    words: Words,
    follow_calls: bool,
    builder: &mut Builder,
) -> Parsed<&'a [u8]> {
    let mut rest = bytes;
    let mut addresses = Vec::new();
    while !rest.is_empty() {
        let (count, after) = words.next(rest);
        let (length, after) = after.map_or((0, None), |r| words.next(r));
        let Some(mut left) = after else {
            return Err(Unread::Unrecognized);
        };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > left.len() / 4 {
            return Err(Unread::Unrecognized);
        }
        addresses.clear();
        for _ in 0..length {
            let (address, after) = words.next(left);
            addresses.push(address);
            left = after.unwrap_or(&[]);
        }
        rest = left;
        if count == 0 && addresses == [0] {
            break;
        }
        let count = count.cast_signed();
        let values = [count, count.wrapping_mul(builder.profile.period)];
        if follow_calls {
            builder.sample(&addresses, true, &values, None)?;
        } else {
            // Adding one undoes the step back into the call.
            addresses.iter_mut().for_each(|a| *a = a.wrapping_add(1));
            builder.sample(&addresses, false, &values, None)?;
        }
    }
    Ok(rest)
}

fn native(rest: &[u8], mut builder: Builder) -> Parsed<Profile> {
    for _ in 0..HANDLER_FRAMES {
        let Some(handler) = handler_frame(&builder.profile) else {
            break;
        };
        builder.map_stacks(|profile, stack| {
            if stack
                .get(1)
                .is_some_and(|l| address(profile, *l) == handler)
            {
                stack.remove(1);
            }
        });
    }
    let budget = builder.budget.clone();
    let profile = memory_map(&mut Lines::of(rest), builder)?;
    let mut builder = Builder::new(budget);
    builder.profile = profile;
    builder.drop_repeated_leaf();
    Ok(builder.profile)
}

/// The address that nearly all samples have second: a frame of the handler that
/// took the sample.
fn handler_frame(profile: &Profile) -> Option<u64> {
    let mut counts: HashMap<u64, usize> = HashMap::new();
    let second = |stack: &[LocationId]| stack.get(1).map(|l| address(profile, *l));
    for sample in profile.samples() {
        if let Some(address) = second(sample.locations) {
            *counts.entry(address).or_default() += 1;
        }
    }
    let samples = profile.samples().len();
    let (address, count) = counts
        .into_iter()
        .max_by_key(|&(address, count)| (count, std::cmp::Reverse(address)))?;
    (count >= samples - samples / ALIKE).then_some(address)
}

//! `-weblist`: source lines with their values, as a web page.
//!
//! The original shows the instructions of each line, too, if it has the program: disassembly is
//! not done here, and the page is the one that it writes where the program is not at hand. Lines
//! whose code was inlined still show what it was inlined from.
//!
//! Source: google/pprof, internal/report/source.go `MakeWebList`.

mod functions;
mod page;

use std::collections::{BTreeMap, HashMap, HashSet};

use super::source::Reader;
use super::{Report, ReportError};
use crate::paths::clean;
use crate::{LocationId, Profile};

/// A place that was inlined into another: file and line.
type Call<'p> = (&'p str, i64);

/// Code that is shown: flat and cumulative value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Values {
    flat: i64,
    cum: i64,
}

impl Values {
    fn add(&mut self, other: Values) {
        self.flat = self.flat.wrapping_add(other.flat);
        self.cum = self.cum.wrapping_add(other.cum);
    }
}

/// An address under one of its lines, and what was inlined there, the caller first.
#[derive(Debug)]
struct Code<'p> {
    address: u64,
    calls: Vec<Call<'p>>,
}

/// What is shown of one file.
#[derive(Debug, Default)]
struct File<'p> {
    /// Code by line.
    lines: BTreeMap<i64, Vec<Code<'p>>>,
    /// The function that a line belongs to: the first one seen there.
    names: HashMap<i64, &'p str>,
}

/// All that the page shows.
#[derive(Debug, Default)]
struct Listing<'p> {
    files: BTreeMap<String, File<'p>>,
    values: HashMap<u64, Values>,
    /// Readable names by the linker's.
    readable: HashMap<&'p str, &'p str>,
}

impl Report<'_> {
    pub(super) fn web_list(
        &self,
        profile: &Profile,
        reader: &mut Reader<'_>,
    ) -> Result<String, ReportError> {
        let listing = self.gather(profile)?;
        Ok(self.page(profile, &listing, reader))
    }

    fn gather<'p>(&self, profile: &'p Profile) -> Result<Listing<'p>, ReportError> {
        let pattern = self.symbol.as_ref();
        let matches = |text: &str| pattern.is_some_and(|p| p.is_match(text));
        let wanted = pattern.and_then(|p| address(p.as_str()));
        let mut listing = Listing::default();
        let mut places: BTreeMap<u64, LocationId> = BTreeMap::new();
        let mut interest: HashSet<&str> = HashSet::new();
        let addresses = addresses(profile);
        let mut seen = HashSet::new();
        for sample in profile.samples() {
            let value = match self.weights.of(&sample) {
                (value, 0) => value,
                (value, divisor) => value.wrapping_div(divisor),
            };
            seen.clear();
            for (depth, &id) in sample.locations.iter().enumerate().rev() {
                let lines = profile.lines(id);
                let function = |index: usize| {
                    let line = lines.get(index)?;
                    profile.functions().get(line.function.index())
                };
                for function in (0..lines.len()).filter_map(function) {
                    let name = profile.text(function.name);
                    listing
                        .readable
                        .insert(profile.text(function.system_name), name);
                }
                let Some(&address) = addresses.get(id.index()) else {
                    continue;
                };
                let values = listing.values.entry(address).or_default();
                // A place that recursion comes through twice counts once.
                if seen.insert(address) {
                    values.cum = values.cum.wrapping_add(value);
                }
                if depth == 0 {
                    values.flat = values.flat.wrapping_add(value);
                }
                let mut mark = |index: usize| {
                    if let Some(function) = function(index) {
                        interest.insert(profile.text(function.name));
                        interest.insert(profile.text(function.system_name));
                        places.entry(address).or_insert(id);
                    }
                };
                if wanted == Some(address) {
                    mark(lines.len().wrapping_sub(1));
                    continue;
                }
                let mapping = profile.locations().get(id.index()).and_then(|l| l.mapping);
                let mapping = mapping.and_then(|m| profile.mappings().get(m.index()));
                let file_matches = mapping.is_some_and(|m| matches(profile.text(m.file)));
                for index in 0..lines.len() {
                    let by_function = function(index).is_some_and(|f| {
                        let texts = [f.name, f.system_name, f.file];
                        texts.iter().any(|text| matches(profile.text(*text)))
                    });
                    if by_function || (index == 0 && file_matches) {
                        mark(index);
                    }
                }
            }
        }
        if interest.is_empty() {
            return Err(ReportError::NoMatch {
                pattern: pattern.map_or_else(String::new, |p| p.as_str().to_owned()),
            });
        }
        for (address, id) in places {
            listing.add(profile, address, id, &interest);
        }
        Ok(listing)
    }
}

impl<'p> Listing<'p> {
    /// Files an address under every line of its stack that is of interest.
    fn add(
        &mut self,
        profile: &'p Profile,
        address: u64,
        id: LocationId,
        interest: &HashSet<&str>,
    ) {
        let frames: Vec<(&str, &str, i64)> = profile
            .lines(id)
            .iter()
            .filter_map(|line| {
                let function = profile.functions().get(line.function.index())?;
                let (name, file) = (profile.text(function.name), profile.text(function.file));
                Some((name, file, line.line))
            })
            .collect();
        for (index, (name, file, line)) in frames.iter().enumerate() {
            if !interest.contains(name) {
                continue;
            }
            let inner = frames.get(..index).unwrap_or_default();
            let calls = inner.iter().rev().map(|(_, file, line)| (*file, *line));
            let file = self.files.entry(canonical(file)).or_default();
            let code = Code {
                address,
                calls: calls.collect(),
            };
            file.lines.entry(*line).or_default().push(code);
            file.names.entry(*line).or_insert(*name);
        }
    }

    fn of(&self, address: u64) -> Values {
        self.values.get(&address).copied().unwrap_or_default()
    }
}

/// The address of each location; those without one get numbers behind all mappings, in the order
/// that samples meet them.
fn addresses(profile: &Profile) -> Vec<u64> {
    let mut addresses: Vec<u64> = profile.locations().iter().map(|l| l.address).collect();
    let mut next = profile.mappings().iter().map(|m| m.limit).fold(1, u64::max);
    for sample in profile.samples() {
        for id in sample.locations.iter().rev() {
            if let Some(address) = addresses.get_mut(id.index()).filter(|a| **a == 0) {
                *address = next;
                next = next.wrapping_add(1).max(1);
            }
        }
    }
    addresses
}

/// The pattern as an address, in Go's notation of numbers.
fn address(pattern: &str) -> Option<u64> {
    let lower = pattern.to_ascii_lowercase();
    let based = [("0x", 16), ("0b", 2), ("0o", 8)];
    let based = based
        .iter()
        .find_map(|(p, base)| Some((lower.strip_prefix(p)?, *base)));
    let (digits, base) = match based {
        Some(found) => found,
        None if lower.len() > 1 && lower.starts_with('0') => (lower.get(1..)?, 8),
        None => (lower.as_str(), 10),
    };
    if digits.starts_with('+') {
        return None;
    }
    u64::from_str_radix(&digits.replace('_', ""), base).ok()
}

fn canonical(file: &str) -> String {
    let file = file.strip_prefix("/proc/self/cwd/").unwrap_or(file);
    let file = file.strip_prefix("./").unwrap_or(file);
    match clean(file).as_ref() {
        "" => ".".to_owned(),
        clean => clean.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_addresses_too() {
        let cases = [
            ("0x4c4960", Some(0x4c_4960)),
            ("4096", Some(4096)),
            ("010", Some(8)),
            ("main", None),
            ("0x", None),
            ("+5", None),
            ("", None),
        ];
        for (pattern, wanted) in cases {
            assert_eq!(address(pattern), wanted, "{pattern}");
        }
    }

    #[test]
    fn files_have_one_name() {
        assert_eq!(canonical("/proc/self/cwd/./a//b.c"), "a/b.c");
        assert_eq!(canonical(""), ".");
        assert_eq!(canonical("/a/../b.go"), "/b.go");
    }
}

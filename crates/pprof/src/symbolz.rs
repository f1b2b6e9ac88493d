//! Names from a server that knows its own addresses: what to ask, and its answer.
//!
//! The question is hexadecimal addresses joined by `+`; the answer has a line
//! `0x1234 main.work` for each that it knows, as Go's `/debug/pprof/symbol` and
//! gperftools' write it. Lines of any other form are passed over.
//!
//! Source: google/pprof, internal/symbolz/symbolz.go.

use std::collections::HashMap;

use crate::profile::row;
use crate::{Line, Profile, StringId};

impl Profile {
    /// Gives the mapping at `place` another file.
    pub fn set_mapping_file(&mut self, place: usize, file: StringId) {
        if let Some(mapping) = self.mappings.get_mut(place) {
            mapping.file = file;
        }
    }

    /// Addresses in the mapping at `place` of which no function is known.
    pub fn unnamed_addresses(&self, place: usize) -> Vec<u64> {
        let here = self.locations.iter().filter(|location| {
            let mapped = location.mapping.is_some_and(|m| m.index() == place);
            mapped && location.address != 0 && location.lines.is_empty()
        });
        here.map(|location| location.address).collect()
    }

    /// Names addresses in the mapping at `place` by `answer`, whose addresses are
    /// `moved` higher than the profile's. An address that has a name keeps it.
    pub fn name_addresses(&mut self, place: usize, moved: u64, answer: &str) {
        let names: HashMap<u64, &str> = answer
            .lines()
            .filter_map(named)
            .map(|(address, name)| (address.wrapping_sub(moved), name))
            .collect();
        let mut functions = HashMap::new();
        for at in 0..self.locations.len() {
            let Some(location) = self.locations.get(at) else {
                break;
            };
            let mapped = location.mapping.is_some_and(|m| m.index() == place);
            let Some(&name) = names.get(&location.address) else {
                continue;
            };
            if !mapped || !location.lines.is_empty() {
                continue;
            }
            let function = *functions
                .entry(name)
                .or_insert_with(|| self.push_function(name, "", 0));
            let start = row(self.lines.len());
            self.lines.push(Line {
                function,
                line: 0,
                column: 0,
            });
            if let Some(location) = self.locations.get_mut(at) {
                location.lines = start..row(self.lines.len());
            }
        }
        if let Some(mapping) = self.mappings.get_mut(place) {
            mapping.has_functions = true;
        }
    }
}

/// `0x1234 main.work`, wherever in the line it begins.
fn named(line: &str) -> Option<(u64, &str)> {
    let (_, after) = line.split_once("0x")?;
    let end = after.find(|c: char| !c.is_ascii_hexdigit())?;
    let (digits, name) = after.split_at(end);
    let address = u64::from_str_radix(digits, 16).ok()?;
    let begun = name.trim_start();
    (begun.len() < name.len() && !begun.is_empty()).then(|| (address, begun.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LocationId, Mapping};

    /// Two unnamed addresses in one mapping, and one outside of it.
    fn profile() -> (Profile, Vec<LocationId>) {
        let mut profile = Profile::new(&[("n", "count")]);
        let mapping = profile.push_mapping(Mapping::default());
        let places = [(0x10, Some(mapping)), (0x20, Some(mapping)), (0x30, None)];
        let locations =
            places.map(|(address, mapping)| profile.push_location(address, mapping, &[]));
        (profile, locations.to_vec())
    }

    /// Names of the three after `answer`.
    fn check(moved: u64, answer: &str) -> Vec<String> {
        let (mut profile, locations) = profile();
        profile.name_addresses(0, moved, answer);
        let name = |id: &LocationId| {
            let line = profile.lines(*id).first()?;
            let function = profile.functions().get(line.function.index())?;
            Some(profile.text(function.name).to_owned())
        };
        locations
            .iter()
            .map(|id| name(id).unwrap_or_default())
            .collect()
    }

    #[test]
    fn what_the_server_knows_gets_its_name() {
        let answer = "num_symbols: 1\n0x10 main.work\n0x20\tmain (x)  \n0x30 other\n";
        assert_eq!(check(0, answer), ["main.work", "main (x)", ""]);
        assert_eq!(
            check(0x100, "0x110 main.work\n0x10 no\n"),
            ["main.work", "", ""]
        );
    }

    #[test]
    fn noise_names_nothing() {
        for noise in [
            "",
            "0x",
            "0x10",
            "0x10main",
            "0xfffffffffffffffff f",
            "<html>0x1</html>",
        ] {
            assert_eq!(check(0, noise), ["", "", ""], "{noise}");
        }
    }

    #[test]
    fn only_what_has_no_name_is_asked_for() {
        let (mut profile, _) = profile();
        assert_eq!(profile.unnamed_addresses(0), [0x10, 0x20]);
        profile.name_addresses(0, 0, "0x10 a");
        assert_eq!(profile.unnamed_addresses(0), [0x20]);
        assert!(profile.mappings()[0].has_functions);
    }
}

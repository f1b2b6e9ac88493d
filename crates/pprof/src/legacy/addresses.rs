//! Locations in the order of their use, each in its mapping.
//!
//! Source: google/pprof, profile/legacy_profile.go `remapLocationIDs`,
//! `remapMappingIDs`, profile/profile.go `massageMappings`.

use crate::{LocationId, Mapping, MappingId, Profile};

/// Where Linux put programs that are not position-independent.
const USUAL_START: u64 = 0x40_0000;

/// Numbers locations in the order in which samples use them; others go.
pub(super) fn order_locations(profile: &mut Profile) {
    let mut new_of = vec![None; profile.locations.len()];
    let mut order = Vec::new();
    for location in &mut profile.samples.locations {
        let Some(place) = new_of.get_mut(location.index()) else {
            continue;
        };
        let old = *location;
        *location = *place.get_or_insert_with(|| {
            order.push(old);
            LocationId::at(order.len() - 1)
        });
    }
    let old = std::mem::take(&mut profile.locations);
    let rows = order.iter().filter_map(|l| old.get(l.index()).cloned());
    profile.locations = rows.collect();
}

/// Numbers functions in the order in which locations use them; others go.
pub(super) fn order_functions(profile: &mut Profile) {
    let mut new_of = vec![None; profile.functions.len()];
    let mut order = Vec::new();
    for location in &profile.locations {
        for i in location.lines.clone() {
            let Some(line) = profile.lines.get_mut(i as usize) else {
                continue;
            };
            let Some(place) = new_of.get_mut(line.function.index()) else {
                continue;
            };
            let old = line.function;
            line.function = *place.get_or_insert_with(|| {
                order.push(old);
                crate::FunctionId::at(order.len() - 1)
            });
        }
    }
    let old = std::mem::take(&mut profile.functions);
    let rows = order.iter().filter_map(|f| old.get(f.index()).copied());
    profile.functions = rows.collect();
}

/// Joins mappings that were split and moves the main program to the front.
pub(super) fn tidy_mappings(profile: &mut Profile) {
    let mut joined: Vec<Mapping> = Vec::new();
    for mapping in std::mem::take(&mut profile.mappings) {
        match joined.last_mut() {
            Some(last) if adjacent(last, &mapping) => {
                last.limit = mapping.limit;
                if mapping.file != crate::StringId::default() {
                    last.file = mapping.file;
                }
                if mapping.build_id != crate::StringId::default() {
                    last.build_id = mapping.build_id;
                }
            }
            _ => joined.push(mapping),
        }
    }
    profile.mappings = joined;
    let is_main = |mapping: &Mapping| {
        let file = profile.text(mapping.file).replace("(deleted)", "");
        let file = file.trim();
        !file.is_empty() && !file.starts_with('[') && !is_library(file)
    };
    if let Some(main) = profile.mappings.iter().position(is_main) {
        profile.mappings.swap(0, main);
    }
}

/// `[.]so$|[.]so[._][0-9]+`
fn is_library(file: &str) -> bool {
    file.match_indices(".so").any(|(at, _)| {
        let after = file.get(at + 3..).unwrap_or("");
        let mut chars = after.chars();
        match (chars.next(), chars.next()) {
            (None, _) => true,
            (Some('.' | '_'), Some(digit)) => digit.is_ascii_digit(),
            _ => false,
        }
    })
}

fn adjacent(one: &Mapping, next: &Mapping) -> bool {
    let none = crate::StringId::default();
    let differ = |a, b| a != none && b != none && a != b;
    if differ(one.file, next.file) || differ(one.build_id, next.build_id) {
        return false;
    }
    if one.limit != next.start {
        return false;
    }
    let size = one.limit.wrapping_sub(one.start);
    one.offset == 0 || next.offset == 0 || one.offset.wrapping_add(size) == next.offset
}

/// Gives each location with an address its mapping, a made-up one if need be.
pub(super) fn map_locations(profile: &mut Profile) {
    if let [first, second, ..] = profile.mappings.as_slice()
        && profile.text(first.file).starts_with("/anon_hugepage")
        && first.limit == second.start
    {
        profile.mappings.remove(0);
    }
    if let Some(main) = profile.mappings.first_mut()
        && main.start.wrapping_sub(main.offset) == USUAL_START
    {
        main.start = USUAL_START;
        main.offset = 0;
    }
    let mut made_up: Option<MappingId> = None;
    for i in 0..profile.locations.len() {
        let Some(location) = profile.locations.get(i) else {
            continue;
        };
        let address = location.address;
        if location.mapping.is_some() || address == 0 {
            continue;
        }
        let found = find(&mut profile.mappings, address).or(made_up);
        let found = found.unwrap_or_else(|| {
            let all = Mapping {
                limit: u64::MAX,
                ..Mapping::default()
            };
            *made_up.insert(profile.push_mapping(all))
        });
        if let Some(location) = profile.locations.get_mut(i) {
            location.mapping = Some(found);
        }
    }
}

fn find(mappings: &mut [Mapping], address: u64) -> Option<MappingId> {
    let within = |m: &Mapping| m.start <= address && address < m.limit;
    if let Some(place) = mappings.iter().position(within) {
        return Some(MappingId::at(place));
    }
    // Handlers failed to write the first part of a mapping that was split.
    let before = |m: &Mapping| {
        m.offset != 0 && m.start.wrapping_sub(m.offset) <= address && address < m.start
    };
    let place = mappings.iter().position(before)?;
    let mapping = mappings.get_mut(place)?;
    mapping.start = mapping.start.wrapping_sub(mapping.offset);
    mapping.offset = 0;
    Some(MappingId::at(place))
}

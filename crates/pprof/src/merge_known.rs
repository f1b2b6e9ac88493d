//! Which rows of a source are merged already.
//!
//! Profiles of one program share most of their rows. Those are looked up here, a table at
//! a time: no lookup waits for another one's memory, as it does when samples ask for one
//! row after the other. Nothing is added, so new rows come in the order of their use.

use crate::hash::hash_of;
use crate::merge_tables::{Moved, Tables, UNMOVED, key_of};
use crate::{Function, FunctionId, Line, LocationId, Mapping, MappingId, Profile, StringId};

impl Tables {
    /// Where those rows of `source` are that were merged before.
    pub(crate) fn known(&self, source: &Profile) -> Moved {
        let mut moved = Moved {
            texts: self.merged.strings.places_of(&source.strings),
            locations: Vec::new(),
            functions: Vec::new(),
            mappings: Vec::new(),
            lines: Vec::new(),
        };
        let mappings = source.mappings().iter();
        moved.mappings = mappings.map(|m| self.known_mapping(&moved, *m)).collect();
        moved.functions = self.known_functions(source, &moved);
        moved.locations = self.known_locations(source, &moved);
        moved
    }

    fn known_mapping(&self, moved: &Moved, mut mapping: Mapping) -> Option<(MappingId, u64)> {
        mapping.file = moved.text(mapping.file)?;
        mapping.build_id = moved.text(mapping.build_id)?;
        let &known = self.mappings.get(&key_of(&mapping))?;
        let start = self.merged.mappings.get(known.index())?.start;
        Some((known, start.wrapping_sub(mapping.start)))
    }

    fn known_functions(&self, source: &Profile, moved: &Moved) -> Vec<Option<FunctionId>> {
        let sought = source.functions().iter().map(|function| {
            let function = Function {
                name: moved.text(function.name)?,
                system_name: moved.text(function.system_name)?,
                file: moved.text(function.file)?,
                ..*function
            };
            let likely = self.functions.likely(function_hash(&function))?;
            Some((function, likely))
        });
        let sought: Vec<_> = sought.collect();
        let functions = &self.merged.functions;
        let known = sought.into_iter().map(|sought| {
            let (function, likely) = sought?;
            let is = functions.get(likely) == Some(&function);
            is.then(|| FunctionId::at(likely))
        });
        known.collect()
    }

    fn known_locations(&self, source: &Profile, moved: &Moved) -> Vec<LocationId> {
        // The lines of the source as they would stand in the merged profile.
        let function = |id: FunctionId| moved.functions.get(id.index()).copied().flatten();
        let lines = source.lines.iter().map(|line| {
            let function = function(line.function).unwrap_or(FunctionId::NONE);
            Line { function, ..*line }
        });
        let lines: Vec<Line> = lines.collect();
        let sought = source.locations().iter().map(|location| {
            let (mapping, shift) = match location.mapping {
                Some(id) => {
                    let (mapping, shift) = moved.mappings.get(id.index()).copied().flatten()?;
                    (Some(mapping), shift)
                }
                None => (None, 0),
            };
            let range = location.lines.start as usize..location.lines.end as usize;
            let sought = Sought {
                address: location.address.wrapping_add(shift),
                mapping,
                is_folded: location.is_folded,
                lines: lines.get(range)?,
            };
            let likely = self.locations.likely(sought.hash())?;
            Some((sought, likely))
        });
        let sought: Vec<_> = sought.collect();
        let known = sought.into_iter().map(|sought| match sought {
            Some((sought, likely)) if sought.is_at(&self.merged, likely) => LocationId::at(likely),
            _ => UNMOVED,
        });
        known.collect()
    }
}

impl Moved {
    fn text(&self, id: StringId) -> Option<StringId> {
        self.texts.get(id.index()).copied().flatten()
    }
}

/// A location as it would stand in the merged profile.
pub(crate) struct Sought<'a> {
    pub(crate) address: u64,
    pub(crate) mapping: Option<MappingId>,
    pub(crate) is_folded: bool,
    pub(crate) lines: &'a [Line],
}

impl Sought<'_> {
    #[inline]
    pub(crate) fn hash(&self) -> u32 {
        hash_of((self.address, self.mapping, self.lines))
    }

    /// True if it is the location at `place`.
    #[inline]
    pub(crate) fn is_at(&self, merged: &Profile, place: usize) -> bool {
        merged.locations().get(place).is_some_and(|row| {
            row.address == self.address
                && row.mapping == self.mapping
                && row.is_folded == self.is_folded
        }) && merged.lines(LocationId::at(place)) == self.lines
    }
}

pub(crate) fn function_hash(function: &Function) -> u32 {
    let texts = (function.name, function.system_name, function.file);
    hash_of((function.start_line, texts))
}

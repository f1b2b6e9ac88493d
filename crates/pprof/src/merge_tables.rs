//! Rows of merged profiles, but for samples: added where a sample first uses them, and
//! found again by what they hold.

use std::collections::HashMap;

use crate::hash::Quick;
use crate::merge_known::{Sought, function_hash};
use crate::places::Places;
use crate::{
    FunctionId, Label, LabelValue, Line, LocationId, Mapping, MappingId, Profile, StringId,
};

/// The merged profile but for its samples.
pub(crate) struct Tables {
    pub(crate) merged: Profile,
    /// Merged locations by address, mapping and lines.
    pub(crate) locations: Places,
    /// Merged functions by all that they hold.
    pub(crate) functions: Places,
    /// By size, offset, and build id or file.
    pub(crate) mappings: HashMap<(u64, u64, StringId), MappingId, Quick>,
}

/// No location: no table has that many.
pub(crate) const UNMOVED: LocationId = LocationId::NONE;

/// Where the rows of one source went.
pub(crate) struct Moved {
    pub(crate) texts: Vec<Option<StringId>>,
    /// [`UNMOVED`] at first: half the room of an option, and it is looked up for every frame.
    pub(crate) locations: Vec<LocationId>,
    pub(crate) functions: Vec<Option<FunctionId>>,
    /// With what is added to addresses.
    pub(crate) mappings: Vec<Option<(MappingId, u64)>>,
    /// Of the location under way.
    pub(crate) lines: Vec<Line>,
}

impl Tables {
    /// `merged`, which has no rows yet.
    pub(crate) fn of(merged: Profile) -> Self {
        Tables {
            merged,
            locations: Places::default(),
            functions: Places::default(),
            mappings: HashMap::default(),
        }
    }

    /// Appends the labels of a sample to `labels`, sorted by name, texts first.
    pub(crate) fn labels(
        &mut self,
        source: &Profile,
        moved: &mut Moved,
        given: &[Label],
        labels: &mut Vec<Label>,
    ) {
        let none = LabelValue::Number {
            value: 0,
            unit: StringId::default(),
        };
        let from = labels.len();
        labels.extend(given.iter().filter(|l| l.value != none));
        let labels = labels.get_mut(from..).unwrap_or_default();
        labels.sort_by_key(|l| {
            let number = matches!(l.value, LabelValue::Number { .. });
            (number, source.text(l.key))
        });
        for label in labels {
            label.key = self.text(source, moved, label.key);
            label.value = match label.value {
                LabelValue::Text(text) => LabelValue::Text(self.text(source, moved, text)),
                LabelValue::Number { value, unit } => LabelValue::Number {
                    value,
                    unit: self.text(source, moved, unit),
                },
            };
        }
    }

    fn text(&mut self, source: &Profile, moved: &mut Moved, id: StringId) -> StringId {
        match moved.texts.get_mut(id.index()) {
            Some(place) => *place.get_or_insert_with(|| self.merged.intern(source.text(id))),
            None => StringId::default(),
        }
    }

    /// Appends where the locations of `given` went to `stack`.
    #[inline]
    pub(crate) fn stack(
        &mut self,
        source: &Profile,
        moved: &mut Moved,
        given: &[LocationId],
        stack: &mut Vec<LocationId>,
    ) {
        let from = stack.len();
        let mut some_new = false;
        stack.extend(given.iter().map(|l| {
            let place = moved.locations.get(l.index()).copied().unwrap_or(UNMOVED);
            some_new |= place == UNMOVED;
            place
        }));
        if some_new {
            stack.truncate(from);
            stack.extend(
                given
                    .iter()
                    .filter_map(|&l| self.location(source, moved, l)),
            );
        }
    }

    fn location(
        &mut self,
        source: &Profile,
        moved: &mut Moved,
        id: LocationId,
    ) -> Option<LocationId> {
        match moved.locations.get(id.index()) {
            Some(&known) if known != UNMOVED => Some(known),
            _ => self.new_location(source, moved, id),
        }
    }

    fn new_location(
        &mut self,
        source: &Profile,
        moved: &mut Moved,
        id: LocationId,
    ) -> Option<LocationId> {
        let location = source.locations().get(id.index())?;
        let mapping = location
            .mapping
            .and_then(|m| self.mapping(source, moved, m));
        let shift = mapping.map_or(0, |(_, shift)| shift);
        let mapping = mapping.map(|(id, _)| id);
        // Locations of one mapping have one start to count from: the address says which it is.
        let address = location.address.wrapping_add(shift);
        moved.lines.clear();
        for line in source.lines(id) {
            let function = self.function(source, moved, line.function)?;
            moved.lines.push(Line { function, ..*line });
        }
        let sought = Sought {
            address,
            mapping,
            is_folded: location.is_folded,
            lines: &moved.lines,
        };
        let hash = sought.hash();
        let merged = &mut self.merged;
        let known = self
            .locations
            .find(hash, |place| sought.is_at(merged, place));
        let new = known.map(LocationId::at).unwrap_or_else(|| {
            let new = merged.push_location(address, mapping, &moved.lines);
            if let Some(row) = merged.locations.get_mut(new.index()) {
                row.is_folded = location.is_folded;
            }
            self.locations.insert(hash, new.index());
            new
        });
        if let Some(place) = moved.locations.get_mut(id.index()) {
            *place = new;
        }
        Some(new)
    }

    fn function(
        &mut self,
        source: &Profile,
        moved: &mut Moved,
        id: FunctionId,
    ) -> Option<FunctionId> {
        if let Some(&Some(known)) = moved.functions.get(id.index()) {
            return Some(known);
        }
        let mut function = *source.functions().get(id.index())?;
        function.name = self.text(source, moved, function.name);
        function.system_name = self.text(source, moved, function.system_name);
        function.file = self.text(source, moved, function.file);
        let hash = function_hash(&function);
        let functions = &mut self.merged.functions;
        let known = self
            .functions
            .find(hash, |place| functions.get(place) == Some(&function));
        let place = known.unwrap_or_else(|| {
            functions.push(function);
            self.functions.insert(hash, functions.len() - 1);
            functions.len() - 1
        });
        let new = FunctionId::at(place);
        if let Some(place) = moved.functions.get_mut(id.index()) {
            *place = Some(new);
        }
        Some(new)
    }

    pub(crate) fn mapping(
        &mut self,
        source: &Profile,
        moved: &mut Moved,
        id: MappingId,
    ) -> Option<(MappingId, u64)> {
        if let Some(&Some(known)) = moved.mappings.get(id.index()) {
            return Some(known);
        }
        let mut mapping = *source.mappings().get(id.index())?;
        mapping.file = self.text(source, moved, mapping.file);
        mapping.build_id = self.text(source, moved, mapping.build_id);
        let merged = &mut self.merged;
        let new = *self
            .mappings
            .entry(key_of(&mapping))
            .or_insert_with(|| merged.push_mapping(mapping));
        let start = self.merged.mappings.get(new.index()).map_or(0, |m| m.start);
        let found = (new, start.wrapping_sub(mapping.start));
        if let Some(place) = moved.mappings.get_mut(id.index()) {
            *place = Some(found);
        }
        Some(found)
    }
}

/// What tells a mapping from others: its size, its offset, and its build id or file.
pub(crate) fn key_of(mapping: &Mapping) -> (u64, u64, StringId) {
    // Address spaces are laid out at random, and sizes rounded to pages.
    let size = mapping.limit.wrapping_sub(mapping.start);
    let size = size.wrapping_add(0xfff) & !0xfff;
    let name = match mapping.build_id == StringId::default() {
        true => mapping.file,
        false => mapping.build_id,
    };
    (size, mapping.offset, name)
}

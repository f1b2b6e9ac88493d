//! Several profiles as one.
//!
//! Equal stacks with equal labels become one sample; rows of all tables are
//! numbered in the order in which samples first use them, as google/pprof does.
//! Units are not converted here: `report::combine` does.
//!
//! Source: google/pprof, profile/merge.go.

use std::collections::HashMap;

use crate::hash::Quick;
use crate::merge_stacks::Stacks;
use crate::places::{Places, hash_of};
use crate::{
    Columns, FunctionId, Label, LabelValue, Line, LocationId, MappingId, Profile, Sample, StringId,
    ValueType,
};

/// Profiles that do not measure the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// Nothing was given.
    #[error("no profiles to merge")]
    Nothing,
    /// The periods count different things.
    #[error("incompatible period types {one} and {other}")]
    PeriodTypes {
        /// Of the first profile, as `kind/unit`.
        one: String,
        /// Of the one that does not fit.
        other: String,
    },
    /// The values count different things.
    #[error("incompatible sample types [{one}] and [{other}]")]
    SampleTypes {
        /// Of the first profile, as `kind/unit`.
        one: String,
        /// Of the one that does not fit.
        other: String,
    },
}

impl Profile {
    /// Merges profiles of the same sample types. Samples without value go.
    ///
    /// # Errors
    /// [`MergeError`] where they measure different things.
    pub fn merge(profiles: &[&Profile]) -> Result<Profile, MergeError> {
        let mut merger = Merger::of(profiles)?;
        for source in profiles {
            merger.add(source);
        }
        merger.finish()
    }

    /// As [`Profile::merge`], but gives the memory of each profile back once it is merged.
    ///
    /// # Errors
    /// As [`Profile::merge`].
    pub fn merge_owned(profiles: Vec<Profile>) -> Result<Profile, MergeError> {
        let mut merger = Merger::of(&profiles.iter().collect::<Vec<_>>())?;
        for source in profiles {
            merger.add(&source);
        }
        merger.finish()
    }

    /// Fails where `other` does not measure the same.
    ///
    /// # Errors
    /// [`MergeError`] names both sides.
    pub(crate) fn compatible(&self, other: &Profile) -> Result<(), MergeError> {
        let one = self.kind_text(self.period_type);
        let its = other.kind_text(other.period_type);
        if one != its {
            return Err(MergeError::PeriodTypes { one, other: its });
        }
        let types = |p: &Profile| {
            let types = p.sample_types().iter().map(|&t| p.kind_text(t));
            types.collect::<Vec<_>>().join(" ")
        };
        let (one, other) = (types(self), types(other));
        match one == other {
            true => Ok(()),
            false => Err(MergeError::SampleTypes { one, other }),
        }
    }

    fn kind_text(&self, kind: ValueType) -> String {
        format!("{}/{}", self.text(kind.kind), self.text(kind.unit))
    }
}

fn is_zero(sample: &Sample<'_>) -> bool {
    sample.values.iter().all(|&v| v == 0)
}

/// A profile without rows, with what the heads of `profiles` give together.
fn head(first: &Profile, profiles: &[&Profile]) -> Profile {
    let mut merged = Profile::default();
    let kind = |merged: &mut Profile, kind: ValueType| ValueType {
        kind: merged.intern(first.text(kind.kind)),
        unit: merged.intern(first.text(kind.unit)),
    };
    for &sample_type in first.sample_types() {
        let sample_type = kind(&mut merged, sample_type);
        merged.sample_types.push(sample_type);
    }
    merged.period_type = kind(&mut merged, first.period_type);
    merged.drop_frames = merged.intern(first.text(first.drop_frames));
    merged.keep_frames = merged.intern(first.text(first.keep_frames));
    for source in profiles {
        if merged.time_nanos == 0 || source.time_nanos < merged.time_nanos {
            merged.time_nanos = source.time_nanos;
        }
        merged.duration_nanos = merged.duration_nanos.wrapping_add(source.duration_nanos);
        if merged.period == 0 || merged.period < source.period {
            merged.period = source.period;
        }
        for &comment in &source.comments {
            let comment = merged.intern(source.text(comment));
            if !merged.comments.contains(&comment) {
                merged.comments.push(comment);
            }
        }
        if merged.default_sample_type == StringId::default() {
            merged.default_sample_type = merged.intern(source.text(source.default_sample_type));
        }
        if merged.doc_url == StringId::default() {
            merged.doc_url = merged.intern(source.text(source.doc_url));
        }
    }
    merged
}

struct Merger {
    tables: Tables,
    samples: Stacks,
}

/// The merged profile but for its samples.
struct Tables {
    merged: Profile,
    /// Merged locations by address, mapping and lines.
    locations: Places,
    /// Merged functions by all that they hold.
    functions: Places,
    /// By size, offset, and build id or file.
    mappings: HashMap<(u64, u64, StringId), MappingId, Quick>,
}

/// Where the rows of one source went.
struct Moved {
    texts: Vec<Option<StringId>>,
    locations: Vec<Option<LocationId>>,
    functions: Vec<Option<FunctionId>>,
    /// With what is added to addresses.
    mappings: Vec<Option<(MappingId, u64)>>,
    /// Of the location under way.
    lines: Vec<Line>,
}

impl Merger {
    /// A merger of profiles that measure the same; none of them is added yet.
    fn of(profiles: &[&Profile]) -> Result<Self, MergeError> {
        let (first, rest) = profiles.split_first().ok_or(MergeError::Nothing)?;
        for other in rest {
            first.compatible(other)?;
        }
        let tables = Tables {
            merged: head(first, profiles),
            locations: Places::default(),
            functions: Places::default(),
            mappings: HashMap::default(),
        };
        Ok(Merger {
            tables,
            samples: Stacks::new(first.sample_types().len()),
        })
    }

    fn finish(self) -> Result<Profile, MergeError> {
        let mut merged = self.tables.merged;
        merged.samples = self.samples.finish().into();
        if merged.samples().any(|s| is_zero(&s)) {
            // What cancelled out goes, with the rows that only it used.
            return Profile::merge_owned(vec![merged]);
        }
        Ok(merged)
    }

    fn add(&mut self, source: &Profile) {
        let mut moved = Moved {
            texts: vec![None; source.strings.len()],
            locations: vec![None; source.locations().len()],
            functions: vec![None; source.functions().len()],
            mappings: vec![None; source.mappings().len()],
            lines: Vec::new(),
        };
        if self.tables.mappings.is_empty() && !source.mappings().is_empty() {
            // The first mapping is the main program and must stay the first.
            self.tables
                .mapping(source, &mut moved, MappingId::default());
        }
        source.each_sample(Columns::ALL, |sample| {
            if is_zero(sample) {
                return;
            }
            let tables = &mut self.tables;
            self.samples.add(sample.values, |stack, labels| {
                let places = sample.locations.iter();
                stack.extend(places.filter_map(|&l| tables.location(source, &mut moved, l)));
                tables.labels(source, &mut moved, sample.labels, labels);
            });
        });
    }
}

impl Tables {
    /// Appends the labels of a sample to `labels`, sorted by name, texts first.
    fn labels(
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

    #[inline]
    fn location(
        &mut self,
        source: &Profile,
        moved: &mut Moved,
        id: LocationId,
    ) -> Option<LocationId> {
        match moved.locations.get(id.index()) {
            Some(&Some(known)) => Some(known),
            _ => self.new_location(source, moved, id),
        }
    }

    #[inline(never)]
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
        let lines = moved.lines.as_slice();
        let hash = hash_of((address, mapping, lines));
        let merged = &mut self.merged;
        let known = self.locations.find(hash, |place| {
            let row = merged.locations.get(place);
            row.is_some_and(|row| {
                row.address == address
                    && row.mapping == mapping
                    && row.is_folded == location.is_folded
            }) && merged.lines(LocationId::at(place)) == lines
        });
        let new = known.map(LocationId::at).unwrap_or_else(|| {
            let new = merged.push_location(address, mapping, lines);
            if let Some(row) = merged.locations.get_mut(new.index()) {
                row.is_folded = location.is_folded;
            }
            self.locations.insert(hash, new.index());
            new
        });
        if let Some(place) = moved.locations.get_mut(id.index()) {
            *place = Some(new);
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
        let texts = (function.name, function.system_name, function.file);
        let hash = hash_of((function.start_line, texts));
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

    fn mapping(
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
        // Address spaces are laid out at random, and sizes rounded to pages.
        let size = mapping.limit.wrapping_sub(mapping.start);
        let size = size.wrapping_add(0xfff) & !0xfff;
        let name = match mapping.build_id == StringId::default() {
            true => mapping.file,
            false => mapping.build_id,
        };
        let merged = &mut self.merged;
        let new = *self
            .mappings
            .entry((size, mapping.offset, name))
            .or_insert_with(|| merged.push_mapping(mapping));
        let start = self.merged.mappings.get(new.index()).map_or(0, |m| m.start);
        let found = (new, start.wrapping_sub(mapping.start));
        if let Some(place) = moved.mappings.get_mut(id.index()) {
            *place = Some(found);
        }
        Some(found)
    }
}

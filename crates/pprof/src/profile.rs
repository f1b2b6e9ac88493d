//! The profile as tables, as profile.proto has them.
//!
//! Rows refer to each other by dense ids: a [`LocationId`] is the place in
//! [`Profile::locations`]. The ids of a file are kept beside the tables, for
//! [`Profile::encode`]; built rows are numbered from 1. Samples are columns, not
//! objects: a stack of n frames costs 4n bytes.
//!
//! Source: google/pprof, proto/profile.proto.

use std::ops::Range;

use crate::ids::Numbers;
use crate::samples::{Held, Samples};
use crate::strings::Strings;

// One definition for four id types that differ in nothing but what they count.
macro_rules! table_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(u32);

        impl $name {
            /// The row's place in its table.
            pub fn index(self) -> usize {
                self.0 as usize
            }

            /// The id of the row at `index`; a table holds fewer than 2^32 rows.
            pub(crate) fn at(index: usize) -> Self {
                $name(u32::try_from(index).unwrap_or(u32::MAX))
            }
        }
    };
}

table_id! {
    /// A text of the profile's string table; the default is the empty text.
    StringId
}
table_id! {
    /// A row of [`Profile::functions`].
    FunctionId
}
table_id! {
    /// A row of [`Profile::locations`].
    LocationId
}
table_id! {
    /// A row of [`Profile::mappings`].
    MappingId
}

impl LocationId {
    /// The id of no row.
    pub(crate) const NONE: Self = LocationId(u32::MAX);
}

impl FunctionId {
    /// The id of no row.
    pub(crate) const NONE: Self = FunctionId(u32::MAX);
}

/// A kind of value and its unit: `cpu` in `nanoseconds`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ValueType {
    /// `cpu`, `inuse_space`, `goroutine`, …
    pub kind: StringId,
    /// `nanoseconds`, `bytes`, `count`, …
    pub unit: StringId,
}

/// A function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Function {
    /// Name as a person reads it.
    pub name: StringId,
    /// Name as the linker knows it (mangled for C++); Go sets it equal to `name`.
    pub system_name: StringId,
    /// Source file.
    pub file: StringId,
    /// Line where the function begins; 0 is unknown.
    pub start_line: i64,
}

/// A source line of a location.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Line {
    /// The function the line belongs to.
    pub function: FunctionId,
    /// Line number; 0 is unknown.
    pub line: i64,
    /// Column number; 0 is unknown.
    pub column: i64,
}

/// A place in the program: an address and, where known, its source lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The executable or library the address belongs to.
    pub mapping: Option<MappingId>,
    /// Address of the instruction; 0 is unknown.
    pub address: u64,
    /// True if several functions share the address (identical code folding).
    pub is_folded: bool,
    pub(crate) lines: Range<u32>,
}

/// A file mapped into the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mapping {
    /// First address.
    pub start: u64,
    /// Address after the last one.
    pub limit: u64,
    /// Offset in the file.
    pub offset: u64,
    /// The file, or a name in brackets such as `[vdso]`.
    pub file: StringId,
    /// Build id, in hex.
    pub build_id: StringId,
    /// True if the profile already names the functions of this mapping.
    pub has_functions: bool,
    /// True if the profile already names its source files.
    pub has_filenames: bool,
    /// True if the profile already has its line numbers.
    pub has_line_numbers: bool,
    /// True if the profile already has its inlined frames.
    pub has_inline_frames: bool,
}

/// A label of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Label {
    /// The label's name.
    pub key: StringId,
    /// Its value.
    pub value: LabelValue,
}

/// The value of a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LabelValue {
    /// A text. The format cannot tell an empty one from the number 0 and it
    /// comes back as that.
    Text(StringId),
    /// A number.
    Number {
        /// The number.
        value: i64,
        /// Its unit; empty is unsaid.
        unit: StringId,
    },
}

/// One stack with its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample<'p> {
    /// The stack, leaf first.
    pub locations: &'p [LocationId],
    /// One value for each of [`Profile::sample_types`].
    pub values: &'p [i64],
    /// Labels, in the order of the file.
    pub labels: &'p [Label],
}

/// A pprof profile.
///
/// Build one with [`Profile::new`] and the `push_*` methods, or read one with
/// [`Profile::decode`]. Ids belong to the profile that gave them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Profile {
    /// When the profile was taken, in ns since 1970; 0 is unsaid.
    pub time_nanos: i64,
    /// How long was measured, in ns; 0 is unsaid.
    pub duration_nanos: i64,
    /// Mean distance between two samples, in [`Profile::period_type`].
    pub period: i64,
    /// What `period` counts.
    pub period_type: ValueType,
    /// The sample type to show first; empty is unsaid.
    pub default_sample_type: StringId,
    /// Regular expression of frames whose callees are cut away; empty is none.
    pub drop_frames: StringId,
    /// Regular expression of frames that are kept all the same.
    pub keep_frames: StringId,
    /// Where the profile's documentation is.
    pub doc_url: StringId,
    /// Free text.
    pub comments: Vec<StringId>,
    pub(crate) strings: Strings,
    pub(crate) sample_types: Vec<ValueType>,
    pub(crate) mappings: Vec<Mapping>,
    pub(crate) functions: Vec<Function>,
    pub(crate) locations: Vec<Location>,
    pub(crate) lines: Vec<Line>,
    pub(crate) samples: Held,
    pub(crate) numbers: TableNumbers,
}

/// The ids of the file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct TableNumbers {
    pub(crate) mappings: Numbers,
    pub(crate) functions: Numbers,
    pub(crate) locations: Numbers,
}

impl Profile {
    /// An empty profile with sample types given as (kind, unit).
    pub fn new(sample_types: &[(&str, &str)]) -> Self {
        let mut profile = Profile::default();
        for (kind, unit) in sample_types {
            let value_type = ValueType {
                kind: profile.intern(kind),
                unit: profile.intern(unit),
            };
            profile.sample_types.push(value_type);
        }
        profile
    }

    /// The text of `id`; empty where the profile has no such id.
    pub fn text(&self, id: StringId) -> &str {
        self.strings.get(id).unwrap_or("")
    }

    /// What each sample measures.
    pub fn sample_types(&self) -> &[ValueType] {
        &self.sample_types
    }

    /// Files mapped into the process; the first is the main program.
    pub fn mappings(&self) -> &[Mapping] {
        &self.mappings
    }

    /// All functions.
    pub fn functions(&self) -> &[Function] {
        &self.functions
    }

    /// All locations.
    pub fn locations(&self) -> &[Location] {
        &self.locations
    }

    /// The ids of [`Profile::mappings`], in their order.
    pub fn mapping_ids(&self) -> impl ExactSizeIterator<Item = MappingId> + use<> {
        (0..self.mappings.len()).map(MappingId::at)
    }

    /// The ids of [`Profile::locations`], in their order.
    pub fn location_ids(&self) -> impl ExactSizeIterator<Item = LocationId> + use<> {
        (0..self.locations.len()).map(LocationId::at)
    }

    /// Source lines of a location, innermost inlined call first; none where
    /// the program was not symbolized.
    pub fn lines(&self, location: LocationId) -> &[Line] {
        self.locations
            .get(location.index())
            .and_then(|l| self.lines.get(l.lines.start as usize..l.lines.end as usize))
            .unwrap_or(&[])
    }

    /// The id of `text`, added to the string table if it is not there.
    pub fn intern(&mut self, text: &str) -> StringId {
        self.strings.intern(text)
    }

    /// Adds a mapped file.
    pub fn push_mapping(&mut self, mapping: Mapping) -> MappingId {
        self.mappings.push(mapping);
        MappingId::at(self.mappings.len() - 1)
    }

    /// The mapping of the main program: the first.
    pub fn main_mapping_mut(&mut self) -> Option<&mut Mapping> {
        self.mappings.first_mut()
    }

    /// The mapping `id`, to be completed.
    pub fn mapping_mut(&mut self, id: MappingId) -> Option<&mut Mapping> {
        self.mappings.get_mut(id.index())
    }

    /// Gives every location the mapping `mapping`.
    pub fn map_all_locations(&mut self, mapping: MappingId) {
        for location in &mut self.locations {
            location.mapping = Some(mapping);
        }
    }

    /// Adds a function; every call makes a new one.
    pub fn push_function(&mut self, name: &str, file: &str, start_line: i64) -> FunctionId {
        let name = self.intern(name);
        let file = self.intern(file);
        self.functions.push(Function {
            name,
            system_name: name,
            file,
            start_line,
        });
        FunctionId::at(self.functions.len() - 1)
    }

    /// The function `id`, to be completed.
    pub fn function_mut(&mut self, id: FunctionId) -> Option<&mut Function> {
        self.functions.get_mut(id.index())
    }

    /// Adds a location; `lines` has the innermost inlined call first.
    pub fn push_location(
        &mut self,
        address: u64,
        mapping: Option<MappingId>,
        lines: &[Line],
    ) -> LocationId {
        let start = row(self.lines.len());
        self.lines.extend_from_slice(lines);
        self.locations.push(Location {
            mapping,
            address,
            is_folded: false,
            lines: start..row(self.lines.len()),
        });
        LocationId::at(self.locations.len() - 1)
    }

    /// Gives a location other lines, the innermost inlined call first: it was symbolized.
    pub fn set_lines(&mut self, location: LocationId, lines: &[Line]) {
        let start = row(self.lines.len());
        self.lines.extend_from_slice(lines);
        if let Some(location) = self.locations.get_mut(location.index()) {
            location.lines = start..row(self.lines.len());
            location.is_folded = false;
        }
    }

    /// Adds a sample: the stack leaf first, and one value for each sample type.
    /// Missing values are 0, surplus ones are dropped.
    pub fn push_sample(&mut self, locations: &[LocationId], values: &[i64], labels: &[Label]) {
        let width = self.sample_types.len();
        let samples: &mut Samples = &mut self.samples;
        samples.locations.extend_from_slice(locations);
        let given = values.iter().copied().chain(std::iter::repeat(0));
        samples.values.extend(given.take(width));
        samples.labels.extend_from_slice(labels);
        samples
            .ends
            .push((samples.locations.len(), samples.labels.len()));
    }
}

/// A place in the table of lines, which holds fewer than 2^32.
pub(crate) fn row(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

//! profile.proto → [`Profile`].
//!
//! Several sweeps over the top level, because files may hold tables in any order
//! (Go writes the string table last): strings, scalars, functions, mappings,
//! locations, samples. Each sweep sees only the part of the file where a
//! [`Survey`] found such rows.
//!
//! What is refused follows google/pprof (`profile/encode.go`, `CheckValid`):
//! ids that are 0 or come twice, lines and samples that refer to nothing,
//! strings outside the table, a number of values that is not the number of
//! types. Beyond that, a profile without any sample type is refused: every few
//! bytes of noise would be one.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::decode_owned::{Columns, Labels};
use crate::ids::{IdCost, Ids};
use crate::limits::Budget;
use crate::packed::{Found, Packed};
use crate::profile::row;
use crate::sample;
use crate::samples::Samples;
use crate::strings::Strings;
use crate::survey::{Survey, Table};
use crate::wire::Message;
use crate::{
    Came, DecodeError, Function, FunctionId, Label, Limits, Line, Location, LocationId, Mapping,
    MappingId, Profile, StringId, ValueType,
};

type Decoded<T = ()> = Result<T, DecodeError>;

impl Profile {
    /// Reads profile.proto, a legacy format or folded stacks, plain or packed with gzip
    /// (feature `gunzip`) or zstd (feature `zstd`), within the default [`Limits`].
    ///
    /// # Errors
    /// [`DecodeError`] tells what came instead, as far as that can be guessed.
    pub fn decode(bytes: &[u8]) -> Result<Profile, DecodeError> {
        Profile::decode_within(bytes, &Limits::default())
    }

    /// As [`Profile::decode`], within `limits`.
    ///
    /// # Errors
    /// As [`Profile::decode`]; [`DecodeError::TooLarge`] names the limit.
    pub fn decode_within(bytes: &[u8], limits: &Limits) -> Result<Profile, DecodeError> {
        limits.admit(bytes)?;
        let plain = inflate(bytes, limits)?;
        Profile::decode_plain(&plain, limits)
    }

    /// Reads what is not compressed.
    pub(crate) fn decode_plain(plain: &[u8], limits: &Limits) -> Decoded<Profile> {
        if plain.is_empty() {
            return Err(DecodeError::Empty);
        }
        let error = match decode_proto(plain, limits) {
            Ok(profile) => return Ok(profile),
            Err(error) => error,
        };
        if matches!(
            error,
            DecodeError::TooLarge { .. }
                | DecodeError::TooManyFrames { .. }
                | DecodeError::Concatenated
        ) {
            return Err(error);
        }
        if let Some(legacy) = crate::legacy::decode(plain, limits.budget()) {
            return legacy;
        }
        if let Some(folded) = crate::folded::decode(plain, limits.budget()) {
            return folded;
        }
        // What is text or another known format is not a damaged profile.
        Err(match Came::guess(plain) {
            Came::Binary => error,
            came => DecodeError::Unexpected {
                wanted: "a pprof profile",
                came,
            },
        })
    }
}

/// How a zstd frame begins.
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

pub(crate) fn inflate<'a>(bytes: &'a [u8], limits: &Limits) -> Decoded<Cow<'a, [u8]>> {
    if bytes.starts_with(&ZSTD) {
        #[cfg(feature = "zstd")]
        return crate::unzstd::unzstd(bytes, limits.inflated_bytes).map(Cow::Owned);
        #[cfg(not(feature = "zstd"))]
        return Err(DecodeError::CompressedZstd);
    }
    if !bytes.starts_with(b"\x1f\x8b") {
        return Ok(Cow::Borrowed(bytes));
    }
    #[cfg(feature = "gunzip")]
    return crate::gunzip::gunzip(bytes, limits.inflated_bytes).map(Cow::Owned);
    #[cfg(not(feature = "gunzip"))]
    {
        let _ = limits;
        Err(DecodeError::Compressed)
    }
}

fn decode_proto(plain: &[u8], limits: &Limits) -> Decoded<Profile> {
    let mut decoder = Decoder::new(limits);
    let whole = Message::new(plain);
    let survey = Survey::of(whole)?;
    decoder.strings(whole, &survey.table(6))?;
    decoder.scalars(whole, &survey)?;
    decoder.functions(whole, &survey.table(5))?;
    decoder.mappings(whole, &survey.table(3))?;
    decoder.locations(whole, &survey.table(4))?;
    decoder.samples(whole, &survey.table(2))?;
    decoder.finish(limits)
}

/// A profile under way; the tables are read in the order of the methods.
pub(crate) struct Decoder {
    pub(crate) profile: Profile,
    budget: Budget,
    functions: Ids,
    mappings: Ids,
    locations: Ids,
}

impl Decoder {
    pub(crate) fn new(limits: &Limits) -> Self {
        Decoder {
            profile: Profile::default(),
            budget: limits.budget(),
            functions: Ids::default(),
            mappings: Ids::default(),
            locations: Ids::default(),
        }
    }

    pub(crate) fn finish(mut self, limits: &Limits) -> Decoded<Profile> {
        self.profile.check_frames(limits)?;
        let numbers = &mut self.profile.numbers;
        numbers.mappings.finish();
        numbers.functions.finish();
        numbers.locations.finish();
        Ok(self.profile)
    }

    pub(crate) fn strings(&mut self, whole: Message<'_>, table: &Table) -> Decoded {
        self.budget.rows::<usize>(table.rows)?;
        self.budget.bytes(table.bytes)?;
        let mut strings = Strings::with_capacity(table.rows, table.bytes);
        let mut first = true;
        let mut whole = whole.part(&table.range);
        while let Some((field, value)) = whole.field()? {
            if field != 6 {
                continue;
            }
            let text = value.message(&whole)?;
            if !first {
                strings.push(&String::from_utf8_lossy(text.bytes()));
            } else if !text.bytes().is_empty() {
                return text.malformed("the first string is not empty");
            }
            first = false;
        }
        self.profile.strings = strings;
        Ok(())
    }

    pub(crate) fn scalars(&mut self, whole: Message<'_>, survey: &Survey) -> Decoded {
        each_row(whole, 1, &survey.table(1), |row| {
            self.budget.rows::<ValueType>(1)?;
            let value_type = self.value_type(row)?;
            self.profile.sample_types.push(value_type);
            Ok(())
        })?;
        if self.profile.sample_types.is_empty() {
            return whole.malformed("no sample type");
        }
        let mut fields = whole.part(survey.scalars());
        while let Some((field, value)) = fields.field()? {
            match field {
                7 => self.profile.drop_frames = self.string(value.number(&fields)?, &fields)?,
                8 => self.profile.keep_frames = self.string(value.number(&fields)?, &fields)?,
                9 if self.profile.time_nanos != 0 => return Err(DecodeError::Concatenated),
                9 => self.profile.time_nanos = value.signed(&fields)?,
                10 => self.profile.duration_nanos = value.signed(&fields)?,
                11 => self.profile.period_type = self.value_type(value.message(&fields)?)?,
                12 => self.profile.period = value.signed(&fields)?,
                13 => value.numbers(&fields, |id| {
                    let comment = self.string(id, &fields)?;
                    self.budget.rows::<StringId>(1)?;
                    self.profile.comments.push(comment);
                    Ok(())
                })?,
                14 => {
                    self.profile.default_sample_type =
                        self.string(value.number(&fields)?, &fields)?;
                }
                15 => self.profile.doc_url = self.string(value.number(&fields)?, &fields)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn value_type(&self, mut message: Message<'_>) -> Decoded<ValueType> {
        let mut value_type = ValueType::default();
        while let Some((field, value)) = message.field()? {
            match field {
                1 => value_type.kind = self.string(value.number(&message)?, &message)?,
                2 => value_type.unit = self.string(value.number(&message)?, &message)?,
                _ => {}
            }
        }
        Ok(value_type)
    }

    pub(crate) fn functions(&mut self, whole: Message<'_>, table: &Table) -> Decoded {
        self.budget.rows::<(Function, IdCost)>(table.rows)?;
        self.profile.functions.reserve_exact(table.rows);
        each_row(whole, 5, table, |row| self.function(row))
    }

    pub(crate) fn mappings(&mut self, whole: Message<'_>, table: &Table) -> Decoded {
        self.budget.rows::<(Mapping, IdCost)>(table.rows)?;
        each_row(whole, 3, table, |row| self.mapping(row))
    }

    pub(crate) fn locations(&mut self, whole: Message<'_>, table: &Table) -> Decoded {
        self.budget.rows::<(Location, IdCost)>(table.rows)?;
        self.profile.locations.reserve_exact(table.rows);
        each_row(whole, 4, table, |row| self.location(row))
    }

    pub(crate) fn samples(&mut self, whole: Message<'_>, table: &Table) -> Decoded {
        self.budget.rows::<(usize, usize)>(table.rows)?;
        let width = self.profile.sample_types.len();
        self.budget.rows::<i64>(table.rows.saturating_mul(width))?;
        let samples: &mut Samples = &mut self.profile.samples;
        samples.ends.reserve_exact(table.rows);
        // Each of its values takes a byte of the file at least.
        let most = table.rows.saturating_mul(width);
        samples.values.reserve_exact(most.min(table.bytes));
        each_row(whole, 2, table, |row| self.sample(row))
    }

    /// Holds samples as they stand in `bytes`, after the same checks, and within the same
    /// limits, as if they were read.
    pub(crate) fn pack(&mut self, bytes: Vec<u8>, table: Table, columns: Columns) -> Decoded {
        let width = self.profile.sample_types.len();
        let strings = self.profile.strings.len();
        let mut found = Found::of(width);
        self.budget.rows::<(usize, usize)>(table.rows)?;
        self.budget.rows::<i64>(table.rows.saturating_mul(width))?;
        let (known, budget) = (&self.locations, &mut self.budget);
        each_row(Message::new(&bytes), 2, &table, |row| {
            let before = (found.values, found.labels);
            found.check(row, known, strings)?;
            if found.values - before.0 != width {
                return row.malformed("a sample has not one value for each sample type");
            }
            budget.rows::<Label>(found.labels - before.1)
        })?;
        self.budget.rows::<LocationId>(found.locations)?;
        let keeps_labels = columns.labels || self.profile.strings.find("pprof::base").is_some();
        let labels = match keeps_labels {
            true => Labels::All,
            false => Labels::Units(HashSet::new()),
        };
        let packed = Packed {
            bytes,
            table,
            found,
            known: std::mem::take(&mut self.locations),
            width,
            strings,
            columns,
            labels,
        };
        self.profile.samples = packed.into();
        Ok(())
    }

    fn function(&mut self, mut message: Message<'_>) -> Decoded {
        let mut id = 0;
        let mut function = Function::default();
        while let Some((field, value)) = message.field()? {
            match field {
                1 => id = value.number(&message)?,
                2 => function.name = self.string(value.number(&message)?, &message)?,
                3 => function.system_name = self.string(value.number(&message)?, &message)?,
                4 => function.file = self.string(value.number(&message)?, &message)?,
                5 => function.start_line = value.signed(&message)?,
                _ => {}
            }
        }
        self.functions
            .insert(id, self.profile.functions.len(), &message)?;
        self.profile.numbers.functions.push(id);
        self.profile.functions.push(function);
        Ok(())
    }

    fn mapping(&mut self, mut message: Message<'_>) -> Decoded {
        let mut id = 0;
        let mut mapping = Mapping::default();
        while let Some((field, value)) = message.field()? {
            match field {
                1 => id = value.number(&message)?,
                2 => mapping.start = value.number(&message)?,
                3 => mapping.limit = value.number(&message)?,
                4 => mapping.offset = value.number(&message)?,
                5 => mapping.file = self.string(value.number(&message)?, &message)?,
                6 => mapping.build_id = self.string(value.number(&message)?, &message)?,
                7 => mapping.has_functions = value.number(&message)? != 0,
                8 => mapping.has_filenames = value.number(&message)? != 0,
                9 => mapping.has_line_numbers = value.number(&message)? != 0,
                10 => mapping.has_inline_frames = value.number(&message)? != 0,
                _ => {}
            }
        }
        self.mappings
            .insert(id, self.profile.mappings.len(), &message)?;
        self.profile.numbers.mappings.push(id);
        self.profile.mappings.push(mapping);
        Ok(())
    }

    fn location(&mut self, mut message: Message<'_>) -> Decoded {
        let mut id = 0;
        let start = row(self.profile.lines.len());
        let mut location = Location {
            mapping: None,
            address: 0,
            is_folded: false,
            lines: start..start,
        };
        while let Some((field, value)) = message.field()? {
            match field {
                1 => id = value.number(&message)?,
                // As google/pprof: an unknown mapping is no mapping.
                2 => {
                    let mapping = self.mappings.get(value.number(&message)?);
                    location.mapping = mapping.map(MappingId::at);
                }
                3 => location.address = value.number(&message)?,
                4 => {
                    self.budget.rows::<Line>(1)?;
                    let line = self.line(value.message(&message)?)?;
                    self.profile.lines.push(line);
                }
                5 => location.is_folded = value.number(&message)? != 0,
                _ => {}
            }
        }
        location.lines.end = row(self.profile.lines.len());
        self.locations
            .insert(id, self.profile.locations.len(), &message)?;
        self.profile.numbers.locations.push(id);
        self.profile.locations.push(location);
        Ok(())
    }

    fn line(&self, mut message: Message<'_>) -> Decoded<Line> {
        let (mut function, mut line, mut column) = (0, 0, 0);
        while let Some((field, value)) = message.field()? {
            match field {
                1 => function = value.number(&message)?,
                2 => line = value.signed(&message)?,
                3 => column = value.signed(&message)?,
                _ => {}
            }
        }
        match self.functions.get(function) {
            Some(index) => Ok(Line {
                function: FunctionId::at(index),
                line,
                column,
            }),
            None => message.malformed("a line of no known function"),
        }
    }

    fn sample(&mut self, message: Message<'_>) -> Decoded {
        let strings = self.profile.strings.len();
        let samples: &mut Samples = &mut self.profile.samples;
        let before = (
            samples.locations.len(),
            samples.values.len(),
            samples.labels.len(),
        );
        sample::read(
            message,
            |id| {
                let place = self.locations.get(id).map(LocationId::at);
                samples.locations.extend(place);
                place.is_some()
            },
            |value| samples.values.push(value),
            |message| {
                samples.labels.push(sample::label(message, strings)?);
                Ok(())
            },
        )?;
        if samples.values.len() - before.1 != self.profile.sample_types.len() {
            return message.malformed("a sample has not one value for each sample type");
        }
        self.budget
            .rows::<LocationId>(samples.locations.len() - before.0)?;
        self.budget.rows::<Label>(samples.labels.len() - before.2)?;
        samples
            .ends
            .push((samples.locations.len(), samples.labels.len()));
        Ok(())
    }

    fn string(&self, id: u64, at: &Message<'_>) -> Decoded<StringId> {
        sample::string(id, self.profile.strings.len(), at)
    }
}

/// Gives each row of a table to `read`.
fn each_row<'a>(
    whole: Message<'a>,
    field: u64,
    table: &Table,
    mut read: impl FnMut(Message<'a>) -> Decoded,
) -> Decoded {
    let mut rows = whole.part(&table.range);
    while let Some((found, value)) = rows.field()? {
        if found == field {
            read(value.message(&rows)?)?;
        }
    }
    Ok(())
}

//! profile.proto → [`Profile`].
//!
//! Four sweeps over the top level, because files may hold tables in any order
//! (Go writes the string table last): strings and scalars, then functions and
//! mappings, then locations, then samples. Skipping a message costs a few
//! nanoseconds, so the sweeps cost less than any buffering between them.
//!
//! What is refused follows google/pprof (`profile/encode.go`, `CheckValid`):
//! ids that are 0 or come twice, lines and samples that refer to nothing,
//! strings outside the table, a number of values that is not the number of
//! types. Beyond that, a profile without any sample type is refused: every few
//! bytes of noise would be one.

use std::borrow::Cow;

use crate::ids::{IdCost, Ids};
use crate::limits::Budget;
use crate::profile::row;
use crate::strings::Strings;
use crate::wire::{Message, Value};
use crate::{
    Came, DecodeError, Function, FunctionId, Label, LabelValue, Limits, Line, Location, LocationId,
    Mapping, MappingId, Profile, StringId, ValueType,
};

type Decoded<T = ()> = Result<T, DecodeError>;

impl Profile {
    /// Reads profile.proto or a legacy format, plain or (feature `gunzip`) gzip,
    /// within the default [`Limits`].
    ///
    /// # Errors
    /// [`DecodeError`] tells what came instead, as far as that can be guessed.
    pub fn decode(bytes: &[u8]) -> Result<Profile, DecodeError> {
        Profile::decode_within(bytes, &Limits::default())
    }

    /// Reads profile.proto, plain or (feature `gunzip`) gzip, within `limits`.
    ///
    /// # Errors
    /// As [`Profile::decode`]; [`DecodeError::TooLarge`] names the limit.
    pub fn decode_within(bytes: &[u8], limits: &Limits) -> Result<Profile, DecodeError> {
        limits.admit(bytes)?;
        let plain = inflate(bytes, limits)?;
        if plain.is_empty() {
            return Err(DecodeError::Empty);
        }
        let error = match decode_plain(&plain, limits) {
            Ok(profile) => return Ok(profile),
            Err(error) => error,
        };
        if matches!(
            error,
            DecodeError::TooLarge { .. } | DecodeError::Concatenated
        ) {
            return Err(error);
        }
        if let Some(legacy) = crate::legacy::decode(&plain, limits.budget()) {
            return legacy;
        }
        // What is text or another known format is not a damaged profile.
        Err(match Came::guess(&plain) {
            Came::Binary => error,
            came => DecodeError::Unexpected {
                wanted: "a pprof profile",
                came,
            },
        })
    }
}

fn inflate<'a>(bytes: &'a [u8], limits: &Limits) -> Decoded<Cow<'a, [u8]>> {
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

fn decode_plain(plain: &[u8], limits: &Limits) -> Decoded<Profile> {
    let mut decoder = Decoder {
        profile: Profile::default(),
        budget: limits.budget(),
        functions: Ids::default(),
        mappings: Ids::default(),
        locations: Ids::default(),
    };
    let whole = Message::new(plain);
    decoder.strings(whole)?;
    decoder.scalars(whole)?;
    decoder.functions_and_mappings(whole)?;
    decoder.locations(whole)?;
    decoder.samples(whole)?;
    let numbers = &mut decoder.profile.numbers;
    numbers.mappings.finish();
    numbers.functions.finish();
    numbers.locations.finish();
    Ok(decoder.profile)
}

struct Decoder {
    profile: Profile,
    budget: Budget,
    functions: Ids,
    mappings: Ids,
    locations: Ids,
}

impl Decoder {
    fn strings(&mut self, mut whole: Message<'_>) -> Decoded {
        let (mut entries, mut bytes) = (0, 0);
        let mut sizing = whole;
        while let Some((field, value)) = sizing.field()? {
            if let (6, Value::Bytes(text)) = (field, value) {
                entries += 1;
                bytes += text.bytes().len();
            }
        }
        self.budget.rows::<usize>(entries)?;
        self.budget.bytes(bytes)?;
        let mut strings = Strings::with_capacity(entries, bytes);
        let mut first = true;
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

    fn scalars(&mut self, mut whole: Message<'_>) -> Decoded {
        while let Some((field, value)) = whole.field()? {
            match field {
                1 => {
                    self.budget.rows::<ValueType>(1)?;
                    let value_type = self.value_type(value.message(&whole)?)?;
                    self.profile.sample_types.push(value_type);
                }
                7 => self.profile.drop_frames = self.string(value.number(&whole)?, &whole)?,
                8 => self.profile.keep_frames = self.string(value.number(&whole)?, &whole)?,
                9 if self.profile.time_nanos != 0 => return Err(DecodeError::Concatenated),
                9 => self.profile.time_nanos = value.signed(&whole)?,
                10 => self.profile.duration_nanos = value.signed(&whole)?,
                11 => self.profile.period_type = self.value_type(value.message(&whole)?)?,
                12 => self.profile.period = value.signed(&whole)?,
                13 => value.numbers(&whole, |id| {
                    let comment = self.string(id, &whole)?;
                    self.budget.rows::<StringId>(1)?;
                    self.profile.comments.push(comment);
                    Ok(())
                })?,
                14 => {
                    self.profile.default_sample_type =
                        self.string(value.number(&whole)?, &whole)?;
                }
                15 => self.profile.doc_url = self.string(value.number(&whole)?, &whole)?,
                _ => {}
            }
        }
        if self.profile.sample_types.is_empty() {
            return whole.malformed("no sample type");
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

    fn functions_and_mappings(&mut self, mut whole: Message<'_>) -> Decoded {
        while let Some((field, value)) = whole.field()? {
            match field {
                3 => self.mapping(value.message(&whole)?)?,
                5 => self.function(value.message(&whole)?)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn function(&mut self, mut message: Message<'_>) -> Decoded {
        self.budget.rows::<(Function, IdCost)>(1)?;
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
        self.budget.rows::<(Mapping, IdCost)>(1)?;
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

    fn locations(&mut self, mut whole: Message<'_>) -> Decoded {
        while let Some((field, value)) = whole.field()? {
            if field == 4 {
                self.location(value.message(&whole)?)?;
            }
        }
        Ok(())
    }

    fn location(&mut self, mut message: Message<'_>) -> Decoded {
        self.budget.rows::<(Location, IdCost)>(1)?;
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

    fn samples(&mut self, mut whole: Message<'_>) -> Decoded {
        while let Some((field, value)) = whole.field()? {
            if field == 2 {
                self.sample(value.message(&whole)?)?;
            }
        }
        Ok(())
    }

    fn sample(&mut self, mut message: Message<'_>) -> Decoded {
        let (known, samples) = (&self.locations, &mut self.profile.samples);
        let strings = self.profile.strings.len();
        let before = (
            samples.locations.len(),
            samples.values.len(),
            samples.labels.len(),
        );
        while let Some((field, value)) = message.field()? {
            match field {
                1 => value.numbers(&message, |id| match known.get(id) {
                    Some(index) => {
                        samples.locations.push(LocationId::at(index));
                        Ok(())
                    }
                    None => message.malformed("a sample at no known location"),
                })?,
                2 => value.numbers(&message, |number| {
                    samples.values.push(number.cast_signed());
                    Ok(())
                })?,
                3 => samples
                    .labels
                    .push(label(value.message(&message)?, strings)?),
                _ => {}
            }
        }
        if samples.values.len() - before.1 != self.profile.sample_types.len() {
            return message.malformed("a sample has not one value for each sample type");
        }
        self.budget
            .rows::<LocationId>(samples.locations.len() - before.0)?;
        self.budget.rows::<i64>(samples.values.len() - before.1)?;
        self.budget.rows::<Label>(samples.labels.len() - before.2)?;
        self.budget.rows::<(usize, usize)>(1)?;
        samples
            .ends
            .push((samples.locations.len(), samples.labels.len()));
        Ok(())
    }

    fn string(&self, id: u64, at: &Message<'_>) -> Decoded<StringId> {
        string(id, self.profile.strings.len(), at)
    }
}

fn label(mut message: Message<'_>, strings: usize) -> Decoded<Label> {
    let (mut key, mut text, mut number, mut unit) = (0, 0, 0, 0);
    while let Some((field, value)) = message.field()? {
        match field {
            1 => key = value.number(&message)?,
            2 => text = value.number(&message)?,
            3 => number = value.signed(&message)?,
            4 => unit = value.number(&message)?,
            _ => {}
        }
    }
    let value = match text {
        0 => LabelValue::Number {
            value: number,
            unit: string(unit, strings, &message)?,
        },
        _ => LabelValue::Text(string(text, strings, &message)?),
    };
    Ok(Label {
        key: string(key, strings, &message)?,
        value,
    })
}

/// Checks a string id against a table of `strings` entries.
fn string(id: u64, strings: usize, at: &Message<'_>) -> Decoded<StringId> {
    match usize::try_from(id) {
        Ok(index) if index < strings => Ok(StringId::at(index)),
        _ => at.malformed("a string outside the string table"),
    }
}

//! Samples as the file has them, checked and not yet read.
//!
//! Each look reads them anew; what is not looked at is stepped over. They were
//! checked when they came (`Decoder::pack`), so reading cannot fail; should it do
//! so all the same, the rest is left out.

use std::collections::HashSet;

use crate::decode_owned::Labels;
use crate::ids::{Ids, Stack};
use crate::samples::Samples;
use crate::survey::Table;
use crate::wire::{Message, Value};
use crate::{Columns, DecodeError, Label, Sample, sample};

/// The part of a file that holds its samples.
#[derive(Clone)]
pub(crate) struct Packed {
    /// The file, to the end of its last sample.
    pub(crate) bytes: Vec<u8>,
    /// Where the samples stand in it.
    pub(crate) table: Table,
    pub(crate) found: Found,
    /// From the file's ids to locations.
    pub(crate) known: Ids,
    /// Values of each sample.
    pub(crate) width: usize,
    /// Texts that the file has.
    pub(crate) strings: usize,
    /// What there is to be seen.
    pub(crate) columns: Columns,
    /// Which labels there are to be seen, none of which was seen yet.
    pub(crate) labels: Labels,
}

/// What a check of all samples counted.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) locations: usize,
    pub(crate) values: usize,
    pub(crate) labels: usize,
    /// The sum of each column of values, without their signs.
    pub(crate) magnitudes: Vec<i64>,
    /// A stack goes on behind a value; no known writer does this.
    pub(crate) late_stacks: bool,
    /// The first label of each name and unit of numbers.
    pub(crate) naming_units: Vec<Label>,
    /// Those names and units.
    units: Labels,
}

impl Found {
    /// Nothing yet of samples of `width` values.
    pub(crate) fn of(width: usize) -> Self {
        Found {
            locations: 0,
            values: 0,
            labels: 0,
            magnitudes: vec![0; width],
            late_stacks: false,
            naming_units: Vec::new(),
            units: Labels::Units(HashSet::new()),
        }
    }

    /// Counts what a sample has; fails where it refers to what is not there.
    pub(crate) fn check(
        &mut self,
        mut row: Message<'_>,
        known: &Ids,
        strings: usize,
    ) -> Result<(), DecodeError> {
        let before = self.values;
        while let Some((field, value)) = row.field()? {
            match field {
                1 => {
                    self.locations += known.count(value, &row)?;
                    self.late_stacks |= self.values != before;
                }
                2 => value.numbers(&row, |number| {
                    if let Some(sum) = self.magnitudes.get_mut(self.values - before) {
                        *sum = sum.wrapping_add(number.cast_signed().wrapping_abs());
                    }
                    self.values += 1;
                    Ok(())
                })?,
                3 => {
                    let label = sample::label(value.message(&row)?, strings)?;
                    self.labels += 1;
                    if self.units.keep(&label) {
                        self.naming_units.push(label);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// A sample while it is read; its stack last, because it may not be wanted.
#[derive(Default)]
struct Row<'a> {
    /// A stack that was met and is not read yet.
    unread: Option<(Value<'a>, Message<'a>)>,
    stack: Stack,
    values: Vec<i64>,
    labels: Vec<Label>,
}

impl<'a> Row<'a> {
    #[inline]
    fn clear(&mut self) {
        self.unread = None;
        self.stack.clear();
        self.values.clear();
        self.labels.clear();
    }

    /// Takes a part of the stack; what was unread comes before it.
    #[inline]
    fn stack(&mut self, part: Value<'a>, at: &Message<'a>, known: &Ids) -> Result<(), DecodeError> {
        self.read_rest(known)?;
        self.unread = Some((part, *at));
        Ok(())
    }

    #[inline]
    fn read_rest(&mut self, known: &Ids) -> Result<(), DecodeError> {
        match self.unread.take() {
            Some((part, at)) => known.append(part, &at, &mut self.stack),
            None => Ok(()),
        }
    }

    #[inline]
    fn sample(&self) -> Sample<'_> {
        Sample {
            locations: self.stack.places(),
            values: &self.values,
            labels: &self.labels,
        }
    }
}

impl Packed {
    pub(crate) fn len(&self) -> usize {
        self.table.rows
    }

    #[cfg(any(test, feature = "report"))]
    pub(crate) fn naming_units(&self) -> &[Label] {
        &self.found.naming_units
    }

    /// Gives every sample whose values `wanted` takes to `each`.
    #[inline]
    pub(crate) fn each(
        &self,
        look: Columns,
        wanted: impl Fn(&[i64]) -> bool,
        mut each: impl FnMut(&Sample<'_>),
    ) {
        let look = Columns {
            stacks: look.stacks && self.columns.stacks,
            ..look
        };
        // What comes behind the values is labels.
        let ends_at_values = !look.labels && !self.found.late_stacks;
        let mut row = Row::default();
        let mut kept = self.labels.clone();
        let mut rows = Message::new(&self.bytes).part(&self.table.range);
        while let Ok(Some((field, value))) = rows.field() {
            if field != 2 {
                continue;
            }
            let message = value.message(&rows);
            let read = message.and_then(|mut message| {
                row.clear();
                while !(ends_at_values && row.values.len() == self.width)
                    && let Some((field, value)) = message.field()?
                {
                    match field {
                        1 if look.stacks => row.stack(value, &message, &self.known)?,
                        2 => value.numbers(&message, |number| {
                            row.values.push(number.cast_signed());
                            Ok(())
                        })?,
                        3 if look.labels => {
                            let label = sample::label(value.message(&message)?, self.strings)?;
                            if kept.keep(&label) {
                                row.labels.push(label);
                            }
                        }
                        _ => {}
                    }
                }
                if wanted(&row.values) {
                    row.read_rest(&self.known)?;
                    each(&row.sample());
                }
                Ok(())
            });
            if read.is_err() {
                return;
            }
        }
    }

    /// All samples as columns.
    pub(crate) fn columns(&self) -> Samples {
        let stacks = if self.columns.stacks {
            self.found.locations
        } else {
            0
        };
        let labels = match self.labels {
            Labels::All => self.found.labels,
            Labels::Units(_) => self.found.naming_units.len(),
        };
        let mut samples = Samples {
            locations: Vec::with_capacity(stacks),
            values: Vec::with_capacity(self.found.values),
            labels: Vec::with_capacity(labels),
            ends: Vec::with_capacity(self.len()),
        };
        self.each(
            Columns::ALL,
            |_| true,
            |sample| {
                samples.locations.extend_from_slice(sample.locations);
                samples.values.extend_from_slice(sample.values);
                samples.labels.extend_from_slice(sample.labels);
                samples
                    .ends
                    .push((samples.locations.len(), samples.labels.len()));
            },
        );
        samples
    }
}

//! One sample of profile.proto.

use crate::wire::Message;
use crate::{DecodeError, Label, LabelValue, StringId};

/// Gives the parts of a sample away: each id of its stack to `each_location`, which answers
/// false for one that is not known, values and labels.
#[inline]
pub(crate) fn read<'a>(
    mut message: Message<'a>,
    mut each_location: impl FnMut(u64) -> bool,
    mut each_value: impl FnMut(i64),
    mut each_label: impl FnMut(Message<'a>) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    while let Some((field, value)) = message.field()? {
        match field {
            1 => value.numbers(&message, |id| match each_location(id) {
                true => Ok(()),
                false => message.malformed("a sample at no known location"),
            })?,
            2 => value.numbers(&message, |number| {
                each_value(number.cast_signed());
                Ok(())
            })?,
            3 => each_label(value.message(&message)?)?,
            _ => {}
        }
    }
    Ok(())
}

/// Reads a label; its texts must be among `strings`.
#[inline]
pub(crate) fn label(mut message: Message<'_>, strings: usize) -> Result<Label, DecodeError> {
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
#[inline]
pub(crate) fn string(id: u64, strings: usize, at: &Message<'_>) -> Result<StringId, DecodeError> {
    match usize::try_from(id) {
        Ok(index) if index < strings => Ok(StringId::at(index)),
        _ => at.malformed("a string outside the string table"),
    }
}

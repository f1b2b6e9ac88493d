//! Protocol-buffer wire format: fields and varints.
//!
//! Source: protobuf.dev, "Encoding". Groups (wire types 3 and 4) are refused;
//! profile.proto has none.

use std::ops::Range;

use crate::DecodeError;

/// One field's content.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Value<'a> {
    Varint(u64),
    Bytes(Message<'a>),
    /// Fixed 32 and 64 bits; profile.proto has none, unknown fields may.
    Fixed,
}

/// Bytes with a cursor, and their place in the whole input for error messages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Message<'a> {
    bytes: &'a [u8],
    base: usize,
}

impl<'a> Message<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Message { bytes, base: 0 }
    }

    /// What is still unread.
    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    pub(crate) fn malformed<T>(&self, what: &'static str) -> Result<T, DecodeError> {
        Err(DecodeError::Malformed {
            at: self.base,
            what,
        })
    }

    /// Reads the next field's number and content; `None` at the end.
    #[expect(
        clippy::inline_always,
        reason = "left to itself, the compiler does not: 8 % of `-top`"
    )]
    #[inline(always)]
    pub(crate) fn field(&mut self) -> Result<Option<(u64, Value<'a>)>, DecodeError> {
        if self.bytes.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let value = match key & 7 {
            0 => Value::Varint(self.varint()?),
            1 => {
                self.take(8)?;
                Value::Fixed
            }
            2 => {
                let start = self.base;
                let len = self.varint()?;
                match usize::try_from(len) {
                    Ok(len) if len <= self.bytes.len() => Value::Bytes(self.take(len)?),
                    _ => return Err(DecodeError::Truncated { at: start }),
                }
            }
            5 => {
                self.take(4)?;
                Value::Fixed
            }
            _ => return self.malformed("unknown wire type"),
        };
        Ok(Some((key >> 3, value)))
    }

    /// Reads a varint of at most ten bytes; surplus high bits are dropped, as Go does.
    #[inline]
    pub(crate) fn varint(&mut self) -> Result<u64, DecodeError> {
        match short_varint(self.bytes) {
            Some((value, rest)) => {
                self.base += self.bytes.len() - rest.len();
                self.bytes = rest;
                Ok(value)
            }
            None => self.long_varint(),
        }
    }

    /// The part from `range.start` to `range.end`, which lie within.
    pub(crate) fn part(&self, range: &Range<usize>) -> Self {
        Message {
            bytes: self.bytes.get(range.clone()).unwrap_or(&[]),
            base: self.base + range.start,
        }
    }

    /// The last `len` bytes.
    pub(crate) fn last(&self, len: usize) -> Self {
        let end = self.bytes.len();
        self.part(&(end.saturating_sub(len)..end))
    }

    /// How far into the whole input this message begins.
    pub(crate) fn at(&self) -> usize {
        self.base
    }

    #[cold]
    fn long_varint(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0u64;
        for (i, &byte) in self.bytes.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * i);
            if byte < 0x80 {
                self.take(i + 1)?;
                return Ok(value);
            }
        }
        if self.bytes.len() < 10 {
            return Err(DecodeError::Truncated { at: self.base });
        }
        self.malformed("a varint of more than ten bytes")
    }

    fn take(&mut self, len: usize) -> Result<Message<'a>, DecodeError> {
        match self.bytes.split_at_checked(len) {
            Some((bytes, rest)) => {
                let taken = Message {
                    bytes,
                    base: self.base,
                };
                self.bytes = rest;
                self.base += len;
                Ok(taken)
            }
            None => Err(DecodeError::Truncated { at: self.base }),
        }
    }
}

/// A varint of up to four bytes, and what follows; ids and lengths are no longer.
#[inline]
pub(crate) fn short_varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let low = |byte: u8| u64::from(byte & 0x7f);
    match *bytes {
        [a, ref rest @ ..] if a < 0x80 => Some((u64::from(a), rest)),
        [a, b, ref rest @ ..] if b < 0x80 => Some((low(a) | u64::from(b) << 7, rest)),
        [a, b, c, ref rest @ ..] if c < 0x80 => {
            Some((low(a) | low(b) << 7 | u64::from(c) << 14, rest))
        }
        [a, b, c, d, ref rest @ ..] if d < 0x80 => Some((
            low(a) | low(b) << 7 | low(c) << 14 | u64::from(d) << 21,
            rest,
        )),
        _ => None,
    }
}

impl<'a> Value<'a> {
    /// The number of a field that must be a varint.
    #[inline]
    pub(crate) fn number(self, at: &Message<'_>) -> Result<u64, DecodeError> {
        match self {
            Value::Varint(value) => Ok(value),
            _ => at.malformed("a number was expected"),
        }
    }

    /// The signed number of a field that must be a varint.
    #[inline]
    pub(crate) fn signed(self, at: &Message<'_>) -> Result<i64, DecodeError> {
        Ok(self.number(at)?.cast_signed())
    }

    /// The content of a field that must be a message or string.
    #[inline]
    pub(crate) fn message(self, at: &Message<'_>) -> Result<Message<'a>, DecodeError> {
        match self {
            Value::Bytes(message) => Ok(message),
            _ => at.malformed("a message was expected"),
        }
    }

    /// Gives each number of a repeated field, packed or not, to `each`.
    #[inline]
    pub(crate) fn numbers(
        self,
        at: &Message<'_>,
        mut each: impl FnMut(u64) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        match self {
            Value::Varint(value) => each(value),
            Value::Bytes(mut packed) => {
                // The place is kept only where a number is long: this is the hottest loop of all.
                let mut bytes = packed.bytes;
                while !bytes.is_empty() {
                    if let Some((number, rest)) = short_varint(bytes) {
                        bytes = rest;
                        each(number)?;
                        continue;
                    }
                    packed.base += packed.bytes.len() - bytes.len();
                    packed.bytes = bytes;
                    each(packed.long_varint()?)?;
                    bytes = packed.bytes;
                }
                Ok(())
            }
            Value::Fixed => at.malformed("numbers were expected"),
        }
    }
}

/// Bytes of a message under construction.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Writer {
            bytes: Vec::with_capacity(bytes),
        }
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
    }

    pub(crate) fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            // The low seven bits and the flag "more follows".
            self.bytes.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    /// Writes a number unless it is 0, the default that readers assume.
    pub(crate) fn number(&mut self, field: u64, value: u64) {
        if value != 0 {
            self.varint(field << 3);
            self.varint(value);
        }
    }

    pub(crate) fn signed(&mut self, field: u64, value: i64) {
        self.number(field, value.cast_unsigned());
    }

    pub(crate) fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.bytes.extend_from_slice(bytes);
    }

    pub(crate) fn message(&mut self, field: u64, message: &Writer) {
        self.bytes(field, &message.bytes);
    }

    /// Writes numbers packed, but up to two one by one, as google/pprof does.
    pub(crate) fn packed(
        &mut self,
        field: u64,
        numbers: impl ExactSizeIterator<Item = u64> + Clone,
    ) {
        if numbers.len() <= 2 {
            for number in numbers {
                self.varint(field << 3);
                self.varint(number);
            }
            return;
        }
        let bytes: usize = numbers.clone().map(varint_len).sum();
        self.varint(field << 3 | 2);
        self.varint(bytes as u64);
        self.bytes.reserve(bytes);
        numbers.for_each(|n| self.varint(n));
    }
}

/// How many bytes [`Writer::varint`] writes.
fn varint_len(value: u64) -> usize {
    let bits = u64::BITS - (value | 1).leading_zeros();
    bits.div_ceil(7) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_varint_is_as_long_as_is_said_before() {
        let around = |bits: u32| [(1u64 << bits) - 1, 1 << bits, (1 << bits) + 1];
        for value in (0..64).flat_map(around).chain([u64::MAX]) {
            let mut writer = Writer::default();
            writer.varint(value);
            assert_eq!(writer.into_bytes().len(), varint_len(value), "{value}");
        }
    }
}

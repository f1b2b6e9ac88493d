//! The protobuf wire format, as a walk over borrowed fields.
//!
//! Generated messages would hold every field of a hostile request before a bound could be
//! checked: an empty span takes two bytes on the wire and some two hundred as a struct. The walk
//! allocates nothing, so that the caller keeps what it wants and counts as it goes. It knows
//! nothing of what the fields mean. Source: <https://protobuf.dev/programming-guides/encoding/>.

/// What one field holds. Numbers are the raw bits; the caller knows how they are to be read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value<'a> {
    /// A variable-length number.
    Varint(u64),
    /// Eight bytes, little-endian.
    Fixed64(u64),
    /// A text, bytes or a message.
    Bytes(&'a [u8]),
    /// Four bytes, little-endian.
    Fixed32(u32),
}

/// Why bytes are not a protobuf message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The bytes end within a field.
    #[error("the message ends within a field")]
    Truncated,
    /// A number of more than ten bytes.
    #[error("a number is longer than ten bytes")]
    LongVarint,
    /// A field whose number is zero or beyond protobuf's range.
    #[error("a field has no valid number")]
    FieldNumber,
    /// Groups are deprecated and not part of OTLP, and types 6 and 7 do not exist.
    #[error("a field has wire type {0}, which OTLP does not use")]
    WireType(u8),
}

/// The fields of one message, in the order in which they stand; ends after the first error.
#[derive(Debug, Clone)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(super) const fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    fn field(&mut self) -> Result<(u32, Value<'a>), WireError> {
        let key = self.varint()?;
        let number = u32::try_from(key >> 3).map_err(|_| WireError::FieldNumber)?;
        if number == 0 || number > 0x1fff_ffff {
            return Err(WireError::FieldNumber);
        }
        let value = match (key & 7) as u8 {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = self.varint()?;
                let length = usize::try_from(length).map_err(|_| WireError::Truncated)?;
                let (bytes, rest) = self
                    .rest
                    .split_at_checked(length)
                    .ok_or(WireError::Truncated)?;
                self.rest = rest;
                Value::Bytes(bytes)
            }
            5 => Value::Fixed32(u32::from_le_bytes(self.array()?)),
            other => return Err(WireError::WireType(other)),
        };
        Ok((number, value))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (array, rest) = self
            .rest
            .split_first_chunk::<N>()
            .ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(*array)
    }

    fn varint(&mut self) -> Result<u64, WireError> {
        let mut number = 0;
        for position in 0..10 {
            let [byte] = self.array()?;
            // The tenth byte has room for one bit; like the official decoders, the rest is cut.
            number |= u64::from(byte & 0x7f) << (7 * position);
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(WireError::LongVarint)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Value<'a>), WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8]) -> Result<Vec<(u32, Value<'_>)>, WireError> {
        Fields::new(bytes).collect()
    }

    #[test]
    fn every_wire_type_is_read() {
        let bytes = [
            0x08, 0x96, 0x01, // 1: varint 150
            0x12, 0x02, b'h', b'i', // 2: bytes
            0x1d, 1, 0, 0, 0, // 3: fixed32
            0x21, 2, 0, 0, 0, 0, 0, 0, 0, // 4: fixed64
        ];
        let fields = check(&bytes).expect("well formed");
        assert_eq!(
            fields,
            [
                (1, Value::Varint(150)),
                (2, Value::Bytes(b"hi")),
                (3, Value::Fixed32(1)),
                (4, Value::Fixed64(2)),
            ]
        );
    }

    #[test]
    fn a_message_cut_anywhere_within_a_field_is_refused() {
        let bytes = [0x12, 0x03, b'a', b'b', b'c'];
        for end in 1..bytes.len() {
            assert_eq!(check(&bytes[..end]), Err(WireError::Truncated), "{end}");
        }
    }

    #[test]
    fn a_length_beyond_the_message_allocates_nothing() {
        let bytes = [
            0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01,
        ];
        assert_eq!(check(&bytes), Err(WireError::Truncated));
    }

    #[test]
    fn impossible_fields_are_refused() {
        assert_eq!(check(&[0x00, 0x00]), Err(WireError::FieldNumber));
        assert_eq!(check(&[0x0b]), Err(WireError::WireType(3)));
        assert_eq!(check(&[0x0f]), Err(WireError::WireType(7)));
        assert_eq!(check(&[0xff; 11]), Err(WireError::LongVarint));
    }
}

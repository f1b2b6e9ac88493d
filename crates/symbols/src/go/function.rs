//! One function of the table: its name, and what it says of its instructions.

use std::cmp::Ordering;

use super::header::{Header, Layout, text};

/// Number of the values that say which inlined call an instruction belongs to.
const INLINE_INDEX: usize = 2;
/// Number of the data that tells the inlined calls.
const INLINE_TREE: usize = 3;

/// Changes of a value within one function that are followed; the largest functions of generated
/// code have some ten thousand.
const STEPS_MAX: usize = 1 << 20;

/// A function, and where the fields of its record are.
#[derive(Debug)]
pub(super) struct Function<'table, 'data> {
    header: &'table Header<'data>,
    /// Address of its first instruction.
    pub(super) entry: u64,
    /// Its record, and all that follows.
    record: &'data [u8],
}

impl<'table, 'data> Function<'table, 'data> {
    /// The function whose code holds `address`.
    pub(super) fn at(header: &'table Header<'data>, text: u64, address: u64) -> Option<Self> {
        let base = if header.layout == Layout::Go116 {
            0
        } else {
            text
        };
        let size = header.entry_size();
        let half = |index: usize| match size {
            4 => header.words.u32(header.table, index * size).map(u64::from),
            _ => header.words.pointer(header.table, index * size),
        };
        let wanted = address.checked_sub(base)?;
        // The last entry before or at the address; entries ascend.
        let (mut low, mut high) = (0, header.functions);
        while low < high {
            let middle = low + (high - low) / 2;
            match half(middle * 2)?.cmp(&wanted) {
                Ordering::Greater => high = middle,
                _ => low = middle + 1,
            }
        }
        let index = low.checked_sub(1)?;
        let is_last_and_over = index + 1 == header.functions && half(low * 2)? <= wanted;
        if is_last_and_over {
            return None;
        }
        let record = usize::try_from(half(index * 2 + 1)?).ok()?;
        Some(Function {
            header,
            entry: base.checked_add(half(index * 2)?)?,
            record: header.table.get(record..)?,
        })
    }

    /// A field of four bytes; the entry before them is as wide as entries are.
    fn field(&self, index: usize) -> Option<u32> {
        let first = self.header.entry_size();
        self.header.words.u32(self.record, first + index * 4)
    }

    pub(super) fn name(&self) -> Option<&'data [u8]> {
        text(self.header.names, self.field(0)?)
    }

    /// The line of `func`, or 0 where the layout does not say it.
    pub(super) fn start_line(&self) -> u32 {
        match self.header.layout {
            Layout::Go120 => self.field(8).unwrap_or(0),
            Layout::Go116 | Layout::Go118 => 0,
        }
    }

    /// File and line of an instruction.
    pub(super) fn file_line(&self, address: u64) -> Option<(&'data [u8], u32)> {
        let line = self.value(self.field(5)?, address)?;
        let file = u32::try_from(self.value(self.field(4)?, address)?).ok()?;
        let slot = self.field(7)?.checked_add(file)? as usize;
        let name = self
            .header
            .words
            .u32(self.header.units, slot.checked_mul(4)?)?;
        Some((text(self.header.files, name)?, u32::try_from(line).ok()?))
    }

    /// Which inlined call an instruction belongs to; negative for none.
    pub(super) fn inline_index(&self, address: u64) -> Option<i32> {
        if self.field(6)? as usize <= INLINE_INDEX {
            return None;
        }
        let at = self.field_count() + INLINE_INDEX;
        match self.field(at)? {
            0 => None,
            values => self.value(values, address),
        }
    }

    /// Address of what tells the inlined calls.
    pub(super) fn inline_tree(&self, function_data: Option<u64>) -> Option<u64> {
        let flags = self.header.entry_size() + self.field_count() * 4 - 4;
        let count = *self.record.get(flags + 3)?;
        if usize::from(count) <= INLINE_TREE {
            return None;
        }
        let values = usize::try_from(self.field(6)?).ok()?.checked_mul(4)?;
        let first = (flags + 4).checked_add(values)?;
        if self.header.layout == Layout::Go116 {
            let pointer = self.header.words.pointer;
            // The array is aligned as pointers are; records are, too.
            let first = first.checked_next_multiple_of(pointer)?;
            let at = first.checked_add(INLINE_TREE * pointer)?;
            let address = self.header.words.pointer(self.record, at)?;
            return (address != 0).then_some(address);
        }
        let offset = self
            .header
            .words
            .u32(self.record, first.checked_add(INLINE_TREE * 4)?)?;
        match offset {
            u32::MAX => None,
            offset => function_data?.checked_add(offset.into()),
        }
    }

    /// Fields of the record behind the entry, flags included.
    fn field_count(&self) -> usize {
        match self.header.layout {
            Layout::Go116 | Layout::Go118 => 9,
            Layout::Go120 => 10,
        }
    }

    /// The value that holds at an instruction: a list of differences of value and position.
    fn value(&self, values: u32, address: u64) -> Option<i32> {
        let mut bytes = self.header.values.get(values as usize..)?;
        let (mut at, mut value) = (self.entry, -1i32);
        for first in std::iter::once(true).chain(std::iter::repeat_n(false, STEPS_MAX)) {
            let difference = varint(&mut bytes)?;
            if difference == 0 && !first {
                return None;
            }
            let sign = (difference & 1).wrapping_neg();
            value = value.wrapping_add(((difference >> 1) ^ sign).cast_signed());
            let step = u64::from(varint(&mut bytes)?) * self.header.quantum;
            at = at.checked_add(step)?;
            if address < at {
                return Some(value);
            }
        }
        None
    }
}

fn varint(bytes: &mut &[u8]) -> Option<u32> {
    let mut value = 0u32;
    for shift in (0..35).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u32::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// The calls that were inlined into a function.
#[derive(Debug)]
pub(super) struct InlineTree<'data> {
    bytes: &'data [u8],
}

/// One of them.
#[derive(Debug)]
pub(super) struct InlinedCall<'data> {
    pub(super) name: &'data [u8],
    pub(super) start_line: u32,
    /// An instruction at the place of the call, counted from the function's first.
    pub(super) parent: u64,
}

impl<'data> InlineTree<'data> {
    /// More calls are not inlined into one function.
    pub(super) const BYTES_MAX: u64 = 20 << 20;

    pub(super) fn new(bytes: &'data [u8]) -> Self {
        InlineTree { bytes }
    }

    pub(super) fn call(&self, header: &Header<'data>, index: u32) -> Option<InlinedCall<'data>> {
        // Bytes of a record, and where in it name, place and first line are.
        let (size, name, parent, start) = match header.layout {
            Layout::Go116 | Layout::Go118 => (20, 12, 16, None),
            Layout::Go120 => (16, 4, 8, Some(12)),
        };
        let record = (index as usize).checked_mul(size)?;
        let field = |at: usize| header.words.u32(self.bytes, record.checked_add(at)?);
        let parent = field(parent)?.cast_signed();
        Some(InlinedCall {
            name: text(header.names, field(name)?)?,
            start_line: start.and_then(field).unwrap_or(0),
            parent: i64::from(parent).cast_unsigned(),
        })
    }
}

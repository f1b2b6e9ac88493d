//! Where the tables of a profile.proto stand in its bytes, and how long they are.
//!
//! Writers keep rows of a kind together, so a sweep for one kind need not step
//! over the others; files that mix them are read right, only slower.

use std::ops::Range;

use crate::DecodeError;
use crate::wire::Message;

/// Fields of the top level that survey counts: samples to strings.
const TABLES: usize = 7;

/// The rows of one kind.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    pub(crate) rows: usize,
    /// Bytes of all rows, without their headers.
    pub(crate) bytes: usize,
    /// From the first row to behind the last.
    pub(crate) range: Range<usize>,
}

/// The tables by field number.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    tables: [Table; TABLES],
    /// From the first field of none of these tables to behind the last.
    scalars: Range<usize>,
}

impl Survey {
    /// Steps over the top level once.
    pub(crate) fn of(mut whole: Message<'_>) -> Result<Self, DecodeError> {
        let mut survey = Survey::default();
        let mut from = whole.at();
        while let Some((field, value)) = whole.field()? {
            let to = whole.at();
            let field = usize::try_from(field).unwrap_or(TABLES);
            if let Some(table) = survey.tables.get_mut(field) {
                let row = value.message(&whole)?;
                if table.rows == 0 {
                    table.range.start = from;
                }
                table.rows += 1;
                table.bytes += row.bytes().len();
                table.range.end = to;
            } else {
                if survey.scalars.is_empty() {
                    survey.scalars.start = from;
                }
                survey.scalars.end = to;
            }
            from = to;
        }
        Ok(survey)
    }

    pub(crate) fn scalars(&self) -> &Range<usize> {
        &self.scalars
    }

    pub(crate) fn table(&self, field: u64) -> Table {
        let field = usize::try_from(field).unwrap_or(TABLES);
        self.tables.get(field).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_counted_and_bounded() {
        // A varint of field 9, two rows of field 6 with a row of field 2 between.
        let bytes = [
            0x48, 1, 0x32, 1, b'a', 0x12, 0, 0x32, 2, b'b', b'c', 0x48, 1,
        ];
        let survey = Survey::of(Message::new(&bytes)).expect("well formed");
        let strings = survey.table(6);
        assert_eq!((strings.rows, strings.bytes, strings.range), (2, 3, 2..11));
        assert_eq!(survey.table(2).range, 5..7);
        assert_eq!(survey.scalars(), &(0..13));
        assert_eq!(survey.table(4).rows, 0);
        assert_eq!(survey.table(99).rows, 0);
    }
}

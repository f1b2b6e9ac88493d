//! From the ids of a file to places in our tables.

use std::collections::HashMap;

use crate::packed_ids::count_up_to;
use crate::wire::{Message, Value, short_varint};
use crate::{DecodeError, LocationId};

/// Upper estimate of what [`Ids`] keeps for one id.
pub(crate) type IdCost = [u64; 4];

/// Why a sample is refused.
const UNKNOWN: &str = "a sample at no known location";

/// From the file's ids to places in our tables. Writers number from 1 without
/// gaps; other ids go to a map.
#[derive(Clone, Default)]
pub(crate) struct Ids {
    /// The ids 1 to `dense` came in this order: their place is the id less 1.
    dense: usize,
    sparse: HashMap<u64, usize>,
}

impl Ids {
    pub(crate) fn insert(
        &mut self,
        id: u64,
        index: usize,
        at: &Message<'_>,
    ) -> Result<(), DecodeError> {
        if id == 0 {
            return at.malformed("the id 0 is reserved");
        }
        if self.get(id).is_some() {
            return at.malformed("an id comes twice");
        }
        if self.sparse.is_empty() && id == index as u64 + 1 {
            self.dense = index + 1;
        } else {
            self.sparse.insert(id, index);
        }
        Ok(())
    }

    #[inline]
    pub(crate) fn get(&self, id: u64) -> Option<usize> {
        // One comparison: 0 wraps to a place that no table has.
        let place = id.wrapping_sub(1);
        match usize::try_from(place) {
            Ok(place) if place < self.dense => Some(place),
            _ if self.sparse.is_empty() => None,
            _ => self.sparse.get(&id).copied(),
        }
    }
}

impl Ids {
    /// Counts a repeated field's ids; unknown ones are an error.
    pub(crate) fn count(&self, ids: Value<'_>, at: &Message<'_>) -> Result<usize, DecodeError> {
        if let Value::Bytes(packed) = ids
            && let Some(count) = count_up_to(self.dense, packed.bytes())
        {
            return Ok(count);
        }
        let mut count = 0;
        ids.numbers(at, |id| match self.get(id) {
            Some(_) => {
                count += 1;
                Ok(())
            }
            None => at.malformed(UNKNOWN),
        })?;
        Ok(count)
    }

    /// Appends the places of a repeated field's ids; unknown ones are an error.
    pub(crate) fn append(
        &self,
        ids: Value<'_>,
        at: &Message<'_>,
        stack: &mut Stack,
    ) -> Result<(), DecodeError> {
        let ids = match ids {
            Value::Bytes(packed) if self.sparse.is_empty() => {
                Value::Bytes(self.append_dense(packed, stack))
            }
            ids => ids,
        };
        ids.numbers(at, |id| match self.get(id) {
            Some(place) => {
                stack.push(LocationId::at(place));
                Ok(())
            }
            None => at.malformed(UNKNOWN),
        })
    }

    /// Appends places up to the first id that is long or unknown; what is left.
    ///
    /// This is most of what reading stacks again takes, so there is a place for every byte
    /// before it is known how many ids there are.
    #[inline]
    fn append_dense<'a>(&self, ids: Message<'a>, stack: &mut Stack) -> Message<'a> {
        let mut rest = ids.bytes();
        let mut read = 0;
        for place in stack.room(rest.len()) {
            let Some((id, behind)) = short_varint(rest) else {
                break;
            };
            let index = id.wrapping_sub(1);
            if index >= self.dense as u64 {
                break;
            }
            *place = LocationId::at(index as usize);
            rest = behind;
            read += 1;
        }
        stack.len += read;
        ids.last(rest.len())
    }
}

/// The stack of one sample after the other; there is no need to clear what is read over.
#[derive(Default)]
pub(crate) struct Stack {
    places: Vec<LocationId>,
    len: usize,
}

impl Stack {
    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    pub(crate) fn places(&self) -> &[LocationId] {
        self.places.get(..self.len).unwrap_or(&[])
    }

    /// Places behind the last, to be written.
    #[inline]
    fn room(&mut self, more: usize) -> &mut [LocationId] {
        let end = self.len + more;
        if self.places.len() < end {
            self.places.resize(end, LocationId::default());
        }
        self.places.get_mut(self.len..end).unwrap_or(&mut [])
    }

    fn push(&mut self, place: LocationId) {
        if let Some(free) = self.room(1).first_mut() {
            *free = place;
            self.len += 1;
        }
    }
}

/// The ids that a file gave to the rows of a table; later rows go on after the
/// largest. Files numbered from 1 without gaps, and built tables, take no room.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Numbers {
    /// Rows at the front that are numbered from 1.
    plain: usize,
    /// The ids of the rows after those.
    rest: Vec<u64>,
    largest: u64,
}

impl Numbers {
    pub(crate) fn push(&mut self, id: u64) {
        if self.rest.is_empty() && id == self.plain as u64 + 1 {
            self.plain += 1;
        } else {
            self.rest.push(id);
        }
        self.largest = self.largest.max(id);
    }

    /// Forgets what says nothing, so that equal tables are equal.
    pub(crate) fn finish(&mut self) {
        if self.rest.is_empty() {
            *self = Numbers::default();
        }
    }

    /// The id of the row at `index`.
    pub(crate) fn of(&self, index: usize) -> u64 {
        if index < self.plain {
            return index as u64 + 1;
        }
        let after = index - self.plain;
        match self.rest.get(after) {
            Some(&id) => id,
            None => self
                .largest
                .wrapping_add((after - self.rest.len()) as u64 + 1),
        }
    }
}

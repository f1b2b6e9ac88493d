//! From the ids of a file to places in our tables.

use std::collections::HashMap;

use crate::DecodeError;
use crate::wire::Message;

/// Upper estimate of what [`Ids`] keeps for one id.
pub(crate) type IdCost = [u64; 4];

/// From the file's ids to places in our tables. Writers number from 1 without
/// gaps; other ids go to a map.
#[derive(Default)]
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
        match usize::try_from(id) {
            Ok(id) if id != 0 && id <= self.dense => Some(id - 1),
            _ if self.sparse.is_empty() => None,
            _ => self.sparse.get(&id).copied(),
        }
    }
}

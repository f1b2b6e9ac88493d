//! Rows of a table, findable by a hash of what they hold.
//!
//! A key is the row itself: a copy beside it would be most of what merging takes.
//! So whoever looks says which rows are equal to what is looked for.

use crate::profile::row;

/// Slots of the first table; a power of two.
const FIRST: usize = 16;

/// Open addressing with linear probing. A slot is the hash of a row above its place
/// plus one; 0 is free. Growing needs no look at the rows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Places {
    /// As many as a power of two, at most half of them taken.
    slots: Vec<u64>,
    len: usize,
}

impl Places {
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The first row of this hash, which most often is the one looked for.
    #[inline]
    pub(crate) fn likely(&self, hash: u32) -> Option<usize> {
        self.find(hash, |_| true)
    }

    /// The row of this hash that `is` takes.
    #[inline]
    pub(crate) fn find(&self, hash: u32, is: impl Fn(usize) -> bool) -> Option<usize> {
        let mask = self.slots.len().wrapping_sub(1);
        let mut at = hash as usize & mask;
        // A free slot ends it, and half of the slots are free; without slots there is none.
        while let Some(&slot) = self.slots.get(at) {
            let place = (slot as u32).checked_sub(1)? as usize;
            if (slot >> 32) as u32 == hash && is(place) {
                return Some(place);
            }
            at = (at + 1) & mask;
        }
        None
    }

    /// Adds the row at `place`, which is not there yet.
    pub(crate) fn insert(&mut self, hash: u32, place: usize) {
        if self.slots.len() <= 2 * self.len {
            let room = (2 * self.slots.len()).max(FIRST);
            let taken = std::mem::replace(&mut self.slots, vec![0; room]);
            taken
                .into_iter()
                .filter(|&s| s != 0)
                .for_each(|s| self.put(s));
        }
        self.put(u64::from(hash) << 32 | u64::from(row(place).saturating_add(1)));
        self.len += 1;
    }

    fn put(&mut self, new: u64) {
        let mask = self.slots.len().wrapping_sub(1);
        let mut at = (new >> 32) as usize & mask;
        while let Some(slot) = self.slots.get_mut(at) {
            if *slot == 0 {
                *slot = new;
                return;
            }
            at = (at + 1) & mask;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_through_growth_and_equal_hashes() {
        let rows: Vec<u32> = (0..1000).collect();
        // Seven hashes for a thousand rows: all of them meet others.
        let hash = |row: u32| (row % 7) << 29;
        let mut places = Places::default();
        assert!(places.is_empty());
        for (place, &row) in rows.iter().enumerate() {
            let find = |places: &Places| places.find(hash(row), |p| rows[p] == row);
            assert_eq!(find(&places), None);
            places.insert(hash(row), place);
            assert_eq!(find(&places), Some(place));
        }
        for (place, &row) in rows.iter().enumerate() {
            assert_eq!(places.find(hash(row), |p| rows[p] == row), Some(place));
        }
        assert_eq!(places.likely(hash(9)), Some(2));
        assert_eq!(places.find(1, |_| true), None);
    }
}

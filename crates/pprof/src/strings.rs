//! The string table of a profile: texts back to back in one buffer.

use crate::StringId;
use crate::hash::hash_of;
use crate::places::Places;

/// The string table; entry 0 is always the empty text.
#[derive(Clone)]
pub(crate) struct Strings {
    text: String,
    /// Where each entry ends in `text`.
    ends: Vec<usize>,
    /// The first entry of each text, filled by the first `intern`; decoding never needs it.
    lookup: Places,
}

impl Strings {
    pub(crate) fn with_capacity(entries: usize, bytes: usize) -> Self {
        let mut strings = Strings {
            text: String::with_capacity(bytes),
            ends: Vec::with_capacity(entries + 1),
            lookup: Places::default(),
        };
        strings.ends.push(0);
        strings
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn get(&self, id: StringId) -> Option<&str> {
        let end = *self.ends.get(id.index())?;
        let start = match id.index() {
            0 => 0,
            i => *self.ends.get(i - 1)?,
        };
        self.text.get(start..end)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts
            .zip(&self.ends)
            .map(|(start, &end)| self.text.get(start..end).unwrap_or(""))
    }

    /// Appends `text`, equal entries or not.
    pub(crate) fn push(&mut self, text: &str) -> StringId {
        let id = StringId::at(self.ends.len());
        self.text.push_str(text);
        self.ends.push(self.text.len());
        id
    }

    /// The entry of `text`, appended if there is none.
    pub(crate) fn intern(&mut self, text: &str) -> StringId {
        if text.is_empty() {
            return StringId::default();
        }
        if self.lookup.is_empty() {
            for index in 0..self.len() {
                self.look_up_or_add(index);
            }
        }
        let hash = hash_of(text);
        if let Some(known) = self.look_up(hash, text) {
            return known;
        }
        let id = self.push(text);
        self.lookup.insert(hash, id.index());
        id
    }

    /// Where the texts of `other` stand here, as far as [`Strings::intern`] found them once.
    pub(crate) fn places_of(&self, other: &Strings) -> Vec<Option<StringId>> {
        let likely = other.iter().map(|text| self.lookup.likely(hash_of(text)));
        let likely: Vec<_> = likely.collect();
        let known = other.iter().zip(likely).map(|(text, place)| {
            let id = StringId::at(place?);
            (self.get(id) == Some(text)).then_some(id)
        });
        known.collect()
    }

    fn look_up(&self, hash: u32, text: &str) -> Option<StringId> {
        let is = |place| self.get(StringId::at(place)) == Some(text);
        self.lookup.find(hash, is).map(StringId::at)
    }

    /// Makes an entry findable, unless it repeats one.
    fn look_up_or_add(&mut self, index: usize) {
        let text = self.get(StringId::at(index)).unwrap_or("");
        let hash = hash_of(text);
        if self.look_up(hash, text).is_none() {
            self.lookup.insert(hash, index);
        }
    }

    /// The first entry equal to `text`.
    pub(crate) fn find(&self, text: &str) -> Option<StringId> {
        self.iter().position(|t| t == text).map(StringId::at)
    }
}

impl Default for Strings {
    fn default() -> Self {
        Strings::with_capacity(0, 0)
    }
}

impl PartialEq for Strings {
    fn eq(&self, other: &Self) -> bool {
        self.ends == other.ends && self.text == other.text
    }
}

impl Eq for Strings {}

impl std::fmt::Debug for Strings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

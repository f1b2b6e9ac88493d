//! The string table of a profile: texts back to back in one buffer.

use std::collections::HashMap;

use crate::StringId;
use crate::hash::Quick;

/// The string table; entry 0 is always the empty text.
#[derive(Clone)]
pub(crate) struct Strings {
    text: String,
    /// Where each entry ends in `text`.
    ends: Vec<usize>,
    /// Entry of each text, filled by the first `intern`; decoding never needs it.
    lookup: HashMap<Box<str>, StringId, Quick>,
}

impl Strings {
    pub(crate) fn with_capacity(entries: usize, bytes: usize) -> Self {
        let mut strings = Strings {
            text: String::with_capacity(bytes),
            ends: Vec::with_capacity(entries + 1),
            lookup: HashMap::default(),
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
            let known: Vec<Box<str>> = self.iter().map(Box::from).collect();
            for (i, text) in known.into_iter().enumerate() {
                self.lookup.entry(text).or_insert(StringId::at(i));
            }
        }
        if let Some(&id) = self.lookup.get(text) {
            return id;
        }
        let id = self.push(text);
        self.lookup.insert(text.into(), id);
        id
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

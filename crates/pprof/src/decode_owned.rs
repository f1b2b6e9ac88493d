//! Decoding that gives the bytes back as it goes.
//!
//! Writers put the tables one after the other, so what was read last is cut off
//! the end; the compressed bytes go first. What is left, samples, is checked and
//! stays as it came. Reports that print no labels leave them out.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::decode::{Decoder, inflate};
use crate::survey::Survey;
use crate::wire::Message;
use crate::{DecodeError, Label, LabelValue, Limits, Profile, StringId};

/// Which columns of samples to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Columns {
    /// Labels; without them only the first of each name and unit of numbers is there.
    pub labels: bool,
    /// Stacks; without them every sample has an empty one.
    pub stacks: bool,
}

impl Columns {
    /// Everything that the file has.
    pub const ALL: Columns = Columns {
        labels: true,
        stacks: true,
    };

    /// Stacks and values.
    pub(crate) const STACKS: Columns = Columns {
        labels: false,
        stacks: true,
    };

    /// Labels and values.
    #[cfg(any(test, feature = "report"))]
    pub(crate) const LABELS: Columns = Columns {
        labels: true,
        stacks: false,
    };

    /// Nothing but values.
    pub(crate) const VALUES: Columns = Columns {
        labels: false,
        stacks: false,
    };
}

/// Which labels of samples to keep.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Labels {
    /// Every one.
    #[default]
    All,
    /// The first of each name and unit of numbers: what units are guessed from.
    Units(HashSet<(StringId, StringId)>),
}

impl Labels {
    /// True if `label` is to be kept.
    pub(crate) fn keep(&mut self, label: &Label) -> bool {
        match (self, label.value) {
            (Labels::All, _) => true,
            (Labels::Units(_), LabelValue::Text(_)) => false,
            (Labels::Units(seen), LabelValue::Number { value, unit }) => {
                let is_set = value != 0 || unit != StringId::default();
                is_set && seen.insert((label.key, unit))
            }
        }
    }
}

impl Profile {
    /// As [`Profile::decode_within`], in less memory.
    ///
    /// # Errors
    /// As [`Profile::decode_within`].
    pub fn decode_owned(bytes: Vec<u8>, limits: &Limits) -> Result<Profile, DecodeError> {
        decode(bytes, limits, Columns::ALL)
    }

    /// As [`Profile::decode_owned`], but only `columns` are kept; all is checked. A
    /// profile that a base was taken off keeps its labels.
    ///
    /// # Errors
    /// As [`Profile::decode_within`].
    pub fn decode_columns(
        bytes: Vec<u8>,
        limits: &Limits,
        columns: Columns,
    ) -> Result<Profile, DecodeError> {
        decode(bytes, limits, columns)
    }
}

fn decode(bytes: Vec<u8>, limits: &Limits, columns: Columns) -> Result<Profile, DecodeError> {
    limits.admit(&bytes)?;
    let inflated = match inflate(&bytes, limits)? {
        Cow::Owned(plain) => Some(plain),
        Cow::Borrowed(_) => None,
    };
    let mut plain = inflated.unwrap_or(bytes);
    let begun = Survey::of(Message::new(&plain)).and_then(|survey| {
        let mut decoder = Decoder::new(limits);
        decoder.strings(Message::new(&plain), &survey.table(6))?;
        decoder.scalars(Message::new(&plain), &survey)?;
        Ok((survey, decoder))
    });
    // What fails as early as this may be a legacy format.
    let Ok((survey, mut decoder)) = begun else {
        return Profile::decode_plain(&plain, limits);
    };
    let end_of = |fields: &[u64]| {
        let ends = fields.iter().map(|&field| survey.table(field).range.end);
        ends.max().unwrap_or(0)
    };
    cut(&mut plain, end_of(&[2, 3, 4, 5]));
    decoder.functions(Message::new(&plain), &survey.table(5))?;
    cut(&mut plain, end_of(&[2, 3, 4]));
    decoder.mappings(Message::new(&plain), &survey.table(3))?;
    decoder.locations(Message::new(&plain), &survey.table(4))?;
    cut(&mut plain, end_of(&[2]));
    decoder.pack(plain, survey.table(2), columns)?;
    decoder.finish(limits)
}

/// Gives back the memory of what comes after `end`.
fn cut(plain: &mut Vec<u8>, end: usize) {
    plain.truncate(end);
    plain.shrink_to_fit();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labelled() -> Profile {
        let mut profile = Profile::new(&[("samples", "count")]);
        let (key, unit) = (profile.intern("bytes"), profile.intern("kilobytes"));
        let text = LabelValue::Text(profile.intern("a"));
        for value in [0, 7, 8] {
            let number = LabelValue::Number { value, unit };
            let labels = [number, text].map(|value| Label { key, value });
            profile.push_sample(&[], &[1], &labels);
        }
        profile
    }

    fn labels(profile: &Profile) -> Vec<usize> {
        profile.samples().map(|s| s.labels.len()).collect()
    }

    #[test]
    fn owned_bytes_give_the_same_profile() {
        let bytes = labelled().encode();
        let limits = Limits::default();
        let owned = Profile::decode_owned(bytes.clone(), &limits);
        assert_eq!(
            owned.expect("valid"),
            Profile::decode(&bytes).expect("valid")
        );
    }

    #[test]
    fn one_label_is_kept_for_each_unit() {
        let bytes = labelled().encode();
        let limits = Limits::default();
        let bare = Profile::decode_columns(bytes, &limits, Columns::STACKS).expect("valid");
        assert_eq!(labels(&bare), [1, 0, 0]);
    }

    #[test]
    fn stacks_are_checked_though_left_out() {
        let mut profile = labelled();
        let location = profile.push_location(1, None, &[]);
        profile.push_sample(&[location, location], &[5], &[]);
        let read = |bytes| Profile::decode_columns(bytes, &Limits::default(), Columns::LABELS);
        let bare = read(profile.encode()).expect("valid");
        assert_eq!(labels(&bare), [2, 2, 2, 0]);
        assert!(bare.samples().all(|s| s.locations.is_empty()));
        let values: Vec<i64> = bare.samples().flat_map(|s| s.values.to_vec()).collect();
        assert_eq!(values, [1, 1, 1, 5]);
        profile.locations.clear();
        assert!(read(profile.encode()).is_err());
    }

    #[test]
    fn the_mark_of_a_base_is_kept() {
        let mut profile = labelled();
        profile.intern("pprof::base");
        let limits = Limits::default();
        let bytes = profile.encode();
        let all = Profile::decode_columns(bytes, &limits, Columns::STACKS).expect("valid");
        assert_eq!(labels(&all), [2, 2, 2]);
    }

    #[test]
    fn a_cut_file_is_refused() {
        let bytes = labelled().encode();
        for end in 0..bytes.len() {
            let part = bytes.get(..end).expect("within").to_vec();
            let owned = Profile::decode_owned(part.clone(), &Limits::default());
            assert_eq!(owned.is_ok(), Profile::decode(&part).is_ok(), "{end}");
        }
    }
}

//! The samples of a profile: as columns, or as the file has them.
//!
//! A stack of a file takes some two bytes a frame, and as a column four. So a
//! profile that was read to be printed holds its samples as they came
//! ([`Packed`]), and whoever looks at them one after the other
//! ([`Profile::each_sample`]) reads them from there. The columns are made when
//! somebody asks for them, and nobody need know which of the two is there.

use std::ops::{Deref, DerefMut};
use std::sync::OnceLock;

use crate::packed::Packed;
use crate::{Columns, Label, LocationId, Profile, Sample};

/// Samples as columns.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Samples {
    pub(crate) locations: Vec<LocationId>,
    pub(crate) values: Vec<i64>,
    pub(crate) labels: Vec<Label>,
    /// Where each sample ends in `locations` and in `labels`.
    pub(crate) ends: Vec<(usize, usize)>,
}

impl Samples {
    /// Every sample, of `width` values each.
    pub(crate) fn iter(&self, width: usize) -> impl ExactSizeIterator<Item = Sample<'_>> {
        let mut from = (0, 0);
        self.ends.iter().enumerate().map(move |(i, &to)| {
            let values = self.values.get(i * width..(i + 1) * width);
            let sample = Sample {
                locations: self.locations.get(from.0..to.0).unwrap_or(&[]),
                values: values.unwrap_or(&[]),
                labels: self.labels.get(from.1..to.1).unwrap_or(&[]),
            };
            from = to;
            sample
        })
    }

    /// Adds a sample, which has one value of each type.
    #[inline]
    pub(crate) fn push(&mut self, sample: &Sample<'_>) {
        make_room(&mut self.locations, sample.locations.len());
        make_room(&mut self.values, sample.values.len());
        make_room(&mut self.labels, sample.labels.len());
        make_room(&mut self.ends, 1);
        self.locations.extend_from_slice(sample.locations);
        self.values.extend_from_slice(sample.values);
        self.labels.extend_from_slice(sample.labels);
        self.ends.push((self.locations.len(), self.labels.len()));
    }

    /// Adds to the values of the sample at `place`.
    #[inline]
    pub(crate) fn add_values(&mut self, place: usize, values: &[i64]) {
        let sums = self.values.get_mut(place * values.len()..);
        for (sum, value) in sums.into_iter().flatten().zip(values) {
            *sum = sum.wrapping_add(*value);
        }
    }

    /// Forgets all samples, but not the room they took.
    pub(crate) fn clear(&mut self) {
        self.locations.clear();
        self.values.clear();
        self.labels.clear();
        self.ends.clear();
    }
}

/// Makes room for `more` rows; what grows grows to four times its size. Room that nobody
/// writes to costs nothing, and columns that grow side by side are copied each time.
#[inline]
fn make_room<T>(column: &mut Vec<T>, more: usize) {
    if column.capacity() - column.len() < more {
        column.reserve_exact((3 * column.len()).max(more));
    }
}

/// Samples as columns, which are made of the bytes of a file when they are first
/// looked at.
#[derive(Clone, Default)]
pub(crate) struct Held {
    columns: OnceLock<Samples>,
    /// Left behind once a column changes.
    packed: Option<Packed>,
}

impl Held {
    /// About how many bytes of a file all samples take; rather more.
    pub(crate) fn bytes(&self) -> usize {
        match self.packed() {
            Some(packed) => packed.bytes.len(),
            None => {
                let rows = 4 * (self.ends.len() + self.values.len());
                rows + 3 * self.locations.len() + 10 * self.labels.len()
            }
        }
    }

    /// How many locations all stacks have.
    pub(crate) fn locations(&self) -> usize {
        match self.packed() {
            Some(packed) if packed.columns.stacks => packed.found.locations,
            Some(_) => 0,
            None => self.locations.len(),
        }
    }

    /// The bytes, as long as there are no columns.
    fn packed(&self) -> Option<&Packed> {
        match self.columns.get() {
            Some(_) => None,
            None => self.packed.as_ref(),
        }
    }

    #[cfg(any(test, feature = "report"))]
    pub(crate) fn len(&self) -> usize {
        match self.packed() {
            Some(packed) => packed.len(),
            None => self.ends.len(),
        }
    }

    /// Labels among which each name and unit of numbers is, in the order in which they
    /// first come.
    #[cfg(any(test, feature = "report"))]
    pub(crate) fn naming_units(&self) -> &[Label] {
        match self.packed() {
            Some(packed) => packed.naming_units(),
            None => &self.labels,
        }
    }
}

impl From<Packed> for Held {
    fn from(packed: Packed) -> Self {
        Held {
            columns: OnceLock::new(),
            packed: Some(packed),
        }
    }
}

impl From<Samples> for Held {
    fn from(columns: Samples) -> Self {
        Held {
            columns: OnceLock::from(columns),
            packed: None,
        }
    }
}

impl Deref for Held {
    type Target = Samples;

    fn deref(&self) -> &Samples {
        let made = || self.packed.as_ref().map(Packed::columns);
        self.columns.get_or_init(|| made().unwrap_or_default())
    }
}

impl DerefMut for Held {
    fn deref_mut(&mut self) -> &mut Samples {
        let _: &Samples = self;
        self.packed = None;
        self.columns.get_mut().expect("made by the line before")
    }
}

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Held {}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        (**self).fmt(f)
    }
}

impl Profile {
    /// All samples.
    pub fn samples(&self) -> impl ExactSizeIterator<Item = Sample<'_>> {
        self.samples.iter(self.sample_types.len())
    }

    /// Gives every sample to `each`, without making columns of samples that are none
    /// yet: [`Profile::samples`] for those who need only one at a time. What `look`
    /// leaves out may be empty.
    #[inline]
    pub(crate) fn each_sample(&self, look: Columns, mut each: impl FnMut(&Sample<'_>)) {
        match self.samples.packed() {
            Some(packed) => packed.each(look, |_| true, each),
            None => self.samples().for_each(|sample| each(&sample)),
        }
    }

    /// The sum of all values of a column without their signs, where it was taken already.
    #[cfg(feature = "report")]
    pub(crate) fn magnitude(&self, column: usize) -> Option<i64> {
        let packed = self.samples.packed()?;
        packed.found.magnitudes.get(column).copied()
    }

    /// As [`Profile::each_sample`], without labels and without samples whose values
    /// `wanted` does not take: their stacks need not be read.
    #[cfg(feature = "report")]
    #[inline]
    pub(crate) fn each_stack(
        &self,
        wanted: impl Fn(&[i64]) -> bool,
        mut each: impl FnMut(&Sample<'_>),
    ) {
        match self.samples.packed() {
            Some(packed) => packed.each(Columns::STACKS, wanted, each),
            None => {
                let wanted = self.samples().filter(|sample| wanted(sample.values));
                wanted.for_each(|sample| each(&sample));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LabelValue, Limits};

    /// Samples with stacks, texts and numbers, as the file has them.
    fn packed(columns: Columns) -> Profile {
        let mut profile = Profile::new(&[("samples", "count"), ("space", "bytes")]);
        let places = [1, 2, 3].map(|address| profile.push_location(address, None, &[]));
        let key = profile.intern("k");
        let text = LabelValue::Text(profile.intern("v"));
        let unit = profile.intern("bytes");
        for (depth, value) in [(0, -1), (3, i64::MAX), (1, 0), (2, 5)] {
            let labels = [text, LabelValue::Number { value, unit }];
            let labels = labels.map(|value| Label { key, value });
            profile.push_sample(&places[..depth], &[value, 1], &labels[..depth.min(2)]);
        }
        Profile::decode_columns(profile.encode(), &Limits::default(), columns).expect("valid")
    }

    /// What `each_sample` gives of the stacks and labels that are looked at.
    fn seen(profile: &Profile, look: Columns) -> Vec<(Vec<LocationId>, Vec<i64>, Vec<Label>)> {
        let mut seen = Vec::new();
        profile.each_sample(look, |s| {
            let stack = if look.stacks { s.locations } else { &[] };
            let labels = if look.labels { s.labels } else { &[] };
            seen.push((stack.to_vec(), s.values.to_vec(), labels.to_vec()));
        });
        seen
    }

    const ALL_COLUMNS: [Columns; 4] = [
        Columns::ALL,
        Columns::STACKS,
        Columns::LABELS,
        Columns::VALUES,
    ];

    #[test]
    fn samples_are_the_same_with_columns_and_without() {
        for kept in ALL_COLUMNS {
            for look in ALL_COLUMNS {
                let profile = packed(kept);
                let before = (seen(&profile, look), profile.samples.len());
                assert!(profile.samples.packed().is_some(), "nothing asked for them");
                assert_eq!(profile.samples().len(), 4);
                assert!(profile.samples.packed().is_none(), "they were asked for");
                assert_eq!(before, (seen(&profile, look), 4), "{kept:?} {look:?}");
            }
        }
    }

    #[test]
    fn a_change_is_not_undone_by_the_bytes() {
        let mut profile = packed(Columns::ALL);
        profile.push_sample(&[], &[7, 7], &[]);
        let copy = profile.clone();
        assert_eq!((profile.samples.len(), copy.samples().len()), (5, 5));
        assert_eq!(seen(&copy, Columns::ALL).len(), 5);
        assert_eq!(profile, copy);
    }

    #[test]
    fn units_are_named_with_columns_and_without() {
        let profile = packed(Columns::STACKS);
        let before = profile.samples.naming_units().to_vec();
        assert_eq!(before.len(), 1);
        assert_eq!(before, profile.samples.labels);
    }

    #[cfg(feature = "report")]
    #[test]
    fn magnitudes_are_taken_of_what_the_file_has_only() {
        let mut profile = packed(Columns::STACKS);
        let values = profile.samples.clone().values.clone();
        let sum = |column: usize| {
            let column = values.iter().skip(column).step_by(2);
            column.fold(0i64, |sum, v| sum.wrapping_add(v.wrapping_abs()))
        };
        assert_eq!(
            [0, 1].map(|i| profile.magnitude(i)),
            [0, 1].map(|i| Some(sum(i)))
        );
        assert_eq!(profile.magnitude(2), None);
        profile.push_sample(&[], &[7, -7], &[]);
        assert_eq!(profile.magnitude(0), None);
    }
}

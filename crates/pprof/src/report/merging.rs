//! Profiles that are merged as they come, so that no two of them need be held.

use super::CombineError;
use super::combine::period_in;
use crate::merge::Merger;
use crate::{Profile, ValueType};

/// What [`combine`](super::combine) makes of profiles, as long as all of them have the
/// same sample types in the same units: others are to be looked at together.
pub struct Merging {
    merger: Merger,
    kinds: Kinds,
}

/// What a profile measures: kinds and units.
#[derive(PartialEq, Eq)]
struct Kinds {
    period: (String, String),
    samples: Vec<(String, String)>,
}

impl Kinds {
    fn of(profile: &Profile) -> Self {
        let texts = |t: ValueType| {
            let (kind, unit) = (profile.text(t.kind), profile.text(t.unit));
            (kind.to_owned(), unit.to_owned())
        };
        Kinds {
            period: texts(profile.period_type),
            samples: profile.sample_types().iter().map(|&t| texts(t)).collect(),
        }
    }

    /// True if a profile of these has nothing that is to be left out or converted.
    fn stay(&self) -> bool {
        let mut names: Vec<&str> = self.samples.iter().map(|(kind, _)| kind.as_str()).collect();
        names.sort_unstable();
        // A name that comes twice is not a common one.
        !names.is_empty() && names.windows(2).all(|pair| pair.first() != pair.last())
    }
}

impl Merging {
    /// Begins with profiles that measure what `first` does, which is not added yet; `None`
    /// if some of that would be left out.
    pub fn like(first: &Profile) -> Option<Self> {
        let kinds = Kinds::of(first);
        kinds.stay().then(|| Merging {
            merger: Merger::of(first),
            kinds,
        })
    }

    /// Merges `profile`.
    ///
    /// # Errors
    /// The profile itself if it does not measure the same; nothing was done then.
    pub fn add(&mut self, mut profile: Profile) -> Result<(), Box<Profile>> {
        if Kinds::of(&profile) != self.kinds {
            return Err(Box::new(profile));
        }
        profile.period = period_in(&profile, &self.kinds.period.1);
        self.merger.add_head(&profile);
        self.merger.add(&profile);
        Ok(())
    }

    /// What was merged. A single profile is not what [`combine`](super::combine) gives: that
    /// leaves it as it is.
    ///
    /// # Errors
    /// As [`combine`](super::combine).
    pub fn finish(self) -> Result<Profile, CombineError> {
        Ok(self.merger.finish()?)
    }
}

//! Several profiles as one.
//!
//! Equal stacks with equal labels become one sample; rows of all tables are
//! numbered in the order in which samples first use them, as google/pprof does.
//! Units are not converted here: `report::combine` does.
//!
//! Source: google/pprof, profile/merge.go.

use std::collections::HashSet;

use crate::hash::Quick;
use crate::merge_stacks::Stacks;
use crate::merge_tables::Tables;
use crate::{Columns, MappingId, Profile, Sample, StringId, ValueType};

/// Profiles that do not measure the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// Nothing was given.
    #[error("no profiles to merge")]
    Nothing,
    /// The periods count different things.
    #[error("incompatible period types {one} and {other}")]
    PeriodTypes {
        /// Of the first profile, as `kind/unit`.
        one: String,
        /// Of the one that does not fit.
        other: String,
    },
    /// The values count different things.
    #[error("incompatible sample types [{one}] and [{other}]")]
    SampleTypes {
        /// Of the first profile, as `kind/unit`.
        one: String,
        /// Of the one that does not fit.
        other: String,
    },
}

impl Profile {
    /// Merges profiles of the same sample types. Samples without value go.
    ///
    /// # Errors
    /// [`MergeError`] where they measure different things.
    pub fn merge(profiles: &[&Profile]) -> Result<Profile, MergeError> {
        let mut merger = heads(profiles)?;
        for source in profiles {
            merger.add(source);
        }
        merger.finish()
    }

    /// As [`Profile::merge`], but gives the memory of each profile back once it is merged.
    ///
    /// # Errors
    /// As [`Profile::merge`].
    pub fn merge_owned(profiles: Vec<Profile>) -> Result<Profile, MergeError> {
        let mut merger = heads(&profiles.iter().collect::<Vec<_>>())?;
        for source in profiles {
            merger.add(&source);
        }
        merger.finish()
    }

    /// Fails where `other` does not measure the same.
    ///
    /// # Errors
    /// [`MergeError`] names both sides.
    pub(crate) fn compatible(&self, other: &Profile) -> Result<(), MergeError> {
        let one = self.kind_text(self.period_type);
        let its = other.kind_text(other.period_type);
        if one != its {
            return Err(MergeError::PeriodTypes { one, other: its });
        }
        let types = |p: &Profile| {
            let types = p.sample_types().iter().map(|&t| p.kind_text(t));
            types.collect::<Vec<_>>().join(" ")
        };
        let (one, other) = (types(self), types(other));
        match one == other {
            true => Ok(()),
            false => Err(MergeError::SampleTypes { one, other }),
        }
    }

    fn kind_text(&self, kind: ValueType) -> String {
        format!("{}/{}", self.text(kind.kind), self.text(kind.unit))
    }
}

/// A merger of `profiles`, which has no more than their heads yet.
fn heads(profiles: &[&Profile]) -> Result<Merger, MergeError> {
    let (first, rest) = profiles.split_first().ok_or(MergeError::Nothing)?;
    for other in rest {
        first.compatible(other)?;
    }
    let mut merger = Merger::of(first);
    profiles.iter().for_each(|p| merger.add_head(p));
    Ok(merger)
}

fn is_zero(sample: &Sample<'_>) -> bool {
    sample.values.iter().all(|&v| v == 0)
}

/// A profile without rows that measures what `first` does.
fn empty(first: &Profile) -> Profile {
    let mut merged = Profile::default();
    let kind = |merged: &mut Profile, kind: ValueType| ValueType {
        kind: merged.intern(first.text(kind.kind)),
        unit: merged.intern(first.text(kind.unit)),
    };
    for &sample_type in first.sample_types() {
        let sample_type = kind(&mut merged, sample_type);
        merged.sample_types.push(sample_type);
    }
    merged.period_type = kind(&mut merged, first.period_type);
    merged.drop_frames = merged.intern(first.text(first.drop_frames));
    merged.keep_frames = merged.intern(first.text(first.keep_frames));
    merged
}

/// Profiles that measure the same, on their way to one.
pub(crate) struct Merger {
    tables: Tables,
    samples: Stacks,
}

impl Merger {
    /// A merger of profiles that measure what `first` does; none is added yet.
    pub(crate) fn of(first: &Profile) -> Self {
        Merger {
            tables: Tables::of(empty(first)),
            samples: Stacks::new(first.sample_types().len()),
        }
    }

    /// Times, comments and defaults of `source`.
    pub(crate) fn add_head(&mut self, source: &Profile) {
        let merged = &mut self.tables.merged;
        if merged.time_nanos == 0 || source.time_nanos < merged.time_nanos {
            merged.time_nanos = source.time_nanos;
        }
        merged.duration_nanos = merged.duration_nanos.wrapping_add(source.duration_nanos);
        if merged.period == 0 || merged.period < source.period {
            merged.period = source.period;
        }
        let mut known: HashSet<_, Quick> = merged.comments.iter().copied().collect();
        for &comment in &source.comments {
            let comment = merged.intern(source.text(comment));
            if known.insert(comment) {
                merged.comments.push(comment);
            }
        }
        if merged.default_sample_type == StringId::default() {
            merged.default_sample_type = merged.intern(source.text(source.default_sample_type));
        }
        if merged.doc_url == StringId::default() {
            merged.doc_url = merged.intern(source.text(source.doc_url));
        }
    }

    pub(crate) fn finish(self) -> Result<Profile, MergeError> {
        let mut merged = self.tables.merged;
        merged.samples = self.samples.finish().into();
        if merged.samples().any(|s| is_zero(&s)) {
            // What cancelled out goes, with the rows that only it used.
            return Profile::merge_owned(vec![merged]);
        }
        Ok(merged)
    }

    /// Samples of `source`, with the rows that they use.
    pub(crate) fn add(&mut self, source: &Profile) {
        let mut moved = self.tables.known(source);
        if self.tables.merged.mappings.is_empty() && !source.mappings().is_empty() {
            // The first mapping is the main program and must stay the first.
            self.tables
                .mapping(source, &mut moved, MappingId::default());
        }
        source.each_sample(Columns::ALL, |sample| {
            if is_zero(sample) {
                return;
            }
            let tables = &mut self.tables;
            self.samples.add(sample.values, |stack, labels| {
                tables.stack(source, &mut moved, sample.locations, stack);
                tables.labels(source, &mut moved, sample.labels, labels);
            });
        });
    }
}

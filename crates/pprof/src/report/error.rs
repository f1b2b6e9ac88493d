//! Why a report could not be made, in the original's words.

use crate::{Pattern, PatternError, Profile};

/// Why a report could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// An option's regular expression is wrong.
    #[error("parsing {name} regexp: {error}")]
    Pattern {
        /// The option.
        name: &'static str,
        /// What is wrong.
        error: PatternError,
    },
    /// The command's regular expression is wrong.
    #[error("parsing argument regexp {source_text}: {error}")]
    Argument {
        /// The expression.
        source_text: String,
        /// What is wrong.
        error: PatternError,
    },
    /// The profile has no sample type.
    #[error("profile has no samples")]
    NoSampleTypes,
    /// The sample type was given by a place that is not there.
    #[error("sample_index {wanted} is outside the range [0..{last}]; sample types are [{have}]")]
    SampleIndexOutside {
        /// What was asked for.
        wanted: String,
        /// The last place.
        last: usize,
        /// The sample types that exist.
        have: String,
    },
    /// The sample type was given by a name that is not there.
    #[error("sample_index {wanted:?} must be one of: [{have}]")]
    NoSuchSampleType {
        /// What was asked for.
        wanted: String,
        /// The sample types that exist.
        have: String,
    },
    /// A sample type of heap profiles is not there.
    #[error("-heap-sites needs a heap profile with {missing}; sample types are [{have}]")]
    NoHeap {
        /// What is missing.
        missing: &'static str,
        /// The sample types that exist.
        have: String,
    },
    /// `divide_by` is 0.
    #[error("zero divisor specified")]
    ZeroDivisor,
    /// Nothing matches the command's expression.
    #[error("no matches found for regexp: {pattern}")]
    NoMatch {
        /// The expression.
        pattern: String,
    },
}

pub(super) fn argument(source: &str) -> Result<Pattern, ReportError> {
    Pattern::new(source).map_err(|error| ReportError::Argument {
        source_text: source.to_owned(),
        error,
    })
}

/// The place of a sample type; empty is the profile's default.
pub(super) fn sample_index(profile: &Profile, wanted: &str) -> Result<usize, ReportError> {
    let types = profile.sample_types();
    let Some(last) = types.len().checked_sub(1) else {
        return Err(ReportError::NoSampleTypes);
    };
    let have = || {
        let names: Vec<&str> = types.iter().map(|t| profile.text(t.kind)).collect();
        names.join(" ")
    };
    if let Ok(index) = wanted.parse::<i64>() {
        return match usize::try_from(index) {
            Ok(index) if index <= last => Ok(index),
            _ => Err(ReportError::SampleIndexOutside {
                wanted: wanted.to_owned(),
                last,
                have: have(),
            }),
        };
    }
    let found = profile.sample_type(Some(wanted));
    found.map_err(|_| ReportError::NoSuchSampleType {
        wanted: wanted.to_owned(),
        have: have(),
    })
}

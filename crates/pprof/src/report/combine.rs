//! Profiles of compatible units and types as one; the base taken off.
//!
//! Source: google/pprof, internal/driver/fetch.go `combineProfiles`,
//! profile/merge.go `CompatibilizeSampleTypes`, internal/measurement `ScaleProfiles`.

use super::gofmt::to_int;
use super::measurement::{same_kind, scale};
use crate::{MergeError, Profile, StringId, ValueType};

/// Why profiles could not be combined.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CombineError {
    /// They have no sample type in common.
    #[error("profiles have empty common sample type list")]
    NothingInCommon,
    /// Types of the same place differ.
    #[error("{what}: incompatible types: {one} {other}")]
    Types {
        /// `period type` or `sample types`.
        what: &'static str,
        /// Of one profile.
        one: String,
        /// Of another.
        other: String,
    },
    /// They do not merge.
    #[error(transparent)]
    Merge(#[from] MergeError),
}

/// Merges profiles: the sample types that all have, in the finest unit of each.
///
/// # Errors
/// [`CombineError`] where they measure different things.
pub fn combine(mut profiles: Vec<Profile>) -> Result<Profile, CombineError> {
    keep_common_types(&mut profiles)?;
    convert_units(&mut profiles)?;
    match profiles.len() {
        1 => Ok(profiles.remove(0)),
        _ => Ok(Profile::merge_owned(profiles)?),
    }
}

fn keep_common_types(profiles: &mut [Profile]) -> Result<(), CombineError> {
    let names = |p: &Profile| -> Vec<String> {
        let types = p.sample_types().iter();
        types.map(|t| p.text(t.kind).to_owned()).collect()
    };
    let all: Vec<Vec<String>> = profiles.iter().map(names).collect();
    let count = |name: &String| all.iter().flatten().filter(|n| *n == name).count();
    let first = all.first().into_iter().flatten();
    let common: Vec<String> = first.filter(|n| count(n) == all.len()).cloned().collect();
    if common.is_empty() {
        return Err(CombineError::NothingInCommon);
    }
    for (profile, names) in profiles.iter_mut().zip(&all) {
        let place = |wanted: &String| names.iter().position(|n| n == wanted);
        let Some(places) = common.iter().map(place).collect::<Option<Vec<_>>>() else {
            return Err(CombineError::NothingInCommon);
        };
        if !places.iter().copied().eq(0..names.len()) {
            keep_types(profile, &places);
        }
    }
    Ok(())
}

/// Leaves the sample types at `places`, in that order.
fn keep_types(profile: &mut Profile, places: &[usize]) {
    let types = places
        .iter()
        .filter_map(|&i| profile.sample_types().get(i).copied());
    let types: Vec<ValueType> = types.collect();
    let values = profile.samples().flat_map(|s| {
        let values = s.values;
        places.iter().filter_map(|&i| values.get(i).copied())
    });
    let values: Vec<i64> = values.collect();
    let default = profile.text(profile.default_sample_type);
    if !types.iter().any(|t| profile.text(t.kind) == default) {
        profile.default_sample_type = types.first().map_or(StringId::default(), |t| t.kind);
    }
    profile.sample_types = types;
    profile.samples.values = values;
}

/// The unit that loses nothing, of types that measure the same.
fn finest(
    profiles: &[Profile],
    types: &[ValueType],
    what: &'static str,
) -> Result<String, CombineError> {
    let mut best: Option<(String, String)> = None;
    for (profile, kind) in profiles.iter().zip(types) {
        let (name, unit) = (profile.text(kind.kind), profile.text(kind.unit));
        let Some((best_name, best_unit)) = &best else {
            best = Some((name.to_owned(), unit.to_owned()));
            continue;
        };
        let stem = |name: &str| name.strip_suffix('s').unwrap_or(name).to_owned();
        let alike = stem(name) == stem(best_name);
        if !alike || unit != best_unit && !same_kind(unit, best_unit) {
            return Err(CombineError::Types {
                what,
                one: format!("{{{best_name} {best_unit}}}"),
                other: format!("{{{name} {unit}}}"),
            });
        }
        if scale(1, unit, best_unit).0 < 1.0 {
            best = Some((name.to_owned(), unit.to_owned()));
        }
    }
    Ok(best.map_or_else(String::new, |(_, unit)| unit))
}

fn convert_units(profiles: &mut [Profile]) -> Result<(), CombineError> {
    if profiles.len() < 2 {
        return Ok(());
    }
    let types: Vec<ValueType> = profiles.iter().map(|p| p.period_type).collect();
    let period_unit = finest(profiles, &types, "period type")?;
    let count = profiles.iter().map(|p| p.sample_types().len()).min();
    let mut units = Vec::new();
    for i in 0..count.unwrap_or(0) {
        let types = profiles.iter().map(|p| p.sample_types().get(i).copied());
        let types: Vec<ValueType> = types.flatten().collect();
        units.push(finest(profiles, &types, "sample types")?);
    }
    for profile in profiles {
        convert(profile, &period_unit, &units);
    }
    Ok(())
}

/// The period of `profile` in another unit, as the original converts even to the same.
pub(super) fn period_in(profile: &Profile, unit: &str) -> i64 {
    let from = profile.text(profile.period_type.unit);
    to_int(scale(profile.period, from, unit).0)
}

/// Gives `profile` another unit of its period, and one for each sample type.
fn convert(profile: &mut Profile, period_unit: &str, units: &[String]) {
    profile.period = period_in(profile, period_unit);
    profile.period_type.unit = profile.intern(period_unit);
    let mut ratios = Vec::new();
    for (i, unit) in units.iter().enumerate() {
        let Some(kind) = profile.sample_types().get(i).copied() else {
            continue;
        };
        ratios.push(scale(1, profile.text(kind.unit), unit).0);
        let unit = profile.intern(unit);
        if let Some(kind) = profile.sample_types.get_mut(i) {
            kind.unit = unit;
        }
    }
    profile.scale_each(&ratios);
}

/// How a base is compared with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Difference {
    /// Percentages are of the base (`-diff_base`).
    pub of_base: bool,
    /// The profile is first scaled to the sum of the base (`-normalize`).
    pub normalize: bool,
}

/// `profile` less `base`.
///
/// # Errors
/// [`CombineError`] where they measure different things.
pub fn subtract(
    mut profile: Profile,
    mut base: Profile,
    how: Difference,
) -> Result<Profile, CombineError> {
    if how.of_base {
        base.set_label("pprof::base", "true");
    }
    if how.normalize {
        profile.normalize(&base)?;
    }
    base.scale(-1.0);
    combine(vec![profile, base])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_types_stay_in_the_finest_unit() {
        let mut one = Profile::new(&[("samples", "count"), ("cpu", "ms")]);
        one.push_sample(&[], &[1, 2], &[]);
        let mut two = Profile::new(&[("cpu", "ns"), ("wall", "ns")]);
        two.push_sample(&[], &[7, 8], &[]);
        let both = combine(vec![one, two]).expect("cpu is common");
        let kind = both.sample_types()[0];
        assert_eq!((both.text(kind.kind), both.text(kind.unit)), ("cpu", "ns"));
        let values: Vec<i64> = both.samples().flat_map(|s| s.values.to_vec()).collect();
        assert_eq!(values, [2_000_007]);
    }

    #[test]
    fn bytes_and_seconds_do_not_combine() {
        let (one, two) = (Profile::new(&[("a", "ms")]), Profile::new(&[("a", "kb")]));
        assert!(combine(vec![one, two]).is_err());
        let (one, two) = (Profile::new(&[("a", "")]), Profile::new(&[("b", "")]));
        assert_eq!(combine(vec![one, two]), Err(CombineError::NothingInCommon));
    }
}

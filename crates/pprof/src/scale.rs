//! Values multiplied: by a number, or to the sum of another profile.
//!
//! Source: google/pprof, profile/profile.go `ScaleN`, profile/merge.go `Normalize`.

use crate::samples::Samples;
use crate::{Columns, Label, LabelValue, MergeError, Profile};

impl Profile {
    /// Multiplies all values; samples that become all zero go.
    pub fn scale(&mut self, ratio: f64) {
        let ratios = vec![ratio; self.sample_types().len()];
        self.scale_each(&ratios);
    }

    /// Multiplies the values of each sample type by its own ratio. Of the samples,
    /// those stay that have a value other than zero among the multiplied ones.
    pub fn scale_each(&mut self, ratios: &[f64]) {
        if ratios.iter().all(|&r| r == 1.0) {
            return;
        }
        let mut kept = Samples::default();
        self.each_sample(Columns::ALL, |sample| {
            let start = kept.values.len();
            let mut any = false;
            for (&value, &ratio) in sample.values.iter().zip(ratios) {
                let scaled = match ratio == 1.0 {
                    true => value,
                    false => {
                        let scaled = to_int((value as f64 * ratio).round());
                        any |= scaled != 0;
                        scaled
                    }
                };
                kept.values.push(scaled);
            }
            if !any {
                kept.values.truncate(start);
                return;
            }
            kept.locations.extend_from_slice(sample.locations);
            kept.labels.extend_from_slice(sample.labels);
            kept.ends.push((kept.locations.len(), kept.labels.len()));
        });
        self.samples = kept.into();
    }

    /// Multiplies the values so that each type has the same sum as in `base`.
    ///
    /// # Errors
    /// [`MergeError`] where the two do not measure the same.
    pub fn normalize(&mut self, base: &Profile) -> Result<(), MergeError> {
        self.compatible(base)?;
        let sums = |profile: &Profile| {
            let mut sums = vec![0i64; profile.sample_types().len()];
            profile.each_sample(Columns::VALUES, |sample| {
                for (sum, value) in sums.iter_mut().zip(sample.values) {
                    *sum = sum.wrapping_add(*value);
                }
            });
            sums
        };
        let ratio = |(own, base): (&i64, &i64)| match own {
            0 => 0.0,
            own => *base as f64 / *own as f64,
        };
        let (own, of_base) = (sums(self), sums(base));
        let ratios: Vec<f64> = own.iter().zip(&of_base).map(ratio).collect();
        self.scale_each(&ratios);
        Ok(())
    }

    /// Gives every sample the label `key` with the text `value`, in place of what
    /// texts it had there.
    pub fn set_label(&mut self, key: &str, value: &str) {
        let label = Label {
            key: self.intern(key),
            value: LabelValue::Text(self.intern(value)),
        };
        let mut labels = Vec::with_capacity(self.samples.labels.len() + self.samples.ends.len());
        let mut ends = Vec::with_capacity(self.samples.ends.len());
        for (sample, end) in self.samples().zip(&self.samples.ends) {
            let replaced = |l: &&Label| {
                let text = matches!(l.value, LabelValue::Text(_));
                !(text && self.text(l.key) == key)
            };
            labels.extend(sample.labels.iter().filter(replaced).copied());
            labels.push(label);
            ends.push((end.0, labels.len()));
        }
        self.samples.labels = labels;
        self.samples.ends = ends;
    }
}

/// A float as Go converts it to int64 on amd64: what does not fit becomes the
/// smallest number, where Rust would saturate.
pub(crate) fn to_int(value: f64) -> i64 {
    // 2^63 itself is the first that does not fit.
    match (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&value) {
        true => value as i64,
        false => i64::MIN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(values: &[[i64; 2]]) -> Profile {
        let mut profile = Profile::new(&[("samples", "count"), ("cpu", "nanoseconds")]);
        let f = profile.push_function("f", "f.go", 1);
        let line = crate::Line {
            function: f,
            line: 1,
            column: 0,
        };
        for (i, values) in values.iter().enumerate() {
            let location = profile.push_location(i as u64 + 1, None, &[line]);
            profile.push_sample(&[location], values, &[]);
        }
        profile
    }

    fn values(profile: &Profile) -> Vec<Vec<i64>> {
        profile.samples().map(|s| s.values.to_vec()).collect()
    }

    #[test]
    fn a_base_is_subtracted() {
        let mut base = profile(&[[1, 10], [2, 20]]);
        base.scale(-1.0);
        let new = profile(&[[1, 10], [5, 50]]);
        let merged = Profile::merge(&[&new, &base]).expect("same types");
        assert_eq!(values(&merged), [[3, 30]]);
        assert_eq!(merged.locations().len(), 1);
    }

    #[test]
    fn merging_adds_equal_stacks_only() {
        let mut labelled = profile(&[[1, 1]]);
        labelled.set_label("k", "v");
        labelled.set_label("k", "w");
        let merged = Profile::merge(&[&profile(&[[1, 1]]), &labelled, &labelled]);
        let merged = merged.expect("same types");
        assert_eq!(values(&merged), [[1, 1], [2, 2]]);
        assert_eq!(merged.samples.labels.len(), 1);
    }

    #[test]
    fn normalizing_reaches_the_sum_of_the_base() {
        let mut profile = profile(&[[1, 10], [3, 30]]);
        let mut base = profile.clone();
        base.scale(2.0);
        profile.normalize(&base).expect("same types");
        assert_eq!(values(&profile), [[2, 20], [6, 60]]);
    }

    #[test]
    fn different_types_do_not_merge() {
        let other = Profile::new(&[("samples", "count")]);
        let error = Profile::merge(&[&profile(&[]), &other]).expect_err("different");
        let said = "incompatible sample types [samples/count cpu/nanoseconds] and [samples/count]";
        assert_eq!(error.to_string(), said);
    }
}

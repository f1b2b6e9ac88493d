//! Which of a profile's values a person means.

use crate::Profile;

/// The profile has no such sample type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the profile has no sample type {wanted}; it has {}", .have.join(", "))]
pub struct NoSuchSampleType {
    /// What was asked for.
    pub wanted: String,
    /// The profile's sample types, in their order.
    pub have: Vec<String>,
}

impl Profile {
    /// The place of a sample type in [`Profile::sample_types`].
    ///
    /// `name` is a kind (`inuse_space`) or a place (`1`). Without one it is the
    /// profile's default, else the last. `inuse_space` finds `space` too, as
    /// google/pprof's `SampleIndexByName` does.
    ///
    /// # Errors
    /// [`NoSuchSampleType`] lists those that exist.
    pub fn sample_type(&self, name: Option<&str>) -> Result<usize, NoSuchSampleType> {
        let types = self.sample_types();
        let place = |kind: &str| types.iter().position(|t| self.text(t.kind) == kind);
        let found = match name {
            None | Some("") => match self.text(self.default_sample_type) {
                "" => types.len().checked_sub(1),
                default => place(default).or(types.len().checked_sub(1)),
            },
            Some(name) => match name.parse::<usize>() {
                Ok(index) => (index < types.len()).then_some(index),
                Err(_) => types.iter().position(|t| {
                    let kind = self.text(t.kind);
                    kind == name || Some(kind) == name.strip_prefix("inuse_")
                }),
            },
        };
        found.ok_or_else(|| NoSuchSampleType {
            wanted: name.unwrap_or("at all").to_owned(),
            have: types.iter().map(|t| self.text(t.kind).to_owned()).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: Option<&str>) -> Result<usize, String> {
        let mut heap = Profile::new(&[("objects", "count"), ("space", "bytes"), ("time", "ns")]);
        heap.default_sample_type = heap.intern("space");
        heap.sample_type(name).map_err(|e| e.to_string())
    }

    #[test]
    fn the_default_is_taken_without_a_name() {
        assert_eq!(check(None), Ok(1));
        assert_eq!(
            Profile::new(&[("a", ""), ("b", "")]).sample_type(None),
            Ok(1)
        );
    }

    #[test]
    fn names_places_and_the_old_prefix_are_understood() {
        assert_eq!(check(Some("time")), Ok(2));
        assert_eq!(check(Some("0")), Ok(0));
        assert_eq!(check(Some("inuse_objects")), Ok(0));
    }

    #[test]
    fn a_wrong_name_lists_the_right_ones() {
        let said = "the profile has no sample type cpu; it has objects, space, time";
        assert_eq!(check(Some("cpu")), Err(said.to_owned()));
        assert!(check(Some("3")).is_err());
        assert!(Profile::default().sample_type(None).is_err());
    }
}

//! `-proto`: the profile itself.

use super::Report;
use crate::Profile;

impl Report<'_> {
    pub(super) fn proto(&self, mut profile: Profile) -> Vec<u8> {
        for value in &mut profile.samples.values {
            *value = self.scaled(*value);
        }
        profile.canonical().encode()
    }
}

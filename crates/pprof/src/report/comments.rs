//! `-comments`: the profile's comments.

use crate::Profile;

pub(super) fn comments(profile: &Profile) -> String {
    let comments = profile.comments.iter();
    comments
        .map(|&c| format!("{}\n", profile.text(c)))
        .collect()
}

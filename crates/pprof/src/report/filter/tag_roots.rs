//! tagroot and tagleaf: labels as frames.
//!
//! Source: google/pprof, internal/driver/tagroot.go.

use std::collections::HashMap;

use super::{Notes, note_if, rewrite};
use crate::report::Options;
use crate::report::measurement::scaled_label;
use crate::report::units::LabelSet;
use crate::{Line, LocationId, Profile, Sample};

/// Adds a frame for each label that `options` names, at the root and at the leaf.
pub(in crate::report) fn add_tag_frames(
    profile: &mut Profile,
    options: &Options,
    notes: &mut Notes,
) {
    let keys = |list: &str| -> Vec<String> {
        let keys = list.split(',').filter(|k| !k.is_empty());
        keys.map(str::to_owned).collect()
    };
    let (roots, leaves) = (keys(&options.tag_root), keys(&options.tag_leaf));
    let (mut root_found, mut leaf_found) = (false, false);
    if !roots.is_empty() || !leaves.is_empty() {
        let mut frames = Frames {
            next: profile.locations().len(),
            made: HashMap::new(),
            order: Vec::new(),
        };
        let mut root = Vec::new();
        rewrite(profile, |profile, sample, stack, labels| {
            // Frames at the root are numbered first, though they stand last.
            root.clear();
            root_found |= frames.push(profile, sample, &roots, &options.unit, &mut root);
            leaf_found |= frames.push(profile, sample, &leaves, &options.unit, stack);
            stack.extend_from_slice(sample.locations);
            stack.extend_from_slice(&root);
            labels.extend_from_slice(sample.labels);
            true
        });
        for (name, key) in frames.order {
            let function = profile.push_function(&name, &key, 0);
            // A label is no symbol: it has no linker's name.
            if let Some(function) = profile.functions.get_mut(function.index()) {
                function.system_name = crate::StringId::default();
            }
            let line = Line {
                function,
                line: 0,
                column: 0,
            };
            profile.push_location(0, None, &[line]);
        }
    }
    note_if(
        !options.tag_root.is_empty() && !root_found,
        "TagRoot",
        notes,
    );
    note_if(
        !options.tag_leaf.is_empty() && !leaf_found,
        "TagLeaf",
        notes,
    );
}

/// Locations to be, by the label's values and name.
struct Frames {
    next: usize,
    made: HashMap<(String, String), LocationId>,
    order: Vec<(String, String)>,
}

impl Frames {
    /// Appends the frames of `keys`, the first key nearest to the root; true if
    /// the sample has any of them.
    fn push(
        &mut self,
        profile: &Profile,
        sample: &Sample<'_>,
        keys: &[String],
        unit: &str,
        stack: &mut Vec<LocationId>,
    ) -> bool {
        let mut found = false;
        for key in keys.iter().rev() {
            let values = values(profile, sample, key, unit);
            found |= !values.is_empty();
            let id = (values.join(","), key.clone());
            let next = LocationId::at(self.next);
            let location = *self.made.entry(id).or_insert_with_key(|id| {
                self.order.push(id.clone());
                self.next += 1;
                next
            });
            stack.push(location);
        }
        found
    }
}

/// The texts and numbers of one label of a sample.
fn values(profile: &Profile, sample: &Sample<'_>, key: &str, unit: &str) -> Vec<String> {
    let labels = LabelSet::of(profile, sample);
    let mut values: Vec<String> = Vec::new();
    for (_, texts) in labels.texts.iter().filter(|(k, _)| **k == key) {
        values.extend(texts.iter().map(|t| (*t).to_owned()));
    }
    for (_, numbers) in labels.numbers.iter().filter(|(k, _)| **k == key) {
        let shown = |(i, &value): (usize, &i64)| match numbers.units.get(i) {
            Some(from) => scaled_label(value, from, unit),
            None => scaled_label(value, "", ""),
        };
        values.extend(numbers.values.iter().enumerate().map(shown));
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Label, LabelValue};

    #[test]
    fn frames_at_the_root_are_numbered_before_those_at_the_leaf() {
        let mut profile = Profile::new(&[("samples", "count")]);
        let place = profile.push_location(1, None, &[]);
        let labels = ["request", "tenant"].map(|name| Label {
            key: profile.intern(name),
            value: LabelValue::Text(profile.intern("a")),
        });
        profile.push_sample(&[place], &[1], &labels);
        let options = Options {
            tag_root: "request".to_owned(),
            tag_leaf: "tenant".to_owned(),
            ..Options::default()
        };
        add_tag_frames(&mut profile, &options, &mut Notes::new());
        let stacks: Vec<_> = profile.samples().map(|s| s.locations.to_vec()).collect();
        let [leaf, root] = [2, 1].map(LocationId::at);
        assert_eq!(stacks, [[leaf, place, root]]);
        let file = |location| {
            let function = profile.lines(location)[0].function;
            profile.text(profile.functions()[function.index()].file)
        };
        assert_eq!((file(root), file(leaf)), ("request", "tenant"));
    }
}

//! Cutting stacks below frames: drop_frames and prune_from.
//!
//! Source: google/pprof, profile/prune.go.

use super::rewrite;
use crate::{LocationId, Pattern, Profile};

/// Names with parentheses that do not begin an argument list.
const RESERVED: [&str; 2] = ["(anonymous namespace)", "operator()"];

/// A C++ name without its argument list, and without the leading dot of PowerPC.
fn without_arguments(name: &str) -> &str {
    let name = name.strip_prefix('.').unwrap_or(name);
    let mut at = 0;
    while let Some(rest) = name.get(at..) {
        if let Some(reserved) = RESERVED.iter().find(|r| rest.starts_with(**r)) {
            at += reserved.len();
            continue;
        }
        match rest.chars().next() {
            None => break,
            Some('(') => return name.get(..at).unwrap_or(name),
            Some(c) => at += c.len_utf8(),
        }
    }
    name
}

/// Which functions `wanted` holds for; functions without a name never match.
fn functions(profile: &Profile, wanted: impl Fn(&str) -> bool) -> Vec<bool> {
    let names = profile.functions().iter().map(|f| profile.text(f.name));
    names
        .map(|name| !name.is_empty() && wanted(without_arguments(name)))
        .collect()
}

/// What pruning does to a location.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cut {
    Nothing,
    /// The frames below it go.
    Beneath,
    /// It goes itself, too.
    Whole,
}

/// Removes frames that `drop` matches and `keep` does not, with all below them,
/// but never those above the first frame of the user.
pub(super) fn prune(profile: &mut Profile, drop: &Pattern, keep: Option<&Pattern>) {
    let unwanted = functions(profile, |name| {
        drop.is_match(name) && !keep.is_some_and(|k| k.is_match(name))
    });
    if !unwanted.contains(&true) {
        return;
    }
    let mut cuts = vec![Cut::Nothing; profile.locations().len()];
    for (i, cut) in cuts.iter_mut().enumerate() {
        let lines = profile.lines(LocationId::at(i));
        let is_unwanted = |l: &crate::Line| unwanted.get(l.function.index()) == Some(&true);
        let Some(found) = lines.iter().rposition(is_unwanted) else {
            continue;
        };
        if found + 1 == lines.len() {
            *cut = Cut::Whole;
        } else {
            *cut = Cut::Beneath;
            if let Some(location) = profile.locations.get_mut(i) {
                location.lines.start += crate::profile::row(found + 1);
            }
        }
    }
    rewrite(profile, |_, sample, stack, labels| {
        let mut user = false;
        let mut from = 0;
        for (i, location) in sample.locations.iter().enumerate().rev() {
            match cuts.get(location.index()) {
                Some(Cut::Beneath) if user => from = i,
                Some(Cut::Whole) if user => from = i + 1,
                Some(Cut::Nothing) | None => {
                    user = true;
                    continue;
                }
                _ => continue,
            }
            break;
        }
        stack.extend(sample.locations.iter().skip(from));
        labels.extend_from_slice(sample.labels);
        true
    });
}

/// Removes what the lowest matching frame of each sample calls, not itself.
pub(super) fn prune_from(profile: &mut Profile, pattern: &Pattern) {
    let wanted = functions(profile, |name| pattern.is_match(name));
    let mut matches = vec![false; profile.locations().len()];
    for (i, matched) in matches.iter_mut().enumerate() {
        let lines = profile.lines(LocationId::at(i));
        let is_wanted = |l: &crate::Line| wanted.get(l.function.index()) == Some(&true);
        if let Some(found) = lines.iter().position(is_wanted) {
            *matched = true;
            if let Some(location) = profile.locations.get_mut(i) {
                location.lines.start += crate::profile::row(found);
            }
        }
    }
    rewrite(profile, |_, sample, stack, labels| {
        let lowest = sample
            .locations
            .iter()
            .position(|l| matches.get(l.index()) == Some(&true));
        stack.extend(sample.locations.iter().skip(lowest.unwrap_or(0)));
        labels.extend_from_slice(sample.labels);
        true
    });
}

#[cfg(test)]
mod tests {
    use super::without_arguments;

    #[test]
    fn argument_lists_are_cut() {
        let cases = [
            ("f(int)", "f"),
            ("(anonymous namespace)::f(int)", "(anonymous namespace)::f"),
            ("T::operator()(int)", "T::operator()"),
            (".f", "f"),
            ("main.(*T).run", "main."),
            ("é", "é"),
        ];
        for (name, simple) in cases {
            assert_eq!(without_arguments(name), simple);
        }
    }
}

//! focus, ignore, hide, show, show_from: by names of functions, files and objects.

use super::rewrite;
use crate::{Line, LocationId, Pattern, Profile};

/// The four filters that look at one location at a time.
pub(super) struct Frames {
    pub(super) focus: Option<Pattern>,
    pub(super) ignore: Option<Pattern>,
    pub(super) hide: Option<Pattern>,
    pub(super) show: Option<Pattern>,
}

impl Frames {
    pub(super) fn is_empty(&self) -> bool {
        [&self.focus, &self.ignore, &self.hide, &self.show]
            .iter()
            .all(|p| p.is_none())
    }
}

/// Which of the filters found anything.
#[derive(Default)]
pub(super) struct Matched {
    pub(super) focus: bool,
    pub(super) ignore: bool,
    pub(super) hide: bool,
    pub(super) show: bool,
}

/// Which functions (by name or file) and mapped files an expression matches.
struct Names {
    functions: Vec<bool>,
    mappings: Vec<bool>,
}

impl Names {
    fn of(profile: &Profile, pattern: &Pattern) -> Self {
        let mut files = std::collections::HashMap::new();
        let functions = profile.functions().iter().map(|f| {
            pattern.is_match(profile.text(f.name))
                || *files
                    .entry(f.file)
                    .or_insert_with(|| pattern.is_match(profile.text(f.file)))
        });
        let functions = functions.collect();
        let mappings = profile.mappings().iter();
        Names {
            functions,
            mappings: mappings
                .map(|m| pattern.is_match(profile.text(m.file)))
                .collect(),
        }
    }

    fn line(&self, line: &Line) -> bool {
        self.functions
            .get(line.function.index())
            .copied()
            .unwrap_or(false)
    }

    fn mapping(&self, profile: &Profile, location: usize) -> bool {
        let mapping = profile.locations().get(location).and_then(|l| l.mapping);
        mapping.is_some_and(|m| self.mappings.get(m.index()).copied().unwrap_or(false))
    }

    fn location(&self, profile: &Profile, location: usize) -> bool {
        let mut lines = profile.lines(LocationId::at(location)).iter();
        lines.any(|l| self.line(l)) || self.mapping(profile, location)
    }
}

pub(super) fn filter(profile: &mut Profile, frames: &Frames) -> Matched {
    let names = |pattern: &Option<Pattern>| pattern.as_ref().map(|p| Names::of(profile, p));
    let (focus, ignore) = (names(&frames.focus), names(&frames.ignore));
    let (hide, show) = (names(&frames.hide), names(&frames.show));
    let mut matched = Matched::default();
    let count = profile.locations().len();
    // Of each location: focused (true), ignored (false) or neither.
    let mut verdicts = vec![None; count];
    let mut hidden = vec![false; count];
    for (i, (verdict, hidden)) in verdicts.iter_mut().zip(&mut hidden).enumerate() {
        if ignore.as_ref().is_some_and(|n| n.location(profile, i)) {
            matched.ignore = true;
            *verdict = Some(false);
        } else if focus.as_ref().is_none_or(|n| n.location(profile, i)) {
            matched.focus = true;
            *verdict = Some(true);
        }
        if let Some(names) = &hide
            && names.location(profile, i)
        {
            matched.hide = true;
            let whole = names.mapping(profile, i);
            retain_lines(profile, i, |line| !whole && !names.line(line));
            *hidden |= profile.lines(LocationId::at(i)).is_empty();
        }
        if let Some(names) = &show {
            let whole = names.mapping(profile, i);
            retain_lines(profile, i, |line| whole || names.line(line));
            let nothing = profile.lines(LocationId::at(i)).is_empty();
            *hidden |= nothing;
            matched.show |= !nothing;
        }
    }
    let any_hidden = hidden.contains(&true);
    rewrite(profile, |_, sample, stack, labels| {
        let verdict = |l: &LocationId| verdicts.get(l.index()).copied().flatten();
        let mut focused = false;
        for location in sample.locations {
            match verdict(location) {
                Some(false) => return false,
                Some(true) => focused = true,
                None => {}
            }
        }
        let before = stack.len();
        let seen = |l: &&LocationId| !hidden.get(l.index()).copied().unwrap_or(false);
        stack.extend(sample.locations.iter().filter(seen));
        labels.extend_from_slice(sample.labels);
        focused && (!any_hidden || stack.len() > before)
    });
    matched
}

/// Keeps the lines of a location that `keep` wants.
fn retain_lines(profile: &mut Profile, location: usize, keep: impl Fn(&Line) -> bool) {
    let Some(range) = profile.locations.get(location).map(|l| l.lines.clone()) else {
        return;
    };
    let mut kept = range.start;
    for i in range {
        let Some(&line) = profile.lines.get(i as usize) else {
            break;
        };
        if keep(&line) {
            if let Some(place) = profile.lines.get_mut(kept as usize) {
                *place = line;
            }
            kept += 1;
        }
    }
    if let Some(location) = profile.locations.get_mut(location) {
        location.lines.end = kept;
    }
}

/// Drops the frames above the highest match; true if there was one.
pub(super) fn show_from(profile: &mut Profile, pattern: &Pattern) -> bool {
    let names = Names::of(profile, pattern);
    let mut matches = vec![false; profile.locations().len()];
    for (i, matched) in matches.iter_mut().enumerate() {
        if names.mapping(profile, i) {
            *matched = true;
            continue;
        }
        let lines = profile.lines(LocationId::at(i));
        if let Some(last) = lines.iter().rposition(|l| names.line(l)) {
            *matched = true;
            if let Some(location) = profile.locations.get_mut(i) {
                location.lines.end = location.lines.start + crate::profile::row(last + 1);
            }
        }
    }
    rewrite(profile, |_, sample, stack, labels| {
        let matched = |l: &LocationId| matches.get(l.index()).copied().unwrap_or(false);
        let Some(highest) = sample.locations.iter().rposition(matched) else {
            return false;
        };
        stack.extend(sample.locations.iter().take(highest + 1));
        labels.extend_from_slice(sample.labels);
        true
    });
    matches.contains(&true)
}

//! tagfocus, tagignore, tagshow, taghide: by labels.

use std::collections::HashMap;

use super::range::Range;
use super::{Notes, ReportError, rewrite};
use crate::report::units::{NumericUnits, is_set};
use crate::{Label, LabelValue, Pattern, PatternError, Profile, Sample, StringId};

/// What tagfocus or tagignore looks for.
pub(super) enum TagFilter {
    /// A number in a range, under a key if one is given.
    Range { key: Option<String>, range: Range },
    /// Every expression matches some `key:value`.
    All(Vec<Cached>),
    /// Some expression matches a value of the key.
    Any { key: String, patterns: Vec<Cached> },
}

/// An expression that remembers its answer for each label: samples repeat them.
pub(super) struct Cached {
    pattern: Pattern,
    answers: std::cell::RefCell<HashMap<(StringId, StringId), bool>>,
}

impl Cached {
    fn is_match(&self, key: StringId, value: StringId, text: impl FnOnce() -> String) -> bool {
        let mut answers = self.answers.borrow_mut();
        *answers
            .entry((key, value))
            .or_insert_with(|| self.pattern.is_match(&text()))
    }
}

pub(super) fn compile(
    name: &'static str,
    value: &str,
    notes: &mut Notes,
) -> Result<Option<TagFilter>, ReportError> {
    if value.is_empty() {
        return Ok(None);
    }
    let (key, value) = match value.split_once('=') {
        Some((key, value)) => (Some(key), value),
        None => (None, value),
    };
    let key = key.filter(|k| !k.is_empty()).map(str::to_owned);
    if let Some(range) = Range::parse(value) {
        notes.push(format!("{name}:Interpreted '{value}' as range, not regexp"));
        return Ok(Some(TagFilter::Range { key, range }));
    }
    let patterns: Result<Vec<Cached>, PatternError> = value
        .split(',')
        .map(|source| {
            Ok(Cached {
                pattern: Pattern::new(source)?,
                answers: std::cell::RefCell::default(),
            })
        })
        .collect();
    let patterns = patterns.map_err(|error| ReportError::Pattern { name, error })?;
    Ok(Some(match key {
        None => TagFilter::All(patterns),
        Some(key) => TagFilter::Any { key, patterns },
    }))
}

impl TagFilter {
    fn matches(&self, profile: &Profile, units: &NumericUnits, sample: &Sample<'_>) -> bool {
        let texts = || {
            sample.labels.iter().filter_map(|l| match l.value {
                LabelValue::Text(value) => Some((l.key, value)),
                LabelValue::Number { .. } => None,
            })
        };
        match self {
            TagFilter::Range { key, range } => {
                sample.labels.iter().any(|label| match label.value {
                    LabelValue::Number { value, .. } if is_set(label) => {
                        let name = profile.text(label.key);
                        key.as_ref().is_none_or(|key| key == name)
                            && range.contains(value, units.of_key(name))
                    }
                    _ => false,
                })
            }
            TagFilter::All(patterns) => patterns.iter().all(|pattern| {
                texts().any(|(key, value)| {
                    pattern.is_match(key, value, || {
                        format!("{}:{}", profile.text(key), profile.text(value))
                    })
                })
            }),
            TagFilter::Any { key, patterns } => texts()
                .filter(|&(k, _)| profile.text(k) == key)
                .any(|(k, value)| {
                    let text = || profile.text(value).to_owned();
                    patterns.iter().any(|p| p.is_match(k, value, text))
                }),
        }
    }
}

/// Keeps samples that `focus` matches and `ignore` does not; tells whether each
/// matched any.
pub(super) fn filter_samples(
    profile: &mut Profile,
    units: &NumericUnits,
    focus: Option<&TagFilter>,
    ignore: Option<&TagFilter>,
) -> (bool, bool) {
    let (mut any_focused, mut any_ignored) = (false, false);
    rewrite(profile, |profile, sample, stack, labels| {
        let focused = focus.is_none_or(|f| f.matches(profile, units, sample));
        let ignored = ignore.is_some_and(|f| f.matches(profile, units, sample));
        any_focused |= focused;
        any_ignored |= ignored;
        stack.extend_from_slice(sample.locations);
        labels.extend_from_slice(sample.labels);
        focused && !ignored
    });
    (any_focused, any_ignored)
}

/// Keeps labels whose names `show` matches and `hide` does not; tells whether
/// each matched any.
pub(super) fn filter_names(
    profile: &mut Profile,
    show: Option<&Pattern>,
    hide: Option<&Pattern>,
) -> (bool, bool) {
    let (mut any_shown, mut any_hidden) = (false, false);
    let mut known: HashMap<StringId, (bool, bool)> = HashMap::new();
    rewrite(profile, |profile, sample, stack, labels| {
        stack.extend_from_slice(sample.locations);
        let keep = |label: &&Label| {
            let (shown, hidden) = *known.entry(label.key).or_insert_with(|| {
                let name = profile.text(label.key);
                (
                    show.is_none_or(|p| p.is_match(name)),
                    hide.is_some_and(|p| p.is_match(name)),
                )
            });
            any_shown |= shown;
            any_hidden |= hidden;
            shown && !hidden
        };
        labels.extend(sample.labels.iter().filter(keep));
        true
    });
    (any_shown, any_hidden)
}

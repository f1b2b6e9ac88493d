//! Filters: which samples, frames and labels a report sees.
//!
//! They change the profile in place, in google/pprof's order. What matched
//! nothing is told in a note; the report goes on.
//!
//! Source: google/pprof, internal/driver/driver_focus.go; profile/filter.go.

mod names;
mod prune;
mod range;
mod tag_roots;
mod tags;

pub(super) use tag_roots::add_tag_frames;

use super::units::NumericUnits;
use super::{Options, ReportError};
use crate::samples::Samples;
use crate::{Columns, Label, LocationId, Pattern, Profile, Sample};

type Notes = Vec<String>;

/// Compiles an option's regular expression; `None` where it is not given.
fn compile(name: &'static str, value: &str) -> Result<Option<Pattern>, ReportError> {
    if value.is_empty() {
        return Ok(None);
    }
    match Pattern::new(value) {
        Ok(pattern) => Ok(Some(pattern)),
        Err(error) => Err(ReportError::Pattern { name, error }),
    }
}

fn note_if(nothing: bool, option: &str, notes: &mut Notes) {
    if nothing {
        notes.push(format!("{option} expression matched no samples"));
    }
}

/// True if an option looks at labels.
pub(super) fn reads_labels(o: &Options) -> bool {
    let filters = [
        &o.tag_focus,
        &o.tag_ignore,
        &o.tag_show,
        &o.tag_hide,
        &o.tag_root,
        &o.tag_leaf,
    ];
    filters.iter().any(|filter| !filter.is_empty())
}

/// True if an option drops samples by their stacks, or shows in what is left of them.
pub(super) fn reads_stacks(o: &Options) -> bool {
    let filters = [
        &o.focus,
        &o.ignore,
        &o.hide,
        &o.show,
        &o.show_from,
        &o.prune_from,
        &o.tag_root,
        &o.tag_leaf,
    ];
    filters.iter().any(|filter| !filter.is_empty())
}

/// Applies every filter of `options`.
pub(super) fn apply(
    profile: &mut Profile,
    units: &NumericUnits,
    options: &Options,
    notes: &mut Notes,
) -> Result<(), ReportError> {
    let frames = names::Frames {
        focus: compile("focus", &options.focus)?,
        ignore: compile("ignore", &options.ignore)?,
        hide: compile("hide", &options.hide)?,
        show: compile("show", &options.show)?,
    };
    let show_from = compile("show_from", &options.show_from)?;
    let tag_focus = tags::compile("tagfocus", &options.tag_focus, notes)?;
    let tag_ignore = tags::compile("tagignore", &options.tag_ignore, notes)?;
    let prune_from = compile("prune_from", &options.prune_from)?;

    if !frames.is_empty() {
        let matched = names::filter(profile, &frames);
        note_if(frames.focus.is_some() && !matched.focus, "Focus", notes);
        note_if(frames.ignore.is_some() && !matched.ignore, "Ignore", notes);
        note_if(frames.hide.is_some() && !matched.hide, "Hide", notes);
        note_if(frames.show.is_some() && !matched.show, "Show", notes);
    }
    if let Some(show_from) = &show_from {
        let matched = names::show_from(profile, show_from);
        note_if(!matched, "ShowFrom", notes);
    }
    if tag_focus.is_some() || tag_ignore.is_some() {
        let (focused, ignored) =
            tags::filter_samples(profile, units, tag_focus.as_ref(), tag_ignore.as_ref());
        note_if(tag_focus.is_some() && !focused, "TagFocus", notes);
        note_if(tag_ignore.is_some() && !ignored, "TagIgnore", notes);
    }
    let tag_show = compile("tagshow", &options.tag_show)?;
    let tag_hide = compile("taghide", &options.tag_hide)?;
    if tag_show.is_some() || tag_hide.is_some() {
        let (shown, hidden) = tags::filter_names(profile, tag_show.as_ref(), tag_hide.as_ref());
        note_if(tag_show.is_some() && !shown, "TagShow", notes);
        note_if(tag_hide.is_some() && !hidden, "TagHide", notes);
    }
    if let Some(prune_from) = &prune_from {
        prune::prune_from(profile, prune_from);
    }
    Ok(())
}

impl Profile {
    /// Cuts away what [`Profile::drop_frames`] names: allocators, signal
    /// handlers. Expressions that do not compile are taken as not there.
    pub fn remove_uninteresting(&mut self) {
        let whole = |id| {
            let source = self.text(id);
            (!source.is_empty()).then(|| Pattern::new(&format!("^({source})$")))
        };
        let (Some(Ok(drop)), keep) = (whole(self.drop_frames), whole(self.keep_frames)) else {
            return;
        };
        match keep {
            None => prune::prune(self, &drop, None),
            Some(Ok(keep)) => prune::prune(self, &drop, Some(&keep)),
            Some(Err(_)) => {}
        }
    }
}

/// Writes every sample again: `write` gets the sample and appends its stack and
/// labels, or answers false to drop it.
pub(super) fn rewrite(
    profile: &mut Profile,
    mut write: impl FnMut(&Profile, &Sample<'_>, &mut Vec<LocationId>, &mut Vec<Label>) -> bool,
) {
    let mut new = Samples::default();
    profile.each_sample(Columns::ALL, |sample| {
        if write(profile, sample, &mut new.locations, &mut new.labels) {
            new.values.extend_from_slice(sample.values);
            new.ends.push((new.locations.len(), new.labels.len()));
        } else {
            let (locations, labels) = new.ends.last().copied().unwrap_or_default();
            new.locations.truncate(locations);
            new.labels.truncate(labels);
        }
    });
    profile.samples = new.into();
}

//! Source: after a run, what its findings name is looked up once and frozen in the bundle.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use shakedown_acquire::{Recorder, source};
use shakedown_evidence::{Event, Evidence};

use crate::{Settings, assess};

/// Lines of source shown around a place.
const AROUND: u32 = 4;

/// Freezes the source around every place that a finding names, and looks for the texts whose
/// place is not known. The report is made from what was frozen.
pub(crate) async fn quote_source(settings: &Settings, cwd: Option<PathBuf>, recorder: &Recorder) {
    let root = source_root(settings, cwd, recorder);
    let texts = recorder.read(shakedown_analyze::wanted_literals);
    if let Some(root) = root.clone().filter(|_| !texts.is_empty()) {
        let found = tokio::task::spawn_blocking(move || {
            source::find_literals(&root, &texts, &source::WalkLimits::default())
        })
        .await;
        for literal in found.unwrap_or_default() {
            recorder.record(Event::Literal(literal));
        }
    }
    let places: BTreeSet<(String, u32)> = recorder.read(|seen| {
        let report = assess(seen);
        let places = report
            .findings
            .iter()
            .filter_map(|finding| finding.location.as_ref());
        places
            .filter_map(|place| Some((place.file.clone()?, place.line?)))
            .collect()
    });
    for (file, line) in places {
        if let Some(excerpt) = source::excerpt(root.as_deref(), &file, line, AROUND) {
            recorder.record(Event::Source(excerpt));
        }
    }
}

fn source_root(settings: &Settings, cwd: Option<PathBuf>, recorder: &Recorder) -> Option<PathBuf> {
    if let Some(root) = &settings.source {
        return Some(root.clone());
    }
    let main = recorder.read(|seen: &Evidence| {
        seen.build
            .as_ref()?
            .main
            .as_ref()
            .map(|main| main.path.clone())
    });
    let cwd = cwd.or_else(|| std::env::current_dir().ok())?;
    source::find_root(main.as_deref(), Path::new(&cwd), &settings.start.command)
}

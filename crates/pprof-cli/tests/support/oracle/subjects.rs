//! Profiles to ask about.

use std::path::Path;

use shakedown_pprof::{LabelValue, Profile, gzip};

use super::rewritten::rewritten;
use crate::support::scale_up::{Wanted, scale_up};

/// A profile to ask about, and what there is to ask for.
pub(crate) struct Subject {
    pub(crate) path: String,
    pub(crate) names: Vec<String>,
    pub(crate) files: Vec<String>,
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) numbers: Vec<(String, i64)>,
    pub(crate) types: Vec<String>,
}

/// Every profile below `folder` that we read, and labelled ones made of the two real
/// ones, in two seeds, and such with columns and another default type, which are written
/// to `scratch`.
pub(crate) fn subjects(folder: &Path, scratch: &Path) -> Vec<Subject> {
    let mut found = Vec::new();
    for part in [
        "data/profile",
        "data/service",
        "data/goroutine",
        "data/list",
        "golden/driver",
        "golden/profile",
    ] {
        let entries = std::fs::read_dir(folder.join(part)).expect("a data folder");
        for entry in entries {
            let name = entry.expect("an entry").file_name();
            let path = format!("{part}/{}", name.to_string_lossy());
            let bytes = std::fs::read(folder.join(&path)).unwrap_or_default();
            if let Ok(profile) = Profile::decode(&bytes) {
                found.push(subject(path, &profile));
            }
        }
    }
    for (name, seed) in [
        ("cpu_compile", 11),
        ("cpu_compile", 12),
        ("heap_compile", 13),
        ("heap_compile", 14),
    ] {
        let real = std::fs::read(folder.join(format!("data/profile/{name}.pb.gz")));
        let real = Profile::decode(&real.expect("a real profile")).expect("a real profile");
        let wanted = Wanted {
            bytes: 900_000,
            seed,
            copies: 1,
            labelled: true,
        };
        let large = scale_up(&real, &wanted);
        let path = scratch.join(format!("{name}.{seed}.pb.gz"));
        std::fs::write(&path, gzip(&large.encode())).expect("room for scratch files");
        found.push(subject(path.to_string_lossy().into_owned(), &large));
    }
    // Real profiles show what their last or default type measures, and Go writes no columns:
    // the flags that choose these would change nothing.
    for (part, name, default) in [
        ("profile", "heap_compile", "alloc_objects"),
        ("service", "heap", "alloc_space"),
        ("service", "mutex", "contentions"),
        ("service", "block", "contentions"),
    ] {
        let real = std::fs::read(folder.join(format!("data/{part}/{name}.pb.gz")));
        let real = Profile::decode(&real.expect("a real profile")).expect("a real profile");
        let other = rewritten(&real, default);
        let path = scratch.join(format!("{name}.columns.pb.gz"));
        std::fs::write(&path, gzip(&other.encode())).expect("room for scratch files");
        found.push(subject(path.to_string_lossy().into_owned(), &other));
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn subject(path: String, profile: &Profile) -> Subject {
    let text = |id| profile.text(id).to_owned();
    let names = profile.functions().iter().map(|f| text(f.name));
    let files = profile.functions().iter().map(|f| text(f.file));
    let types = profile.sample_types().iter().map(|t| text(t.kind));
    let mut labels = Vec::new();
    let mut numbers = Vec::new();
    for label in profile.samples().flat_map(|s| s.labels.to_vec()).take(500) {
        match label.value {
            LabelValue::Text(value) => labels.push((text(label.key), text(value))),
            LabelValue::Number { value, .. } => numbers.push((text(label.key), value)),
        }
    }
    // Scaled-up labels come after the real samples, which have none.
    let last = profile.samples().filter(|s| !s.labels.is_empty()).last();
    for label in last.map(|s| s.labels.to_vec()).unwrap_or_default() {
        if let LabelValue::Text(value) = label.value {
            labels.push((text(label.key), text(value)));
        }
    }
    Subject {
        path,
        names: names.filter(|n| !n.is_empty()).collect(),
        files: files.filter(|n| n.contains('/')).collect(),
        labels,
        numbers,
        types: types.collect(),
    }
}

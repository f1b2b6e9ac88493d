//! A copy of what was fetched: a profile of a moment that will not come again.
//!
//! Source: google/pprof, internal/driver/fetch.go `fetchProfiles`, tempfile.go.

use shakedown_pprof::{Profile, gzip};

use crate::World;

/// Names tried in one folder.
const MOST: usize = 10_000;

/// Saves `profile` in `$PPROF_TMPDIR`, `$HOME/pprof` or the folder of temporary files,
/// whichever can be used first, and says where. What fails is said and changes nothing.
pub(crate) fn save(profile: &Profile, world: &mut dyn World) {
    let said = match place(profile, world) {
        None => "Could not save profile: no folder can be used".to_owned(),
        Some(path) => match world.write(&path, &gzip(&profile.encode())) {
            Ok(()) => format!("Saved profile in {path}"),
            Err(error) => format!("Could not save profile: {path}: {error}"),
        },
    };
    world.stderr(&format!("{said}\n"));
}

/// A path that is not taken.
fn place(profile: &Profile, world: &mut dyn World) -> Option<String> {
    let set = |value: Option<String>| value.filter(|v| !v.is_empty());
    let home = set(world.env("HOME")).map(|home| format!("{home}/pprof"));
    let temporary = set(world.env("TMPDIR")).unwrap_or_else(|| "/tmp".to_owned());
    let folders = [set(world.env("PPROF_TMPDIR")), home, Some(temporary)];
    let mut usable = None;
    for folder in folders.into_iter().flatten() {
        match world.make_folder(&folder) {
            Ok(()) => {
                usable = Some(folder);
                break;
            }
            Err(error) => world.stderr(&format!("Could not use temp dir {folder}: {error}\n")),
        }
    }
    let folder = usable?;
    let stem = stem(profile);
    let mut names = (1..MOST).map(|number| format!("{folder}/{stem}{number:03}.pb.gz"));
    names.find(|path: &String| !world.exists(path))
}

/// `pprof.PROGRAM.TYPES.`
fn stem(profile: &Profile) -> String {
    let main = profile
        .mappings()
        .first()
        .map_or("", |m| profile.text(m.file));
    let types = profile.sample_types().iter().map(|t| profile.text(t.kind));
    let mut stem = "pprof.".to_owned();
    let base = main.rsplit('/').next().unwrap_or("");
    for part in std::iter::once(base).filter(|b| !b.is_empty()).chain(types) {
        // A name in a profile is whatever somebody wrote there: never a path.
        stem.extend(
            part.chars()
                .map(|c| if c == '/' || c == '\0' { '_' } else { c }),
        );
        stem.push('.');
    }
    stem
}

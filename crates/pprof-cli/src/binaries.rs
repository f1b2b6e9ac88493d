//! Programs and libraries of a profile that lie elsewhere than it says: `PPROF_BINARY_PATH`.
//!
//! Profiles of other machines name files by paths there; a folder of binaries, kept by build id
//! or by path, has them here.
//!
//! Source: google/pprof, internal/driver/fetch.go `locateBinaries`.

use std::collections::HashMap;
use std::io;

use shakedown_pprof::Profile;
use shakedown_symbols::Symbols;

use crate::World;

/// Gives mappings the file of the search path that belongs to them.
pub(crate) fn locate(profile: &mut Profile, world: &mut dyn World) {
    let set = |name: &str| world.env(name).filter(|value| !value.is_empty());
    let search_path = set("PPROF_BINARY_PATH")
        .unwrap_or_else(|| join(&[&set("HOME").unwrap_or_default(), "pprof", "binaries"]));
    // Reading a program takes time, and mappings of one file stand beside each other.
    let mut build_ids = HashMap::new();
    for id in profile.mapping_ids() {
        let Some(mapping) = profile.mappings().get(id.index()) else {
            break;
        };
        let file = profile.text(mapping.file).to_owned();
        let build_id = profile.text(mapping.build_id).to_owned();
        let places = search_path.split(':').filter(|folder| !folder.is_empty());
        let candidates: Vec<String> = places
            .flat_map(|folder| candidates(folder, &file, &build_id, world))
            .collect();
        let found = candidates.into_iter().find(|path| {
            let known = build_ids.entry(path.clone());
            let known = known.or_insert_with(|| build_id_of(path, world).ok());
            let Some(found) = known else {
                return false;
            };
            let fits = build_id.is_empty() || build_id == *found;
            if !fits {
                world.stderr(&format!(
                    "Ignoring local file {path}: build-id mismatch ({build_id} != {found})\n"
                ));
            }
            fits
        });
        if let Some(found) = found {
            let found = profile.intern(&found);
            if let Some(mapping) = profile.mapping_mut(id) {
                mapping.file = found;
            }
        }
    }
}

fn build_id_of(path: &str, world: &mut dyn World) -> io::Result<String> {
    let bytes = world.program(path)?;
    let symbols = Symbols::parse(&bytes).map_err(io::Error::other)?;
    Ok(symbols.build_id().unwrap_or_default())
}

/// Where below `folder` a file may lie, the likeliest first.
fn candidates(folder: &str, file: &str, build_id: &str, world: &mut dyn World) -> Vec<String> {
    let (directory, name) = match file.rsplit_once('/') {
        Some(split) => split,
        None => (".", file),
    };
    let mut found = Vec::new();
    if !build_id.is_empty() {
        let own = join(&[folder, build_id]);
        found.push(join(&[&own, name]));
        let beside = world.names(&own);
        found.extend(beside.iter().map(|name| join(&[&own, name])));
        // As perf keeps them, and as LLVM does.
        found.push(join(&[folder, file, build_id]));
        if let Some((first, rest)) = build_id.split_at_checked(2) {
            found.push(join(&[folder, first, &format!("{rest}.debug")]));
        }
    }
    if !file.is_empty() {
        found.push(join(&[folder, name]));
        found.push(join(&[folder, file]));
        // Debug information that was split off, as gdb looks for it.
        found.push(join(&[folder, &format!("{file}.debug")]));
        let debug = format!("{name}.debug");
        found.push(join(&[folder, directory, ".debug", &debug]));
        found.push(join(&[folder, "usr", "lib", "debug", directory, &debug]));
    }
    found
}

/// `filepath.Join`: a path in a profile may hold `..`, and means what it says.
fn join(parts: &[&str]) -> String {
    let whole: Vec<&str> = parts.iter().copied().filter(|p| !p.is_empty()).collect();
    shakedown_pprof::clean_path(&whole.join("/")).into_owned()
}

#[cfg(test)]
mod tests {
    use super::join;

    #[test]
    fn paths_are_joined_as_go_does() {
        assert_eq!(join(&["/bin", "", "a//b"]), "/bin/a/b");
        assert_eq!(join(&["", "pprof", "binaries"]), "pprof/binaries");
        assert_eq!(join(&["/bin", "/usr/lib/a.so", "../x"]), "/bin/usr/lib/x");
    }
}

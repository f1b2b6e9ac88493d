//! What the design promises about the shape of this repository, checked on its files.
//!
//! Each check is a function from text to complaints, so that its tests can show it a bad example;
//! the claim about the repository itself is the test that hands it the real files.

mod configuration;
mod documents;
mod manifests;
mod purity;
mod rules;
mod sizes;

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that hold nothing of ours.
const NOT_OURS: [&str; 4] = ["target", "corpus", "artifacts", "node_modules"];

/// The repository's folder.
fn root() -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    path.canonicalize().expect("the workspace is there")
}

/// Reads a file by its path within the repository.
fn read(path: &str) -> String {
    let full = root().join(path);
    fs::read_to_string(&full).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Paths within the repository, below `folder`, of files whose name ends with `end`; sorted.
fn files(folder: &str, end: &str) -> Vec<String> {
    let root = root();
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() {
                if !name.starts_with('.') && !NOT_OURS.contains(&name.as_str()) {
                    folders.push(path);
                }
            } else if name.ends_with(end) {
                let inner = path.strip_prefix(&root).expect("it lies below the root");
                found.push(inner.display().to_string());
            }
        }
    }
    found.sort();
    found
}

/// The names of the folders in `crates/`.
fn crates() -> Vec<String> {
    let folders = fs::read_dir(root().join("crates")).expect("crates/ is there");
    let mut names: Vec<String> = folders
        .flatten()
        .filter(|entry| entry.path().join("Cargo.toml").exists())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Fails with all complaints at once.
fn assert_none(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn the_walk_finds_what_is_there() {
    assert!(files("crates", ".rs").contains(&"crates/cli/src/main.rs".to_owned()));
    assert!(crates().contains(&"findings".to_owned()));
}

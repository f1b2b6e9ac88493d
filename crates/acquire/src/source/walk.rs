//! The source files below a folder, in a fixed order and within bounds.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// How much of a tree is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WalkLimits {
    /// Source files; the largest of 13 public services that were looked at had 2,900.
    pub files: usize,
    /// Entries of folders, source or not.
    pub entries: usize,
    /// Bytes of all files.
    pub bytes: u64,
    /// Bytes of one file; a larger one is passed over, since only generated ones are.
    pub file_bytes: u64,
    /// Folders within each other.
    pub depth: usize,
    /// Places that are kept for one text: more than one is uncertain already.
    pub places: usize,
}

impl Default for WalkLimits {
    fn default() -> Self {
        Self {
            files: 20_000,
            entries: 200_000,
            bytes: 256 << 20,
            file_bytes: 2 << 20,
            depth: 24,
            places: 8,
        }
    }
}

/// Languages whose strings are understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    Go,
    Rust,
}

/// Calls `visit` for every source file with its path below the root, and its bytes.
pub(super) fn walk(
    root: &Path,
    limits: &WalkLimits,
    visit: &mut dyn FnMut(&Path, Language, &[u8]),
) {
    let mut left = *limits;
    let mut folders = vec![(root.to_owned(), 0)];
    let mut bytes = Vec::new();
    while let Some((folder, depth)) = folders.pop() {
        let mut entries: Vec<_> = fs::read_dir(&folder)
            .into_iter()
            .flatten()
            .flatten()
            .take(left.entries)
            .collect();
        left.entries -= entries.len();
        // Backwards for folders, which are taken from the end.
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.file_name()));
        for entry in &entries {
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_folder && depth < limits.depth && !is_passed_over(&entry.path()) {
                folders.push((entry.path(), depth + 1));
            }
        }
        for entry in entries.iter().rev() {
            let path = entry.path();
            // Of a symbolic link this says that it is one, so links are not followed.
            let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
            let Some(language) = language(&path).filter(|_| is_file) else {
                continue;
            };
            if left.files == 0 {
                return;
            }
            left.files -= 1;
            if read(&path, limits.file_bytes.min(left.bytes), &mut bytes).is_some() {
                left.bytes -= bytes.len() as u64;
                let below = path.strip_prefix(root).unwrap_or(&path);
                visit(below, language, &bytes);
            }
        }
    }
}

/// Folders that hold no source of the service itself, and those that Go ignores.
pub(super) fn is_passed_over(folder: &Path) -> bool {
    let Some(name) = folder.file_name().and_then(|name| name.to_str()) else {
        return true;
    };
    let is_build_output = || {
        let beside = |name| {
            folder
                .parent()
                .is_some_and(|parent| parent.join(name).is_file())
        };
        name == "target" && (folder.join("CACHEDIR.TAG").is_file() || beside("Cargo.toml"))
    };
    name.starts_with(['.', '_'])
        || matches!(name, "vendor" | "node_modules" | "testdata")
        || is_build_output()
}

fn language(path: &Path) -> Option<Language> {
    let name = path.file_name()?.to_str()?;
    if name.ends_with(".go") && !name.ends_with("_test.go") {
        Some(Language::Go)
    } else if name.ends_with(".rs") {
        Some(Language::Rust)
    } else {
        None
    }
}

/// Reads a whole file; nothing if it is larger than the bound.
fn read(path: &PathBuf, limit: u64, into: &mut Vec<u8>) -> Option<()> {
    into.clear();
    let file = File::open(path).ok()?;
    file.take(limit + 1).read_to_end(into).ok()?;
    (into.len() as u64 <= limit).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[&str], limits: WalkLimits) -> Vec<String> {
        let dir = tempfile::tempdir().expect("a temporary folder");
        for file in files {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
            fs::write(path, "package x\n").expect("a file");
        }
        let mut seen = Vec::new();
        walk(dir.path(), &limits, &mut |path, _, bytes| {
            assert_eq!(bytes, b"package x\n");
            seen.push(path.to_str().expect("plain text").to_owned());
        });
        seen
    }

    #[test]
    fn source_is_visited_in_a_fixed_order_and_the_rest_is_not() {
        let files = [
            "b/b.go",
            "a/z.go",
            "a/a.rs",
            "main.go",
            "main_test.go",
            "README.md",
            "vendor/x/x.go",
            ".git/x.go",
            "_old/x.go",
            "node_modules/x.go",
            "a/testdata/x.go",
            "svc/Cargo.toml",
            "svc/target/x.rs",
            "a/target/target.go",
        ];
        let expected = [
            "main.go",
            "a/a.rs",
            "a/z.go",
            "a/target/target.go",
            "b/b.go",
        ];
        assert_eq!(check(&files, WalkLimits::default()), expected);
    }

    #[test]
    fn every_bound_holds() {
        let files = ["a.go", "b.go", "c/c.go", "c/d/d.go"];
        let with = |change: fn(&mut WalkLimits)| {
            let mut limits = WalkLimits::default();
            change(&mut limits);
            check(&files, limits)
        };
        assert_eq!(with(|limits| limits.files = 3), ["a.go", "b.go", "c/c.go"]);
        assert_eq!(with(|limits| limits.depth = 0), ["a.go", "b.go"]);
        assert_eq!(with(|limits| limits.bytes = 25), ["a.go", "b.go"]);
        assert_eq!(with(|limits| limits.file_bytes = 5), [""; 0]);
        assert!(with(|limits| limits.entries = 1).len() <= 1);
    }

    #[test]
    fn symbolic_links_are_not_followed() {
        let outside = tempfile::tempdir().expect("a temporary folder");
        fs::write(outside.path().join("x.go"), "package x\n").expect("a file");
        let dir = tempfile::tempdir().expect("a temporary folder");
        let link = std::os::unix::fs::symlink::<&Path, PathBuf>;
        link(outside.path(), dir.path().join("folder")).expect("a link");
        let file = outside.path().join("x.go");
        link(&file, dir.path().join("file.go")).expect("a link");
        link(dir.path(), dir.path().join("again")).expect("a link");
        walk(dir.path(), &WalkLimits::default(), &mut |path, _, _| {
            panic!("{} was visited", path.display());
        });
    }
}

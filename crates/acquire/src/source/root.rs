//! Which folder holds the source of the executable that runs.

use std::collections::VecDeque;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use super::go_mod::module_in;
use super::walk::is_passed_over;

/// Words of a command that are looked at as paths.
const WORDS_MAX: usize = 32;
/// Below the working directory, `go.mod` files are looked for so deep and in so many folders:
/// enough for `services/orders/go.mod` in a repository of many modules.
const DEPTH_MAX: usize = 4;
const FOLDERS_MAX: usize = 4000;

/// The folder of the Go module with this path: the working directory, its ancestors, the folders
/// of paths in the command and their ancestors, then below the working directory.
///
/// Without a module (an executable that is not Go's) it is the nearest folder above the
/// executable that holds a `Cargo.toml`. A folder that merely could be the right one is not
/// taken: source of another program would be shown as evidence.
#[must_use]
pub fn find_root(
    executable_main_module: Option<&str>,
    cwd: &Path,
    command: &[String],
) -> Option<PathBuf> {
    let cwd = cwd.canonicalize().ok()?;
    let Some(module) = executable_main_module else {
        let executable = executable(&cwd, command.first()?)?;
        let mut above = executable.ancestors().skip(1);
        return above
            .find(|folder| folder.join("Cargo.toml").is_file())
            .map(Path::to_owned);
    };
    let named = command
        .iter()
        .take(WORDS_MAX)
        .filter_map(|word| executable(&cwd, word));
    let mut starts = vec![cwd.clone()];
    starts.extend(named);
    let is_it = |folder: &&Path| module_in(folder).as_deref() == Some(module);
    let above = starts
        .iter()
        .find_map(|start| start.ancestors().find(is_it).map(Path::to_owned));
    above.or_else(|| below(&cwd, module))
}

/// The file or folder that a word of the command names, looked up in PATH if it is a bare name.
fn executable(cwd: &Path, word: &str) -> Option<PathBuf> {
    if word.is_empty() {
        return None;
    }
    if word.contains('/') || word == "." || word == ".." {
        return cwd.join(word).canonicalize().ok();
    }
    let path = env::var_os("PATH")?;
    let in_path = env::split_paths(&path).map(|folder| cwd.join(folder).join(word));
    let mut files = in_path.filter(|file| file.is_file());
    files.next()?.canonicalize().ok()
}

/// The only folder below whose module it is.
fn below(cwd: &Path, module: &str) -> Option<PathBuf> {
    let mut found = Vec::new();
    let mut folders = VecDeque::from([(cwd.to_owned(), 0)]);
    let mut seen = 0;
    while let Some((folder, depth)) = folders.pop_front() {
        if module_in(&folder).as_deref() == Some(module) {
            found.push(folder.clone());
        }
        if depth == DEPTH_MAX {
            continue;
        }
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            // Of a symbolic link this says that it is one, so links are not followed.
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_folder && !is_passed_over(&entry.path()) {
                seen += 1;
                if seen > FOLDERS_MAX {
                    return only(found);
                }
                folders.push_back((entry.path(), depth + 1));
            }
        }
    }
    only(found)
}

fn only(mut found: Vec<PathBuf>) -> Option<PathBuf> {
    if found.len() == 1 { found.pop() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Tree {
        dir: tempfile::TempDir,
    }

    impl Tree {
        fn new(files: &[(&str, &str)]) -> Self {
            let dir = tempfile::tempdir().expect("a temporary folder");
            for (path, text) in files {
                let path = dir.path().join(path);
                fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
                fs::write(path, text).expect("a file");
            }
            Self { dir }
        }

        /// The root as found, relative to the tree.
        fn check(&self, module: Option<&str>, cwd: &str, command: &[&str]) -> Option<String> {
            let top = self.dir.path().canonicalize().expect("it is there");
            let command: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
            let found = find_root(module, &top.join(cwd), &command)?;
            let found = found.strip_prefix(top).expect("below the tree");
            Some(found.to_str().expect("plain text").to_owned())
        }
    }

    const ORDERS: Option<&str> = Some("example.com/orders");

    #[test]
    fn the_working_directory_and_its_ancestors_come_first() {
        let tree = Tree::new(&[
            ("a/go.mod", "module example.com/orders\n"),
            ("a/b/main.go", ""),
        ]);
        assert_eq!(tree.check(ORDERS, "a", &["./x"]).as_deref(), Some("a"));
        assert_eq!(tree.check(ORDERS, "a/b", &["./x"]).as_deref(), Some("a"));
    }

    #[test]
    fn a_module_of_another_name_is_passed_over() {
        let tree = Tree::new(&[
            ("a/go.mod", "module example.com/orders\n"),
            ("a/b/go.mod", "module example.com/orders/b\n"),
        ]);
        assert_eq!(tree.check(ORDERS, "a/b", &["./x"]).as_deref(), Some("a"));
        assert_eq!(tree.check(Some("example.com/other"), "a/b", &["./x"]), None);
    }

    #[test]
    fn the_executable_s_folder_is_searched() {
        let tree = Tree::new(&[
            ("repo/go.mod", "module example.com/orders\n"),
            ("repo/bin/orders", ""),
            ("elsewhere/x", ""),
        ]);
        let command = ["env", "../repo/bin/orders"];
        assert_eq!(
            tree.check(ORDERS, "elsewhere", &command).as_deref(),
            Some("repo")
        );
    }

    #[test]
    fn a_module_below_is_taken_if_it_is_the_only_one() {
        let tree = Tree::new(&[
            ("services/orders/go.mod", "module example.com/orders\n"),
            ("vendor/orders/go.mod", "module example.com/orders\n"),
            ("twice/a/go.mod", "module example.com/twice\n"),
            ("twice/b/go.mod", "module example.com/twice\n"),
        ]);
        assert_eq!(
            tree.check(ORDERS, "", &["./x"]).as_deref(),
            Some("services/orders")
        );
        assert_eq!(tree.check(Some("example.com/twice"), "", &["./x"]), None);
    }

    #[test]
    fn an_executable_that_is_not_go_s_belongs_to_the_package_above_it() {
        let tree = Tree::new(&[
            ("svc/Cargo.toml", ""),
            ("svc/target/release/svc", ""),
            ("other/x", ""),
        ]);
        assert_eq!(
            tree.check(None, "svc", &["./target/release/svc"])
                .as_deref(),
            Some("svc")
        );
        // An interpreter does not make its working directory's source its own.
        assert_eq!(tree.check(None, "svc", &["sh"]), None);
        assert_eq!(tree.check(None, "svc", &[]), None);
    }
}

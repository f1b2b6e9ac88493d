//! Tests of finding and cutting excerpts.

use std::fs;

use super::*;

const TEN: &str = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n";

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

    /// The second line, by which the files of a test differ.
    fn check(&self, root: &str, file: &str) -> Option<String> {
        let root = self.dir.path().join(root);
        let found = excerpt(Some(&root), file, 2, 0)?;
        assert_eq!(found.file, file);
        assert_eq!((found.line, found.first, found.lines.len()), (2, 2, 1));
        found.lines.into_iter().next()
    }
}

fn module() -> Tree {
    Tree::new(&[
        ("go.mod", "module example.com/orders\n"),
        ("main.go", "\nmain\n"),
        ("server.go", "\nserver of ours\n"),
        ("http/server.go", "\nhttp of ours\n"),
        ("internal/store/store.go", "\nstore\n"),
        ("cmd/orders/main.go", "\ncommand\n"),
        ("vendor/example.com/lib/lib.go", "\nvendored\n"),
    ])
}

fn lines(line: u32, around: u32) -> Option<(u32, Vec<String>)> {
    let tree = Tree::new(&[("a.go", TEN)]);
    let file = tree.dir.path().join("a.go");
    let found = excerpt(None, file.to_str().expect("plain text"), line, around)?;
    Some((found.first, found.lines))
}

#[test]
fn lines_around_a_place_are_cut_at_the_ends_of_the_file() {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    assert_eq!(lines(5, 1), Some((4, texts(&["4", "5", "6"]))));
    assert_eq!(lines(1, 2), Some((1, texts(&["1", "2", "3"]))));
    assert_eq!(lines(10, 2), Some((8, texts(&["8", "9", "10"]))));
    assert_eq!(lines(11, 2), None);
    assert_eq!(lines(0, 2), None);
    assert_eq!(lines(u32::MAX, u32::MAX), None);
    assert_eq!(lines(5, u32::MAX).map(|(first, _)| first), Some(1));
}

#[test]
fn an_absolute_path_of_this_machine_needs_no_root() {
    let tree = module();
    let file = tree.dir.path().join("main.go");
    assert!(excerpt(None, file.to_str().expect("plain text"), 2, 1).is_some());
    assert!(excerpt(None, "/no/such/file.go", 2, 1).is_none());
}

#[test]
fn trimmed_paths_are_resolved_by_the_module_s_path() {
    let tree = module();
    for file in [
        "example.com/orders/internal/store/store.go",
        "example.com/orders@v1.2.3/internal/store/store.go",
        "internal/store/store.go",
    ] {
        assert_eq!(tree.check("", file).as_deref(), Some("store"), "{file}");
    }
    let file = "example.com/orders/internal/store/store.go";
    assert_eq!(tree.check("cmd/orders", file).as_deref(), Some("store"));
    // A module beside ours, by `replace` or go.work.
    let file = "example.com/orders-other/internal/store/store.go";
    assert_eq!(tree.check("", file).as_deref(), None);
}

#[test]
fn a_path_below_the_root_is_found() {
    let tree = module();
    assert_eq!(tree.check("", "main.go").as_deref(), Some("main"));
    let file = "cmd/orders/main.go";
    assert_eq!(tree.check("", file).as_deref(), Some("command"));
}

#[test]
fn a_path_of_the_machine_that_built_it_is_found_by_its_suffix() {
    let tree = module();
    for (file, expected) in [
        ("/src/internal/store/store.go", "store"),
        ("/go/src/app/cmd/orders/main.go", "command"),
        ("/build/main.go", "main"),
        ("/home/ci/orders/http/server.go", "http of ours"),
    ] {
        assert_eq!(tree.check("", file).as_deref(), Some(expected), "{file}");
    }
}

#[test]
fn files_of_others_are_not_taken_for_ours() {
    let tree = module();
    for file in [
        "net/http/server.go",
        "/no/such/go/src/net/http/server.go",
        "/no/such/sdk/go1.26.8/src/net/http/server.go",
        "github.com/labstack/echo/v4@v4.1.0/http/server.go",
        "/go/pkg/mod/github.com/labstack/echo@v4.1.0/http/server.go",
        "runtime/server.go",
    ] {
        assert_eq!(tree.check("", file), None, "{file}");
    }
}

#[test]
fn vendored_files_are_found() {
    let tree = module();
    let file = "example.com/lib@v1.0.0/lib.go";
    assert_eq!(tree.check("", file).as_deref(), Some("vendored"));
}

#[test]
fn what_is_no_source_is_not_shown() {
    let tree = Tree::new(&[("secret.txt", TEN), ("a/b.go", TEN)]);
    let secret = tree.dir.path().join("secret.txt");
    assert!(excerpt(None, secret.to_str().expect("plain text"), 2, 1).is_none());
    assert_eq!(tree.check("a", "../a/b.go"), None);
    assert!(excerpt(None, "/dev/zero", 2, 1).is_none());
    assert!(excerpt(None, "", 2, 1).is_none());
}

#[test]
fn lines_are_cut_and_made_harmless() {
    let long = "ä".repeat(500);
    let odd = "\ta\u{1b}[31mb\u{202e}c\u{7}";
    let tree = Tree::new(&[("a.go", &format!("{odd}\n{long}\n"))]);
    let file = tree.dir.path().join("a.go");
    let found = excerpt(None, file.to_str().expect("plain text"), 1, 1).expect("it is there");
    assert_eq!(found.lines[0], "\ta\u{fffd}[31mb\u{fffd}c\u{fffd}");
    assert_eq!(found.lines[1].chars().count(), 200);
}

//! The rule pages, as `shakedown explain` shows them.

use std::path::Path;

use shakedown_report::{Style, explain};

/// The sections of every page, in order.
const SECTIONS: &[&str] = &[
    "What it looks for",
    "Why it matters",
    "How it is proven",
    "What it cannot see",
    "Folklore",
    "Fix",
    "In Rust",
    "When not exercised",
];

/// Name and text of every page.
fn pages() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../analyze/src");
    let mut pages = Vec::new();
    for item in ["profile", "trace", "deadline", "lifecycle"] {
        for entry in std::fs::read_dir(root.join(item)).expect("the folder of an item") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|extension| extension == "md") {
                let text = std::fs::read_to_string(&path).expect("a page");
                let name = path.file_stem().expect("a name").to_string_lossy();
                pages.push((name.replace('_', "-"), text));
            }
        }
    }
    assert!(pages.len() >= 8, "the pages are gone");
    pages
}

#[test]
fn every_page_has_the_same_sections() {
    for (name, page) in pages() {
        assert!(page.starts_with(&format!("# {name} (")), "{name}: title");
        let sections: Vec<_> = page
            .lines()
            .filter_map(|line| line.strip_prefix("## "))
            .collect();
        assert_eq!(sections, SECTIONS, "{name}");
    }
}

#[test]
fn every_page_shows_what_is_bad_and_what_is_good() {
    for (name, page) in pages() {
        let go: Vec<_> = page.split("```go\n").skip(1).collect();
        // What is mended in no source has commands.
        let sh: Vec<_> = page.split("```sh\n").skip(1).collect();
        let (blocks, sign) = if go.is_empty() { (sh, "#") } else { (go, "//") };
        assert!(blocks.len() >= 2, "{name}: two examples");
        let is = |block: &str, what: &str| block.starts_with(&format!("{sign} {what}: "));
        assert!(is(blocks[0], "Bad"), "{name}: the first is bad");
        let good = |block: &&str| is(block, "Good");
        assert!(blocks[1..].iter().all(good), "{name}: the others are good");
    }
}

#[test]
fn every_page_fits_the_terminal_and_loses_no_code() {
    for (name, page) in pages() {
        let style = Style {
            width: 100,
            colour: false,
            unicode: true,
        };
        let shown = explain::render(&page, style);
        for line in shown.lines() {
            assert!(line.chars().count() <= 100, "{name}: {line}");
        }
        let cut = shown.lines().filter(|line| line.ends_with('…'));
        assert_eq!(cut.collect::<Vec<_>>(), Vec::<&str>::new(), "{name}");
        for section in SECTIONS {
            assert!(shown.contains(section), "{name}: {section}");
        }
    }
}

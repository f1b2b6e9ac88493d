//! Which crate may use which: the arrows of ARCHITECTURE.md, over the manifests.

use toml::{Table, Value};

use crate::{assert_none, crates, read};

/// A crate and what it may use. Each row names rows above it only, so that there is no way back.
const ARROWS: &[(&str, &[&str])] = &[
    ("findings", &[]),
    ("pprof", &[]),
    ("symbols", &[]),
    ("pprof-cli", &["pprof", "symbols"]),
    ("gotrace", &[]),
    ("evidence", &["pprof", "symbols", "gotrace"]),
    ("experiment", &["evidence"]),
    ("acquire", &["evidence", "experiment"]),
    ("analyze", &["evidence", "findings", "pprof", "symbols"]),
    (
        "checklist",
        &["evidence", "findings", "experiment", "acquire", "analyze"],
    ),
    ("report", &["findings"]),
    (
        "cli",
        &[
            "findings",
            "pprof",
            "pprof-cli",
            "symbols",
            "evidence",
            "experiment",
            "acquire",
            "analyze",
            "checklist",
            "report",
        ],
    ),
    (TESTKIT, &[]),
    ("kit", &["pprof"]),
];

/// Starts the built program for tests; nothing that is shipped may need it.
const TESTKIT: &str = "testkit";

/// Crates without I/O, clock and environment, and the foreign crates that they may use: none of
/// these has a socket, a process or a clock in the features that are switched on.
pub(crate) const PURE: [&str; 9] = [
    "findings",
    "pprof",
    "pprof-cli",
    "symbols",
    "gotrace",
    "evidence",
    "experiment",
    "analyze",
    "report",
];
const FOREIGN_OF_PURE: [&str; 15] = [
    // Without its feature loader, which opens files.
    "addr2line",
    "cpp_demangle",
    "flate2",
    // Without its feature std, which reads the clock.
    "foldhash",
    "gimli",
    "libdeflater",
    "memchr",
    "object",
    "regex",
    "rustc-demangle",
    "ruzstd",
    "serde",
    "serde_json",
    "thiserror",
    "unicode-width",
];

/// What is wrong with the manifest of the crate in the folder `name`.
fn complaints(name: &str, manifest: &str) -> Vec<String> {
    let manifest: Table = manifest.parse().expect("cargo has read it, too");
    let Some((_, allowed)) = ARROWS.iter().find(|(row, _)| *row == name) else {
        return vec![format!("crates/{name} is not in the table of arrows")];
    };
    let mut complaints = Vec::new();
    let package = manifest["package"]["name"].as_str().unwrap_or_default();
    if package != format!("shakedown-{name}") {
        complaints.push(format!("crates/{name} is called {package}"));
    }
    let lints = manifest
        .get("lints")
        .and_then(|lints| lints.get("workspace"));
    if lints.and_then(Value::as_bool) != Some(true) {
        complaints.push(format!(
            "crates/{name} is without the lints of the workspace"
        ));
    }
    for (section, dependency) in dependencies(&manifest) {
        let Some(ours) = dependency.strip_prefix("shakedown-") else {
            let pure = PURE.contains(&name) && section != "dev-dependencies";
            if pure && !FOREIGN_OF_PURE.contains(&dependency.as_str()) {
                complaints.push(format!(
                    "{name} is pure and uses {dependency}; is that free of I/O? then it goes into FOREIGN_OF_PURE"
                ));
            }
            continue;
        };
        let for_tests = section == "dev-dependencies" && ours == TESTKIT;
        if !for_tests && !allowed.contains(&ours) {
            complaints.push(format!(
                "{name} may not use {ours}, but has it in {section}"
            ));
        }
    }
    complaints
}

/// Every dependency with the name of its section, those for some platforms included.
fn dependencies(manifest: &Table) -> Vec<(&'static str, String)> {
    const SECTIONS: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];
    let targets = manifest.get("target").and_then(Value::as_table);
    let tables = std::iter::once(manifest).chain(
        targets
            .into_iter()
            .flat_map(|targets| targets.values().filter_map(Value::as_table)),
    );
    let mut found = Vec::new();
    for table in tables {
        for section in SECTIONS {
            let names = table.get(section).and_then(Value::as_table);
            for (key, value) in names.into_iter().flatten() {
                let package = value.get("package").and_then(Value::as_str);
                found.push((section, package.unwrap_or(key).to_owned()));
            }
        }
    }
    found
}

#[test]
fn every_crate_uses_only_what_it_may() {
    let found = crates()
        .iter()
        .flat_map(|name| complaints(name, &read(&format!("crates/{name}/Cargo.toml"))))
        .collect::<Vec<_>>();
    assert_none(&found);
}

#[test]
fn every_row_of_the_table_is_a_crate_and_points_upwards() {
    for (position, (name, uses)) in ARROWS.iter().enumerate() {
        assert!(
            crates().iter().any(|found| found == name),
            "no crates/{name}"
        );
        for used in *uses {
            let above = ARROWS[..position].iter().any(|(row, _)| row == used);
            assert!(above, "{name} uses {used}, which stands below it");
        }
    }
}

/// The complaints about a manifest with these lines after its head.
fn check(name: &str, rest: &str) -> Vec<String> {
    let head = format!("[package]\nname = \"shakedown-{name}\"\n[lints]\nworkspace = true\n");
    complaints(name, &format!("{head}{rest}"))
}

#[test]
fn a_way_back_is_seen() {
    for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
        let found = check(
            "report",
            &format!("[{section}]\nshakedown-analyze.workspace = true"),
        );
        assert_eq!(
            found,
            [format!(
                "report may not use analyze, but has it in {section}"
            )]
        );
    }
    for hidden in [
        "[target.'cfg(unix)'.dependencies]\nshakedown-acquire.workspace = true",
        "[dependencies]\nhands = { package = \"shakedown-acquire\", path = \"../acquire\" }",
    ] {
        assert_eq!(check("analyze", hidden).len(), 1, "{hidden}");
    }
}

#[test]
fn the_testkit_is_for_tests_only() {
    let line = "shakedown-testkit.workspace = true";
    assert_eq!(
        check("cli", &format!("[dev-dependencies]\n{line}")),
        [""; 0]
    );
    assert_eq!(check("cli", &format!("[dependencies]\n{line}")).len(), 1);
}

#[test]
fn a_pure_crate_with_a_runtime_is_seen() {
    assert_eq!(check("analyze", "[dependencies]\ntokio = \"1\"").len(), 1);
    assert_eq!(
        check("analyze", "[dev-dependencies]\ntokio = \"1\""),
        [""; 0]
    );
    assert_eq!(check("acquire", "[dependencies]\ntokio = \"1\""), [""; 0]);
}

#[test]
fn a_crate_outside_the_order_is_seen() {
    assert_eq!(check("surprise", "").len(), 1);
    let unnamed = "[package]\nname = \"findings\"";
    assert_eq!(complaints("findings", unnamed).len(), 2, "name and lints");
}

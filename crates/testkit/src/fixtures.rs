//! The fixture services, in Go and in Rust, built once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::turn;

/// Where the built fixture services lie.
#[derive(Debug, Clone)]
pub struct Fixtures {
    bin: PathBuf,
}

impl Fixtures {
    /// Builds whatever changed, once in a test process; others wait meanwhile.
    ///
    /// Paths are trimmed, so that what a service says of itself is the same on every machine.
    ///
    /// # Panics
    /// If Go is missing or the sources cannot be built: a test that needs them has failed then.
    #[must_use]
    pub fn built(target: &Path) -> &'static Self {
        static BUILT: OnceLock<Fixtures> = OnceLock::new();
        BUILT.get_or_init(|| {
            let folder = target.join("fixtures");
            let _lock = turn::lock(&folder, "build.lock");
            let bin = folder.join("bin");
            fs::create_dir_all(&bin).expect("the target folder can be written");
            let built = Command::new("go")
                .args(["build", "-trimpath", "-buildvcs=false", "-o"])
                .arg(&bin)
                .arg("./cmd/...")
                .current_dir(source())
                .output()
                .expect("live tests need Go: `go` was not found in PATH");
            assert!(
                built.status.success(),
                "go build of the fixture services:\n{}",
                String::from_utf8_lossy(&built.stderr)
            );
            Self { bin }
        })
    }

    /// Puts the services, and what starts their database, into a folder of their own: by link where that works, so that a later
    /// build does not change what a run has under its hands.
    pub(crate) fn put_into(&self, folder: &Path) {
        fs::create_dir_all(folder).expect("the folder can be made");
        for entry in fs::read_dir(&self.bin).expect("they were built").flatten() {
            link(&entry.path(), &folder.join(entry.file_name()));
        }
        link(
            &source().join("../postgres.sh"),
            &folder.join("postgres.sh"),
        );
    }
}

/// The example of shakedown-kit, and the same with faults.
const RUST: [&str; 2] = ["orders", "rust-orders"];

/// Builds the fixture services in Rust, once in a test process, and puts them into a run's folder as
/// `bin/kit-orders` (the example of shakedown-kit) and `bin/rust-orders`.
///
/// # Panics
/// If they cannot be built.
pub(crate) fn put_rust_into(target: &Path, folder: &Path) {
    static BUILT: OnceLock<()> = OnceLock::new();
    let profile = target.join("debug");
    BUILT.get_or_init(|| {
        let _lock = turn::lock(&target.join("fixtures"), "build.lock");
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let built = Command::new(cargo)
            .args(["build", "--locked", "--target-dir"])
            .arg(target)
            .args(RUST.iter().flat_map(|name| ["--package", name]))
            .current_dir(source().join("../.."))
            .output()
            .expect("cargo runs the tests, so it is there");
        assert!(
            built.status.success(),
            "cargo build of the fixture services:\n{}",
            String::from_utf8_lossy(&built.stderr)
        );
    });
    fs::create_dir_all(folder).expect("the folder can be made");
    link(&profile.join(RUST[0]), &folder.join("kit-orders"));
    link(&profile.join(RUST[1]), &folder.join(RUST[1]));
}

/// The Go module of the fixture services.
#[must_use]
pub fn source() -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/go");
    path.canonicalize().expect("fixtures/go is there")
}

/// The package of the fixture service in Rust.
#[must_use]
pub fn rust_source() -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/rust");
    path.canonicalize().expect("fixtures/rust is there")
}

/// The package of shakedown-kit's example, whose handlers the fixture service in Rust has.
#[must_use]
pub fn template_source() -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../kit/examples/orders");
    path.canonicalize().expect("the kit's example is there")
}

/// Copies the module's Go files, without tests.
pub(crate) fn copy_source(to: &Path) {
    fn walk(from: &Path, to: &Path) {
        fs::create_dir_all(to).expect("the folder can be made");
        for entry in fs::read_dir(from).expect("the sources are there").flatten() {
            let name = entry.file_name();
            let text = name.to_string_lossy();
            if entry.path().is_dir() {
                walk(&entry.path(), &to.join(&name));
            } else if text.ends_with(".go") || text == "go.mod" {
                fs::copy(entry.path(), to.join(&name)).expect("a copy of a source file");
            }
        }
    }
    walk(&source(), to);
}

/// A second name for a file, or a copy where the folders lie on different disks.
pub(crate) fn link(from: &Path, to: &Path) {
    fs::hard_link(from, to)
        .or_else(|_| fs::copy(from, to).map(|_| ()))
        .unwrap_or_else(|error| panic!("{} as {}: {error}", from.display(), to.display()));
}

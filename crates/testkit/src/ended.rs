//! A run that came to its end.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// Rules that nothing exercises unless a flag asks for it: no run without it has them passed.
pub const BY_FLAG: &[&str] = &["profile-window-too-short", "jitter-burst"];

/// What a run came to. Its folder is removed when this is dropped, unless the test has failed.
#[derive(Debug)]
pub struct Ended {
    /// Exit code; nothing if a signal ended it.
    pub code: Option<i32>,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
    /// How long it took.
    pub took: Duration,
    pub(crate) folder: Option<TempDir>,
}

impl Ended {
    /// The run's folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.as_ref().expect("kept until dropped").path()
    }

    /// The folder of its bundle.
    #[must_use]
    pub fn bundle(&self) -> PathBuf {
        self.folder().join("bundle")
    }

    /// The report: stdout, which must be JSON.
    ///
    /// # Panics
    /// If it is not.
    #[must_use]
    pub fn report(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| {
            panic!(
                "stdout is no JSON report: {error}\nexit code {:?}\n{}\n{}",
                self.code, self.stdout, self.stderr
            )
        })
    }

    /// No file of the bundle has the text.
    ///
    /// # Panics
    /// If one has it; it is named.
    pub fn bundle_lacks(&self, text: &str) {
        let mut folders = vec![self.bundle()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("a folder of the bundle") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let bytes = fs::read(&path).expect("a file of the bundle");
                let mut parts = bytes.windows(text.len());
                let holds = parts.any(|part| part == text.as_bytes());
                assert!(!holds, "{} holds `{text}`", path.display());
            }
        }
    }

    /// A file of the bundle, as text.
    ///
    /// # Panics
    /// If it is not there.
    #[must_use]
    pub fn bundled(&self, name: &str) -> String {
        let path = self.bundle().join(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }
}

impl Drop for Ended {
    #[expect(
        clippy::print_stdout,
        reason = "the test harness shows it with the failure"
    )]
    fn drop(&mut self) {
        if let Some(folder) = self.folder.take().filter(|_| std::thread::panicking()) {
            println!("kept for a look: {}", folder.keep().display());
        }
    }
}

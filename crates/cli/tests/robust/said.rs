//! Short calls of the program: those that start no service.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use shakedown_testkit::Marker;
use tempfile::TempDir;

use crate::PROGRAM;

/// None of these calls has anything to wait for; a loaded machine has.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the program said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// It refused as a wrong usage, with one error, and what it says has all of these words.
    pub(crate) fn refuses(&self, words: &[&str]) {
        assert_eq!(self.code, Some(2), "{self:?}");
        assert_eq!(self.out, "", "{self:?}");
        self.error();
        for word in words {
            assert!(self.err.contains(word), "{word:?} is missing: {self:?}");
        }
    }

    /// The one error: what stands on stderr beside progress and the usage that clap appends.
    fn error(&self) -> &str {
        self.sane();
        let mut errors = self.err.lines().filter(|line| {
            line.starts_with("shakedown: ") || line.starts_with("error: ") || line.contains("panic")
        });
        let error = errors
            .next()
            .unwrap_or_else(|| panic!("no error: {self:?}"));
        assert_eq!(errors.next(), None, "one error is enough: {self:?}");
        error
    }

    /// Nothing that only a bug of ours says.
    pub(crate) fn sane(&self) {
        for sign in ["panicked at", "our bug", "RUST_BACKTRACE"] {
            assert!(!self.err.contains(sign), "{self:?}");
        }
    }
}

/// Calls the program in a folder and lets it end. Nothing may be left of it.
pub(crate) fn call<W: AsRef<OsStr>>(folder: &Path, words: impl IntoIterator<Item = W>) -> Said {
    let mut command = Command::new(PROGRAM);
    command.args(words).current_dir(folder);
    finish(command)
}

/// As [`call`], with a command whose streams and environment were set by the caller.
pub(crate) fn finish(mut command: Command) -> Said {
    let streams = tempfile::tempdir().expect("a temporary folder");
    let file = |name: &str| File::create(streams.path().join(name)).expect("a file");
    let marker = Marker::new();
    marker.mark(&mut command);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(file("out"))
        .stderr(file("err"))
        .spawn()
        .expect("shakedown starts");
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("it can be waited for") {
            break status;
        }
        if began.elapsed() > PATIENCE {
            let _ = child.kill();
            panic!("{command:?} did not end within {PATIENCE:?}");
        }
        sleep(Duration::from_millis(5));
    };
    marker.assert_none_left(PATIENCE);
    let read = |name: &str| {
        let bytes = fs::read(streams.path().join(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    Said {
        code: status.code(),
        out: read("out"),
        err: read("err"),
    }
}

/// A temporary folder with files in it.
pub(crate) fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, content) in files {
        fs::write(folder.path().join(name), content).expect("a file can be written");
    }
    folder
}

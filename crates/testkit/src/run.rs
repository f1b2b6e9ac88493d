//! A run to be: its folder, its words, its environment.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::turn::Turn;
use crate::{Ended, Fixtures, Live, Marker, Service, fixtures};

/// No run takes longer, on a loaded machine, with a service that has to be killed.
const PATIENCE: Duration = Duration::from_secs(240);

/// A run of the built program in a temporary folder.
///
/// The folder has the fixture services in `bin/` and their sources in `src/`; `--bundle bundle` is
/// given to every `check`. The environment is empty but for `PATH`, `HOME` and `GO*`.
#[derive(Debug)]
pub struct Run {
    folder: TempDir,
    target: PathBuf,
    words: Vec<OsString>,
    command: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    marker: Marker,
    patience: Duration,
    waits_for_turn: bool,
    own_network: bool,
}

impl Run {
    /// `program` is `env!("CARGO_BIN_EXE_shakedown")`; it is linked into the folder, so that a
    /// build meanwhile does not disturb the run.
    #[must_use]
    pub fn of(program: impl AsRef<Path>) -> Self {
        let program = program.as_ref();
        let target = program
            .ancestors()
            .nth(2)
            .expect("the program lies in target/PROFILE")
            .to_owned();
        let folder = tempfile::Builder::new()
            .prefix("shakedown-test-")
            .tempdir()
            .expect("a temporary folder");
        Fixtures::built(&target).put_into(&folder.path().join("bin"));
        fixtures::copy_source(&folder.path().join("src"));
        fixtures::link(program, &folder.path().join("shakedown"));
        Self {
            folder,
            target,
            words: Vec::new(),
            command: Vec::new(),
            env: Vec::new(),
            marker: Marker::new(),
            patience: PATIENCE,
            waits_for_turn: true,
            own_network: false,
        }
    }

    /// Puts the fixture services in Rust into the folder, too: `bin/kit-orders`, `bin/rust-orders`.
    #[must_use]
    pub fn with_rust(self) -> Self {
        fixtures::put_rust_into(&self.target, &self.folder().join("bin"));
        self
    }

    /// The run's folder, to put further files into.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes `shakedown.toml`.
    #[must_use]
    pub fn config(self, service: &Service) -> Self {
        self.file("shakedown.toml", service.to_toml().as_bytes())
    }

    /// Writes a file into the folder.
    #[must_use]
    pub fn file(self, name: &str, content: &[u8]) -> Self {
        let path = self.folder().join(name);
        fs::write(&path, content).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        self
    }

    /// Adds words for `shakedown`: a command and its flags.
    #[must_use]
    pub fn flags<W: Into<OsString>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        self.words.extend(words.into_iter().map(Into::into));
        self
    }

    /// Words after `--`: the service's command.
    #[must_use]
    pub fn command<W: Into<OsString>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        self.command.extend(words.into_iter().map(Into::into));
        self
    }

    /// Sets a variable for `shakedown` and all that it starts.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// How long the run may take; it is killed and the test fails after that.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Takes no turn: for a run that ends before it sends a request, and measures nothing.
    #[must_use]
    pub fn at_once(mut self) -> Self {
        self.waits_for_turn = false;
        self
    }

    /// Runs in a network of its own, where every port is free. Where the system does not allow
    /// that, it runs in the machine's, and needs its ports free there.
    #[must_use]
    pub fn own_network(mut self) -> Self {
        self.own_network = true;
        self
    }

    /// Waits for a turn and starts.
    #[must_use]
    pub fn start(self) -> Live {
        let locks = self.target.join("fixtures");
        let turn = self.waits_for_turn.then(|| Turn::take(&locks));
        let folder = self.folder.path();
        let program = folder.join("shakedown");
        let mut command = if self.own_network && may_unshare() {
            let mut command = Command::new(UNSHARE[0]);
            // Each step replaces the one before, so the process is the program itself in the end.
            let up = "ip link set lo up && exec \"$0\" \"$@\"";
            command.args(&UNSHARE[1..]).args(["sh", "-c", up]);
            command.arg(program);
            command
        } else {
            Command::new(program)
        };
        let checks = self.words.first().is_some_and(|word| word == "check");
        let own_bundle = self.words.iter().any(|word| word == "--bundle");
        command.args(&self.words);
        if checks && !own_bundle {
            command.args(["--bundle", "bundle"]);
        }
        if !self.command.is_empty() {
            command.arg("--").args(&self.command);
        }
        command.env_clear().envs(inherited()).envs(self.env);
        self.marker.mark(&mut command);
        let out = |name: &str| File::create(folder.join(name)).expect("a file for what is said");
        let child = command
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(out("stdout"))
            .stderr(out("stderr"))
            .spawn()
            .expect("shakedown starts");
        Live::new(child, self.folder, self.marker, self.patience, turn)
    }

    /// Lets the run come to its end. No process of it may be left then.
    #[must_use]
    pub fn end(self) -> Ended {
        self.start().wait()
    }
}

/// A network namespace, and a user namespace so that nobody needs to be root for it.
const UNSHARE: [&str; 3] = ["unshare", "--map-root-user", "--net"];

fn may_unshare() -> bool {
    let tried = Command::new(UNSHARE[0])
        .args(&UNSHARE[1..])
        .args(["ip", "link", "set", "lo", "up"])
        .stderr(Stdio::null())
        .status();
    tried.is_ok_and(|status| status.success())
}

/// What every program here needs to find its tools.
fn inherited() -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os().filter(|(name, _)| {
        let name = name.to_string_lossy();
        name == "PATH" || name == "HOME" || name.starts_with("GO")
    })
}

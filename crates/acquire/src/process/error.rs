//! Why a command could not be started, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

/// A command that did not start. Each says what to change.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Nothing was given to run.
    #[error("no command was given; put it after --, as in: shakedown check -- ./service")]
    NoCommand,
    /// The working directory is missing.
    #[error("{}: the working directory is not there; correct start.cwd", cwd.display())]
    Folder {
        /// As given.
        cwd: PathBuf,
    },
    /// No such command.
    #[error("{command}: no such command; {remedy}")]
    NotFound {
        /// As given.
        command: String,
        /// What to try.
        remedy: String,
    },
    /// The file is there, but what is to run it is not.
    #[error(
        "{command}: the file is there, but its interpreter or loader is not; look at its first line (#!…), or build it for this system (CGO_ENABLED=0 needs no loader)"
    )]
    NoInterpreter {
        /// As given.
        command: String,
    },
    /// A folder, such as a Go package.
    #[error(
        "{command} is a directory; build it first (go build -o service {command}), or run it with: -- go run {command}"
    )]
    IsDirectory {
        /// As given.
        command: String,
    },
    /// Not executable for us.
    #[error(
        "{command}: permission denied; make it executable (chmod +x {command}), on a file system that allows it"
    )]
    Permission {
        /// As given.
        command: String,
    },
    /// For another machine, or no program at all.
    #[error(
        "{command}: not an executable for this machine; build it with GOOS=linux and this machine's GOARCH"
    )]
    Format {
        /// As given.
        command: String,
    },
    /// Anything else that the system answered.
    #[error("{command}: {source}")]
    Refused {
        /// As given.
        command: String,
        /// What the system said.
        source: io::Error,
    },
    /// Our own guardian did not start.
    #[error("{}: the guardian process could not be started: {source}", guardian.display())]
    Guardian {
        /// The executable.
        guardian: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl StartError {
    /// What `exec` answered, in terms of what can be done.
    pub(super) fn of(errno: i32, command: &str, cwd: Option<&Path>) -> Self {
        let owned = command.to_owned();
        let file = cwd.unwrap_or(Path::new(".")).join(command);
        let by_path = command.contains('/');
        match Errno::from_raw_os_error(errno) {
            Errno::NOENT | Errno::NOTDIR if by_path && file.exists() => {
                Self::NoInterpreter { command: owned }
            }
            Errno::NOENT | Errno::NOTDIR => Self::NotFound {
                remedy: not_found(command, by_path, &file),
                command: owned,
            },
            Errno::ACCESS | Errno::ISDIR if file.is_dir() => Self::IsDirectory { command: owned },
            Errno::ACCESS | Errno::PERM => Self::Permission { command: owned },
            Errno::NOEXEC | Errno::LIBBAD => Self::Format { command: owned },
            _ => Self::Refused {
                command: owned,
                source: io::Error::from_raw_os_error(errno),
            },
        }
    }
}

fn not_found(command: &str, by_path: bool, file: &Path) -> String {
    if !by_path && file.is_file() {
        format!("a file of that name is here: -- ./{command}")
    } else if by_path {
        "is it built, and is the path right for the working directory?".to_owned()
    } else if command.contains(' ') {
        "command and arguments are separate words: -- ./service -port 8080, without quotes around all"
            .to_owned()
    } else {
        "it is not in PATH; give its path, as in: -- ./service".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(errno: Errno, command: &str, says: &str) {
        let dir = tempfile::tempdir().expect("make folder");
        std::fs::write(dir.path().join("here"), "#!/no/such/interpreter\n").expect("write");
        std::fs::create_dir(dir.path().join("folder")).expect("make folder");
        let error = StartError::of(errno.raw_os_error(), command, Some(dir.path())).to_string();
        assert!(error.contains(command), "{error}");
        assert!(error.contains(says), "{error}");
    }

    #[test]
    fn each_failure_has_its_remedy() {
        check(Errno::NOENT, "absent", "not in PATH");
        check(Errno::NOENT, "./absent", "is it built");
        check(Errno::NOENT, "here", "-- ./here");
        check(Errno::NOENT, "./here", "interpreter");
        check(Errno::NOENT, "./svc -port 1", "is it built");
        check(Errno::NOENT, "svc -port 1", "separate words");
        check(Errno::ACCESS, "./folder", "go build");
        check(Errno::ACCESS, "./here", "chmod +x ./here");
        check(Errno::NOEXEC, "./here", "GOARCH");
        check(Errno::TOOBIG, "./here", "Argument list too long");
    }
}

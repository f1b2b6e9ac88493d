//! What the executable of a process says of its build, and its command line of secrets.
//!
//! Read through `/proc/PID/exe`, which is the running file even if another has taken its name.

use std::fs::{self, File};
use std::io::{self, Read};

use shakedown_evidence::{BuildInfo, BuildInfoError, CommandLine, Event, ProbeKind};

use crate::Recorder;

/// Larger executables exist, but not of services; only headers and build info are read of it.
const SIZE_MAX: u64 = 1 << 30;

/// Linux lets a command line be 2 MiB long on usual machines.
const COMMAND_LINE_MAX: u64 = 4 << 20;

/// Why an executable says nothing.
#[derive(Debug, thiserror::Error)]
enum ReadError {
    #[error("{0}; the process may have ended, or run as another user")]
    Io(#[from] io::Error),
    #[error("larger than {SIZE_MAX} bytes")]
    TooLarge,
    #[error(transparent)]
    BuildInfo(#[from] BuildInfoError),
}

/// Reads the executable of a process and records what it says, or why it says nothing.
pub async fn record(recorder: &Recorder, pid: u32) {
    let reading = tokio::task::spawn_blocking(move || read(pid));
    match reading.await {
        Ok(Ok(build)) => recorder.record(Event::Build(build)),
        Ok(Err(error)) => {
            recorder.failed(
                ProbeKind::Executable,
                format!("/proc/{pid}/exe"),
                error.to_string(),
            );
        }
        Err(error) => {
            recorder.failed(
                ProbeKind::Executable,
                format!("/proc/{pid}/exe"),
                format!("reading it failed: {error}"),
            );
        }
    }
}

/// Reads the command line of a process, which every user of the machine can, and records the
/// secrets in it.
pub async fn record_command_line(recorder: &Recorder, pid: u32) {
    let from = format!("/proc/{pid}/cmdline");
    let path = from.clone();
    let read = tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        File::open(path)?
            .take(COMMAND_LINE_MAX)
            .read_to_end(&mut bytes)?;
        io::Result::Ok(bytes)
    });
    let why = match read.await {
        // A kernel thread has none, and a process that ends has none any more.
        Ok(Ok(bytes)) if bytes.is_empty() => "it is empty; the process may have ended".to_owned(),
        Ok(Ok(bytes)) => {
            let read = CommandLine::read(recorder.now(), from, &bytes);
            return recorder.record(Event::CommandLine(read));
        }
        Ok(Err(error)) => error.to_string(),
        Err(error) => format!("reading it failed: {error}"),
    };
    recorder.failed(ProbeKind::CommandLine, from, why);
}

fn read(pid: u32) -> Result<BuildInfo, ReadError> {
    let path = format!("/proc/{pid}/exe");
    let file = File::open(&path)?;
    if file.metadata()?.len() > SIZE_MAX {
        return Err(ReadError::TooLarge);
    }
    let name = fs::read_link(&path)?;
    Ok(BuildInfo::read_from(&name.to_string_lossy(), file)?)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    async fn check(pid: u32, look: impl FnOnce(&shakedown_evidence::Evidence)) {
        let recorder = Recorder::new(Instant::now(), None);
        record(&recorder, pid).await;
        recorder.read(look);
    }

    #[tokio::test]
    async fn our_own_executable_is_read_and_is_not_go() {
        check(std::process::id(), |evidence| {
            let build = evidence.build.as_ref().expect("was read");
            assert_eq!(build.go, None);
            assert!(build.executable.starts_with('/'), "{}", build.executable);
            assert!(evidence.failures.is_empty());
        })
        .await;
    }

    #[tokio::test]
    async fn a_process_that_is_gone_is_a_failed_probe() {
        check(u32::MAX, |evidence| {
            assert!(evidence.build.is_none());
            assert_eq!(evidence.failures[0].kind, ProbeKind::Executable);
        })
        .await;
    }
}

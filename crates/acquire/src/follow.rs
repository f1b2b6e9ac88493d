//! Logs that do not come through our pipes: a file, the journal, our own standard input.
//!
//! A followed log begins with what is written from now on. That it ended, or could not be read on,
//! is recorded: then nothing may be concluded from lines that are missing.

mod tail;

use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use shakedown_evidence::log::{LogEvent, Stream};
use shakedown_evidence::{Event, Role};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::Recorder;
use crate::process::lines::{Log, Splitter};
use crate::process::{Launch, Service, StartError};
use tail::Tail;

/// Between two looks at a file. A line that gives no time of its own is taken to be written when
/// it was read; asking so often costs a thousandth of a processor, and inotify sees neither network
/// file systems nor what is written below an overlay.
const PACE: Duration = Duration::from_millis(10);
/// Read at once.
const CHUNK: usize = 128 << 10;
/// Chunks of standard input that wait for us; the writer waits beyond that.
const WAITING: usize = 16;
/// A reader of the journal that cannot do it says so at once.
const READER_TIME: Duration = Duration::from_millis(300);

/// Where a log is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogSource {
    /// Our own standard input: a log stream that somebody pipes in.
    Stdin,
    /// A file, which may be rotated and cut.
    File(PathBuf),
    /// A unit of the systemd journal.
    Journald(String),
}

impl LogSource {
    /// Reads `-`, `journald:UNIT`, `file:PATH` or a path.
    ///
    /// # Errors
    /// It names nothing, as a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let nothing = || format!("{text:?} names no log; it is written FILE, journald:UNIT or -");
        Ok(match text.split_once(':') {
            _ if text.is_empty() => return Err(nothing()),
            _ if text == "-" => Self::Stdin,
            Some((_, "")) => return Err(nothing()),
            Some(("journald", unit)) if !unit.starts_with('-') => Self::Journald(unit.into()),
            Some(("journald", _)) => return Err(nothing()),
            Some(("file", path)) => Self::File(path.into()),
            _ => Self::File(text.into()),
        })
    }

    /// As it is given.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Stdin => "-".into(),
            Self::File(path) => format!("file:{}", path.display()),
            Self::Journald(unit) => format!("journald:{unit}"),
        }
    }
}

/// Why a log cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// A file that is not there, or not for us.
    #[error("the log {path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A folder or a device.
    #[error("the log {path} is not a file; a pipe is given as standard input: --logs - < {path}")]
    NotAFile {
        /// Which.
        path: PathBuf,
    },
    /// The journal.
    #[error(
        "the journal of {unit} cannot be read: {why}; name a unit that `systemctl status` knows, as a member of the group systemd-journal"
    )]
    Journal {
        /// The unit.
        unit: String,
        /// What stood in the way.
        why: String,
    },
    /// The program that reads the journal.
    #[error(transparent)]
    Start(#[from] StartError),
}

/// A log that is followed until this is ended or dropped.
#[derive(Debug)]
pub struct Follower {
    source: String,
    reading: Reading,
}

#[derive(Debug)]
enum Reading {
    Task(JoinHandle<()>),
    Journal(Box<Service>, JoinHandle<()>),
}

impl Follower {
    /// Follows a log from its present end. A service that is yet to be started may make its file
    /// later: `may_come` allows that. `guardian` owns the reader of a journal.
    ///
    /// # Errors
    /// There is no such log, or it cannot be read.
    pub async fn start(
        recorder: Recorder,
        source: &LogSource,
        may_come: bool,
        guardian: Option<PathBuf>,
    ) -> Result<Self, FollowError> {
        let name = source.name();
        let role = Role::Log(name.clone());
        let log = || Log::new(recorder.clone(), role.clone());
        let reading = match source {
            LogSource::Stdin => Reading::Task(tokio::spawn(read_stdin(
                log(),
                recorder.clone(),
                name.clone(),
            ))),
            LogSource::File(path) => {
                let tail = Tail::open(path.clone(), may_come)?;
                Reading::Task(tokio::spawn(follow(
                    tail,
                    log(),
                    recorder.clone(),
                    name.clone(),
                )))
            }
            LogSource::Journald(unit) => {
                let service = journal(recorder.clone(), unit, role.clone(), guardian).await?;
                let (recorder, name) = (recorder.clone(), name.clone());
                let mut ended = service.ending();
                let watch = tokio::spawn(async move {
                    let _ = ended.wait_for(Option::is_some).await;
                    say_ended(&recorder, name, "journalctl ended");
                });
                Reading::Journal(Box::new(service), watch)
            }
        };
        recorder.record(Event::Log(LogEvent::Following {
            at: recorder.now(),
            source: name.clone(),
        }));
        Ok(Self {
            source: name,
            reading,
        })
    }

    /// Follows it no longer.
    pub async fn end(self) {
        match self.reading {
            Reading::Task(task) => {
                task.abort();
                let _ = task.await;
            }
            Reading::Journal(mut service, watch) => {
                // Its end is ours, and no loss.
                watch.abort();
                let _ = watch.await;
                service.end(Duration::ZERO).await;
            }
        }
    }

    /// Which log it is.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }
}

fn say_ended(recorder: &Recorder, source: String, why: &str) {
    recorder.record(Event::Log(LogEvent::Ended {
        at: recorder.now(),
        source,
        why: why.to_owned(),
    }));
}

async fn journal(
    recorder: Recorder,
    unit: &str,
    role: Role,
    guardian: Option<PathBuf>,
) -> Result<Service, FollowError> {
    let words = [
        "journalctl",
        "--follow",
        "--lines=0",
        "--output=json",
        "--quiet",
        "--unit",
    ];
    let launch = Launch {
        command: words.into_iter().chain([unit]).map(str::to_owned).collect(),
        guardian,
        ..Launch::default()
    };
    let mut service = Service::start(recorder, role, &launch).await?;
    if service.wait_exit(READER_TIME).await.is_some() {
        let why = service.last_lines(1).pop();
        service.end(Duration::ZERO).await;
        return Err(FollowError::Journal {
            unit: unit.to_owned(),
            why: why.unwrap_or_else(|| "journalctl ended at once".into()),
        });
    }
    Ok(service)
}

/// Standard input is read by a thread of its own: a read of it cannot be called off, and one that
/// hangs must not hold up the end of the program.
async fn read_stdin(log: Log, recorder: Recorder, source: String) {
    let (send, mut chunks) = mpsc::channel::<Vec<u8>>(WAITING);
    std::thread::spawn(move || {
        let mut chunk = vec![0; CHUNK];
        while let Ok(length @ 1..) = io::stdin().lock().read(&mut chunk) {
            // Nobody listens any more.
            if send.blocking_send(chunk[..length].to_vec()).is_err() {
                return;
            }
        }
    });
    let mut splitter = Splitter::default();
    while let Some(chunk) = chunks.recv().await {
        log.take(&chunk, Stream::Followed, &mut splitter);
    }
    log.end(Stream::Followed, splitter);
    say_ended(&recorder, source, "standard input came to its end");
}

/// Reads what is added to a file, until it is aborted.
async fn follow(tail: Tail, log: Log, recorder: Recorder, source: String) {
    let log = Arc::new(log);
    let mut tail = tail;
    let mut splitter = Splitter::default();
    loop {
        // Reading a file may wait for a disk.
        let reading = Arc::clone(&log);
        let look = tokio::task::spawn_blocking(move || {
            let looked = tail.look(|chunk| reading.take(chunk, Stream::Followed, &mut splitter));
            (tail, splitter, looked)
        });
        let Ok((next, rest, looked)) = look.await else {
            return;
        };
        (tail, splitter) = (next, rest);
        if let Err(error) = looked {
            log.end(Stream::Followed, splitter);
            return say_ended(&recorder, source, &error.to_string());
        }
        tokio::time::sleep(PACE).await;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::path::Path;
    use std::time::Instant;

    use super::*;

    fn add(path: &Path, text: &str) {
        let mut options = std::fs::File::options();
        let mut file = options
            .append(true)
            .create(true)
            .open(path)
            .expect("a file");
        file.write_all(text.as_bytes()).expect("it is written");
    }

    #[test]
    fn sources_are_read_as_they_are_given() {
        for (text, name) in [
            ("-", "-"),
            ("orders.log", "file:orders.log"),
            ("file:/var/log/orders.log", "file:/var/log/orders.log"),
            ("journald:orders.service", "journald:orders.service"),
        ] {
            assert_eq!(
                LogSource::parse(text).map(|source| source.name()),
                Ok(name.to_owned())
            );
        }
        for text in ["", "file:", "journald:", "journald:--rotate"] {
            assert!(LogSource::parse(text).is_err(), "{text}");
        }
    }

    #[tokio::test]
    async fn lines_have_the_time_that_they_give_themselves() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("orders.log");
        let began = Instant::now().checked_sub(Duration::from_secs(5));
        let recorder = Recorder::new(began.expect("the machine is up"), None);
        let run = shakedown_evidence::RunFacts {
            started_unix_ns: unix_ns() - 5_000_000_000,
            ..Default::default()
        };
        recorder.record(Event::Run(run));
        let source = LogSource::File(path.clone());
        let follower = Follower::start(recorder.clone(), &source, true, None).await;
        let follower = follower.expect("it may come");
        let second = unix_ns() / 1_000_000_000 - 3;
        add(
            &path,
            &format!("{{\"ts\":{second}.25,\"msg\":\"a\"}}\n{{\"ts\":{second},\"msg\":\"b\"}}\n"),
        );
        let came = || recorder.read(|seen| seen.lines.len() == 2);
        let until = Instant::now() + Duration::from_secs(10);
        while !came() && Instant::now() < until {
            tokio::time::sleep(PACE).await;
        }
        follower.end().await;
        recorder.read(|seen| {
            let said = seen.at_unix_ns(second * 1_000_000_000 + 250_000_000);
            assert_eq!(seen.lines.len(), 2);
            assert_eq!(seen.lines[0].at, said);
            assert!(seen.lines[1].at > said, "whole seconds are too coarse");
            assert_eq!(seen.lines[0].stream, Stream::Followed);
            assert!(matches!(seen.logs[..], [LogEvent::Following { .. }]));
        });
    }

    fn unix_ns() -> u64 {
        let since = std::time::UNIX_EPOCH.elapsed().expect("after 1970");
        u64::try_from(since.as_nanos()).expect("before 2554")
    }
}

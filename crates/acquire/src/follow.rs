//! Logs that do not come through our pipes: a file, the journal, our own standard input.
//!
//! A followed log begins with what is written from now on. That it ended, or could not be read on,
//! is recorded: then nothing may be concluded from lines that are missing.

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use shakedown_evidence::log::{LogEvent, Stream};
use shakedown_evidence::{Event, Role};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::Recorder;
use crate::process::lines::{Log, Splitter};
use crate::process::{Launch, Service, StartError};

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

/// A file that grows, and may be moved away, made anew or cut.
#[derive(Debug)]
struct Tail {
    path: PathBuf,
    open: Option<(File, u64)>,
    chunk: Vec<u8>,
}

impl Tail {
    /// At the present end of the file; a file that is yet to come is read from its beginning.
    fn open(path: PathBuf, may_come: bool) -> Result<Self, FollowError> {
        let mut tail = Self {
            open: None,
            chunk: vec![0; CHUNK],
            path,
        };
        let path = &tail.path;
        let refused = |source| FollowError::File {
            path: path.clone(),
            source,
        };
        match std::fs::metadata(path) {
            Err(error) if may_come && error.kind() == io::ErrorKind::NotFound => return Ok(tail),
            Err(error) => return Err(refused(error)),
            Ok(of) if !of.is_file() => return Err(FollowError::NotAFile { path: path.clone() }),
            Ok(_) => {}
        }
        let mut file = File::open(path).map_err(refused)?;
        let end = file.seek(SeekFrom::End(0)).map_err(refused)?;
        tail.open = Some((file, end));
        Ok(tail)
    }

    /// Reads what was added since the last look.
    fn look(&mut self, mut came: impl FnMut(&[u8])) -> io::Result<()> {
        let now = at_path(&self.path)?;
        if let Some((file, read)) = &mut self.open {
            let of = file.metadata()?;
            if of.len() < *read {
                // Cut, as copytruncate of logrotate does.
                *read = file.seek(SeekFrom::Start(0))?;
            }
            loop {
                match file.read(&mut self.chunk)? {
                    0 => break,
                    length => {
                        *read += length as u64;
                        came(&self.chunk[..length]);
                    }
                }
            }
            // Moved away: what stood in it was read, the next one has the name.
            let moved = now
                .as_ref()
                .is_some_and(|now| identity(now) != identity(&of));
            if !moved {
                return Ok(());
            }
            self.open = None;
        }
        if now.is_some() {
            self.open = Some((File::open(&self.path)?, 0));
            return self.look(came);
        }
        Ok(())
    }
}

fn at_path(path: &Path) -> io::Result<Option<Metadata>> {
    match std::fs::metadata(path) {
        Ok(of) => Ok(Some(of)),
        // Between being moved away and being made anew.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn identity(of: &Metadata) -> (u64, u64) {
    (of.dev(), of.ino())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::time::Instant;

    use super::*;

    fn check(tail: &mut Tail) -> String {
        let mut text = String::new();
        tail.look(|chunk| text.push_str(&String::from_utf8_lossy(chunk)))
            .expect("the file can be read");
        text
    }

    fn add(path: &Path, text: &str) {
        let mut options = File::options();
        let mut file = options
            .append(true)
            .create(true)
            .open(path)
            .expect("a file");
        file.write_all(text.as_bytes()).expect("it is written");
    }

    #[test]
    fn what_is_added_is_read_and_what_stood_there_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("orders.log");
        add(&path, "before\n");
        let mut tail = Tail::open(path.clone(), false).expect("it is there");
        assert_eq!(check(&mut tail), "");
        add(&path, "one\n");
        add(&path, "two\n");
        assert_eq!(check(&mut tail), "one\ntwo\n");
        assert_eq!(check(&mut tail), "");
    }

    #[test]
    fn a_rotated_file_is_read_to_its_end_and_then_the_new_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("orders.log");
        add(&path, "");
        let mut tail = Tail::open(path.clone(), false).expect("it is there");
        add(&path, "old\n");
        fs::rename(&path, folder.path().join("orders.log.1")).expect("it is moved");
        assert_eq!(check(&mut tail), "old\n", "the new one is not there yet");
        add(&folder.path().join("orders.log.1"), "older\n");
        add(&path, "new\n");
        assert_eq!(check(&mut tail), "older\nnew\n");
        add(&path, "newer\n");
        assert_eq!(check(&mut tail), "newer\n");
    }

    #[test]
    fn a_cut_file_is_read_from_its_beginning() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("orders.log");
        add(&path, "a long line before\n");
        let mut tail = Tail::open(path.clone(), false).expect("it is there");
        File::create(&path).expect("it is cut");
        add(&path, "after\n");
        assert_eq!(check(&mut tail), "after\n");
    }

    #[test]
    fn a_file_that_is_to_come_is_read_from_its_beginning() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("orders.log");
        assert!(matches!(
            Tail::open(path.clone(), false),
            Err(FollowError::File { .. })
        ));
        let mut tail = Tail::open(path.clone(), true).expect("it may come");
        assert_eq!(check(&mut tail), "");
        add(&path, "first\n");
        assert_eq!(check(&mut tail), "first\n");
    }

    #[test]
    fn a_folder_is_no_log() {
        let error = Tail::open(std::env::temp_dir(), true).expect_err("a folder");
        assert!(error.to_string().contains("--logs -"), "{error}");
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

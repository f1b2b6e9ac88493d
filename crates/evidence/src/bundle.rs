//! The folder that holds one run: `events.jsonl`, one event a line, and `blobs/` for profiles.
//!
//! Events are appended as they happen, so a bundle that was cut short by a crash or by kill -9 is
//! readable up to its last whole line. Folders are mode 0700 and files 0600: log lines and
//! profiles may say more than their owner wants to show.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{Event, Evidence};

/// Version of the bundle's layout.
pub const FORMAT: u32 = 1;
/// Name of the event file.
pub const EVENTS: &str = "events.jsonl";
/// No single event is longer: the largest is a batch of spans, which the receiver bounds.
const LINE_MAX: u64 = 64 << 20;
/// No blob is larger: what a profile may be, inflated or not.
const BLOB_MAX: u64 = 256 << 20;
/// No run of ours records more; a damaged or hostile bundle must not fill the memory.
const EVENTS_MAX: u64 = 2 << 30;

/// Why a bundle could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// A file or folder could not be used.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The folder is not a bundle.
    #[error(
        "{path} is not a bundle: it has no {EVENTS}; `shakedown check` writes bundles to .shakedown/runs"
    )]
    NotABundle {
        /// Which.
        path: PathBuf,
    },
    /// The first line does not say what it is, or is of another version.
    #[error(
        "{path}, line 1: not a bundle of format {FORMAT} ({why}); use the version of shakedown that wrote it"
    )]
    Format {
        /// Which.
        path: PathBuf,
        /// What was found.
        why: String,
    },
    /// A line in the middle is damaged.
    #[error(
        "{path}, line {line}: damaged ({why}); a bundle that was merely cut short is damaged in its last line only"
    )]
    Damaged {
        /// Which.
        path: PathBuf,
        /// Line, counted from 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// More than a run of ours ever records.
    #[error("{path}: larger than {limit} bytes; no run records that much")]
    TooLarge {
        /// Which.
        path: PathBuf,
        /// The bound.
        limit: u64,
    },
}

#[derive(Serialize, Deserialize)]
struct Header {
    shakedown_bundle: u32,
}

/// Appends events to a bundle.
#[derive(Debug)]
pub struct Writer {
    dir: PathBuf,
    events: File,
}

impl Writer {
    /// Makes the folder and begins the event file.
    ///
    /// # Errors
    /// The folder cannot be made, or holds a bundle already.
    pub fn create(dir: &Path) -> Result<Self, BundleError> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700);
        let blobs = dir.join("blobs");
        builder.create(&blobs).map_err(at(&blobs))?;
        let path = dir.join(EVENTS);
        let mut options = OpenOptions::new();
        options.append(true).create_new(true).mode(0o600);
        let mut writer = Self {
            dir: dir.to_owned(),
            events: options.open(&path).map_err(at(&path))?,
        };
        writer.line(&Header {
            shakedown_bundle: FORMAT,
        })?;
        Ok(writer)
    }

    /// Appends one event.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn event(&mut self, event: &Event) -> Result<(), BundleError> {
        self.line(event)
    }

    /// Writes the bytes that an event names.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn blob(&mut self, name: &str, bytes: &[u8]) -> Result<(), BundleError> {
        self.file(&format!("blobs/{name}"), bytes)
    }

    /// Writes a file beside the events, such as the report.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn file(&mut self, name: &str, bytes: &[u8]) -> Result<(), BundleError> {
        let path = self.dir.join(name);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&path).map_err(at(&path))?;
        file.write_all(bytes).map_err(at(&path))
    }

    fn line(&mut self, of: &impl Serialize) -> Result<(), BundleError> {
        // One write a line: a process that is killed leaves whole lines behind.
        let mut line = serde_json::to_vec(of).map_err(|error| BundleError::Io {
            path: self.dir.join(EVENTS),
            source: error.into(),
        })?;
        line.push(b'\n');
        self.events
            .write_all(&line)
            .map_err(at(&self.dir.join(EVENTS)))
    }
}

/// Reads a bundle back into evidence.
///
/// # Errors
/// The folder is no bundle, or is damaged otherwise than by being cut short.
pub fn read(dir: &Path) -> Result<Evidence, BundleError> {
    let path = dir.join(EVENTS);
    let file = match File::open(&path) {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Err(BundleError::NotABundle {
                path: dir.to_owned(),
            });
        }
        opened => opened.map_err(at(&path))?,
    };
    let mut evidence = read_events(&mut BufReader::new(file), &path)?;
    let names: Vec<String> = evidence
        .profiles
        .iter()
        .map(|profile| profile.blob.clone())
        .collect();
    for name in names {
        let blob = read_blob(dir, &name)?;
        evidence.blobs.insert(name, blob);
    }
    Ok(evidence)
}

/// Reads the event stream alone; `path` is only named in errors.
///
/// # Errors
/// As [`read`].
pub fn read_events(input: &mut dyn BufRead, path: &Path) -> Result<Evidence, BundleError> {
    let mut evidence = Evidence::default();
    let mut line = Vec::new();
    let mut total = 0;
    for number in 1.. {
        line.clear();
        let read = input
            .take(LINE_MAX + 1)
            .read_until(b'\n', &mut line)
            .map_err(at(path))?;
        if read == 0 {
            break;
        }
        total += read as u64;
        if read as u64 > LINE_MAX || total > EVENTS_MAX {
            let limit = if total > EVENTS_MAX {
                EVENTS_MAX
            } else {
                LINE_MAX
            };
            return Err(BundleError::TooLarge {
                path: path.to_owned(),
                limit,
            });
        }
        let whole = line.ends_with(b"\n");
        if number == 1 {
            check_header(&line, path)?;
            continue;
        }
        match serde_json::from_slice::<Event>(&line) {
            Ok(event) => evidence.apply(event),
            // The last line of a run that was cut short.
            Err(_) if !whole => break,
            Err(error) => {
                return Err(BundleError::Damaged {
                    path: path.to_owned(),
                    line: number,
                    why: without_place(&error),
                });
            }
        }
    }
    Ok(evidence)
}

/// What is wrong, without serde's line, which counts within ours.
fn without_place(error: &serde_json::Error) -> String {
    let said = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    said.strip_suffix(&place).unwrap_or(&said).to_owned()
}

fn check_header(line: &[u8], path: &Path) -> Result<(), BundleError> {
    let format = |why: String| BundleError::Format {
        path: path.to_owned(),
        why,
    };
    let header: Header =
        serde_json::from_slice(line).map_err(|error| format(without_place(&error)))?;
    if header.shakedown_bundle == FORMAT {
        Ok(())
    } else {
        Err(format(format!("format {}", header.shakedown_bundle)))
    }
}

fn read_blob(dir: &Path, name: &str) -> Result<Vec<u8>, BundleError> {
    let path = dir.join("blobs").join(name);
    // A bundle may come from somebody else: a name must not lead out of it.
    if name.is_empty() || name.contains(['/', '\\']) || name.starts_with('.') {
        let source = io::Error::new(
            io::ErrorKind::InvalidInput,
            "a blob's name must be a plain file name",
        );
        return Err(BundleError::Io { path, source });
    }
    let file = match File::open(&path) {
        // The run was killed between naming the blob and writing it, or it was taken away:
        // rules see a profile without bytes and say that it is missing.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        opened => opened.map_err(at(&path))?,
    };
    let mut bytes = Vec::new();
    file.take(BLOB_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(at(&path))?;
    if bytes.len() as u64 > BLOB_MAX {
        return Err(BundleError::TooLarge {
            path,
            limit: BLOB_MAX,
        });
    }
    Ok(bytes)
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> BundleError + use<> {
    let path = path.to_owned();
    move |source| BundleError::Io { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{At, Mark};

    fn mark(n: u64) -> Event {
        Event::Mark(Mark {
            at: At(n),
            name: format!("batch {n}"),
        })
    }

    fn written(events: &[Event]) -> Vec<u8> {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("run");
        let mut writer = Writer::create(&path).expect("a new bundle");
        for event in events {
            writer.event(event).expect("the event is written");
        }
        fs::read(path.join(EVENTS)).expect("the events are there")
    }

    fn check(bytes: &[u8]) -> Result<Evidence, BundleError> {
        read_events(&mut BufReader::new(bytes), Path::new("run/events.jsonl"))
    }

    #[test]
    fn what_was_written_is_read_back() {
        let evidence = check(&written(&[mark(1), mark(2)])).expect("a whole bundle");
        assert_eq!(evidence.marks.len(), 2);
        assert_eq!(evidence.last, At(2));
        assert_eq!(evidence.finished, None);
    }

    #[test]
    fn a_bundle_cut_anywhere_is_readable() {
        let bytes = written(&[mark(1), mark(2)]);
        let header = bytes
            .iter()
            .position(|byte| *byte == b'\n')
            .expect("a header")
            + 1;
        for end in header..bytes.len() {
            let evidence = check(&bytes[..end]).expect("cut short is not damaged");
            assert!(evidence.marks.len() <= 2);
        }
    }

    #[test]
    fn damage_in_the_middle_names_the_line() {
        let mut bytes = written(&[mark(1), mark(2)]);
        let header = bytes
            .iter()
            .position(|byte| *byte == b'\n')
            .expect("a header")
            + 1;
        bytes[header] = b'#';
        let error = check(&bytes).expect_err("damaged").to_string();
        assert!(error.contains("line 2"), "{error}");
    }

    #[test]
    fn another_folder_is_refused_by_name() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let error = read(dir.path()).expect_err("not a bundle").to_string();
        assert!(error.contains("is not a bundle"), "{error}");
    }

    #[test]
    fn a_file_is_no_bundle() {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        let error = read(file.path()).expect_err("not a bundle").to_string();
        assert!(error.contains("is not a bundle"), "{error}");
    }

    #[test]
    fn a_blob_name_cannot_lead_out_of_the_bundle() {
        for name in ["", "../secret", "/etc/passwd", ".hidden", "a\\b"] {
            assert!(read_blob(Path::new("run"), name).is_err(), "{name}");
        }
    }

    #[test]
    fn files_are_for_their_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("run");
        let mut writer = Writer::create(&path).expect("a new bundle");
        writer.blob("0001-cpu.pb.gz", b"x").expect("a blob");
        for (file, mode) in [
            (".", 0o700),
            (EVENTS, 0o600),
            ("blobs/0001-cpu.pb.gz", 0o600),
        ] {
            let found = fs::metadata(path.join(file))
                .expect("it is there")
                .permissions()
                .mode();
            assert_eq!(found & 0o777, mode, "{file}");
        }
    }
}

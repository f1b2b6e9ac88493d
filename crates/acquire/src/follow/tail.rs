//! The end of a file that grows, and may be moved away, made anew or cut.

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::{CHUNK, FollowError};

/// A file that grows, and may be moved away, made anew or cut.
#[derive(Debug)]
pub(super) struct Tail {
    path: PathBuf,
    open: Option<(File, u64)>,
    chunk: Vec<u8>,
}

impl Tail {
    /// At the present end of the file; a file that is yet to come is read from its beginning.
    pub(super) fn open(path: PathBuf, may_come: bool) -> Result<Self, FollowError> {
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
    pub(super) fn look(&mut self, mut came: impl FnMut(&[u8])) -> io::Result<()> {
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
}

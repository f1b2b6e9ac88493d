//! Only so many live runs at a time on one machine, whichever processes they belong to.
//!
//! Audits measure milliseconds: two runs on two cores are what they stand, five are not.

use std::fs::{self, File};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// Live runs side by side.
const PLACES: usize = 2;
/// Between two looks for a free place.
const PACE: Duration = Duration::from_millis(50);

/// A place among the live runs; it is free again when this is dropped or the process ends.
#[derive(Debug)]
pub(crate) struct Turn {
    _place: File,
}

impl Turn {
    /// Waits for a place. The lock files lie in `folder`.
    pub(crate) fn take(folder: &Path) -> Self {
        let places: Vec<File> = (0..PLACES)
            .map(|place| lock_file(folder, &format!("turn-{place}.lock")))
            .collect();
        loop {
            for place in &places {
                match flock(place, FlockOperation::NonBlockingLockExclusive) {
                    Ok(()) => {
                        return Self {
                            _place: place.try_clone().expect("a descriptor"),
                        };
                    }
                    Err(Errno::WOULDBLOCK | Errno::INTR) => {}
                    Err(error) => panic!("{}: flock: {error}", folder.display()),
                }
            }
            sleep(PACE);
        }
    }
}

/// A lock for all test processes of this target folder, held until the file is dropped.
pub(crate) fn lock(folder: &Path, name: &str) -> File {
    let file = lock_file(folder, name);
    loop {
        match flock(&file, FlockOperation::LockExclusive) {
            Ok(()) => return file,
            Err(Errno::INTR) => {}
            Err(error) => panic!("{}: flock: {error}", folder.display()),
        }
    }
}

fn lock_file(folder: &Path, name: &str) -> File {
    fs::create_dir_all(folder).expect("the target folder can be written");
    let path = folder.join(name);
    File::options()
        .create(true)
        .append(true)
        .open(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_third_run_waits_for_a_place() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let first = Turn::take(folder.path());
        let second = Turn::take(folder.path());
        let (told, tell) = mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let _third = Turn::take(folder.path());
                told.send(()).expect("the test listens");
            });
            let early = tell.recv_timeout(PACE * 4);
            assert!(early.is_err(), "three at once");
            drop(first);
            tell.recv_timeout(Duration::from_secs(10))
                .expect("a place became free");
        });
        drop(second);
    }
}

//! Which processes there are, who began them, and signals that cannot hit a stranger.
//!
//! Read from `/proc/PID/stat`: the `children` file of a thread is missing on some kernels and
//! incomplete while processes come and go.

use std::fs;
use std::io;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// A process as it was seen; `start` tells it from a later one with the same id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) pid: u32,
    pub(super) parent: u32,
    pub(super) group: u32,
    pub(super) session: u32,
    /// Ended, but not yet waited for.
    pub(super) zombie: bool,
    /// Clock ticks since the machine began.
    start: u64,
}

impl Seen {
    pub(super) fn read(pid: u32) -> Option<Self> {
        let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
        Self::parse(pid, &stat)
    }

    /// proc_pid_stat(5). The name is in parentheses and may hold anything, parentheses too.
    fn parse(pid: u32, stat: &[u8]) -> Option<Self> {
        let name_end = stat.iter().rposition(|byte| *byte == b')')?;
        let rest = std::str::from_utf8(&stat[name_end + 1..]).ok()?;
        let mut fields = rest.split_ascii_whitespace();
        // After the name: state, parent, group, session; the start time is 15 fields further.
        let state = fields.next()?;
        Some(Self {
            pid,
            parent: fields.next()?.parse().ok()?,
            group: fields.next()?.parse().ok()?,
            session: fields.next()?.parse().ok()?,
            zombie: matches!(state, "Z" | "X"),
            start: fields.nth(15)?.parse().ok()?,
        })
    }

    /// Sends a signal to this very process.
    pub(super) fn signal(&self, signal: Signal) -> io::Result<()> {
        let gone = || io::Error::from(rustix::io::Errno::SRCH);
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        let handle = pidfd_open(pid.ok_or_else(gone)?, PidfdFlags::empty())?;
        // Looked at after the handle was opened: same start, same process.
        let now = Self::read(self.pid).ok_or_else(gone)?;
        if now.start != self.start {
            return Err(gone());
        }
        Ok(pidfd_send_signal(handle, signal)?)
    }
}

/// Every process on this machine that we can see.
pub(super) fn all() -> Vec<Seen> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(Seen::read)
        .collect()
}

/// What descends from a process, without it and without zombies; parents before children.
pub(super) fn descendants(root: u32) -> Vec<Seen> {
    below(root, &all())
}

fn below(root: u32, all: &[Seen]) -> Vec<Seen> {
    let mut found: Vec<Seen> = Vec::new();
    let mut parents = vec![root];
    while !parents.is_empty() {
        let children: Vec<Seen> = all
            .iter()
            .filter(|process| parents.contains(&process.parent) && process.pid != root)
            // Ids are read one after another: a reused id could make a circle.
            .filter(|process| found.iter().all(|known| known.pid != process.pid))
            .copied()
            .collect();
        parents = children.iter().map(|process| process.pid).collect();
        found.extend(children);
    }
    found.retain(|process| !process.zombie);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: u32, parent: u32) -> Seen {
        let stat = format!("{pid} (a) b) c) S {parent} 7 8 0 -1 4 0 0 0 0 0 0 0 0 20 0 1 0 99 0");
        Seen::parse(pid, stat.as_bytes()).expect("is whole")
    }

    #[test]
    fn a_name_with_parentheses_is_skipped() {
        let seen = process(5, 3);
        assert_eq!((seen.parent, seen.group, seen.session), (3, 7, 8));
        assert_eq!(seen.start, 99);
    }

    #[test]
    fn half_a_line_is_no_process() {
        for stat in ["", "5", "5 (x", "5 (x)", "5 (x) S 1 2", "5 (x) S a 2 3"] {
            assert_eq!(Seen::parse(5, stat.as_bytes()), None, "{stat}");
        }
    }

    #[test]
    fn descendants_come_parents_first_and_strangers_do_not() {
        let all = [
            process(9, 4),
            process(4, 2),
            process(3, 2),
            process(7, 1),
            process(2, 1),
        ];
        let found: Vec<u32> = below(2, &all).iter().map(|seen| seen.pid).collect();
        assert_eq!(found, [4, 3, 9]);
    }

    #[test]
    fn a_circle_ends() {
        assert_eq!(below(2, &[process(2, 3), process(3, 2)]).len(), 1);
    }

    #[test]
    fn another_process_with_the_same_id_gets_no_signal() {
        let mut own = Seen::read(std::process::id()).expect("we are running");
        own.start += 1;
        assert!(own.signal(Signal::KILL).is_err());
    }
}

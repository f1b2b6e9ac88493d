//! The most memory that a process held.

use std::fs;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Watches a process until it ends.
#[derive(Debug)]
pub(crate) struct Peak(JoinHandle<u64>);

impl Peak {
    /// Of the process with this id. The kernel's own high-water mark is read again and again: it
    /// goes with the process, and only what is taken in its last moments can be missed.
    pub(crate) fn of(pid: u32) -> Self {
        Self(thread::spawn(move || {
            let mut peak = 0;
            while let Some(now) = high_water(pid) {
                peak = now;
                thread::sleep(Duration::from_millis(20));
            }
            peak
        }))
    }

    /// Once it has ended: never more than so many MiB.
    pub(crate) fn stays_below(self, mib: u64) {
        let peak = self.0.join().expect("the watcher ends") >> 10;
        assert!(peak > 0, "never seen");
        assert!(peak < mib, "{peak} MiB");
    }
}

/// In KiB; nothing for a process that has ended.
fn high_water(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[test]
fn what_a_process_held_is_seen() {
    let mut child = std::process::Command::new("dd")
        .args(["if=/dev/zero", "of=/dev/null", "bs=64M", "count=20"])
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("dd starts");
    let peak = Peak::of(child.id());
    child.wait().expect("it ends");
    assert!(peak.0.join().expect("the watcher ends") >= 64 << 10);
}

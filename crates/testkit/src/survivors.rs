//! Processes that a run left behind, found by a variable that all of them inherit.
//!
//! A process can leave its group, its session and its parent; its first environment stays readable
//! in `/proc`.

use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

const VARIABLE: &str = "SHAKEDOWN_TEST_RUN";

/// What marks the processes of one run.
#[derive(Debug, Clone)]
pub struct Marker(String);

impl Marker {
    /// One that nobody else has.
    #[must_use]
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let nanos = now.unwrap_or_default().as_nanos();
        Self(format!("{}-{count}-{nanos}", std::process::id()))
    }

    /// Marks a command and whatever it starts.
    pub fn mark(&self, command: &mut Command) {
        command.env(VARIABLE, &self.0);
    }

    /// Running processes that bear the mark, as `PID COMMAND LINE`.
    #[must_use]
    pub fn survivors(&self) -> Vec<String> {
        let wanted = format!("{VARIABLE}={}", self.0);
        let entries = fs::read_dir("/proc").expect("/proc is there").flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let bears = |pid: &u32| {
            // A zombie has no environment any more, and a stranger's cannot be read.
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment
                .split(|byte| *byte == 0)
                .any(|variable| variable == wanted.as_bytes())
        };
        pids.filter(bears).map(described).collect()
    }

    /// Panics if a process bears the mark for longer than `patience`.
    pub fn assert_none_left(&self, patience: Duration) {
        let began = Instant::now();
        loop {
            let left = self.survivors();
            if left.is_empty() {
                return;
            }
            assert!(
                began.elapsed() < patience,
                "still there after {patience:?}:\n{}",
                left.join("\n")
            );
            sleep(Duration::from_millis(20));
        }
    }
}

impl Default for Marker {
    fn default() -> Self {
        Self::new()
    }
}

fn described(pid: u32) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let line = String::from_utf8_lossy(&line).replace('\0', " ");
    format!("{pid} {}", line.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_of_a_child_is_found_and_its_end_is_seen() {
        let marker = Marker::new();
        let mut command = Command::new("sh");
        // The outer shell waits for the inner process, which is found by what it inherits.
        command.args(["-c", "sleep 60 & wait"]);
        marker.mark(&mut command);
        let mut shell = command.spawn().expect("sh starts");
        let began = Instant::now();
        while !marker
            .survivors()
            .iter()
            .any(|line| line.ends_with("sleep 60"))
        {
            assert!(began.elapsed() < Duration::from_secs(10), "never seen");
            sleep(Duration::from_millis(5));
        }
        shell.kill().expect("it runs");
        shell.wait().expect("it ended");
        let left = marker.survivors();
        assert_eq!(left.len(), 1, "{left:?}");
        let pid = left[0].split(' ').next().expect("a pid");
        let killed = Command::new("kill").args(["-9", pid]).status();
        assert!(killed.expect("kill runs").success());
        marker.assert_none_left(Duration::from_secs(10));
    }
}

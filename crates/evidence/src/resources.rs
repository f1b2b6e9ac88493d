//! What a process holds at a mark: descriptors by kind and target, memory, threads.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::At;

/// Kinds of descriptors that are told apart; the rest is counted together.
const KINDS_MAX: usize = 64;
/// What is counted together.
const OTHERS: &str = "others";

/// What a process held at one time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resources {
    /// When.
    pub at: At,
    /// The mark.
    pub label: String,
    /// The process.
    pub pid: u32,
    /// Open descriptors, by what they lead to ([`kind_of_file`], `connection to HOST:PORT`, …).
    pub descriptors: BTreeMap<String, u64>,
    /// Resident memory in bytes.
    pub resident: u64,
    /// Threads.
    pub threads: u64,
}

impl Resources {
    /// All descriptors.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.descriptors.values().sum()
    }
}

/// Counts kinds, within a bound.
#[must_use]
pub fn counted(kinds: impl IntoIterator<Item = String>) -> BTreeMap<String, u64> {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for kind in kinds {
        let known = counts.len() < KINDS_MAX || counts.contains_key(&kind);
        let kind = if known { kind } else { OTHERS.to_owned() };
        *counts.entry(kind).or_default() += 1;
    }
    counts
}

/// The kind of a descriptor, by what `/proc/PID/fd/N` leads to, if it is no socket.
///
/// Files whose names differ only in digits or in what makes a temporary name unique are of one
/// kind: a request that opens a file of its own opens one of the same kind each time.
#[must_use]
pub fn kind_of_file(target: &str) -> String {
    if let Some(rest) = target.strip_prefix("anon_inode:") {
        return format!("anonymous {}", rest.trim_matches(['[', ']']));
    }
    if target.starts_with("pipe:[") {
        return "pipe".into();
    }
    if !target.starts_with('/') {
        let kind = target.split(':').next().unwrap_or(target);
        return format!("other {kind}");
    }
    let (path, deleted) = match target.strip_suffix(" (deleted)") {
        Some(path) => (path, " (deleted)"),
        None => (target, ""),
    };
    let parts: Vec<String> = path.split('/').map(class_of_name).collect();
    format!("file {}{deleted}", parts.join("/"))
}

/// `order-*.json` of `order-1234.json`; `*` of a name that is mostly made up.
fn class_of_name(name: &str) -> String {
    let (stem, ending) = match name.rsplit_once('.') {
        Some((stem, ending)) if !stem.is_empty() && ending.len() <= 5 => (stem, Some(ending)),
        _ => (name, None),
    };
    let words = stem.split_inclusive(['-', '_', '.']).map(|word| {
        let plain = word.trim_end_matches(['-', '_', '.']);
        let mark = &word[plain.len()..];
        if is_made_up(plain) {
            format!("*{mark}")
        } else {
            word.to_owned()
        }
    });
    let stem: String = words.collect();
    let ending = ending.map_or(String::new(), |ending| {
        if is_made_up(ending) {
            ".*".into()
        } else {
            format!(".{ending}")
        }
    });
    stem + &ending
}

/// Has a digit, or is mixed of capitals and small letters as random names are.
fn is_made_up(word: &str) -> bool {
    let digits = word.bytes().any(|byte| byte.is_ascii_digit());
    let turns = word
        .as_bytes()
        .windows(2)
        .filter(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase())
        .count();
    digits || turns >= 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unique_to_a_request_is_left_out_of_its_kind() {
        for (target, kind) in [
            ("/etc/hosts", "file /etc/hosts"),
            ("/tmp/order-1234.json", "file /tmp/order-*.json"),
            ("/tmp/upload-aXbYcZdW", "file /tmp/upload-*"),
            (
                "/tmp/go-build99/x.tmp (deleted)",
                "file /tmp/go-*/x.tmp (deleted)",
            ),
            ("/var/lib/My.App/data.db", "file /var/lib/My.App/data.db"),
            ("/dev/null", "file /dev/null"),
            ("pipe:[1346686]", "pipe"),
            ("anon_inode:[eventpoll]", "anonymous eventpoll"),
            ("anon_inode:inotify", "anonymous inotify"),
            ("mnt:[4026]", "other mnt"),
            ("", "other "),
        ] {
            assert_eq!(kind_of_file(target), kind, "{target}");
        }
    }

    #[test]
    fn kinds_are_bounded_and_nothing_is_lost() {
        let kinds = (0..200).map(|kind| format!("k{kind}"));
        let counts = counted(kinds);
        assert_eq!(counts.len(), KINDS_MAX + 1);
        assert_eq!(counts.values().sum::<u64>(), 200);
    }
}

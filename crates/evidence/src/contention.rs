//! The heads of the block and mutex profiles: does the service record contention at all?

use serde::{Deserialize, Serialize};

use crate::At;

/// One of the two profiles of waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Waiting {
    /// `block`: goroutines that waited for each other; on by `runtime.SetBlockProfileRate`.
    Block,
    /// `mutex`: who held what others waited for; on by `runtime.SetMutexProfileFraction`.
    Mutex,
}

impl Waiting {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Block, Self::Mutex];

    /// The name of its endpoint.
    #[must_use]
    pub const fn endpoint(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Mutex => "mutex",
        }
    }
}

/// What the text of `debug=1` says of such a profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contention {
    /// When it was asked for.
    pub at: At,
    /// Which.
    pub profile: Waiting,
    /// Where.
    pub url: String,
    /// `sampling period=`: one in so many is recorded, 0 is none. Only the mutex profile says so.
    pub period: Option<i64>,
    /// Stacks in it; at least so many, if the text was long.
    pub stacks: u64,
}

/// The sampling period and the number of stacks of a text of `debug=1`.
///
/// # Errors
/// It is something else; the text says what.
pub fn parse_contention(profile: Waiting, text: &str) -> Result<(Option<i64>, u64), String> {
    let mut lines = text.lines();
    // The runtime calls the block profile by its older name.
    let head = match profile {
        Waiting::Block => "--- contention:",
        Waiting::Mutex => "--- mutex:",
    };
    let first = lines.next().unwrap_or_default();
    if first.trim_end() != head {
        let shown: String = first.chars().take(60).filter(|c| !c.is_control()).collect();
        return Err(format!("its first line is `{shown}`, not `{head}`"));
    }
    let period = |line: &str| line.strip_prefix("sampling period=")?.trim().parse().ok();
    let period = lines.clone().take(8).find_map(period);
    // `cycles count @ addresses`, in each record.
    let is_stack = |line: &&str| {
        let mut words = line.split(' ');
        let number = |word: Option<&str>| word.is_some_and(|word| word.parse::<u64>().is_ok());
        number(words.next()) && number(words.next()) && words.next() == Some("@")
    };
    Ok((period, lines.filter(is_stack).count() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFF: &str = "--- mutex:\ncycles/second=2995193046\nsampling period=0\n";
    const BLOCK: &str = "--- contention:\ncycles/second=2995193046\n\
        25165 3 @ 0x4a 0x4b\n#\t0x49\tsync.(*Mutex).Lock+0x39\t/go/src/sync/mutex.go:45\n\n\
        900 1 @ 0x4a\n";

    #[test]
    fn the_period_and_the_stacks_are_read() {
        assert_eq!(parse_contention(Waiting::Mutex, OFF), Ok((Some(0), 0)));
        assert_eq!(parse_contention(Waiting::Block, BLOCK), Ok((None, 2)));
    }

    #[test]
    fn another_text_is_refused_by_its_first_line() {
        for text in ["", "<!doctype html>", OFF] {
            assert!(parse_contention(Waiting::Block, text).is_err(), "{text}");
        }
        let binary = parse_contention(Waiting::Mutex, "\u{1f}\u{8b}\u{8}x").expect_err("gzip");
        assert!(!binary.contains('\u{8b}'), "{binary}");
    }
}

//! What the guardian and its owner say to each other: one line a message, over a socket pair.
//!
//! Either end that closes has spoken too: the owner is gone (everything is ended), or the
//! guardian is (the owner ends what it left).

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// First argument by which the program becomes a guardian.
pub const GUARDIAN: &str = "__guardian";
/// Variable that every process of a guardian inherits, so that even one which left the tree is
/// found if its guardian was killed.
pub(super) const COOKIE: &str = "SHAKEDOWN_GUARDIAN";
/// After the end of the grace or of the owner, everything is killed; what is still there after
/// this time cannot be killed by us (another user's, or stuck in the kernel).
pub(super) const KILL_TIME: Duration = Duration::from_secs(5);
/// Grace when the owner has vanished: nobody waits for the answers any more.
pub(super) const ORPHAN_GRACE: Duration = Duration::from_secs(1);

/// From the guardian.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Report {
    /// The command runs as this process.
    Started(u32),
    /// The command could not be run; an errno.
    Failed(i32),
    /// The command ended.
    Exited(Ended),
    /// Nothing is left but these.
    Gone(Vec<u32>),
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Code(i32),
    Signal(i32),
}

/// To the guardian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// SIGTERM, and SIGKILL after so long.
    End(Duration),
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started(pid) => writeln!(f, "started {pid}"),
            Self::Failed(errno) => writeln!(f, "failed {errno}"),
            Self::Exited(Ended::Code(code)) => writeln!(f, "exited code {code}"),
            Self::Exited(Ended::Signal(signal)) => writeln!(f, "exited signal {signal}"),
            Self::Gone(left) => {
                write!(f, "gone")?;
                left.iter().try_for_each(|pid| write!(f, " {pid}"))?;
                writeln!(f)
            }
        }
    }
}

/// A line that is no message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

impl FromStr for Report {
    type Err = Unreadable;

    fn from_str(line: &str) -> Result<Self, Unreadable> {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        Ok(match words[..] {
            ["started", pid] => Self::Started(number(pid)?),
            ["failed", errno] => Self::Failed(number(errno)?),
            ["exited", "code", code] => Self::Exited(Ended::Code(number(code)?)),
            ["exited", "signal", signal] => Self::Exited(Ended::Signal(number(signal)?)),
            ["gone", ref left @ ..] => Self::Gone(
                left.iter()
                    .map(|pid| number(pid))
                    .collect::<Result<_, _>>()?,
            ),
            _ => return Err(Unreadable),
        })
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::End(grace) = self;
        writeln!(f, "end {}", grace.as_millis())
    }
}

impl FromStr for Order {
    type Err = Unreadable;

    fn from_str(line: &str) -> Result<Self, Unreadable> {
        let grace_ms = line.trim_end().strip_prefix("end ").ok_or(Unreadable)?;
        Ok(Self::End(Duration::from_millis(number(grace_ms)?)))
    }
}

fn number<T: FromStr>(word: &str) -> Result<T, Unreadable> {
    word.parse().map_err(|_| Unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_survive_the_way() {
        for report in [
            Report::Started(4242),
            Report::Failed(2),
            Report::Exited(Ended::Code(7)),
            Report::Exited(Ended::Signal(9)),
            Report::Gone(vec![]),
            Report::Gone(vec![12, 13]),
        ] {
            assert_eq!(report.to_string().parse(), Ok(report));
        }
        let order = Order::End(Duration::from_millis(1500));
        assert_eq!(order.to_string().parse(), Ok(order));
    }

    #[test]
    fn anything_else_is_unreadable() {
        for line in [
            "",
            "started",
            "started x",
            "exited",
            "gone x",
            "end",
            "end -1",
        ] {
            assert_eq!(line.parse::<Report>(), Err(Unreadable), "{line}");
            assert_eq!(line.parse::<Order>(), Err(Unreadable), "{line}");
        }
    }
}

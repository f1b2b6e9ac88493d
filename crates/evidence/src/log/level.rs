//! Severity of a line.

/// Severity on one scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Finer than debug.
    Trace,
    /// For developers.
    Debug,
    /// What happens.
    Info,
    /// What may go wrong.
    Warn,
    /// What went wrong.
    Error,
    /// What ends the process or the goroutine: fatal, panic, dpanic.
    Fatal,
}

impl Level {
    /// Reads a field: names in any case, slog's offsets (`INFO+2`), numbers of bunyan and pino.
    pub(super) fn read(text: &str) -> Option<Self> {
        let text = super::text::plain(text);
        let name = text.trim().split(['+', '-']).next()?;
        Self::by_name(name).or_else(|| Self::by_number(name))
    }

    /// Reads a word of running text, where only upper case is a level.
    pub(super) fn read_word(word: &str) -> Option<Self> {
        let name = word.trim_matches(['[', ']', ':', '(', ')', '<', '>', '|']);
        let upper = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase());
        upper.then(|| Self::by_name(name)).flatten()
    }

    fn by_name(name: &str) -> Option<Self> {
        let mut lower = [0; 9];
        let lower = lower.get_mut(..name.len())?;
        lower.copy_from_slice(name.as_bytes());
        lower.make_ascii_lowercase();
        Some(match &*lower {
            b"trace" | b"trc" | b"trac" => Self::Trace,
            b"debug" | b"dbg" | b"debu" => Self::Debug,
            b"info" | b"inf" | b"notice" | b"default" => Self::Info,
            b"warn" | b"warning" | b"wrn" => Self::Warn,
            b"error" | b"err" | b"erro" | b"eror" => Self::Error,
            b"fatal" | b"ftl" | b"fata" | b"panic" | b"pnc" | b"pani" | b"dpanic" | b"crit"
            | b"critical" | b"alert" | b"emergency" => Self::Fatal,
            _ => return None,
        })
    }

    /// Numbers of bunyan and pino. Smaller scales contradict each other.
    fn by_number(text: &str) -> Option<Self> {
        Some(match text {
            "10" => Self::Trace,
            "20" => Self::Debug,
            "30" => Self::Info,
            "40" => Self::Warn,
            "50" => Self::Error,
            "60" => Self::Fatal,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_offsets_and_colours_are_read() {
        for (text, level) in [
            ("info", Level::Info),
            ("INFO+2", Level::Info),
            ("DEBUG-4", Level::Debug),
            ("\u{1b}[34mINFO\u{1b}[0m", Level::Info),
            ("warning", Level::Warn),
            ("DPANIC", Level::Fatal),
            ("50", Level::Error),
        ] {
            assert_eq!(Level::read(text), Some(level), "{text}");
        }
        for text in ["", "7", "informational", "é", "+", "error: boom"] {
            assert_eq!(Level::read(text), None, "{text}");
        }
    }

    #[test]
    fn only_upper_case_words_are_levels() {
        assert_eq!(Level::read_word("[WARN]"), Some(Level::Warn));
        assert_eq!(Level::read_word("error"), None);
        assert_eq!(Level::read_word(""), None);
    }
}

//! Trace and span ids in the forms in which logs write them.
//!
//! An id stands for what it identifies, not for its spelling: hex and decimal, 64 and 128 bits,
//! with vendor prefixes. Zero is how SDKs write "no span", so it is no id.

use std::fmt;

/// Longest foreign id that is kept; longer ones are cut.
const FOREIGN_MAX: usize = 64;

/// Id of a trace or a span.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Id {
    /// 128 bits: a W3C trace id.
    Full(u128),
    /// 64 bits: a W3C span id, or the low half of a trace id (Datadog, B3, Jaeger).
    Low(u64),
    /// Something that is none of W3C's, such as a UUID with dashes; in lower case.
    Foreign(String),
}

/// The ids that a line has as its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Ids {
    /// Of the trace.
    pub trace: Option<Id>,
    /// Of the span.
    pub span: Option<Id>,
}

impl Ids {
    /// Both ids are missing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.trace.is_none() && self.span.is_none()
    }

    /// One of the two is missing: both come from one span context, so the logger dropped it.
    #[must_use]
    pub const fn is_half(&self) -> bool {
        self.trace.is_some() != self.span.is_some()
    }
}

impl Id {
    /// Reads any form; nothing for zero and for words that stand for "none".
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        // The common form first.
        if text.len() == 32
            && let Some(id) = Self::hex(text)
        {
            return id;
        }
        let text = text.trim().trim_matches(['"', '\'']);
        let text = text.rsplit_once("/traces/").map_or(text, |(_, id)| id);
        if let Some(id) = x_ray(text) {
            return id;
        }
        // Digits alone are decimal, except where their number is that of a hex id. A random
        // 64-bit number has 16 decimal digits or fewer once in 1,800.
        if text.len() != 16 && text.len() <= 20 && !text.is_empty() && is_decimal(text) {
            return match text.parse() {
                Ok(0) => None,
                Ok(low) => Some(Self::Low(low)),
                Err(_) => Self::foreign(text),
            };
        }
        match text.len() {
            16 | 32 => Self::hex(text).unwrap_or_else(|| Self::foreign(text)),
            _ => Self::foreign(text),
        }
    }

    /// Reads a decimal id (Datadog) even if it might be hex; else any form.
    pub(super) fn read_decimal(text: &str) -> Option<Self> {
        match text.parse() {
            Ok(0) => None,
            Ok(low) if is_decimal(text) && text.len() <= 20 => Some(Self::Low(low)),
            _ => Self::read(text),
        }
    }

    /// Reads 32 or 16 hex digits and nothing else: for names that hold other things as well.
    pub(super) fn read_strict(text: &str) -> Option<Self> {
        match text.len() {
            16 | 32 => Self::hex(text).flatten(),
            _ => None,
        }
    }

    /// Reads up to 32 hex digits, leading zeros left out or not (Jaeger).
    pub(super) fn read_short_hex(text: &str) -> Option<Self> {
        Self::hex(text).flatten()
    }

    /// `None` if it is not hex; `Some(None)` for zero.
    #[expect(
        clippy::option_option,
        reason = "not an id, and the id zero, are told apart"
    )]
    fn hex(text: &str) -> Option<Option<Self>> {
        if text.is_empty() || text.len() > 32 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let value = u128::from_str_radix(text, 16).ok()?;
        Some(match u64::try_from(value) {
            _ if value == 0 => None,
            Ok(low) if text.len() <= 16 => Some(Self::Low(low)),
            _ => Some(Self::Full(value)),
        })
    }

    fn foreign(text: &str) -> Option<Self> {
        const NONE: [&str; 9] = [
            "-",
            "null",
            "nil",
            "<nil>",
            "none",
            "n/a",
            "undefined",
            "unknown",
            "<no value>",
        ];
        let says_nothing = text
            .bytes()
            .all(|byte| matches!(byte, b'0' | b'-' | b'.' | b' '));
        if says_nothing || NONE.iter().any(|none| none.eq_ignore_ascii_case(text)) {
            return None;
        }
        let kept = text.chars().take(FOREIGN_MAX);
        Some(Self::Foreign(kept.flat_map(char::to_lowercase).collect()))
    }

    /// It has the form of a W3C id, so it can be looked for among spans.
    #[must_use]
    pub const fn is_w3c(&self) -> bool {
        matches!(self, Self::Full(_) | Self::Low(_))
    }

    /// The low 64 bits.
    #[must_use]
    pub const fn low(&self) -> Option<u64> {
        match self {
            #[expect(clippy::cast_possible_truncation, reason = "the low half is asked for")]
            Self::Full(full) => Some(*full as u64),
            Self::Low(low) => Some(*low),
            Self::Foreign(_) => None,
        }
    }

    /// Both may identify the same: equal as far as the shorter one goes.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Full(one), Self::Full(two)) => one == two,
            (Self::Foreign(one), Self::Foreign(two)) => one == two,
            // Some print the W3C id as a UUID: dashes do not change what it identifies.
            (Self::Foreign(text), id) | (id, Self::Foreign(text)) => {
                let bare = text.replace('-', "");
                Self::read_strict(&bare).is_some_and(|bare| bare == *id)
            }
            _ => self.low() == other.low(),
        }
    }

    /// Identifies the trace or span whose id is written as hex digits, as in [`crate::Span`].
    #[must_use]
    pub fn is_hex(&self, hex: &str) -> bool {
        Self::read_strict(hex).is_some_and(|id| self.matches(&id))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(full) => write!(f, "{full:032x}"),
            Self::Low(low) => write!(f, "{low:016x}"),
            Self::Foreign(text) => f.write_str(text),
        }
    }
}

/// Reads values that hold both ids: traceparent, b3, uber-trace-id, the headers of Google and
/// AWS, and X-Ray's `1-time-rest@span`.
pub(super) fn pair(text: &str) -> Option<Ids> {
    let text = text.trim();
    if text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let ids = |trace, span| Some(Ids { trace, span });
    if let Some((root, rest)) = text
        .strip_prefix("Root=")
        .and_then(|text| text.split_once(';'))
    {
        let parent = rest
            .split(';')
            .find_map(|part| part.strip_prefix("Parent="));
        return ids(Id::read(root), parent.and_then(Id::read_strict));
    }
    if let Some((trace, span)) = text.split_once('@') {
        return x_ray(trace).and_then(|trace| ids(trace, Id::read_strict(span)));
    }
    if let Some((trace, span)) = text.split_once('/') {
        let span = span.split(';').next().unwrap_or(span);
        let trace = (trace.len() == 32).then(|| Id::hex(trace)).flatten();
        return trace.and_then(|trace| ids(trace, Id::read_decimal(span)));
    }
    let dashed: Vec<&str> = text.splitn(6, '-').collect();
    match dashed[..] {
        [version, trace, span, flags, ..]
            if version.len() == 2 && trace.len() == 32 && flags.len() == 2 =>
        {
            return ids(Id::read_strict(trace), Id::read_strict(span));
        }
        [trace, span] | [trace, span, _] | [trace, span, _, _]
            if matches!(trace.len(), 16 | 32) && span.len() == 16 =>
        {
            return ids(Id::read_strict(trace), Id::read_strict(span));
        }
        _ => {}
    }
    let coloned: Vec<&str> = text.splitn(5, ':').collect();
    match coloned[..] {
        // Leading zeros may be missing, seldom more than a few.
        [trace, span, _, _] if trace.len() > 8 && span.len() <= 16 => {
            ids(Id::read_short_hex(trace), Id::read_short_hex(span))
        }
        _ => None,
    }
}

/// `1-8hex-24hex`; `Some(None)` for zero.
#[expect(
    clippy::option_option,
    reason = "another form, and the id zero, are told apart"
)]
fn x_ray(text: &str) -> Option<Option<Id>> {
    let (time, rest) = text.strip_prefix("1-")?.split_once('-')?;
    let lengths = time.len() == 8 && rest.len() == 24;
    lengths.then(|| Id::hex(&format!("{time}{rest}")))?
}

fn is_decimal(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    /// The id as it is written in reports, `-` for none.
    fn check(text: &str, expected: &str) {
        let id = Id::read(text).map_or("-".into(), |id| id.to_string());
        assert_eq!(id, expected, "{text}");
    }

    #[test]
    fn forms_become_one() {
        for text in [
            TRACE,
            "4BF92F3577B34DA6A3CE929D0E0E4736",
            "1-4bf92f35-77b34da6a3ce929d0e0e4736",
            "projects/p/traces/4bf92f3577b34da6a3ce929d0e0e4736",
            " \"4bf92f3577b34da6a3ce929d0e0e4736\" ",
        ] {
            check(text, TRACE);
        }
        for text in [SPAN, "67667974448284343"] {
            check(text, SPAN);
        }
        check("18446744073709551615", "ffffffffffffffff");
    }

    #[test]
    fn zero_and_words_for_none_are_absent() {
        for text in [
            "",
            "0",
            "00",
            "0000000000000000",
            "00000000000000000000000000000000",
            "null",
            "None",
            "<nil>",
            "-",
            "00000000-0000-0000-0000-000000000000",
            "1-00000000-000000000000000000000000",
        ] {
            check(text, "-");
        }
    }

    #[test]
    fn what_is_not_w3c_is_foreign() {
        for text in [
            "4BF92F35-77B3-4DA6-A3CE-929D0E0E4736",
            "req-17",
            "99999999999999999999",
            "abc",
            "héllo wörld 1",
        ] {
            check(text, &text.to_lowercase());
            assert!(!Id::read(text).unwrap().is_w3c());
        }
        assert_eq!(
            Id::read(&"ä".repeat(500))
                .unwrap()
                .to_string()
                .chars()
                .count(),
            FOREIGN_MAX
        );
    }

    #[test]
    fn low_bits_match_the_full_id() {
        let low = Id::read("a3ce929d0e0e4736").unwrap();
        let decimal = Id::read("11803532876627986230").unwrap();
        assert_eq!(low, decimal);
        assert!(low.is_hex(TRACE) && Id::read(TRACE).unwrap().is_hex(TRACE));
        assert!(
            Id::read("4bf92f35-77b3-4da6-a3ce-929d0e0e4736")
                .unwrap()
                .is_hex(TRACE)
        );
        assert!(!low.is_hex(SPAN) && !low.is_hex("") && !low.is_hex("x"));
    }

    #[test]
    fn pairs_hold_both() {
        let both = Ids {
            trace: Id::read(TRACE),
            span: Id::read(SPAN),
        };
        for text in [
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1-05e3ac9a4f6e3b90",
            "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "4bf92f3577b34da6a3ce929d0e0e4736:f067aa0ba902b7:0:1",
            "4bf92f3577b34da6a3ce929d0e0e4736/67667974448284343;o=1",
            "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7;Sampled=1",
            "1-4bf92f35-77b34da6a3ce929d0e0e4736@00f067aa0ba902b7",
        ] {
            assert_eq!(pair(text), Some(both.clone()), "{text}");
        }
        for text in ["", "0", "a-b-c", "a:b", "12:30:00", TRACE] {
            assert_eq!(pair(text), None, "{text}");
        }
    }
}

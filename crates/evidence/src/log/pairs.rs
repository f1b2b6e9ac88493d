//! `key=value` in running text and in logfmt, and `key: value` where names are sought.
//!
//! A value in quotes or brackets is taken or passed over as a whole: what it holds is not the
//! line's own. Brackets that no key stands before are looked into (`[trace_id=… span_id=…]`,
//! `request{trace_id=…}`).

use std::borrow::Cow;

use super::json;

/// Longest word after a colon that is looked at: more than any id has.
const COLON_VALUE_MAX: usize = 160;

/// Which sign stood between key and value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    /// `key=value`.
    Equals,
    /// `key: value`, as prose has it too.
    Colon,
}

/// A pair and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pair<'a> {
    pub(super) key: &'a str,
    pub(super) sign: Sign,
    pub(super) value: Cow<'a, str>,
    /// Position of the key.
    pub(super) start: usize,
    /// Position after the value.
    pub(super) end: usize,
}

/// Walks the pairs of a text in one pass.
#[derive(Debug)]
pub(super) struct Pairs<'a> {
    text: &'a str,
    at: usize,
    /// A quote was met that nothing closes: later ones are signs like others, or each of them
    /// would be followed to the end of the text.
    unclosed: bool,
}

impl<'a> Pairs<'a> {
    pub(super) const fn of(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            unclosed: false,
        }
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    fn slice(&self, from: usize, to: usize) -> &'a str {
        self.text.get(from..to).unwrap_or_default()
    }

    /// Reads the key at the current position, if one is there, and steps over it.
    fn key(&mut self) -> Option<(&'a str, usize)> {
        let start = self.at;
        // After a letter or digit it is a sign of inches, or the end of what was cut.
        let opens = start == 0
            || self
                .byte(start - 1)
                .is_none_or(|before| !before.is_ascii_alphanumeric());
        if self.byte(start)? == b'"' && opens && !self.unclosed {
            // The name of a JSON member; other quoted texts are passed over by the caller.
            let Some(end) = json::string_end(self.text.as_bytes(), start) else {
                self.unclosed = true;
                self.at += 1;
                return None;
            };
            self.at = end;
            return Some((self.slice(start + 1, end - 1), start));
        }
        let bytes = self.text.as_bytes().get(start..)?;
        let length = bytes.iter().position(|byte| !is_key(*byte));
        let length = length.unwrap_or(bytes.len());
        self.at += length.max(1);
        (length > 0).then(|| (self.slice(start, start + length), start))
    }

    /// Reads the value at `start`: a quoted text, a group in brackets (which is no value), or a
    /// word. Gives its end, and whether it is surely a value and no prose.
    fn value(&self, start: usize, sign: Sign) -> (Cow<'a, str>, usize, bool) {
        let bytes = self.text.as_bytes();
        let group = |opening| json::nested_end(bytes, opening).unwrap_or(bytes.len());
        match self.byte(start) {
            Some(b'"') => match json::string_end(bytes, start) {
                Some(end) => (json::unescape(self.slice(start + 1, end - 1)), end, true),
                None => (Cow::Borrowed(""), bytes.len(), true),
            },
            Some(b'{' | b'[') => (Cow::Borrowed(""), group(start), true),
            _ => {
                let rest = bytes.get(start..).unwrap_or_default();
                // A word after a colon is read again as the next key, so it must be short.
                let rest = match sign {
                    Sign::Equals => rest,
                    Sign::Colon => &rest[..rest.len().min(COLON_VALUE_MAX)],
                };
                let length = rest.iter().position(|byte| !is_value(*byte));
                let end = start + length.unwrap_or(rest.len());
                let word = self.slice(start, end);
                // `map[…]`, `&{…}` and `main.Order{…}` as fmt prints them.
                let printed = sign == Sign::Equals && !word.is_empty()
                    || matches!(word, "map" | "&" | "&map");
                match self.byte(end) {
                    Some(b'{' | b'[') if printed => (Cow::Borrowed(""), group(end), true),
                    _ => (Cow::Borrowed(word), end, sign == Sign::Equals),
                }
            }
        }
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = Pair<'a>;

    fn next(&mut self) -> Option<Pair<'a>> {
        while self.at < self.text.len() {
            let Some((key, start)) = self.key() else {
                continue;
            };
            let sign = match self.byte(self.at) {
                Some(b'=') => Sign::Equals,
                Some(b':') => Sign::Colon,
                _ => continue,
            };
            let space = sign == Sign::Colon && self.byte(self.at + 1) == Some(b' ');
            let from = self.at + 1 + usize::from(space);
            let (value, end, sure) = self.value(from, sign);
            // A word after a colon may be the next key.
            let quoted = self.byte(start) == Some(b'"');
            self.at = if sure || quoted { end } else { from };
            return Some(Pair {
                key,
                sign,
                value,
                start,
                end,
            });
        }
        None
    }
}

const fn is_key(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/' | b'@') || byte >= 0x80
}

const fn is_value(byte: u8) -> bool {
    !byte.is_ascii_whitespace()
        && !matches!(
            byte,
            b'"' | b',' | b';' | b'|' | b'(' | b')' | b'[' | b']' | b'{' | b'}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pairs as `key=value` or `key:value`.
    fn check(text: &str, expected: &[&str]) {
        let sign = |sign| match sign {
            Sign::Equals => '=',
            Sign::Colon => ':',
        };
        let pairs =
            Pairs::of(text).map(|pair| format!("{}{}{}", pair.key, sign(pair.sign), pair.value));
        assert_eq!(pairs.collect::<Vec<_>>(), expected, "{text}");
    }

    #[test]
    fn logfmt_is_read() {
        check(
            r#"level=info msg="order \"1\" = stored" n= took=1.5ms"#,
            &[
                "level=info",
                r#"msg=order "1" = stored"#,
                "n=",
                "took=1.5ms",
            ],
        );
    }

    #[test]
    fn pairs_are_found_in_text() {
        check(
            "stored [trace_id=ab span_id=cd] now",
            &["trace_id=ab", "span_id=cd"],
        );
        check(
            "INFO request{trace_id=ab}: app: done",
            &["trace_id=ab", "app:done"],
        );
        check(
            "done trace_id: ab, span_id: cd",
            &["trace_id:ab", "span_id:cd"],
        );
    }

    #[test]
    fn values_in_brackets_are_passed_over() {
        check(r#"req={"trace_id":"ab"} n=1"#, &["req=", "n=1"]);
        check("req=map[trace_id:ab] n=1", &["req=", "n=1"]);
        check("req: &{TraceID:ab} n=1", &["req:", "n=1"]);
        check(r#"{"req": {"trace_id": "ab"}, "n": 1}"#, &["req:", "n:1"]);
        check(r#"req="trace_id=ab" n=1"#, &["req=trace_id=ab", "n=1"]);
        check(r#"req={"trace_id":"ab"#, &["req="]);
    }

    #[test]
    fn every_text_comes_to_an_end() {
        for text in [
            "", "=", "a=", "\"", "a=\"", ":::", "=a=b=", "é=ü", "a=é\"", "{[(", "a:b:c:d",
        ] {
            let _ = Pairs::of(text).count();
        }
    }
}

//! Go's syntax → the regex crate's.
//!
//! One walk over the expression. Every plain character is written as an escape,
//! so that nothing of it can mean something else on the other side.

use std::fmt::Write as _;

use super::PatternError;
use super::class::{brackets, class_escape, escape};

pub(super) type Translated<T> = Result<T, PatternError>;

/// Go refuses repetitions beyond this.
const MOST_REPEATS: u32 = 1000;
/// Go refuses expressions nested deeper than this.
const DEEPEST: usize = 1000;

/// Appends `c` so that it stands for itself.
pub(super) fn literal(c: char, out: &mut String) {
    if c.is_ascii_alphanumeric() {
        out.push(c);
    } else {
        let _ = write!(out, r"\x{{{:X}}}", u32::from(c));
    }
}

pub(super) fn translate(source: &str) -> Translated<String> {
    let mut walk = Walk {
        source,
        rest: source,
        out: String::with_capacity(source.len() * 2),
        open: 0,
        repeatable: false,
        last_repeat: None,
    };
    while let Some(c) = walk.rest.chars().next() {
        walk.step(c)?;
    }
    if walk.open > 0 {
        return Err(PatternError::new("missing closing )", source));
    }
    Ok(walk.out)
}

struct Walk<'a> {
    source: &'a str,
    rest: &'a str,
    out: String,
    open: usize,
    /// Something stands before that `*` can repeat.
    repeatable: bool,
    /// Where the repetition operator just read begins.
    last_repeat: Option<&'a str>,
}

impl<'a> Walk<'a> {
    fn step(&mut self, c: char) -> Translated<()> {
        let before = self.last_repeat.take();
        match c {
            '(' => return self.group(),
            '|' => {
                self.take(1);
                self.out.push('|');
                self.repeatable = false;
            }
            ')' => {
                if self.open == 0 {
                    return Err(PatternError::new("unexpected )", self.source));
                }
                self.open -= 1;
                self.take(1);
                self.out.push(')');
                self.repeatable = true;
            }
            '^' | '$' | '.' => {
                self.take(1);
                self.out.push(c);
                self.repeatable = true;
            }
            '[' => {
                self.rest = brackets(self.rest, &mut self.out)?;
                self.repeatable = true;
            }
            '*' | '+' | '?' => return self.repeat(1, before, None),
            '{' => match counts(self.rest) {
                Some((len, counts)) => return self.repeat(len, before, Some(counts)),
                None => self.plain(c),
            },
            '\\' => return self.backslash(),
            _ => self.plain(c),
        }
        Ok(())
    }

    fn take(&mut self, bytes: usize) {
        self.rest = &self.rest[bytes..];
    }

    fn plain(&mut self, c: char) {
        self.take(c.len_utf8());
        literal(c, &mut self.out);
        self.repeatable = true;
    }

    /// A repetition operator of `len` bytes, and the `?` that makes it lazy.
    fn repeat(
        &mut self,
        len: usize,
        before: Option<&'a str>,
        counts: Option<(u32, Option<u32>)>,
    ) -> Translated<()> {
        let start = self.rest;
        let operator = &start[..len];
        if let Some((low, high)) = counts
            && (low > MOST_REPEATS || high.is_some_and(|h| h > MOST_REPEATS || h < low))
        {
            return Err(PatternError::new("invalid repeat count", operator));
        }
        self.take(len);
        self.out.push_str(operator);
        if self.rest.starts_with('?') {
            self.take(1);
            self.out.push('?');
        }
        if let Some(first) = before {
            let part = &first[..first.len() - self.rest.len()];
            return Err(PatternError::new(
                "invalid nested repetition operator",
                part,
            ));
        }
        if !self.repeatable {
            let part = &start[..start.len() - self.rest.len()];
            return Err(PatternError::new(
                "missing argument to repetition operator",
                part,
            ));
        }
        self.last_repeat = Some(start);
        Ok(())
    }

    fn group(&mut self) -> Translated<()> {
        self.repeatable = false;
        if let Some(special) = self.rest.strip_prefix("(?") {
            return self.special_group(special);
        }
        self.take(1);
        self.enter("(")
    }

    fn enter(&mut self, opening: &str) -> Translated<()> {
        self.out.push_str(opening);
        self.open += 1;
        match self.open > DEEPEST {
            true => Err(PatternError::new(
                "expression nests too deeply",
                self.source,
            )),
            false => Ok(()),
        }
    }

    /// `(?P<name>`, `(?<name>`, `(?:`, `(?i)` and `(?i-s:`.
    fn special_group(&mut self, special: &'a str) -> Translated<()> {
        let whole = self.rest;
        let named = special
            .strip_prefix("P<")
            .or_else(|| special.strip_prefix('<'));
        if let Some(named) = named {
            let Some((name, after)) = named.split_once('>') else {
                return Err(PatternError::new("invalid named capture", whole));
            };
            let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
            if name.is_empty() || !name.bytes().all(word) {
                let part = &whole[..whole.len() - after.len()];
                return Err(PatternError::new("invalid named capture", part));
            }
            self.rest = after;
            // Nothing asks for captures, and Go allows names that the other side does not.
            return self.enter("(?:");
        }
        let (mut negated, mut any) = (false, false);
        let mut flags = String::new();
        let mut chars = special.chars();
        while let Some(c) = chars.next() {
            match c {
                'i' | 'm' | 's' | 'U' => {
                    flags.push(c);
                    any = true;
                }
                '-' if !negated => {
                    flags.push(c);
                    (negated, any) = (true, false);
                }
                ':' | ')' if !negated || any => {
                    self.rest = chars.as_str();
                    let flags = once_each(&flags);
                    if c == ':' {
                        return self.enter(&format!("(?{flags}:"));
                    }
                    if !flags.is_empty() {
                        let _ = write!(self.out, "(?{flags})");
                    }
                    return Ok(());
                }
                _ => return self.unsupported(whole, chars.as_str()),
            }
        }
        Err(PatternError::new("missing closing )", self.source))
    }

    fn unsupported(&self, whole: &str, after: &str) -> Translated<()> {
        let part = &whole[..whole.len() - after.len()];
        Err(PatternError::new(
            "invalid or unsupported Perl syntax",
            part,
        ))
    }

    fn backslash(&mut self) -> Translated<()> {
        self.repeatable = true;
        match self.rest.as_bytes().get(1) {
            Some(b'A') => self.copy(r"\A"),
            Some(b'z') => self.copy(r"\z"),
            Some(b'b') => self.copy(r"(?-u:\b)"),
            Some(b'B') => self.copy(r"(?-u:\B)"),
            Some(b'Q') => {
                self.take(2);
                let (quoted, after) = self.rest.split_once(r"\E").unwrap_or((self.rest, ""));
                quoted.chars().for_each(|c| literal(c, &mut self.out));
                self.rest = after;
            }
            _ => {
                if let Some((class, after)) = class_escape(self.rest)? {
                    self.out.push_str(&class);
                    self.rest = after;
                } else {
                    let (c, after) = escape(self.rest)?;
                    literal(c, &mut self.out);
                    self.rest = after;
                }
            }
        }
        Ok(())
    }

    fn copy(&mut self, translated: &str) {
        self.take(2);
        self.out.push_str(translated);
    }
}

/// The flags without repetition, which the regex crate refuses.
fn once_each(flags: &str) -> String {
    let mut kept = String::new();
    for c in flags.chars() {
        if !kept.contains(c) {
            kept.push(c);
        }
    }
    kept
}

/// `{2}`, `{2,}` or `{2,5}`: its length and numbers. Anything else is plain text.
fn counts(rest: &str) -> Option<(usize, (u32, Option<u32>))> {
    let (inside, _) = rest.get(1..)?.split_once('}')?;
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let padded = text.len() > 1 && text.starts_with('0');
        (digits && !padded).then(|| text.parse().unwrap_or(u32::MAX))
    };
    let (low, high) = match inside.split_once(',') {
        None => (number(inside)?, None),
        Some((low, "")) => (number(low)?, None),
        Some((low, high)) => (number(low)?, Some(number(high)?)),
    };
    Some((inside.len() + 2, (low, high)))
}

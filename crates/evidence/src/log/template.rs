//! The constant words of a message.
//!
//! A message is cut into words, and words that vary from line to line become `*`: numbers with
//! their units, hex, UUIDs, quoted texts, addresses, times, e-mail, whatever has digits in it,
//! and the values of `key=value`. Ids of the trace are left out, so that a line with them and one
//! without have one template. Words without digits stay; a name of a customer in a message makes
//! a template of its own, and the bound on groups in [`super::Templates`] is for that.

use super::ParsedLine;
use super::json;
use super::names::id_meaning;

/// As much of a message is looked at.
const LOOKED_AT_MAX: usize = 1024;

/// Longest template.
const TEMPLATE_MAX: usize = 240;

/// Words with digits that do not vary.
const CONSTANT: [&str; 44] = [
    "http2", "http3", "http1", "h2", "h2c", "h3", "utf8", "utf16", "base64", "base32", "sha1",
    "sha256", "sha512", "md5", "crc32", "x509", "oauth2", "s3", "ec2", "k8s", "ipv4", "ipv6",
    "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64",
    "amd64", "arm64", "sqlite3", "i18n", "p50", "p90", "p95", "p99", "tls12", "tls13", "es256",
    "rs256",
];

/// Template of a line: its message with `*` for what varies.
#[must_use]
pub fn template(line: &ParsedLine) -> String {
    of_message(&line.message)
}

/// Template of a message; of several lines the first one that is not empty.
pub(super) fn of_message(message: &str) -> String {
    let line = message
        .lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or("");
    let line = line.trim();
    let inside = |at: &usize| line.is_char_boundary(*at);
    let cut = (0..=line.len().min(LOOKED_AT_MAX))
        .rev()
        .find(inside)
        .unwrap_or(0);
    let mut out = Template::default();
    let mut rest = &line[..cut];
    while let Some(first) = rest.chars().next() {
        if out.text.len() >= TEMPLATE_MAX {
            out.text.push('…');
            break;
        }
        let taken = match first {
            _ if is_space(first) => {
                out.space();
                first.len_utf8()
            }
            '"' | '`' | '\'' => out.quoted(rest, first),
            '(' | '[' | '{' | '<' | ',' | ';' | ')' | ']' | '}' | '>' | '|' => {
                out.literal(first);
                1
            }
            _ => out.word(rest),
        };
        rest = &rest[taken..];
    }
    out.finish()
}

#[derive(Debug, Default)]
struct Template {
    text: String,
}

impl Template {
    fn space(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with(' ') {
            self.text.push(' ');
        }
    }

    fn literal(&mut self, c: char) {
        self.text.push(c);
    }

    /// Writes `*`, once for a list of them.
    fn star(&mut self) {
        const JOINS: [&str; 8] = ["", " ", ", ", ",", "-", ".", ":", "+"];
        let before = JOINS.iter().find_map(|join| {
            let before = self.text.strip_suffix(join)?;
            before.ends_with('*').then_some(before.len())
        });
        match before {
            Some(length) => self.text.truncate(length),
            None => self.text.push('*'),
        }
    }

    /// Takes a quoted text; an apostrophe or a quote that nothing closes is a character.
    fn quoted(&mut self, rest: &str, quote: char) -> usize {
        let Some(length) = quoted_length(rest, quote) else {
            self.literal(quote);
            return 1;
        };
        let (inside, after) = (&rest[1..length - 1], &rest[length..]);
        match after.strip_prefix('=') {
            // logr's text form has its keys in quotes.
            Some(value) if is_key(inside) => {
                self.key(inside);
                length + 1 + value_length(value, word_length(value))
            }
            _ => {
                self.star();
                length
            }
        }
    }

    /// Takes a word up to a space or a bracket.
    fn word(&mut self, rest: &str) -> usize {
        let length = word_length(rest);
        let word = &rest[..length];
        if let Some((key, value)) = word.split_once('=')
            && is_key(key)
            && !value.starts_with('=')
        {
            let value_start = key.len() + 1;
            let whole = value_start + value_length(&rest[value_start..], value.len());
            self.key(key);
            return whole;
        }
        if word == "map" || word == "&" || word.starts_with("0x") {
            let group = &rest[length..];
            if group.starts_with(['[', '{']) {
                self.star();
                return length + nested_length(group);
            }
        }
        self.plain(word);
        length
    }

    /// Writes a key and `*` for its value.
    fn key(&mut self, key: &str) {
        if id_meaning(key).is_none() {
            self.text.push_str(key);
            self.text.push_str("=*");
        }
    }

    /// Writes a word with what varies in it replaced.
    fn plain(&mut self, word: &str) {
        let core = word.trim_end_matches(['.', ':', '!', '?', '\'']);
        let tail = &word[core.len()..];
        if is_opaque(core) {
            self.star();
        } else {
            let mut rest = core;
            while !rest.is_empty() {
                rest = self.part(rest);
            }
        }
        self.text.push_str(tail);
    }

    /// Writes one part of a word, with the sign before it, and gives the rest.
    fn part<'a>(&mut self, word: &'a str) -> &'a str {
        let separator = |c: char| {
            matches!(
                c,
                '/' | '.' | ':' | '-' | '_' | '@' | '#' | '=' | '&' | '?' | '+' | '~' | '\'' | '*'
            )
        };
        if word.starts_with(separator) {
            let (sign, rest) = word.split_at(1);
            let number = rest.starts_with(|c: char| c.is_ascii_digit());
            let is_sign = matches!(sign, "-" | "+")
                && (self.text.is_empty() || self.text.ends_with([' ', '(', '[', '=']));
            if !(number && is_sign) {
                self.text.push_str(sign);
            }
            if sign == "=" && !rest.is_empty() {
                // The query of a URL.
                self.star();
                return &rest[rest.find('&').unwrap_or(rest.len())..];
            }
            return rest;
        }
        let (part, rest) = word.split_at(word.find(separator).unwrap_or(word.len()));
        let in_path = self.text.ends_with(['/', '.']) || rest.starts_with(['/', '.']);
        if !is_variable(part, in_path) {
            self.text.push_str(part);
            return rest;
        }
        self.star();
        // What is joined to a variable part is mostly a part of the same id: `pod-7d9f-xkzqp`.
        let joined = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
        if rest.starts_with(['-', '_']) {
            return rest.trim_start_matches(joined);
        }
        rest
    }

    fn finish(mut self) -> String {
        let length = self.text.trim_end().len();
        self.text.truncate(length);
        self.text
    }
}

/// Length of a quoted text with its quotes. A single quote must close before a space or a sign:
/// `don't` and `the orders' store` hold apostrophes.
fn quoted_length(rest: &str, quote: char) -> Option<usize> {
    let bytes = rest.as_bytes();
    if quote == '"' {
        return json::string_end(bytes, 0);
    }
    let closing = u8::try_from(quote).ok()?;
    let mut closings = memchr::memchr_iter(closing, &bytes[1..]).map(|at| at + 2);
    closings.find(|end| {
        bytes
            .get(*end)
            .is_none_or(|next| !next.is_ascii_alphanumeric())
    })
}

fn is_space(c: char) -> bool {
    c.is_whitespace() || c.is_control()
}

fn word_length(rest: &str) -> usize {
    const ENDS: &str = "\"`()[]{}<>,;|";
    let ends = |c: char| is_space(c) || ENDS.contains(c);
    rest.find(ends).unwrap_or(rest.len())
}

/// Length of the value of a pair: a quoted text, a group in brackets, or a word.
fn value_length(rest: &str, word: usize) -> usize {
    match rest.as_bytes().first() {
        Some(b'"') => json::string_end(rest.as_bytes(), 0).unwrap_or(rest.len()),
        Some(b'\'') => quoted_length(rest, '\'').unwrap_or(word),
        _ => match rest.as_bytes().get(word) {
            Some(b'{' | b'[') => word + nested_length(&rest[word..]),
            _ => word,
        },
    }
}

fn nested_length(group: &str) -> usize {
    json::nested_end(group.as_bytes(), 0).unwrap_or(group.len())
}

fn is_key(text: &str) -> bool {
    let first = text
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_' || byte == b'@');
    first
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'@'))
}

/// The whole word varies, whatever its parts look like.
fn is_opaque(word: &str) -> bool {
    let bytes = word.as_bytes();
    let digits = bytes.iter().filter(|byte| byte.is_ascii_digit()).count();
    let letters = bytes
        .iter()
        .filter(|byte| byte.is_ascii_alphabetic())
        .count();
    let uuid = || bytes.len() == 36 && [8, 13, 18, 23].iter().all(|at| bytes[*at] == b'-');
    let mail = || {
        word.split_once('@').is_some_and(|(user, host)| {
            !user.is_empty() && host.contains('.') && !word.contains('/')
        })
    };
    // Base64 and the like; a path begins with a slash or has several.
    let blob = || {
        bytes.len() >= 20
            && digits >= 2
            && letters >= 2
            && !word.starts_with('/')
            && bytes.iter().filter(|byte| **byte == b'/').count() < 2
            && bytes.iter().all(|byte| {
                byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'_')
            })
    };
    let time = || {
        bytes.len() >= 10
            && bytes[..4].iter().all(u8::is_ascii_digit)
            && matches!(bytes[4], b'-' | b'/')
            && bytes[7] == bytes[4]
    };
    let hex = word.bytes().filter(|byte| byte.is_ascii_hexdigit()).count();
    uuid() && hex == 32 || mail() || blob() || time() || is_address(word)
}

/// IPv6, with a port or not: its parts may look like words.
fn is_address(word: &str) -> bool {
    let bare = word.trim_matches(['[', ']']);
    let colons = bare.bytes().filter(|byte| *byte == b':').count();
    colons >= 2
        && bare
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.' | b'%'))
}

/// A part varies if it has digits, or if it can only be hex. `v1` in a path or in a dotted name
/// is a version of an API.
fn is_variable(part: &str, in_path: bool) -> bool {
    let bytes = part.as_bytes();
    if !bytes.iter().any(u8::is_ascii_digit) {
        return bytes.len() >= 8 && bytes.iter().all(u8::is_ascii_hexdigit);
    }
    let version = in_path && bytes.len() == 2 && bytes[0] == b'v';
    !version && !CONSTANT.iter().any(|word| word.eq_ignore_ascii_case(part))
}

//! String literals of a source file, with the line on which each begins.
//!
//! Just enough of a lexer that a quote within a comment, a rune or a raw string begins nothing.
//! Any bytes give some answer; what is no source gives a useless one.

use super::escape::unescape;
use super::walk::Language;

/// One string literal, as the program sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Literal {
    pub(super) line: u32,
    pub(super) text: String,
}

/// Calls `found` for every string literal.
pub(super) fn literals(source: &[u8], language: Language, found: &mut dyn FnMut(Literal)) {
    let mut scanner = Scanner {
        source,
        at: 0,
        line: 1,
    };
    while let Some(literal) = scanner.next(language) {
        found(literal);
    }
}

struct Scanner<'a> {
    source: &'a [u8],
    at: usize,
    line: u32,
}

impl<'a> Scanner<'a> {
    fn next(&mut self, language: Language) -> Option<Literal> {
        while let Some(byte) = self.peek(0) {
            match (byte, self.peek(1), language) {
                (b'/', Some(b'/'), _) => {
                    self.until(b"\n");
                }
                (b'/', Some(b'*'), Language::Go) => {
                    self.skip(2);
                    self.until(b"*/");
                }
                (b'/', Some(b'*'), Language::Rust) => self.nested_comment(),
                (b'"', _, _) => return Some(self.interpreted()),
                (b'`', _, Language::Go) => {
                    self.skip(1);
                    return Some(self.raw(b"`"));
                }
                (b'\'', _, Language::Go) => self.rune(),
                (b'\'', _, Language::Rust) => self.character_or_lifetime(),
                (b'r', _, Language::Rust) if self.begins_word() => {
                    if let Some(hashes) = self.raw_string_hashes() {
                        self.skip(hashes + 2);
                        let end = [b"\"".as_slice(), &b"#".repeat(hashes)].concat();
                        return Some(self.raw(&end));
                    }
                    self.skip(1);
                }
                _ => self.skip(1),
            }
        }
        None
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.source.get(self.at + ahead).copied()
    }

    fn skip(&mut self, bytes: usize) {
        let end = (self.at + bytes).min(self.source.len());
        let passed = &self.source[self.at..end];
        let lines = passed.iter().filter(|byte| **byte == b'\n').count();
        self.line = self.line.saturating_add(lines as u32);
        self.at = end;
    }

    /// Passes what stands before `end`, and `end` itself; gives what stood before.
    fn until(&mut self, end: &[u8]) -> &'a [u8] {
        let rest = &self.source[self.at..];
        let length = memchr::memmem::find(rest, end).unwrap_or(rest.len());
        self.skip(length + end.len());
        &rest[..length]
    }

    /// Rust's block comments stand within each other.
    fn nested_comment(&mut self) {
        let mut depth = 0_u32;
        loop {
            match (self.peek(0), self.peek(1)) {
                (Some(b'/'), Some(b'*')) => {
                    depth += 1;
                    self.skip(2);
                }
                (Some(b'*'), Some(b'/')) => {
                    depth -= 1;
                    self.skip(2);
                    if depth == 0 {
                        return;
                    }
                }
                (Some(_), _) => self.skip(1),
                (None, _) => return,
            }
        }
    }

    fn interpreted(&mut self) -> Literal {
        let line = self.line;
        self.skip(1);
        let begin = self.at;
        while let Some(byte) = self.peek(0) {
            match byte {
                b'\\' => self.skip(2),
                b'"' => break,
                _ => self.skip(1),
            }
        }
        let text = unescape(&self.source[begin..self.at]);
        self.skip(1);
        Literal { line, text }
    }

    fn raw(&mut self, end: &[u8]) -> Literal {
        let line = self.line;
        let bytes = self.until(end);
        let text = String::from_utf8_lossy(bytes).replace('\r', "");
        Literal { line, text }
    }

    /// Go's rune literals stand on one line.
    fn rune(&mut self) {
        self.skip(1);
        while let Some(byte) = self.peek(0) {
            match byte {
                b'\\' => self.skip(2),
                b'\'' => return self.skip(1),
                b'\n' => return,
                _ => self.skip(1),
            }
        }
    }

    fn character_or_lifetime(&mut self) {
        if self.peek(1) == Some(b'\\') {
            // The escaped character may be a quote.
            self.skip(3);
            self.until(b"'");
            return;
        }
        // The longest character takes four bytes; a lifetime has no second quote so near, except
        // in `'a, 'b`, which no string can stand in.
        let closes = |ahead: &usize| self.peek(*ahead) == Some(b'\'');
        let first = self.peek(1).unwrap_or_default();
        let length = match first {
            0xf0.. => 5,
            0xe0.. => 4,
            0xc0.. => 3,
            _ => 2,
        };
        let bytes = Some(length).filter(closes).map_or(1, |end| end + 1);
        self.skip(bytes);
    }

    /// The byte before is no part of a word, or is the `b` or `c` of a prefix.
    fn begins_word(&self) -> bool {
        let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        match &self.source[..self.at] {
            [.., before, b'b' | b'c'] => !is_word(before),
            [b'b' | b'c'] | [] => true,
            [.., before] => !is_word(before),
        }
    }

    /// How many `#` stand between an `r` and its quote; nothing if this is no raw string.
    fn raw_string_hashes(&self) -> Option<usize> {
        let rest = &self.source[self.at + 1..];
        let hashes = rest.iter().take_while(|byte| **byte == b'#').count();
        (rest.get(hashes) == Some(&b'"')).then_some(hashes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(source: &str, language: Language) -> Vec<(u32, String)> {
        let mut all = Vec::new();
        literals(source.as_bytes(), language, &mut |literal| {
            all.push((literal.line, literal.text));
        });
        all
    }

    fn texts(source: &str, language: Language) -> Vec<String> {
        let all = check(source, language);
        all.into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn go_s_strings_are_found_with_their_lines() {
        let source = "package x\n// \"no\"\n/* \"no\n\" */\nvar a = \"one\\n\" + `two\n\"` + \"th\\\"ree\"\nvar q = '\"'\nvar r = '\\''; var s = \"four\"\n";
        let expected = [(5, "one\n"), (5, "two\n\""), (6, "th\"ree"), (8, "four")];
        let expected = expected.map(|(line, text)| (line, text.to_owned()));
        assert_eq!(check(source, Language::Go), expected);
    }

    #[test]
    fn rust_s_strings_are_found() {
        let source = r####"
            /* "no" /* "no" */ "no" */
            fn f<'a>(x: &'a str) -> char { '"' }
            let a = ("one", r"t\wo", r#"th"ree"#, b"four", br##"fi"#ve"##, c"six");
            let r#type = '\''; let b = 'ä'; let var = "seven";
            foo("eight\
                 nine");
        "####;
        let expected = [
            "one",
            r"t\wo",
            "th\"ree",
            "four",
            "fi\"#ve",
            "six",
            "seven",
            "eightnine",
        ];
        assert_eq!(texts(source, Language::Rust), expected);
    }

    #[test]
    fn what_is_never_closed_ends_with_the_file() {
        assert_eq!(texts("x(\"never", Language::Go), ["never"]);
        assert_eq!(texts("x(`never", Language::Go), ["never"]);
        assert_eq!(texts("x(\"never\\", Language::Go), ["never\\"]);
        assert_eq!(texts("/* never", Language::Rust), [""; 0]);
        assert_eq!(texts("r#\"never", Language::Rust), ["never"]);
        assert_eq!(texts("'", Language::Rust), [""; 0]);
    }

    proptest! {
        #[test]
        fn random_source_never_panics(source in "[\"'`/*\\\\#rb a\n{}ä]{0,60}") {
            check(&source, Language::Go);
            check(&source, Language::Rust);
        }
    }
}

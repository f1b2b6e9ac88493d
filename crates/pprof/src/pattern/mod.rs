//! Regular expressions as Go writes them, run by the `regex` crate.
//!
//! The two dialects differ in what people type: Go has `\Q…\E`, octal escapes
//! and ASCII `\d \w \s \b`, takes `{` and `[a&&b]` as they stand, and refuses
//! `a**` and the `x` flag. [`Pattern::new`] translates and reports mistakes in
//! Go's words, which scripts and people know.
//!
//! Source: Go's regexp/syntax, "Syntax" and the texts of its error codes.

mod class;
mod translate;

use regex::bytes::{Regex, RegexBuilder};

/// Bytes one compiled expression may take; the regex crate's default of 10 MB
/// is too little for the long alternations that scripts generate.
const COMPILED_BYTES: usize = 64 << 20;

/// A compiled regular expression in Go's syntax.
#[derive(Debug, Clone)]
pub struct Pattern {
    source: String,
    regex: Regex,
}

/// What is wrong with a regular expression, as Go's regexp package says it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("error parsing regexp: {what}: `{part}`")]
pub struct PatternError {
    /// Go's error code: "missing closing ]".
    pub what: &'static str,
    /// The part of the expression that is wrong.
    pub part: String,
}

impl Pattern {
    /// Compiles `source`.
    ///
    /// # Errors
    /// [`PatternError`] with Go's text.
    pub fn new(source: &str) -> Result<Pattern, PatternError> {
        let translated = translate::translate(source)?;
        // Bytes, because `\B` of ASCII words may stand between the bytes of a letter.
        let regex = RegexBuilder::new(&translated)
            .size_limit(COMPILED_BYTES)
            .build();
        match regex {
            Ok(regex) => Ok(Pattern {
                source: source.to_owned(),
                regex,
            }),
            Err(regex::Error::CompiledTooBig(_)) => {
                Err(PatternError::new("expression too large", source))
            }
            // What the translation let through and the regex crate does not know: `\p{Foo}`.
            Err(_) => Err(PatternError::new("invalid character class range", source)),
        }
    }

    /// True if the expression matches anywhere in `text`.
    pub fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(text.as_bytes())
    }

    /// The expression as it was written.
    pub fn as_str(&self) -> &str {
        &self.source
    }
}

impl PatternError {
    fn new(what: &'static str, part: &str) -> Self {
        PatternError {
            what,
            part: part.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, yes: &[&str], no: &[&str]) {
        let pattern = Pattern::new(pattern).expect("a valid expression");
        for text in yes {
            assert!(pattern.is_match(text), "{} on {text}", pattern.as_str());
        }
        for text in no {
            assert!(!pattern.is_match(text), "{} on {text}", pattern.as_str());
        }
    }

    fn refused(pattern: &str) -> String {
        let error = Pattern::new(pattern).expect_err("an invalid expression");
        error.to_string()
    }

    #[test]
    fn quoted_text_is_literal() {
        check(r"\Qmain.(*T)\E\.run", &["main.(*T).run"], &["main.T.run"]);
        check(r"^\Qa+", &["a+"], &["aa"]);
        check(r"^\Qab\E*$", &["a", "abbb"], &["abab"]);
    }

    #[test]
    fn perl_classes_are_ascii() {
        check(r"^\d$", &["7"], &["٣"]);
        check(r"^\w$", &["_"], &["é"]);
        check(r"^[\w.]+$", &["a.b"], &["a.é"]);
        check(r"^\s$", &["\t", "\x0c"], &["\x0b", "\u{a0}"]);
        check(r"^[^\D]$", &["3"], &["x"]);
        check(r"é\b", &[], &["é"]);
    }

    #[test]
    fn escapes_are_gos() {
        check(r"^\101\x42\x{43}\07?$", &["ABC", "ABC\u{7}"], &["101"]);
        check(r"^\_\<\-$", &["_<-"], &[]);
        check(r"\pL\p{Greek}\P{Greek}", &["aαb"], &["aab"]);
    }

    #[test]
    fn set_operators_and_braces_are_plain_characters() {
        check(r"^[a&&b]+$", &["a&b"], &["c"]);
        check(r"^[a[]$", &["["], &["b"]);
        check(r"^[]a]$", &["]"], &[]);
        check(r"^[a~-]+$", &["a~-"], &[]);
        check(r"^a{,2}$", &["a{,2}"], &["aa"]);
        check(r"^a{2,3}$", &["aa"], &["a", "a{2,3}"]);
        check(r"^{$", &["{"], &[]);
    }

    #[test]
    fn groups_and_flags_are_understood() {
        check(r"(?i)^MAIN(?-i:X)$", &["mainX"], &["mainx"]);
        check(r"^(?P<a>x)(?<b>y)(?:z)$", &["xyz"], &[]);
        check(r"(?s)a.b", &["a\nb"], &[]);
        check(r"a|", &["", "b"], &[]);
    }

    #[test]
    fn mistakes_are_told_in_gos_words() {
        let said = [
            ("a(b", "missing closing ): `a(b`"),
            ("a)b", "unexpected ): `a)b`"),
            ("[a", "missing closing ]: `[a`"),
            ("[z-a]", "invalid character class range: `z-a`"),
            ("*a", "missing argument to repetition operator: `*`"),
            ("a**", "invalid nested repetition operator: `**`"),
            ("a+?*", "invalid nested repetition operator: `+?*`"),
            ("a{1001}", "invalid repeat count: `{1001}`"),
            ("a{3,2}", "invalid repeat count: `{3,2}`"),
            (r"a\", r"trailing backslash at end of expression: ``"),
            (r"\8", r"invalid escape sequence: `\8`"),
            (r"\Z", r"invalid escape sequence: `\Z`"),
            ("(?x)a", "invalid or unsupported Perl syntax: `(?x`"),
            ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
            ("(?P<a", "invalid named capture: `(?P<a`"),
            ("[[:foo:]]", "invalid character class range: `[:foo:]`"),
        ];
        for (pattern, text) in said {
            assert_eq!(refused(pattern), format!("error parsing regexp: {text}"));
        }
    }
}

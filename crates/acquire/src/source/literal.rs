//! Where the text of a log message stands in the source.

use std::path::Path;

use memchr::memmem::Finder;
use shakedown_evidence::SourceLiteral;

use super::scan::{Literal, literals};
use super::walk::{Language, WalkLimits, walk};

/// Letters and digits that a text needs at least: `*: *` stands in half of all literals.
const LETTERS_MIN: usize = 3;
/// Shorter runs are in every file, and looking for them saves nothing.
const RUN_MIN: usize = 3;
/// Letters and digits of a format beside its verbs: `request %s failed` says enough, `%s: %s` not.
const FORMAT_LETTERS_MIN: usize = 8;
/// Words of a text of which one stands in any format that gives it.
const WORDS: usize = 3;

/// Looks for each text in the string literals of a service's Go and Rust source.
///
/// A text is the constant part of a message, with `*` for what varies: `order * audited` stands
/// in `"order %s audited"`. If a literal says exactly the text, only such literals count;
/// otherwise those that hold its pieces in order do; otherwise formats that give the text when a
/// verb stands for what never varied in this run, those that say most of it. Every text gets an
/// answer, in the order given; paths are relative to the root.
#[must_use]
pub fn find_literals(root: &Path, texts: &[String], limits: &WalkLimits) -> Vec<SourceLiteral> {
    let mut searches: Vec<_> = texts.iter().map(|text| Search::new(text)).collect();
    walk(root, limits, &mut |path, language, source| {
        let mut wanted: Vec<_> = searches
            .iter_mut()
            .filter(|search| search.may_stand_in(source))
            .collect();
        if wanted.is_empty() {
            return;
        }
        let file = path.to_string_lossy();
        literals(source, language, &mut |literal| {
            let pattern = pattern(&literal.text, language);
            for search in &mut wanted {
                search.look(&file, &literal, &pattern, limits.places);
            }
        });
    });
    searches.into_iter().map(Search::answer).collect()
}

struct Search<'t> {
    /// As it was asked for, so that the asker knows its answer.
    asked: &'t str,
    /// Without space at its ends, where logs and formats differ.
    text: &'t str,
    /// The longest run of bytes that no literal escapes: most files do not hold it.
    run: Option<Finder<'t>>,
    /// The longest words.
    words: Vec<Finder<'t>>,
    /// False if the text is too vague.
    worth_it: bool,
    exact: Vec<(String, u32)>,
    holding: Vec<(String, u32)>,
    /// Formats that give the text, and the letters that they say themselves.
    formats: Vec<(String, u32)>,
    said: usize,
}

impl<'t> Search<'t> {
    fn new(asked: &'t str) -> Self {
        let text = asked.trim();
        let run = text
            .split(is_escaped_or_varies)
            .max_by_key(|run| run.len())
            .filter(|run| run.len() >= RUN_MIN);
        let mut words: Vec<&str> = text
            .split(|char: char| char == ' ' || is_escaped_or_varies(char))
            .filter(|word| word.len() >= RUN_MIN)
            .collect();
        words.sort_by_key(|word| std::cmp::Reverse(word.len()));
        words.truncate(WORDS);
        Self {
            asked,
            text,
            run: run.map(Finder::new),
            words: words.into_iter().map(Finder::new).collect(),
            worth_it: letters(text) >= LETTERS_MIN,
            exact: Vec::new(),
            holding: Vec::new(),
            formats: Vec::new(),
            said: 0,
        }
    }

    fn may_stand_in(&self, source: &[u8]) -> bool {
        let stands = |run: &Finder<'_>| run.find(source).is_some();
        self.worth_it && (self.run.as_ref().is_none_or(stands) || self.words.iter().any(stands))
    }

    fn look(&mut self, file: &str, literal: &Literal, pattern: &str, places: usize) {
        let forms = [literal.text.trim(), pattern.trim()];
        let found = if forms.contains(&self.text) {
            &mut self.exact
        } else if forms.iter().any(|form| holds(form, self.text)) {
            &mut self.holding
        } else if gives(forms[1], self.text) && letters(forms[1]) >= self.said {
            if letters(forms[1]) > self.said {
                self.formats.clear();
                self.said = letters(forms[1]);
            }
            &mut self.formats
        } else {
            return;
        };
        if found.len() < places {
            found.push((file.to_owned(), literal.line));
        }
    }

    fn answer(self) -> SourceLiteral {
        let mut kinds = [self.exact, self.holding, self.formats].into_iter();
        let places = kinds.find(|places| !places.is_empty());
        SourceLiteral {
            text: self.asked.to_owned(),
            places: places.unwrap_or_default(),
        }
    }
}

/// Characters that stand otherwise in source than in the message, or may.
fn is_escaped_or_varies(char: char) -> bool {
    !matches!(char, ' '..='~') || matches!(char, '"' | '\'' | '\\' | '`' | '%' | '{' | '}' | '*')
}

/// The pieces between `*` stand in the literal, in order.
fn holds(literal: &str, text: &str) -> bool {
    let mut rest = literal;
    text.split('*').all(|piece| {
        let found = rest.find(piece);
        if let Some(at) = found {
            rest = &rest[at + piece.len()..];
        }
        found.is_some()
    })
}

/// The format becomes the text if each `*` stands for something.
fn gives(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return false;
    };
    if letters(pattern) < FORMAT_LETTERS_MIN {
        return false;
    }
    let Some(mut left) = text.strip_prefix(first) else {
        return false;
    };
    let mut pieces: Vec<&str> = rest.split('*').collect();
    let last = pieces.pop().unwrap_or_default();
    for piece in pieces {
        // The first place is as good as any for what comes after it; something stands before it.
        let Some(at) = left.char_indices().skip(1).find_map(|(from, _)| {
            let found = left[from..].find(piece)?;
            Some(from + found)
        }) else {
            return false;
        };
        left = &left[at + piece.len()..];
    }
    left.len() > last.len() && left.ends_with(last)
}

fn letters(text: &str) -> usize {
    text.chars().filter(|char| char.is_alphanumeric()).count()
}

/// The literal with `*` for its format verbs: what its messages look like.
fn pattern(literal: &str, language: Language) -> String {
    match language {
        Language::Go => go_pattern(literal),
        Language::Rust => rust_pattern(literal),
    }
}

/// `%[flags][width][.precision]verb`, as package fmt has them; `%%` is a percent sign.
fn go_pattern(literal: &str) -> String {
    let mut pattern = String::with_capacity(literal.len());
    let mut rest = literal;
    while let Some((before, after)) = rest.split_once('%') {
        pattern.push_str(before);
        let verb = after.trim_start_matches(|char: char| "+-# .[]*0123456789".contains(char));
        let mut chars = verb.chars();
        match chars.next() {
            Some('%') => pattern.push('%'),
            Some(verb) if verb.is_ascii_alphabetic() => pattern.push('*'),
            // No verb: a percent sign in a text that is no format.
            _ => {
                pattern.push('%');
                rest = after;
                continue;
            }
        }
        rest = chars.as_str();
    }
    pattern.push_str(rest);
    pattern
}

/// `{…}`, as `std::fmt` has them; `{{` and `}}` are braces.
fn rust_pattern(literal: &str) -> String {
    let mut pattern = String::with_capacity(literal.len());
    let mut rest = literal;
    while let Some(at) = rest.find(['{', '}']) {
        pattern.push_str(&rest[..at]);
        let brace = &rest[at..];
        if brace.starts_with("{{") || brace.starts_with("}}") {
            pattern.push_str(&brace[..1]);
            rest = &brace[2..];
        } else if let Some(end) = brace.find('}').filter(|end| *end > 0) {
            pattern.push('*');
            rest = &brace[end + 1..];
        } else {
            pattern.push_str(&brace[..1]);
            rest = &brace[1..];
        }
    }
    pattern.push_str(rest);
    pattern
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn check(files: &[(&str, &str)], text: &str) -> Vec<(String, u32)> {
        let dir = tempfile::tempdir().expect("a temporary folder");
        for (name, source) in files {
            fs::write(dir.path().join(name), source).expect("a file");
        }
        let texts = [text.to_owned()];
        let mut found = find_literals(dir.path(), &texts, &WalkLimits::default());
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].text, text);
        found.remove(0).places
    }

    fn at(file: &str, line: u32) -> (String, u32) {
        (file.to_owned(), line)
    }

    const ORDERS: &str = "package x\n\nfunc f() {\n\tlog.Printf(\"order %s audited\\n\", id)\n\tslog.Info(\"order stored\")\n}\n";

    #[test]
    fn a_message_is_found_by_its_constant_part() {
        let files = [("orders.go", ORDERS)];
        assert_eq!(check(&files, "order * audited"), [at("orders.go", 4)]);
        assert_eq!(check(&files, "order stored"), [at("orders.go", 5)]);
        assert_eq!(check(&files, " order stored\n"), [at("orders.go", 5)]);
        assert_eq!(check(&files, "order * deleted"), []);
    }

    #[test]
    fn an_exact_literal_beats_those_that_only_hold_the_text() {
        let more = "package x\nvar a = \"an order stored twice\"\n";
        let files = [("orders.go", ORDERS), ("more.go", more)];
        assert_eq!(check(&files, "order stored"), [at("orders.go", 5)]);
        assert_eq!(check(&files, "stored twice"), [at("more.go", 2)]);
    }

    #[test]
    fn a_verb_may_stand_for_what_never_varied() {
        let source = "package x\n\nfunc f() {\n\tlog.Printf(\"order %s audited by %s\", id, who)\n\tlog.Printf(\"%s %s\", a, b)\n\tlog.Printf(\"order %s\", id)\n}\n";
        let files = [("orders.go", source)];
        for (text, line) in [
            ("order * audited by root", Some(4)),
            ("order 7 audited by *", Some(4)),
            ("order 7 audited by root", Some(4)),
            // Too little of it is said by the format.
            ("order 7", None),
            ("cache 7", None),
        ] {
            let places: Vec<_> = line.map(|line| at("orders.go", line)).into_iter().collect();
            assert_eq!(check(&files, text), places, "{text}");
        }
    }

    #[test]
    fn two_places_are_both_given() {
        let files = [("a.go", ORDERS), ("b.go", ORDERS)];
        assert_eq!(
            check(&files, "order stored"),
            [at("a.go", 5), at("b.go", 5)]
        );
    }

    #[test]
    fn comments_and_code_are_no_literals() {
        let source = "package x\n// order stored\nvar orderStored = 1 /* \"order stored\" */\n";
        assert_eq!(check(&[("a.go", source)], "order stored"), []);
    }

    #[test]
    fn raw_strings_and_rust_are_searched() {
        let go = "package x\nvar a = `order\n%d stored`\n";
        let rust = "fn f() {\n    info!(\"order {id:?} {{stored}}\");\n}\n";
        let files = [("a.go", go), ("b.rs", rust)];
        assert_eq!(check(&files, "order\n* stored"), [at("a.go", 2)]);
        assert_eq!(check(&files, "order * {stored}"), [at("b.rs", 2)]);
    }

    #[test]
    fn texts_that_say_nothing_are_not_looked_for() {
        let source = "package x\nvar a, b = \"ok\", \"a: b\"\n";
        for text in ["", "*", "ok", "*: *"] {
            assert_eq!(check(&[("a.go", source)], text), [], "{text}");
        }
    }

    #[test]
    fn text_beyond_ascii_is_found_though_it_may_be_escaped() {
        let source = "package x\nvar a = \"\\u00dcberl\\u00e4nge\"\nvar b = \"größe\"\n";
        assert_eq!(check(&[("a.go", source)], "Überlänge"), [at("a.go", 2)]);
        assert_eq!(check(&[("a.go", source)], "größe"), [at("a.go", 3)]);
    }

    #[test]
    fn formats_become_patterns() {
        for (literal, expected) in [
            ("order %s of %d", "order * of *"),
            ("%+v%08.3f %-5q|%[1]*d", "** *|*"),
            ("at 100%%", "at 100%"),
            ("100% sure?", "100*ure?"),
            ("100%", "100%"),
            ("5 %, 6 %", "5 %, 6 %"),
        ] {
            assert_eq!(go_pattern(literal), expected, "{literal}");
        }
        for (literal, expected) in [
            ("order {} of {id:?}", "order * of *"),
            ("{{literal}} {x}", "{literal} *"),
            ("{never", "{never"),
            ("}", "}"),
        ] {
            assert_eq!(rust_pattern(literal), expected, "{literal}");
        }
    }

    #[test]
    fn a_percent_sign_that_is_no_verb_does_not_hide_a_text() {
        let source = "package x\nvar a = \"100% sure of it\"\n";
        assert_eq!(
            check(&[("a.go", source)], "100% sure of it"),
            [at("a.go", 2)]
        );
    }
}

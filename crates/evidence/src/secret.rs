//! Secrets, cut out of what is written down.
//!
//! Two kinds: values that we were given ourselves (a header, a variable with a telling name) are
//! cut wherever they appear; what merely looks like a credential in a text of the service is cut by
//! its form: the value of a key called password or token, a bearer token, the password in a URL,
//! a key that says by its beginning whose it is. Cutting is for the reader of a bundle; what is
//! sent to the service is never changed.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem::Finder;

/// What stands in a secret's place.
pub const CUT: &str = "[cut]";

/// Endings of a name that make its value a secret, without `-`, `_` and `.`.
const SECRET: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "secretkey",
    "token",
    "apikey",
    "accesskey",
    "privatekey",
    "signingkey",
    "encryptionkey",
    "masterkey",
    "accountkey",
    "authkey",
    "hmackey",
    "credential",
    "credentials",
    "authorization",
    "cookie",
    "sessionid",
];
/// Endings that would be secret if they were not about something else.
const HARMLESS: &[&str] = &[
    "pagetoken",
    "nexttoken",
    "continuationtoken",
    "canceltoken",
    "synctoken",
    "oldpwd",
];
/// How keys of well-known kinds begin, and how long they are at least.
pub(crate) const KEYS: &[(&str, usize)] = &[
    ("ghp_", 30),
    ("gho_", 30),
    ("ghu_", 30),
    ("ghs_", 30),
    ("ghr_", 30),
    ("github_pat_", 40),
    ("glpat-", 20),
    ("xoxb-", 20),
    ("xoxp-", 20),
    ("xapp-", 20),
    ("sk_live_", 20),
    ("rk_live_", 20),
    ("sk-ant-", 27),
    ("sk-proj-", 28),
    ("hvs.", 28),
    ("dop_v1_", 47),
    ("AKIA", 20),
    ("ASIA", 20),
    ("AIza", 35),
    ("npm_", 30),
    ("eyJ", 60),
];
/// Looked for in every line: made ready once.
static BEARER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("earer "));
static SCHEME: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("://"));
/// A shorter word after `Bearer` is no token.
const BEARER_MIN: usize = 12;
/// A shorter value would be cut out of texts that merely contain it.
const KNOWN_MIN: usize = 6;
/// The same of a value of small letters alone, which may be a word.
const PLAIN_MIN: usize = 16;

/// Whether the value of this name is a secret: `DB_PASSWORD`, `x-api-key`, `Authorization`.
#[must_use]
pub fn is_secret_name(name: &str) -> bool {
    let ends = |endings: &[&str]| endings.iter().any(|ending| ends_with(name, ending));
    // The working folder has a name like a password's.
    ends(SECRET) && !ends(HARMLESS) && !name.eq_ignore_ascii_case("pwd")
}

/// Whether a name ends so, whatever its case and its separators. Every key of every log line is
/// asked: nothing is copied.
fn ends_with(name: &str, ending: &str) -> bool {
    let mut letters = name
        .bytes()
        .rev()
        .filter(|byte| !matches!(byte, b'-' | b'_' | b'.' | b'"' | b'\'' | b'\\'));
    let mut wanted = ending.bytes().rev();
    wanted.all(|wanted| {
        letters
            .next()
            .is_some_and(|letter| letter.to_ascii_lowercase() == wanted)
    })
}

/// Cuts what looks like a credential out of a text.
#[must_use]
pub fn cut(text: &str) -> Cow<'_, str> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    values(text, &mut ranges);
    bearers(text, &mut ranges);
    passwords_in_urls(text, &mut ranges);
    keys(text, &mut ranges);
    without(text, ranges)
}

/// A text without some of its parts, each of which must begin and end between letters.
fn without(text: &str, mut ranges: Vec<Range<usize>>) -> Cow<'_, str> {
    if ranges.is_empty() {
        return Cow::Borrowed(text);
    }
    ranges.sort_by_key(|range| range.start);
    let is_json = text.trim_start().starts_with('{');
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for range in ranges {
        if range.start < done {
            // Part of what was cut already; its rest goes, too.
            done = done.max(range.end);
            continue;
        }
        out.push_str(&text[done..range.start]);
        // A bare value of JSON must stay one.
        if is_json
            && text[..range.start].ends_with([':', ' '])
            && text[range.end..].trim_start().starts_with([',', '}', ']'])
        {
            out.extend(["\"", CUT, "\""]);
        } else {
            out.push_str(CUT);
        }
        done = range.end;
    }
    out.push_str(&text[done..]);
    Cow::Owned(out)
}

/// Values of keys with a secret's name: `password=x`, `"token": "x"`, `Authorization: Bearer x`,
/// and the same within a JSON text of a JSON text.
fn values(text: &str, ranges: &mut Vec<Range<usize>>) {
    let mut done = 0;
    for at in memchr::memchr2_iter(b'=', b':', text.as_bytes()) {
        // Within a value that is cut: looking again would take a hostile line's square.
        if at < done {
            continue;
        }
        let before = text[..at].trim_end_matches(['"', '\'', '\\', ' ']);
        let is_name =
            |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        let length = before.bytes().rev().take_while(is_name).count();
        let name = &before[before.len() - length..];
        if length < 3 || !is_secret_name(name) {
            continue;
        }
        if let Some(range) = value(text, at + 1, name) {
            done = range.end;
            ranges.push(range);
        }
    }
}

/// The value that begins after a separator.
fn value(text: &str, from: usize, name: &str) -> Option<Range<usize>> {
    let rest = &text[from..];
    let start = from + (rest.len() - rest.trim_start_matches(' ').len());
    let rest = &text[start..];
    for quote in ["\\\"", "\"", "'"] {
        if let Some(inner) = rest.strip_prefix(quote) {
            let end = end_of_quoted(inner, quote);
            let begin = start + quote.len();
            return (end > 0).then_some(begin..begin + end);
        }
    }
    let is_end = |letter: char| letter.is_whitespace() || ",;&)}]\"'\\<>".contains(letter);
    let mut end = rest.find(is_end).unwrap_or(rest.len());
    // `Authorization: Bearer x` has two words.
    let word = &rest[..end];
    if name.to_ascii_lowercase().ends_with("authorization") && rest[end..].starts_with(' ') {
        let next = &rest[end + 1..];
        end += 1 + next.find(is_end).unwrap_or(next.len());
    }
    let says_nothing = matches!(word, "" | "null" | "true" | "false" | "nil" | "<nil>" | CUT)
        || word.starts_with(['{', '['])
        || word.chars().all(|letter| matches!(letter, '*' | 'x' | '.'));
    (!says_nothing).then_some(start..start + end)
}

fn end_of_quoted(inner: &str, quote: &str) -> usize {
    let mut escaped = false;
    for (at, letter) in inner.char_indices() {
        if !escaped && inner[at..].starts_with(quote) {
            return at;
        }
        escaped = !escaped && letter == '\\' && quote.len() == 1;
    }
    inner.len()
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte)
}

fn token_length(text: &str) -> usize {
    text.bytes().take_while(|byte| is_token(*byte)).count()
}

fn bearers(text: &str, ranges: &mut Vec<Range<usize>>) {
    for at in BEARER.find_iter(text.as_bytes()) {
        let start = at + "earer ".len();
        let length = token_length(&text[start..]);
        if length >= BEARER_MIN {
            ranges.push(start..start + length);
        }
    }
}

fn passwords_in_urls(text: &str, ranges: &mut Vec<Range<usize>>) {
    for at in SCHEME.find_iter(text.as_bytes()) {
        let start = at + 3;
        let is_end = |letter: char| letter.is_whitespace() || "/?#\"'\\<>".contains(letter);
        let rest = &text[start..];
        let authority = &rest[..rest.find(is_end).unwrap_or(rest.len())];
        let Some(user_info) = authority.rfind('@') else {
            continue;
        };
        if let Some(colon) = authority[..user_info].find(':') {
            ranges.push(start + colon + 1..start + user_info);
        }
    }
}

/// Words that are keys by their beginning.
fn keys(text: &str, ranges: &mut Vec<Range<usize>>) {
    let mut in_word = false;
    for (start, byte) in text.bytes().enumerate() {
        let begins = !in_word
            && matches!(
                byte,
                b'g' | b'x' | b's' | b'r' | b'A' | b'n' | b'e' | b'h' | b'd'
            );
        in_word = byte.is_ascii_alphanumeric();
        let rest = if begins { &text[start..] } else { continue };
        let kind = KEYS.iter().find(|(begin, _)| rest.starts_with(begin));
        let found = kind.map(|(_, length)| (token_length(rest), *length));
        if let Some((found, _)) = found.filter(|(found, length)| found >= length) {
            ranges.push(start..start + found);
        }
    }
}

/// Whether a value is unlike any other text. A password such as `postgres` protects nobody, and to
/// cut it out of every text would take away names of modules and hosts.
fn is_telling(value: &str) -> bool {
    let plain = value.bytes().all(|byte| byte.is_ascii_lowercase());
    value.len() >= if plain { PLAIN_MIN } else { KNOWN_MIN }
}

/// Secret values that we were given, to be cut wherever they appear.
#[derive(Clone, Default)]
pub struct Known {
    values: Vec<String>,
}

impl Known {
    /// Takes values; those that are too short to be told from other text are left out.
    pub fn of(values: impl IntoIterator<Item = String>) -> Self {
        let mut known: Vec<String> = Vec::new();
        for value in values {
            // Of `Bearer x` a service may write the second word alone.
            let word = value.rsplit(' ').next().map(str::to_owned);
            known.extend(word);
            known.push(value);
        }
        known.retain(|value| is_telling(value));
        // The longest first: one may be part of another.
        known.sort_by_key(|value| std::cmp::Reverse(value.len()));
        known.dedup();
        Self { values: known }
    }

    /// None.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Cuts them out of a text.
    #[must_use]
    pub fn cut<'text>(&self, text: &'text str) -> Cow<'text, str> {
        let mut text = Cow::Borrowed(text);
        for value in &self.values {
            if memchr::memmem::find(text.as_bytes(), value.as_bytes()).is_some() {
                text = Cow::Owned(text.replace(value.as_str(), CUT));
            }
        }
        text
    }

    /// The same values as they stand within a JSON text.
    #[must_use]
    pub fn in_json(&self) -> Self {
        let escaped = |value: &String| {
            let quoted = serde_json::to_string(value).unwrap_or_default();
            quoted.trim_matches('"').to_owned()
        };
        let mut values: Vec<String> = self.values.iter().map(escaped).collect();
        values.retain(|value| !value.is_empty());
        Self { values }
    }
}

impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} secrets", self.values.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_cut_and_the_rest_stays() {
        for (text, wanted) in [
            ("password=hunter2 user=a", "password=[cut] user=a"),
            ("db_password: hunter2, x", "db_password: [cut], x"),
            (
                r#"{"api_key":"hunter2","id":1}"#,
                r#"{"api_key":"[cut]","id":1}"#,
            ),
            (r#"{"token": 12345,"id":1}"#, r#"{"token": "[cut]","id":1}"#),
            (
                r#"{"password":"hun\"ter2","id":1}"#,
                r#"{"password":"[cut]","id":1}"#,
            ),
            (
                r#"{"msg":"got {\"secret\":\"hunter2\"}"}"#,
                r#"{"msg":"got {\"secret\":\"[cut]\"}"}"#,
            ),
            (
                "Authorization: Bearer abcdef0123456789 ok",
                "Authorization: [cut] ok",
            ),
            ("header Bearer abcdef0123456789", "header Bearer [cut]"),
            (
                "dial postgres://u:hunter2@db:5432/x",
                "dial postgres://u:[cut]@db:5432/x",
            ),
            (
                "GET /x?access_token=hunter2&y=1",
                "GET /x?access_token=[cut]&y=1",
            ),
            ("key AKIAABCDEFGHIJKLMNOP used", "key [cut] used"),
            ("password='a b c' d", "password='[cut]' d"),
            ("Cookie: id=abc; x", "Cookie: [cut]; x"),
            ("пароль password=пароль", "пароль password=[cut]"),
        ] {
            assert_eq!(cut(text), wanted);
        }
    }

    #[test]
    fn what_only_looks_like_it_stays() {
        for text in [
            "",
            "invalid token",
            "token_count=5",
            "next_page_token=abc",
            r#"{"password":null,"ok":true}"#,
            r#"{"credentials":{"user":"a"}}"#,
            "password=****",
            "the bearer of news",
            "http://host:8080/path@x",
            "http://user@host/",
            "12:34:56 secretary: hello",
            r#"{"trace_id":"0af7651916cd43dd8448eb211c80319c","msg":"order read"}"#,
        ] {
            assert_eq!(cut(text), text);
        }
    }

    #[test]
    fn json_stays_json() {
        for text in [
            r#"{"token":1}"#,
            r#"{"a":{"token":true,"secret":"x"}}"#,
            r#"{"token":"a","b":["x"]}"#,
            r#"{"secret": 1.5 }"#,
        ] {
            let cut = cut(text);
            assert!(
                serde_json::from_str::<serde_json::Value>(&cut).is_ok(),
                "{cut}"
            );
        }
    }

    #[test]
    fn known_values_are_cut_wherever_they_are() {
        let known = Known::of([
            "Bearer s3cr3t-value".to_owned(),
            "abc".to_owned(),
            "a\"b-quoted".to_owned(),
        ]);
        assert_eq!(known.cut("x s3cr3t-value y abc"), "x [cut] y abc");
        assert_eq!(known.cut("Bearer s3cr3t-value"), "[cut]");
        assert_eq!(
            known.in_json().cut(r#"{"m":"a\"b-quoted"}"#),
            r#"{"m":"[cut]"}"#
        );
        assert!(!format!("{known:?}").contains("s3cr3t"));
        for weak in ["x", "postgres", "changeme"] {
            assert!(Known::of([weak.to_owned()]).is_empty(), "{weak}");
        }
    }

    #[test]
    fn a_hostile_line_takes_no_square() {
        let line = "token=".repeat(1 << 20);
        assert_eq!(cut(&line), "token=[cut]");
        let line = "\"secret\":\"".repeat(1 << 18);
        assert!(!cut(&line).is_empty());
    }

    proptest::proptest! {
        #[test]
        fn any_text_can_be_cut_and_then_has_nothing_more_to_cut(
            text in "([a-z ]|password|token|=|: |\"|'|\\\\|\\{|Bearer |://|@|ghp_|é|[0-9]{8}|,){0,40}"
        ) {
            let once = cut(&text).into_owned();
            proptest::prop_assert_eq!(cut(&once), once.as_str());
        }

        #[test]
        fn no_text_is_too_odd(text in "\\PC{0,200}", value in "\\PC{0,20}") {
            let known = Known::of([value]);
            let _ = known.in_json().cut(&text);
            let _ = cut(&known.cut(&text));
        }
    }

    #[test]
    fn every_kind_of_key_is_found() {
        for (begin, length) in KEYS {
            let key = format!("{begin}{}", "a".repeat(*length));
            assert_eq!(cut(&format!("with {key} in it")), "with [cut] in it");
            let word = format!("with x{key} in it");
            assert_eq!(cut(&word), word, "the middle of a word");
        }
    }

    #[test]
    fn names_tell() {
        for name in [
            "password",
            "DB_PASSWORD",
            "x-api-key",
            "Authorization",
            "oauth.client-secret",
            "AWS_SECRET_ACCESS_KEY",
            "Set-Cookie",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in [
            "token_count",
            "passwords",
            "secretary",
            "monkey",
            "next-page-token",
            "user",
            "PWD",
            "OLDPWD",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
    }
}

//! Secrets in a command line: where they stand, and the words without them.
//!
//! Whoever sees a finding believes it, so a word is called a secret only for a reason that can be
//! named: a flag whose name ends like one, credentials in a URL or a connection string, a token
//! with a prefix that its issuer chose for scanners. A file, a reference to a secret store, a
//! switch and a placeholder are none.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::At;
use crate::secret::{CUT, KEYS as ISSUED};

/// Shown of a word at most, without the value.
const SHOWN: usize = 120;
/// Words that are looked at; a command line of the system is shorter.
const WORDS_MAX: usize = 100_000;

/// Why something is called a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretForm {
    /// The value of a flag or variable whose name says so.
    Named,
    /// The password of a URL or of a connection string.
    Credentials,
    /// A token with a prefix of its issuer.
    Token,
}

/// A secret, without its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret {
    /// The word that holds it, with the flag that it belongs to, its value cut.
    pub shown: String,
    /// Why it is called one.
    pub form: SecretForm,
}

/// A command line that was read, without its words: they may hold what nobody foresaw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandLine {
    /// When.
    pub at: At,
    /// Where it was read: a URL, or a file in /proc.
    pub from: String,
    /// Words in it, the program's name included.
    pub words: usize,
    /// The secrets in it.
    pub secrets: Vec<Secret>,
}

impl CommandLine {
    /// Reads a command line whose words are separated by zero bytes.
    #[must_use]
    pub fn read(at: At, from: String, bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let words: Vec<&str> = text.trim_end_matches(['\0', '\n']).split('\0').collect();
        Self {
            at,
            from,
            words: words.len(),
            secrets: secrets(&words),
        }
    }
}

/// The secrets of a command line.
#[must_use]
pub fn secrets(words: &[impl AsRef<str>]) -> Vec<Secret> {
    let spots = spots(words);
    let cut = cut_at(words, &spots);
    let shown = |spot: &Spot| {
        let mut shown = match spot.flag.and_then(|flag| cut.get(flag)) {
            Some(flag) => format!("{flag} {}", cut[spot.word]),
            None => cut[spot.word].clone(),
        };
        shown.retain(|letter| !letter.is_control());
        shown.chars().take(SHOWN).collect()
    };
    spots
        .iter()
        .map(|spot| Secret {
            shown: shown(spot),
            form: spot.form,
        })
        .collect()
}

/// The words with the values of secrets cut.
#[must_use]
pub fn cut(words: &[impl AsRef<str>]) -> Vec<String> {
    cut_at(words, &spots(words))
}

/// Where a value stands.
#[derive(Debug)]
struct Spot {
    word: usize,
    range: Range<usize>,
    /// The word that is its flag, if that stands before it.
    flag: Option<usize>,
    form: SecretForm,
}

fn cut_at(words: &[impl AsRef<str>], spots: &[Spot]) -> Vec<String> {
    let mut out: Vec<String> = words.iter().map(|word| word.as_ref().to_owned()).collect();
    // From the end of a word to its beginning, so that places stay what they were.
    for spot in spots.iter().rev() {
        if let Some(word) = out.get_mut(spot.word) {
            word.replace_range(spot.range.clone(), CUT);
        }
    }
    out
}

/// All values, in the order in which they stand; none overlaps another.
fn spots(words: &[impl AsRef<str>]) -> Vec<Spot> {
    let mut spots: Vec<Spot> = Vec::new();
    let mut flag_before: Option<usize> = None;
    for (position, word) in words.iter().take(WORDS_MAX).enumerate() {
        let word = word.as_ref();
        let flag = flag_before.take();
        let named = flag.is_some_and(|flag| names_a_secret(words[flag].as_ref()));
        let mut here: Vec<(Range<usize>, SecretForm)> = Vec::new();
        if named && !word.starts_with('-') && is_value(word) {
            here.push((0..word.len(), SecretForm::Named));
        } else {
            let assigned = word
                .split_once('=')
                .filter(|(name, value)| is_name(name) && names_a_secret(name) && is_value(value));
            if let Some((name, _)) = assigned {
                here.push((name.len() + 1..word.len(), SecretForm::Named));
            }
            here.extend(url_password(word).map(|range| (range, SecretForm::Credentials)));
            here.extend(
                parameters(word)
                    .into_iter()
                    .map(|range| (range, SecretForm::Credentials)),
            );
            here.extend(token(word).map(|range| (range, SecretForm::Token)));
        }
        here.sort_by_key(|(range, _)| range.start);
        let mut end = 0;
        for (range, form) in here {
            if range.start >= end {
                end = range.end;
                spots.push(Spot {
                    word: position,
                    range,
                    flag,
                    form,
                });
            }
        }
        if word.starts_with('-') && word.len() > 1 && !word.contains('=') {
            flag_before = Some(position);
        }
    }
    spots
}

/// A flag, or a variable.
fn is_name(text: &str) -> bool {
    let bare = text.trim_start_matches('-');
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_-.".contains(letter);
    !bare.is_empty() && bare.chars().all(plain)
}

/// Last words of a name that make its value a secret, whatever stands before them.
const LAST: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
];
/// The same, if something stands before them: `-pass` alone may count something, `-pwd` may be a
/// folder.
const LAST_OF_SOME: &[&str] = &["pass", "pwd"];
/// Words before `key` that make it a secret.
const KEYS: &[&str] = &[
    "api",
    "private",
    "secret",
    "encryption",
    "signing",
    "auth",
    "master",
    "account",
    "hmac",
];
/// Words that make a switch, a bound or a cursor of what follows them.
const SWITCHES: &[&str] = &[
    "no",
    "require",
    "required",
    "enable",
    "disable",
    "skip",
    "allow",
    "use",
    "with",
    "without",
    "verify",
    "check",
    "validate",
    "has",
    "is",
    "print",
    "show",
    "generate",
    "rotate",
    "max",
    "min",
    "num",
    "page",
    "next",
    "continuation",
    "expect",
    "public",
];

fn names_a_secret(name: &str) -> bool {
    let words = words_of(name);
    let Some((last, before)) = words.split_last() else {
        return false;
    };
    if before.iter().any(|word| SWITCHES.contains(&word.as_str())) {
        return false;
    }
    let second = before.last().map_or("", String::as_str);
    LAST.contains(&last.as_str())
        || (!before.is_empty() && LAST_OF_SOME.contains(&last.as_str()))
        || (last == "key" && KEYS.contains(&second))
        || (last == "key" && second == "access" && before.iter().any(|word| word == "secret"))
}

/// `-dbPassword`, `--db-password` and `DB_PASSWORD` are `db`, `password`.
fn words_of(name: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut before_is_lower = false;
    for letter in name.chars().take(SHOWN) {
        let begins = letter.is_ascii_uppercase() && before_is_lower;
        if (begins || !letter.is_ascii_alphanumeric()) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if letter.is_ascii_alphanumeric() {
            word.push(letter.to_ascii_lowercase());
        }
        before_is_lower = letter.is_ascii_lowercase();
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// Beginnings of what only says where a secret is.
const REFERENCES: &[&str] = &[
    "/",
    "./",
    "../",
    "~",
    "@",
    "$",
    "%",
    "{",
    "<",
    "[",
    "arn:",
    "vault:",
    "env:",
    "file:",
    "ssm:",
    "sm:",
    "op:",
    "k8s:",
    "gcp:",
    "ref+",
    "secret:",
    "projects/",
    "http://",
    "https://",
    "unix:",
];
/// Ends of the names of files.
const FILES: &[&str] = &[
    ".pem", ".key", ".crt", ".p12", ".pfx", ".jks", ".json", ".yaml", ".yml", ".toml", ".txt",
    ".env", ".conf",
];
/// What switches and placeholders hold.
const NO_VALUES: &[&str] = &[
    "true", "false", "yes", "no", "on", "off", "none", "null", "nil", "stdin", "prompt", "ask",
    "enabled", "disabled", "required", "optional", "redacted", "auto", "default",
];

/// Could this be a secret itself, and not where one is, or whether there is one?
fn is_value(text: &str) -> bool {
    let text = text.trim_matches(['"', '\'']);
    let lower = text.to_ascii_lowercase();
    let masked = text.chars().all(|letter| "*xX.-_".contains(letter));
    // A bound, a port, a count.
    let number = text.len() <= 6 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.len() >= 3
        && !masked
        && !number
        && !NO_VALUES.contains(&lower.as_str())
        && !REFERENCES.iter().any(|head| lower.starts_with(head))
        && !FILES.iter().any(|end| lower.ends_with(end))
}

/// A password may be of any form, but a placeholder is none.
fn is_password(text: &str) -> bool {
    let masked = text.chars().all(|letter| "*xX.".contains(letter));
    !text.is_empty() && !masked && !text.starts_with(['$', '{', '<', '[', '%'])
}

/// The password of `scheme://user:password@host`, and of `user:password@tcp(host)/name`.
fn url_password(word: &str) -> Option<Range<usize>> {
    let (begin, authority) = match word.find("://") {
        Some(at) => {
            let begin = at + 3;
            let rest = &word[begin..];
            let end = rest.find(['/', '?', '#', ' ']).unwrap_or(rest.len());
            (begin, &rest[..end])
        }
        None => {
            let end = ["@tcp(", "@unix("].iter().find_map(|net| word.find(net))?;
            let begin = word[..end].rfind(['=', ' ']).map_or(0, |at| at + 1);
            (begin, &word[begin..=end])
        }
    };
    let (user, _) = authority.rsplit_once('@')?;
    let (name, password) = user.split_once(':')?;
    let begin = begin + name.len() + 1;
    is_password(password).then(|| begin..begin + password.len())
}

/// Keys of connection strings: `host=db user=orders password=…`, `…;Pwd=…`, `…?sslpassword=…`.
const PARAMETERS: &[&str] = &[
    "password",
    "passwd",
    "pwd",
    "sslpassword",
    "client_secret",
    "access_token",
    "api_key",
    "apikey",
    "accountkey",
    "sharedaccesskey",
];

fn parameters(word: &str) -> Vec<Range<usize>> {
    let separates = |letter: char| " ;&?,".contains(letter);
    let mut found = Vec::new();
    if !word.contains(separates) {
        return found;
    }
    let mut begin = 0;
    for part in word.split(separates) {
        if let Some((key, value)) = part.split_once('=') {
            // `-dsn=host=db …`: the flag's own sign comes first.
            let (key, value) = match value.split_once('=') {
                Some((inner, rest)) if key.starts_with('-') => (inner, rest),
                _ => (key, value),
            };
            let known = PARAMETERS.contains(&key.trim().to_ascii_lowercase().as_str());
            if known && is_password(value) {
                let end = begin + part.len();
                found.push(end - value.len()..end);
            }
        }
        begin += part.len() + 1;
    }
    found
}

/// Keys that are whole without a prefix of [`ISSUED`].
const PEM: &[&str] = &[
    "-----BEGIN PRIVATE KEY-----",
    "-----BEGIN RSA PRIVATE KEY-----",
    "-----BEGIN EC PRIVATE KEY-----",
];
/// Follows the head of a key at least.
const PEM_MIN: usize = 20;
/// Of [`ISSUED`], those that prove nothing by their beginning: the name of a key is no secret, and what
/// begins as a JSON web token does is looked at by [`signed`].
const NO_PROOF: &[&str] = &["AKIA", "ASIA", "eyJ"];

/// A token, without its prefix.
fn token(word: &str) -> Option<Range<usize>> {
    let of_token = |letter: char| letter.is_ascii_alphanumeric() || "_-.".contains(letter);
    let issued = ISSUED
        .iter()
        .filter(|(prefix, _)| !NO_PROOF.contains(prefix));
    let issued = issued.filter_map(|(prefix, least)| {
        let at = word.find(prefix)?;
        let before = word[..at].chars().next_back();
        let begin = at + prefix.len();
        let rest = &word[begin..];
        let length = rest.find(|letter| !of_token(letter)).unwrap_or(rest.len());
        let begins_a_word = before.is_none_or(|letter| !letter.is_ascii_alphanumeric());
        (begins_a_word && prefix.len() + length >= *least).then(|| begin..begin + length)
    });
    let keys = PEM.iter().filter_map(|head| {
        let begin = word.find(head)? + head.len();
        (word.len() - begin >= PEM_MIN).then_some(begin..word.len())
    });
    let found = issued.chain(keys).next();
    found.or_else(|| signed(word))
}

/// A JSON web token: head, claims and signature; each part is Base64 without padding.
fn signed(word: &str) -> Option<Range<usize>> {
    let at = word.find("eyJ")?;
    let of_token = |letter: char| letter.is_ascii_alphanumeric() || "_-.".contains(letter);
    let rest = &word[at..];
    let text = &rest[..rest.find(|letter| !of_token(letter)).unwrap_or(rest.len())];
    let parts: Vec<&str> = text.split('.').collect();
    let whole = matches!(parts.as_slice(), [head, claims, signature]
        if head.len() >= 10 && claims.starts_with("eyJ") && signature.len() >= 16);
    whole.then(|| at + 3..at + text.len())
}

#[cfg(test)]
mod tests;

//! Character classes: `[…]`, `\d`, `\pL`, and the escapes of one character.

use super::PatternError;
use super::translate::{Translated, literal};

/// The inside of a class for Go's `\d`, `\s` and `\w`, which are ASCII.
fn perl_class(letter: char) -> Option<&'static str> {
    match letter {
        'd' => Some("0-9"),
        's' => Some(r"\t\n\x0c\r "),
        'w' => Some("0-9A-Za-z_"),
        _ => None,
    }
}

/// Reads `\d`, `\D`, … or `\p…` at the start of `rest`: the translation, which
/// may stand inside and outside of brackets, and what follows.
pub(super) fn class_escape(rest: &str) -> Translated<Option<(String, &str)>> {
    let mut chars = rest.chars();
    let (Some('\\'), Some(letter)) = (chars.next(), chars.next()) else {
        return Ok(None);
    };
    let after = chars.as_str();
    if let Some(inside) = perl_class(letter) {
        return Ok(Some((format!("[{inside}]"), after)));
    }
    if let Some(inside) = perl_class(letter.to_ascii_lowercase()) {
        return Ok(Some((format!("[^{inside}]"), after)));
    }
    if letter != 'p' && letter != 'P' {
        return Ok(None);
    }
    let invalid = |part: &str| Err(PatternError::new("invalid character class range", part));
    let (name, after) = match after.strip_prefix('{') {
        Some(braced) => match braced.split_once('}') {
            Some(split) => split,
            None => return invalid(rest),
        },
        None => match after.chars().next() {
            Some(c) => after.split_at(c.len_utf8()),
            None => return invalid(rest),
        },
    };
    let (negated, name) = match name.strip_prefix('^') {
        Some(name) => (letter == 'p', name),
        None => (letter == 'P', name),
    };
    let known = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(known) {
        return invalid(&rest[..rest.len() - after.len()]);
    }
    let letter = if negated { 'P' } else { 'p' };
    Ok(Some((format!(r"\{letter}{{{name}}}"), after)))
}

/// Reads one escaped character at the start of `rest`: `\n`, `\x41`, `\101`, `\.`.
pub(super) fn escape(rest: &str) -> Translated<(char, &str)> {
    let mut chars = rest.chars();
    chars.next();
    let Some(letter) = chars.next() else {
        return Err(PatternError::new(
            "trailing backslash at end of expression",
            "",
        ));
    };
    let after = chars.as_str();
    let invalid = |after: &str| {
        let part = &rest[..rest.len() - after.len()];
        Err(PatternError::new("invalid escape sequence", part))
    };
    let plain = match letter {
        'a' => '\u{7}',
        'f' => '\u{c}',
        't' => '\t',
        'n' => '\n',
        'r' => '\r',
        'v' => '\u{b}',
        'x' => return hex(rest, after),
        '1'..='7' if !after.starts_with(|c| matches!(c, '0'..='7')) => return invalid(after),
        '0'..='7' => return octal(letter, after),
        c if c.is_ascii() && !c.is_ascii_alphanumeric() => c,
        _ => return invalid(after),
    };
    Ok((plain, after))
}

/// Up to three octal digits, of which `first` was read.
fn octal(first: char, after: &str) -> Translated<(char, &str)> {
    let more = after
        .bytes()
        .take(2)
        .take_while(|b| matches!(b, b'0'..=b'7'));
    let len = more.count();
    let (digits, after) = after.split_at(len);
    let start = u32::from(first) - u32::from('0');
    let value = digits
        .bytes()
        .fold(start, |sum, b| sum * 8 + u32::from(b - b'0'));
    Ok((char::from_u32(value).unwrap_or('\0'), after))
}

/// `41` or `{10FFFF}` after `\x`.
fn hex<'a>(rest: &'a str, after: &'a str) -> Translated<(char, &'a str)> {
    let (digits, after) = match after.strip_prefix('{') {
        Some(braced) => braced.split_once('}').unwrap_or((braced, "")),
        None => after.split_at_checked(2).unwrap_or((after, "")),
    };
    let value = u32::from_str_radix(digits, 16).ok();
    match value.and_then(char::from_u32) {
        Some(c) if !digits.starts_with('+') => Ok((c, after)),
        _ => {
            let part = &rest[..rest.len() - after.len()];
            Err(PatternError::new("invalid escape sequence", part))
        }
    }
}

/// Names that may stand as `[:name:]`.
const POSIX: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
    "space", "upper", "word", "xdigit",
];

/// Reads `[:alpha:]` or `[:^alpha:]` at the start of `rest`.
fn posix(rest: &str) -> Translated<Option<(&str, &str)>> {
    let Some(end) = rest
        .strip_prefix("[:")
        .and_then(|inner| inner.find(":]"))
        .map(|end| end + 4)
    else {
        return Ok(None);
    };
    let (whole, after) = rest.split_at(end);
    let name = whole[2..end - 2].trim_start_matches('^');
    if POSIX.contains(&name) && whole.len() - name.len() <= 5 {
        return Ok(Some((whole, after)));
    }
    Err(PatternError::new("invalid character class range", whole))
}

/// Reads a class in brackets at the start of `rest` and appends it to `out`.
pub(super) fn brackets<'a>(rest: &'a str, out: &mut String) -> Translated<&'a str> {
    let whole = rest;
    let mut rest = &rest[1..];
    out.push('[');
    if let Some(after) = rest.strip_prefix('^') {
        rest = after;
        out.push('^');
    }
    let mut first = true;
    while first || !rest.starts_with(']') {
        // As in Perl, a dash is taken as it stands at either end only; Go wants `a-\d`
        // refused, and that is done by the range below.
        first = false;
        if let Some((class, after)) = posix(rest)? {
            out.push_str(class);
            rest = after;
            continue;
        }
        if let Some((class, after)) = class_escape(rest)? {
            out.push_str(&class);
            rest = after;
            continue;
        }
        let (low, after) = one(rest, whole)?;
        let ranged = after.strip_prefix('-').filter(|a| !a.starts_with(']'));
        match ranged {
            Some(after) if !after.is_empty() => {
                let (high, after) = one(after, whole)?;
                if high < low {
                    let part = &rest[..rest.len() - after.len()];
                    return Err(PatternError::new("invalid character class range", part));
                }
                literal(low, out);
                out.push('-');
                literal(high, out);
                rest = after;
            }
            _ => {
                literal(low, out);
                rest = after;
            }
        }
    }
    out.push(']');
    Ok(&rest[1..])
}

/// One character of a class.
fn one<'a>(rest: &'a str, whole: &str) -> Translated<(char, &'a str)> {
    match rest.chars().next() {
        None => Err(PatternError::new("missing closing ]", whole)),
        Some('\\') => escape(rest),
        Some(c) => Ok((c, &rest[c.len_utf8()..])),
    }
}

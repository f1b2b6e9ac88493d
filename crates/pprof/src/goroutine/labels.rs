//! Label sets in goroutine dumps: `{order: o1, "quo\"te": "a b\n{}"}`.
//!
//! Three writers: `debug=1` (Go's `%q`, no blank after the colon), the runtime
//! of Go 1.26 (everything quoted by `printquoted`) and of Go 1.27 (quoted only
//! where a character is outside `[A-Za-z0-9./_]`). The set's end can only be
//! found by the quoting rule: values may hold `}]:`.

/// Reads a set that begins with `{`; gives its pairs and what follows the `}`.
pub(super) fn read(text: &str) -> Option<(Vec<(String, String)>, &str)> {
    let mut rest = text.strip_prefix('{')?;
    let mut pairs = Vec::new();
    if let Some(rest) = rest.strip_prefix('}') {
        return Some((pairs, rest));
    }
    loop {
        let (key, after) = token(rest)?;
        let after = after.strip_prefix(':')?.trim_start_matches(' ');
        let (value, after) = token(after)?;
        pairs.push((key, value));
        if let Some(rest) = after.strip_prefix('}') {
            return Some((pairs, rest));
        }
        rest = after.strip_prefix(',')?.trim_start_matches(' ');
    }
}

/// Reads a quoted or bare text.
fn token(text: &str) -> Option<(String, &str)> {
    if let Some(quoted) = text.strip_prefix('"') {
        return unquote(quoted);
    }
    let end = text.find([':', ',', '}', '"', ' '])?;
    let (bare, rest) = text.split_at_checked(end)?;
    Some((bare.to_owned(), rest))
}

/// Reads up to the closing quote.
fn unquote(text: &str) -> Option<(String, &str)> {
    // Escapes may give bytes that are no UTF-8 (`%q` of such a value).
    let mut bytes = Vec::new();
    let mut rest = text;
    loop {
        let stop = rest.find(['"', '\\'])?;
        let (plain, tail) = rest.split_at_checked(stop)?;
        bytes.extend_from_slice(plain.as_bytes());
        if let Some(rest) = tail.strip_prefix('"') {
            let text = String::from_utf8(bytes)
                .unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned());
            return Some((text, rest));
        }
        rest = escape(tail.strip_prefix('\\')?, &mut bytes)?;
    }
}

/// Reads what follows a backslash.
fn escape<'t>(text: &'t str, bytes: &mut Vec<u8>) -> Option<&'t str> {
    let mut chars = text.chars();
    let letter = chars.next()?;
    let rest = chars.as_str();
    let digits = match letter {
        'x' => 2,
        'u' => 4,
        'U' => 8,
        _ => {
            bytes.push(match letter {
                'n' => b'\n',
                'r' => b'\r',
                't' => b'\t',
                'a' => 0x07,
                'b' => 0x08,
                'f' => 0x0c,
                'v' => 0x0b,
                '"' | '\\' => letter as u8,
                _ => return None,
            });
            return Some(rest);
        }
    };
    let (hex, rest) = rest.split_at_checked(digits)?;
    let code = u32::from_str_radix(hex, 16).ok()?;
    match u8::try_from(code) {
        Ok(byte) if letter == 'x' => bytes.push(byte),
        _ => {
            let shown = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
            bytes.extend_from_slice(shown.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
    Some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, pairs: &[(&str, &str)], rest: &str) {
        let pairs: Vec<_> = pairs
            .iter()
            .map(|(k, v)| (k.to_string(), v.to_string()))
            .collect();
        assert_eq!(read(text), Some((pairs, rest)), "{text}");
    }

    #[test]
    fn each_writers_form_is_read() {
        let pairs = [("order", "o1"), ("quo\"te", "a b\n{}")];
        check(r#"{"order":"o1", "quo\"te":"a b\n{}"}"#, &pairs, "");
        check(r#"{"order": "o1", "quo\"te": "a b\n{}"}]:"#, &pairs, "]:");
        check(r#"{order: o1, "quo\"te": "a b\n{}"}:"#, &pairs, ":");
        check("{}:", &[], ":");
    }

    #[test]
    fn a_value_may_look_like_the_end() {
        check(r#"{k: "}]:\n"}:"#, &[("k", "}]:\n")], ":");
    }

    #[test]
    fn escapes_are_undone() {
        check(
            r#"{"\u00e9\x07\U0001f600": "\\\r\t"}"#,
            &[("é\u{7}😀", "\\\r\t")],
            "",
        );
        check(r#"{"a": "\xff"}"#, &[("a", "\u{fffd}")], "");
    }

    #[test]
    fn what_is_cut_is_no_set() {
        for cut in [
            "", "{", "{a", "{a:", "{a: \"b", "{a: b", "{a: b,", "{\"\\", "{\"\\x4",
        ] {
            assert_eq!(read(cut), None, "{cut}");
        }
    }
}

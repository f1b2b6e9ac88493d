//! What a string literal stands for.
//!
//! Go's escapes (<https://go.dev/ref/spec#String_literals>) and Rust's
//! (<https://doc.rust-lang.org/reference/tokens.html>) do not contradict each other, so one
//! reader serves both.

/// The text that an interpreted literal stands for; an escape that is none stays as it is.
pub(super) fn unescape(literal: &[u8]) -> String {
    let mut text = Vec::with_capacity(literal.len());
    let mut rest = literal;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'\\' {
            text.push(*byte);
            continue;
        }
        if let Some((escaped, after)) = escape(rest) {
            text.extend_from_slice(&escaped);
            rest = after;
        } else {
            text.push(b'\\');
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// The bytes that one escape stands for, and what follows it.
fn escape(after_backslash: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let (kind, rest) = after_backslash.split_first()?;
    let one = |byte| Some((vec![byte], rest));
    match kind {
        b'a' => one(7),
        b'b' => one(8),
        b't' => one(b'\t'),
        b'n' => one(b'\n'),
        b'v' => one(11),
        b'f' => one(12),
        b'r' => one(b'\r'),
        b'\\' | b'"' | b'\'' => one(*kind),
        b'x' => {
            let (number, rest) = digits(rest, 2, 16)?;
            Some((vec![u8::try_from(number).ok()?], rest))
        }
        b'0'..=b'7' => match digits(after_backslash, 3, 8) {
            Some((number, rest)) => Some((vec![u8::try_from(number).ok()?], rest)),
            // Rust's `\0`.
            None if *kind == b'0' => one(0),
            None => None,
        },
        b'u' if rest.first() == Some(&b'{') => {
            let length = rest.iter().position(|byte| *byte == b'}')?;
            let digits = std::str::from_utf8(&rest[1..length]).ok()?;
            let number = u32::from_str_radix(&digits.replace('_', ""), 16).ok()?;
            Some((character(number)?, &rest[length + 1..]))
        }
        b'u' => {
            let (number, rest) = digits(rest, 4, 16)?;
            Some((character(number)?, rest))
        }
        b'U' => {
            let (number, rest) = digits(rest, 8, 16)?;
            Some((character(number)?, rest))
        }
        // Rust goes on with the first word of a later line.
        b'\n' => Some((Vec::new(), rest.trim_ascii_start())),
        _ => None,
    }
}

fn digits(bytes: &[u8], count: usize, radix: u32) -> Option<(u32, &[u8])> {
    let (digits, rest) = bytes.split_at_checked(count)?;
    if !digits.iter().all(|byte| char::from(*byte).is_digit(radix)) {
        return None;
    }
    let number = u32::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok()?;
    Some((number, rest))
}

fn character(number: u32) -> Option<Vec<u8>> {
    char::from_u32(number).map(|character| character.to_string().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::unescape;

    #[test]
    fn escapes_of_both_languages_are_read() {
        for (literal, text) in [
            (r"plain", "plain"),
            (r"a\tb\nc\\d\x41", "a\tb\nc\\dA"),
            (r#"\"\'"#, "\"'"),
            (r"\101", "A"),
            (r"\0", "\0"),
            (r"\u00e4\U0001F600", "ä😀"),
            (r"\u{e4}\u{1_F600}", "ä😀"),
            ("a\\\n    b", "ab"),
            ("größe", "größe"),
        ] {
            assert_eq!(unescape(literal.as_bytes()), text, "{literal}");
        }
    }

    #[test]
    fn what_is_no_escape_stays() {
        for literal in [r"\q", r"\x4", r"\u12", r"\u{}", r"\u{110000}", "\\", r"\9"] {
            assert_eq!(unescape(literal.as_bytes()), literal);
        }
    }
}

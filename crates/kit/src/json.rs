//! JSON text, written by hand: a log line must cost as little as it can.

/// Appends a JSON string, quotes included.
///
/// Control characters are escaped, so a value never ends a line or reaches a terminal raw.
pub(crate) fn push_text(out: &mut String, text: &str) {
    out.push('"');
    push_escaped(out, text);
    out.push('"');
}

/// Appends what stands between the quotes of a JSON string.
pub(crate) fn push_escaped(out: &mut String, text: &str) {
    let mut plain_from = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' && byte != 0x7f {
            continue;
        }
        // All of these are single bytes, so `at` is between characters.
        out.push_str(&text[plain_from..at]);
        plain_from = at + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            _ => {
                out.push_str("\\u00");
                crate::trace::push_hex(out, u128::from(byte), 2);
            }
        }
    }
    out.push_str(&text[plain_from..]);
}

/// Takes escaped text of what was formatted into the end of a buffer.
pub(crate) struct Escaping<'o>(pub(crate) &'o mut String);

impl std::fmt::Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        push_escaped(self.0, text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let every: String = (0..=0x2ff).filter_map(char::from_u32).collect();
        for text in ["", "plain", "a\"b\\c\nd\u{1b}[31m", "grün 🎉", &every] {
            let mut json = String::new();
            push_text(&mut json, text);
            let read: String = serde_json::from_str(&json).expect("it is JSON");
            assert_eq!(read, text);
            assert!(
                !json.bytes().any(|byte| byte < 0x20 || byte == 0x7f),
                "{json}"
            );
        }
    }
}

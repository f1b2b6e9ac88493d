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
    let bytes = text.as_bytes();
    let (mut plain_from, mut at) = (0, 0);
    while at < bytes.len() {
        if let Some(eight) = bytes[at..].first_chunk()
            && are_plain(u64::from_le_bytes(*eight))
        {
            at += 8;
            continue;
        }
        let byte = bytes[at];
        at += 1;
        if byte >= 0x20 && byte != b'"' && byte != b'\\' && byte != 0x7f {
            continue;
        }
        // All of these are single bytes, so both ends are between characters.
        out.push_str(&text[plain_from..at - 1]);
        plain_from = at;
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

/// True if none of eight bytes needs an escape. Nearly all text is such, and looked at one by one its
/// bytes were a fifth of the cost of a log line.
fn are_plain(eight: u64) -> bool {
    const ONES: u64 = u64::MAX / 0xff;
    const HIGH: u64 = ONES << 7;
    // The high bit of a byte that is 0; bytes above such a one may show it as well, which costs
    // them a look one by one.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
    let is = |byte: u8| zeros(eight ^ (ONES * u64::from(byte)));
    let control = eight.wrapping_sub(ONES * 0x20) & !eight & HIGH;
    control | is(b'"') | is(b'\\') | is(0x7f) == 0
}

/// Appends a whole number.
pub(crate) fn push_number(out: &mut String, number: u64) {
    // As many digits as the largest has.
    let mut digits = [0; 20];
    let (mut first, mut rest) = (digits.len(), number);
    loop {
        first -= 1;
        digits[first] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.push_str(std::str::from_utf8(&digits[first..]).expect("digits are ASCII"));
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

    /// Eight bytes at once find what one by one is found, wherever it stands.
    #[test]
    fn a_special_byte_is_seen_at_every_place() {
        for byte in 0..=255u8 {
            for place in 0..8 {
                for filler in [b'a', 0x1f + 1, 0x7e, 0x80, 0xff] {
                    let mut eight = [filler; 8];
                    eight[place] = byte;
                    let special = byte < 0x20 || [b'"', b'\\', 0x7f].contains(&byte);
                    let plain = are_plain(u64::from_le_bytes(eight));
                    assert!(!(special && plain), "{byte:#x} at {place}");
                    assert!(special || plain, "{byte:#x} at {place} beside {filler:#x}");
                }
            }
        }
    }

    #[test]
    fn numbers_are_written_as_the_standard_library_does() {
        let ends = (0..20).map(|digits| 10u64.saturating_pow(digits));
        for number in ends.flat_map(|end| [end - 1, end, u64::MAX - end + 1]) {
            let mut json = String::new();
            push_number(&mut json, number);
            assert_eq!(json, number.to_string());
        }
    }

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

//! Lines and the small patterns of the text formats.

/// Lines of a text, whatever bytes it has.
pub(super) struct Lines<'a> {
    rest: &'a [u8],
    /// The line last read.
    pub(super) line: String,
}

impl<'a> Lines<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Self {
        Lines {
            rest: bytes,
            line: String::new(),
        }
    }

    /// Reads the next line into [`Lines::line`]; false, and an empty line, at the end.
    pub(super) fn next(&mut self) -> bool {
        self.line.clear();
        if self.rest.is_empty() {
            return false;
        }
        let end = self.rest.iter().position(|&b| b == b'\n');
        let (line, rest) = match end {
            Some(end) => (
                self.rest.get(..end).unwrap_or(&[]),
                self.rest.get(end + 1..).unwrap_or(&[]),
            ),
            None => (self.rest, &[][..]),
        };
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        self.line.push_str(&String::from_utf8_lossy(line));
        self.rest = rest;
        true
    }

    /// Reads on to the first line that is neither blank nor a comment.
    pub(super) fn skip_comments(&mut self) {
        while self.next() && is_blank_or_comment(&self.line) {}
    }
}

pub(super) fn is_blank_or_comment(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with('#')
}

/// True at the head of a list of mapped files.
pub(super) fn starts_memory_map(line: &str) -> bool {
    line.contains("--- Memory map: ---") || line.contains("MAPPED_LIBRARIES:")
}

/// A cursor over one line.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'a>(pub(super) &'a str);

impl<'a> Cursor<'a> {
    pub(super) fn literal(&mut self, text: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(text)?;
        Some(())
    }

    /// Skips blanks, of which there may be none.
    pub(super) fn blanks(&mut self) {
        self.0 = self.0.trim_start_matches(' ');
    }

    /// `\d+`, or `-?\d+` where `signed`.
    pub(super) fn digits(&mut self, signed: bool) -> Option<&'a str> {
        let sign = usize::from(signed && self.0.starts_with('-'));
        let digits = self.0.get(sign..)?;
        let len = digits.bytes().take_while(u8::is_ascii_digit).count();
        let (taken, rest) = self.0.split_at_checked(sign + len)?;
        self.0 = rest;
        (len > 0).then_some(taken)
    }
}

/// `a: b [c: d] @` somewhere in a line: the four numbers and what follows.
pub(super) fn four_numbers(line: &str, signed: bool) -> Option<([&str; 4], &str)> {
    for (at, _) in line.char_indices() {
        let rest = line.get(at..)?;
        if let Some(found) = four_numbers_at(Cursor(rest), signed) {
            return Some(found);
        }
    }
    None
}

fn four_numbers_at(mut at: Cursor<'_>, signed: bool) -> Option<([&str; 4], &str)> {
    let a = at.digits(signed)?;
    at.literal(":")?;
    at.blanks();
    let b = at.digits(signed)?;
    at.blanks();
    at.literal("[")?;
    at.blanks();
    let c = at.digits(false)?;
    at.literal(":")?;
    at.blanks();
    let d = at.digits(false)?;
    at.blanks();
    at.literal("]")?;
    at.blanks();
    at.literal("@")?;
    Some(([a, b, c, d], at.0))
}

/// Every `0x…` in a text; `None` if one is too large.
pub(super) fn hex_numbers(text: &str) -> Option<Vec<u64>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("0x") {
        let digits = rest.get(at + 2..)?;
        let is_hex = |b: &u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        let len = digits.bytes().take_while(|b| is_hex(b)).count();
        if len > 0 {
            found.push(u64::from_str_radix(digits.get(..len)?, 16).ok()?);
        }
        rest = digits.get(len..)?;
    }
    Some(found)
}

/// The stack of a row: blanks, `x` and lower-case hex digits at the start of `text`.
pub(super) fn stack_part(text: &str) -> &str {
    let is_part = |b: &u8| matches!(b, b' ' | b'x' | b'0'..=b'9' | b'a'..=b'f');
    let len = text.bytes().take_while(|b| is_part(b)).count();
    text.get(..len).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_in_their_places() {
        let line = "heap profile:  1: 2 [ 3:  4 ] @ heap/5";
        assert_eq!(
            four_numbers(line, false),
            Some((["1", "2", "3", "4"], " heap/5"))
        );
        assert_eq!(four_numbers("1: 2 [3] @", false), None);
        assert_eq!(hex_numbers("0x1f 0x 0xA 0x2"), Some(vec![0x1f, 2]));
        assert_eq!(hex_numbers("0x11112222333344445"), None);
        assert_eq!(stack_part(" 0x1 0xf\n#"), " 0x1 0xf");
    }
}

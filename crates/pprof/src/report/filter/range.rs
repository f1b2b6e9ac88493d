//! Ranges of numeric labels: `32kb`, `:64kb`, `4mb:`, `12kb:64mb`.

use super::super::measurement::scale;

/// A range with a unit; both ends belong to it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Range {
    low: f64,
    high: f64,
    unit: String,
}

impl Range {
    /// Reads a range; `None` if `text` is something else.
    pub(super) fn parse(text: &str) -> Option<Range> {
        let first = Number::find(text)?;
        let (value, unit) = scale(first.value()?, first.unit, first.unit);
        let unit = unit.into_owned();
        let with = |low, high| {
            let unit = unit.clone();
            Some(Range { low, high, unit })
        };
        let after = text.get(first.end..)?;
        match Number::find(after) {
            None if text == first.text => with(value, value),
            None if text.strip_suffix(':') == Some(first.text) => with(value, f64::INFINITY),
            None if text.strip_prefix(':') == Some(first.text) => with(f64::NEG_INFINITY, value),
            None => None,
            Some(second) => {
                let bound = format!("{}:{}", first.text, second.text);
                let (high, second_unit) = scale(second.value()?, second.unit, &unit);
                (text == bound && second_unit == unit)
                    .then(|| with(value, high))
                    .flatten()
            }
        }
    }

    pub(super) fn contains(&self, value: i64, unit: &str) -> bool {
        let (value, unit) = scale(value, unit, &self.unit);
        unit == self.unit && (self.low..=self.high).contains(&value)
    }
}

/// `[+-]?[0-9]+[a-zA-Z]*` somewhere in a text.
struct Number<'a> {
    text: &'a str,
    unit: &'a str,
    end: usize,
}

impl<'a> Number<'a> {
    fn find(text: &'a str) -> Option<Number<'a>> {
        let bytes = text.as_bytes();
        let digit = bytes.iter().position(u8::is_ascii_digit)?;
        let signed = digit > 0 && matches!(bytes.get(digit - 1), Some(b'+' | b'-'));
        let start = if signed { digit - 1 } else { digit };
        let count = |from: usize, is: fn(&u8) -> bool| {
            let rest = bytes.get(from..).unwrap_or(&[]);
            rest.iter().take_while(|b| is(b)).count()
        };
        let unit = digit + count(digit, u8::is_ascii_digit);
        let end = unit + count(unit, u8::is_ascii_alphabetic);
        Some(Number {
            text: text.get(start..end)?,
            unit: text.get(unit..end)?,
            end,
        })
    }

    fn value(&self) -> Option<i64> {
        let digits = self.text.strip_suffix(self.unit)?;
        digits.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(range: &str, value: i64, unit: &str) -> bool {
        Range::parse(range).expect("a range").contains(value, unit)
    }

    #[test]
    fn both_ends_belong_to_a_range() {
        assert!(check("32kb", 32 << 10, "bytes"));
        assert!(!check("32kb", 33 << 10, "bytes"));
        assert!(check(":64kb", 1, "bytes"));
        assert!(check("4mb:", 4 << 20, "bytes"));
        assert!(check("12kb:64mb", 64 << 20, "bytes"));
        assert!(!check("12kb:64mb", 1, "bytes"));
        assert!(check("+400kb:", 400, "kb"));
        assert!(check("-5:5", 0, ""));
    }

    #[test]
    fn units_of_another_kind_do_not_match() {
        assert!(!check("1mb:", 4 << 20, "ns"));
        assert!(Range::parse("1mb:4s").is_none());
    }

    #[test]
    fn other_texts_are_expressions() {
        for text in ["", "abc", "a1", "1:2:3", "1,2", "99999999999999999999"] {
            assert_eq!(Range::parse(text), None, "{text}");
        }
    }
}

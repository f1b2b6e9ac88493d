//! Members of one JSON object, without building a tree.
//!
//! Log lines are wide and flat, and a handful of members matters. What is nested is passed over
//! by counting brackets (no recursion, so depth costs nothing) and handed out as text that the
//! caller may walk in turn. Only what a cut-off line can break is checked; kinds of brackets are
//! not matched, and numbers are not validated.

use std::borrow::Cow;

use memchr::memchr2;

/// Value of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// A string without its escapes.
    Text(Cow<'a, str>),
    /// A number as it is written.
    Number(&'a str),
    /// An object with its brackets.
    Object(&'a str),
    /// An array with its brackets.
    Array(&'a str),
    /// A truth value or null.
    Other,
}

/// The object ends before it should, or is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Broken;

/// Walks the members of the object that a text begins with, in order, duplicates included.
#[derive(Debug)]
pub(super) struct Members<'a> {
    text: &'a str,
    at: usize,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    Between,
    End,
}

impl<'a> Members<'a> {
    pub(super) const fn of(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            state: State::Start,
        }
    }

    /// Walks the members that follow a comma: the rest of an object that has lost its beginning.
    pub(super) const fn after_comma(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            state: State::Between,
        }
    }

    /// What follows the object, once all members were read.
    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Takes the byte if it comes next.
    fn take(&mut self, wanted: u8) -> bool {
        self.skip_space();
        let found = self.byte() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn member(&mut self) -> Result<Option<(Cow<'a, str>, Value<'a>)>, Broken> {
        let first = match self.state {
            State::End => return Ok(None),
            State::Start => true,
            State::Between => false,
        };
        if first && !self.take(b'{') {
            return Err(Broken);
        }
        if self.take(b'}') {
            self.state = State::End;
            return Ok(None);
        }
        if !first && !self.take(b',') {
            return Err(Broken);
        }
        self.state = State::Between;
        self.skip_space();
        let key = self.string()?;
        if !self.take(b':') {
            return Err(Broken);
        }
        self.skip_space();
        Ok(Some((key, self.value()?)))
    }

    fn string(&mut self) -> Result<Cow<'a, str>, Broken> {
        if self.byte() != Some(b'"') {
            return Err(Broken);
        }
        let end = string_end(self.text.as_bytes(), self.at).ok_or(Broken)?;
        let raw = self.text.get(self.at + 1..end - 1).ok_or(Broken)?;
        self.at = end;
        Ok(unescape(raw))
    }

    fn value(&mut self) -> Result<Value<'a>, Broken> {
        match self.byte().ok_or(Broken)? {
            b'"' => self.string().map(Value::Text),
            opening @ (b'{' | b'[') => {
                let end = nested_end(self.text.as_bytes(), self.at).ok_or(Broken)?;
                let whole = self.text.get(self.at..end).ok_or(Broken)?;
                self.at = end;
                Ok(match opening {
                    b'{' => Value::Object(whole),
                    _ => Value::Array(whole),
                })
            }
            _ => {
                let bytes = self.text.as_bytes().get(self.at..).unwrap_or_default();
                let ends =
                    |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\r' | b'\n');
                // A scalar that ends with the text has lost its closing bracket, and maybe digits.
                let length = bytes.iter().position(ends).ok_or(Broken)?;
                let word = self.text.get(self.at..self.at + length).ok_or(Broken)?;
                self.at += length;
                match word {
                    "true" | "false" | "null" => Ok(Value::Other),
                    _ if word.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => {
                        Ok(Value::Number(word))
                    }
                    _ => Err(Broken),
                }
            }
        }
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = Result<(Cow<'a, str>, Value<'a>), Broken>;

    fn next(&mut self) -> Option<Self::Item> {
        let member = self.member().transpose();
        if matches!(member, Some(Err(Broken))) {
            self.state = State::End;
        }
        member
    }
}

/// Position after the closing quote of the string that opens at `start`.
pub(super) fn string_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        let found = at + memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[found] == b'"' {
            return Some(found + 1);
        }
        at = found + 2;
    }
}

/// Position after the bracket that closes the one at `start`; strings are passed over.
pub(super) fn nested_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = start;
    loop {
        match bytes.get(at)? {
            b'"' => {
                at = string_end(bytes, at)?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
        at += 1;
    }
}

/// Replaces escapes; half a surrogate pair and unknown escapes become U+FFFD.
pub(super) fn unescape(raw: &str) -> Cow<'_, str> {
    let Some(first) = memchr::memchr(b'\\', raw.as_bytes()) else {
        return Cow::Borrowed(raw);
    };
    let mut text = String::with_capacity(raw.len());
    text.push_str(&raw[..first]);
    let mut chars = raw[first..].chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            text.push(c);
            continue;
        }
        text.push(match chars.next() {
            Some('n') => '\n',
            Some('t') => '\t',
            Some('r') => '\r',
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('u') => unicode(&mut chars),
            Some(same @ ('"' | '\\' | '/')) => same,
            _ => char::REPLACEMENT_CHARACTER,
        });
    }
    Cow::Owned(text)
}

/// Reads what follows `\u`, and the second half of a pair with its own `\u`.
fn unicode(chars: &mut std::str::Chars<'_>) -> char {
    let Some(high) = four_digits(chars) else {
        return char::REPLACEMENT_CHARACTER;
    };
    if (0xd800..0xdc00).contains(&high) {
        let mut ahead = chars.clone();
        let follows = ahead.next() == Some('\\') && ahead.next() == Some('u');
        let low = follows.then(|| four_digits(&mut ahead)).flatten();
        if let Some(low @ 0xdc00..0xe000) = low {
            *chars = ahead;
            let both = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
            return char::from_u32(both).unwrap_or(char::REPLACEMENT_CHARACTER);
        }
    }
    char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn four_digits(chars: &mut std::str::Chars<'_>) -> Option<u32> {
    let mut ahead = chars.clone();
    let mut value = 0;
    for _ in 0..4 {
        value = value * 16 + ahead.next()?.to_digit(16)?;
    }
    *chars = ahead;
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Members as `key=value`, then what came after the object or `BROKEN`.
    fn check(text: &str) -> Vec<String> {
        let mut members = Members::of(text);
        let mut seen = Vec::new();
        for member in members.by_ref() {
            seen.push(match member {
                Ok((key, Value::Text(value))) => format!("{key}={value}"),
                Ok((key, Value::Number(value) | Value::Object(value))) => format!("{key}={value}"),
                Ok((key, Value::Array(_) | Value::Other)) => format!("{key}=?"),
                Err(Broken) => return [seen, vec!["BROKEN".into()]].concat(),
            });
        }
        seen.push(members.rest().into());
        seen
    }

    #[test]
    fn members_come_in_order_with_duplicates() {
        assert_eq!(
            check(r#" {"a":"1" , "b":{"a":"}"},"c":[{"a":2}],"a":-2.5e3,"d":null} tail"#),
            ["a=1", r#"b={"a":"}"}"#, "c=?", "a=-2.5e3", "d=?", " tail"]
        );
        assert_eq!(check("{}"), [""]);
    }

    #[test]
    fn escapes_are_replaced() {
        assert_eq!(
            check(r#"{"k\u0041":"\"\\\/\n\u00e9\ud83d\ude00\ud83d.\udc00\u12"}"#),
            ["kA=\"\\/\né😀\u{fffd}.\u{fffd}\u{fffd}12", ""]
        );
    }

    #[test]
    fn what_is_cut_is_broken() {
        let whole = r#"{"a":"x\"y","b":{"c":[1,"}"]},"d":12,"e":true}"#;
        assert_eq!(check(whole).len(), 5);
        for cut in 0..whole.len() {
            assert_eq!(
                check(&whole[..cut]).last().unwrap(),
                "BROKEN",
                "cut at {cut}"
            );
        }
    }

    #[test]
    fn what_is_no_json_is_broken() {
        for text in [
            "",
            "a",
            "[1]",
            "{a:1}",
            "{\"a\" 1}",
            "{\"a\":NaN}",
            "{\"a\":1,}",
            "{\"a\":}",
            "{,}",
        ] {
            assert_eq!(check(text).last().unwrap(), "BROKEN", "{text}");
        }
    }

    #[test]
    fn depth_costs_no_stack() {
        let deep = format!(
            "{{\"a\":{}{},\"b\":1}}",
            "[".repeat(100_000),
            "]".repeat(100_000)
        );
        assert_eq!(check(&deep), ["a=?", "b=1", ""]);
        assert_eq!(check(&deep[..100_000]), ["BROKEN"]);
    }

    proptest! {
        #[test]
        fn agrees_with_serde_json(members in prop::collection::vec((".{0,9}", ".{0,20}", any::<i64>()), 0..6)) {
            let mut object = serde_json::Map::new();
            for (key, text, number) in members {
                object.insert(format!("n{key}"), serde_json::json!(number));
                object.insert(format!("o{key}"), serde_json::json!({ "text": text, "list": [text] }));
                object.insert(format!("l{key}"), serde_json::json!([text, { "text": text }]));
                object.insert(format!("t{key}"), serde_json::json!(text));
            }
            let whole = serde_json::to_string_pretty(&object).unwrap();
            let mut read = Vec::new();
            for member in Members::of(&whole) {
                let (key, value) = member.unwrap();
                let value = match value {
                    Value::Text(text) => serde_json::Value::String(text.into_owned()),
                    Value::Number(text) | Value::Object(text) | Value::Array(text) => serde_json::from_str(text).unwrap(),
                    Value::Other => serde_json::Value::Null,
                };
                read.push((key.into_owned(), value));
            }
            prop_assert_eq!(read, object.into_iter().collect::<Vec<_>>());
        }
    }
}

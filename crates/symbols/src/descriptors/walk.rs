//! From the first field of a `FileDescriptorProto` to its end.
//!
//! A descriptor that lies in a program's data has no length before it. It ends where the next
//! field cannot be one of its own: an unknown number, a second name, content that is no message.

/// Names longer than this are no names of files.
pub(super) const NAME_MAX: usize = 512;
/// Shorter than the shortest name is no descriptor.
pub(super) const LEAST: usize = 16;

/// Tag of a field: its number and how it is written.
const NAME: u64 = 1 << 3 | 2;
const LENGTH_DELIMITED: u64 = 2;
const VARINT: u64 = 0;

/// How far a descriptor could be followed.
pub(super) struct Walk<'a> {
    /// Its name; nothing if these bytes are no descriptor, or one that declares nothing.
    pub(super) file: Option<&'a str>,
    pub(super) length: usize,
}

/// Where a descriptor begins whose file's name ends at `end`, not before `from`.
pub(super) fn start_of(bytes: &[u8], from: usize, end: usize) -> Option<usize> {
    let least = end.saturating_sub(NAME_MAX).max(from);
    let mut name = end;
    while name > least {
        name -= 1;
        if !is_of_path(bytes[name]) {
            // The byte before the name is the last one of its length, which may look like a letter.
            return begins(bytes, from, name + 1, end).or_else(|| begins(bytes, from, name, end));
        }
        if let Some(start) = begins(bytes, from, name, end) {
            return Some(start);
        }
    }
    None
}

/// The tag and the length of the name stand right before it.
fn begins(bytes: &[u8], from: usize, name: usize, end: usize) -> Option<usize> {
    let length = u64::try_from(end.checked_sub(name)?).ok()?;
    let digits = if length < 0x80 { 1 } else { 2 };
    let start = name.checked_sub(digits + 1)?;
    if start < from || u64::from(bytes[start]) != NAME {
        return None;
    }
    let mut rest = &bytes[start + 1..name];
    (varint(&mut rest)? == length && rest.is_empty()).then_some(start)
}

const fn is_of_path(byte: u8) -> bool {
    matches!(byte, 0x21..=0x7e)
}

/// Follows a descriptor from its first byte.
pub(super) fn follow(bytes: &[u8]) -> Walk<'_> {
    let mut rest = bytes;
    let mut name = None;
    let mut declares = false;
    let mut ended = false;
    loop {
        let before = rest;
        let Some(field) = next(&mut rest) else {
            rest = before;
            break;
        };
        let fits = match (field.number, field.content) {
            (1, Content::Bytes(text)) => {
                let is_name = |text: &&str| is_path(text) && text.ends_with(".proto");
                let text = std::str::from_utf8(text).ok().filter(is_name);
                let first = name.is_none() && text.is_some();
                name = name.or(text);
                first
            }
            _ if name.is_none() => false,
            // What syntax says is the last but the edition.
            (14, Content::Number(edition)) => edition < 1 << 31,
            _ if ended => false,
            (2, Content::Bytes(package)) => is_identifier(package),
            (3, Content::Bytes(import)) => std::str::from_utf8(import).is_ok_and(is_path),
            (4..=7, Content::Bytes(declared)) => {
                let named = is_named(declared);
                declares |= named;
                named
            }
            (8 | 9, Content::Bytes(message)) => is_message(message),
            (10 | 11, Content::Number(position)) => position < 1 << 16,
            (12, Content::Bytes(syntax)) => {
                ended = true;
                matches!(syntax, b"proto2" | b"proto3" | b"editions")
            }
            _ => false,
        };
        if !fits {
            rest = before;
            break;
        }
    }
    // A file of imports alone describes nothing, and is found by chance more easily.
    Walk {
        file: name.filter(|_| declares),
        length: bytes.len() - rest.len(),
    }
}

fn is_path(text: &str) -> bool {
    text.len() <= NAME_MAX && !text.is_empty() && text.bytes().all(is_of_path)
}

fn is_identifier(bytes: &[u8]) -> bool {
    let letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
    !bytes.is_empty() && bytes.len() <= NAME_MAX && bytes.iter().all(letter)
}

/// A message, enum, service or extension begins with its name.
fn is_named(message: &[u8]) -> bool {
    let mut rest = message;
    let name = next(&mut rest);
    let named = matches!(
        name,
        Some(Field { number: 1, content: Content::Bytes(name) }) if is_identifier(name)
    );
    named && is_message(rest)
}

/// Fields one after another, to the last byte.
fn is_message(mut rest: &[u8]) -> bool {
    while !rest.is_empty() {
        if next(&mut rest).is_none() {
            return false;
        }
    }
    true
}

struct Field<'a> {
    number: u64,
    content: Content<'a>,
}

enum Content<'a> {
    Bytes(&'a [u8]),
    Number(u64),
    /// Of four or eight bytes, which no field here has; options may.
    Fixed,
}

fn next<'a>(rest: &mut &'a [u8]) -> Option<Field<'a>> {
    let tag = varint(rest)?;
    let number = tag >> 3;
    if number == 0 || number >= 1 << 29 {
        return None;
    }
    let content = match tag & 7 {
        VARINT => Content::Number(varint(rest)?),
        LENGTH_DELIMITED => {
            let length = usize::try_from(varint(rest)?).ok()?;
            Content::Bytes(take(rest, length)?)
        }
        1 => take(rest, 8).map(|_| Content::Fixed)?,
        5 => take(rest, 4).map(|_| Content::Fixed)?,
        _ => return None,
    };
    Some(Field { number, content })
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(taken)
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

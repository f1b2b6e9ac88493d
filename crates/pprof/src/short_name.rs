//! Function names without the directories of their package.
//!
//! Source: google/pprof, `internal/graph/graph.go`, `ShortenFunctionName`. Its
//! five regular expressions stand as comments above the functions that do the
//! same by hand.

use std::borrow::Cow;

/// Shortens a Go, Java or C++ function name as google/pprof does:
/// `github.com/acme/orders.(*Store).scan` becomes `orders.(*Store).scan`.
pub fn short_name(name: &str) -> Cow<'_, str> {
    let name = name.strip_prefix("(anonymous namespace)::").unwrap_or(name);
    let name = without_major_version(name);
    let shorter = match &name {
        Cow::Borrowed(name) => shorter(name).map(Cow::Borrowed),
        Cow::Owned(name) => shorter(name).map(|s| Cow::Owned(s.to_owned())),
    };
    shorter.unwrap_or(name)
}

fn shorter(name: &str) -> Option<&str> {
    go(name).or_else(|| java(name)).or_else(|| cpp(name))
}

/// `^(.*?)/v(?:[2-9]|[1-9][0-9]+)([./].*)$`: drops the first `/v2` of a module path.
fn without_major_version(name: &str) -> Cow<'_, str> {
    for (at, _) in name.match_indices("/v") {
        let (before, tail) = (name.get(..at), name.get(at + 2..));
        let (Some(before), Some(tail)) = (before, tail) else {
            break;
        };
        let digits = tail.bytes().take_while(u8::is_ascii_digit).count();
        let major = match tail.as_bytes() {
            [b'2'..=b'9', ..] if digits == 1 => true,
            [b'1'..=b'9', ..] => digits > 1,
            _ => false,
        };
        if let Some(after) = tail.get(digits..)
            && major
            && after.starts_with(['.', '/'])
        {
            return Cow::Owned(format!("{before}{after}"));
        }
    }
    Cow::Borrowed(name)
}

/// `^(?:[\w\-\.]+\/)+([^.]+\..+)`: as many directories as leave a `package.name`.
fn go(name: &str) -> Option<&str> {
    let mut found = None;
    let mut start = 0;
    for (slash, _) in name.match_indices('/') {
        let directory = name.get(start..slash)?;
        if directory.is_empty()
            || !directory
                .bytes()
                .all(|b| is_word(b) || b == b'-' || b == b'.')
        {
            break;
        }
        start = slash + 1;
        let rest = name.get(start..)?;
        if rest
            .find('.')
            .is_some_and(|dot| dot > 0 && dot + 1 < rest.len())
        {
            found = Some(rest);
        }
    }
    found
}

/// `^(?:[a-z]\w*\.)*([A-Z][\w\$]*\.(?:<init>|[a-z][\w\$]*(?:\$\d+)?))(?:(?:\()|$)`
fn java(name: &str) -> Option<&str> {
    let mut class = name;
    while class.starts_with(|c: char| c.is_ascii_lowercase()) {
        let end = class.bytes().take_while(|&b| is_word(b)).count();
        class = class.get(end..)?.strip_prefix('.')?;
    }
    if !class.starts_with(|c: char| c.is_ascii_uppercase()) {
        return None;
    }
    let in_name = |b: &u8| is_word(*b) || *b == b'$';
    let class_end = class.bytes().take_while(in_name).count();
    let method = class.get(class_end..)?.strip_prefix('.')?;
    let method_len = if method.starts_with("<init>") {
        "<init>".len()
    } else if method.starts_with(|c: char| c.is_ascii_lowercase()) {
        method.bytes().take_while(in_name).count()
    } else {
        return None;
    };
    let after = method.get(method_len..)?;
    (after.is_empty() || after.starts_with('('))
        .then(|| class.get(..class_end + 1 + method_len))
        .flatten()
}

/// `^(?:[_a-zA-Z]\w*::)+(_*[A-Z]\w*::~?[_a-zA-Z]\w*(?:<.*>)?)`
fn cpp(name: &str) -> Option<&str> {
    let mut found = None;
    let mut rest = name;
    while let Some(inner) = after_scope(rest) {
        found = cpp_method(inner).or(found);
        rest = inner;
    }
    found
}

/// What follows `ident::`.
fn after_scope(name: &str) -> Option<&str> {
    name.get(identifier(name)?..)?.strip_prefix("::")
}

fn cpp_method(name: &str) -> Option<&str> {
    if !name
        .trim_start_matches('_')
        .starts_with(|c: char| c.is_ascii_uppercase())
    {
        return None;
    }
    let method = after_scope(name)?;
    let bare = method.strip_prefix('~').unwrap_or(method);
    let after = bare.get(identifier(bare)?..)?;
    let template = match after.starts_with('<') {
        true => after.rfind('>').map_or(0, |close| close + 1),
        false => 0,
    };
    name.get(..name.len() - after.len() + template)
}

/// Length of the identifier at the start.
fn identifier(name: &str) -> Option<usize> {
    let starts = name.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic());
    starts.then(|| name.bytes().take_while(|&b| is_word(b)).count())
}

/// `\w` of Go's regular expressions.
fn is_word(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric()
}

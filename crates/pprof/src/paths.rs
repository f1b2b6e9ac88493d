//! Paths as Go's path/filepath treats them on Unix.

use std::borrow::Cow;

/// Go's `filepath.Clean` on Unix, except that an empty path stays empty.
pub fn clean(path: &str) -> Cow<'_, str> {
    let rooted = path.starts_with('/');
    let plain = |part: &str| !matches!(part, "" | "." | "..");
    let tail = path.strip_prefix('/').unwrap_or(path);
    if path.is_empty() || tail.split('/').all(plain) {
        return Cow::Borrowed(path);
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in tail.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|&p| p != "..") => _ = parts.pop(),
            ".." if rooted => {}
            _ => parts.push(part),
        }
    }
    match (rooted, parts.join("/")) {
        (true, joined) => Cow::Owned(format!("/{joined}")),
        (false, joined) if joined.is_empty() => Cow::Borrowed("."),
        (false, joined) => Cow::Owned(joined),
    }
}

/// `filepath.Base`.
pub(crate) fn base(path: &str) -> &str {
    let trimmed = path.trim_end_matches('/');
    match trimmed.rsplit('/').next() {
        _ if path.is_empty() => ".",
        Some(base) if !base.is_empty() => base,
        _ => "/",
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn paths_are_cleaned() {
        for (path, clean) in [
            ("", ""),
            ("/a/./b//c", "/a/b/c"),
            ("a/../..", ".."),
            ("/../a", "/a"),
            ("./", "."),
        ] {
            assert_eq!(super::clean(path), clean);
        }
    }
}

//! Which part of a source path a person does not want to see.
//!
//! Source: google/pprof, internal/report/source.go `trimPath`.

use crate::paths::base;

/// How many bytes to cut off the front of `path`; the two lists are separated by
/// colons. Without `trim_path`, everything up to the last directory of a
/// `source_path` is cut where the path passes through one of that name.
pub(super) fn trim(path: &str, trim_path: &str, source_path: &str) -> usize {
    if trim_path.is_empty() {
        for directory in split_list(source_path) {
            let wanted = format!("/{}/", base(&directory));
            if let Some(found) = path.find(&wanted) {
                return found + wanted.len();
            }
        }
    }
    let mut prefixes = split_list(trim_path);
    prefixes.extend(["/proc/self/cwd/./", "/proc/self/cwd/"].map(str::to_owned));
    for mut prefix in prefixes {
        if !prefix.ends_with('/') {
            prefix.push('/');
        }
        if path.starts_with(&prefix) {
            return prefix.len();
        }
    }
    0
}

/// `filepath.SplitList` on Unix.
pub(super) fn split_list(paths: &str) -> Vec<String> {
    match paths {
        "" => Vec::new(),
        paths => paths.split(':').map(str::to_owned).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::trim;

    #[test]
    fn prefixes_and_search_directories_are_cut() {
        assert_eq!(trim("/proc/self/cwd/a.c", "", ""), 15);
        assert_eq!(trim("/src/a/b.go", "/x:/src", ""), 5);
        assert_eq!(trim("/far/proj/foo/b.go", "", "/here/proj"), 10);
        assert_eq!(trim("/far/b.go", "", ""), 0);
    }
}

//! The lines around a place that an executable names.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use shakedown_evidence::SourceExcerpt;

use super::go_mod::module_in;

/// A longer line is cut: it is generated, or data.
const LINE_CHARS: usize = 200;
/// More lines are not shown, whatever is asked for.
const AROUND_MAX: u32 = 50;
/// A larger file is not source that anybody reads.
const FILE_MAX: u64 = 8 << 20;
/// What a stack may name. An executable says where its source is, and it must not make us copy
/// other files of this machine into a report.
const SOURCES: [&str; 6] = ["go", "rs", "s", "c", "cc", "h"];
/// Folders of Go's standard library, from `go list std`: a path without a dot in its first
/// element may also be a module of one's own, such as `orders`.
const STANDARD: [&str; 49] = [
    "archive",
    "bufio",
    "builtin",
    "bytes",
    "cmd",
    "cmp",
    "compress",
    "container",
    "context",
    "crypto",
    "database",
    "debug",
    "embed",
    "encoding",
    "errors",
    "expvar",
    "flag",
    "fmt",
    "go",
    "hash",
    "html",
    "image",
    "index",
    "internal",
    "io",
    "iter",
    "log",
    "maps",
    "math",
    "mime",
    "net",
    "os",
    "path",
    "plugin",
    "reflect",
    "regexp",
    "runtime",
    "slices",
    "sort",
    "strconv",
    "strings",
    "structs",
    "sync",
    "syscall",
    "testing",
    "text",
    "time",
    "unicode",
    "unsafe",
];

/// The lines around a place; nothing if the file cannot be found for certain, or ends before it.
///
/// `file` is as recorded in the executable: an absolute path, the form of `-trimpath`
/// (`module/path/file.go`, `module@version/path/file.go`), or a path below the root. An absolute
/// path of another machine (built in a container) is looked for below the root by its longest
/// suffix; files of the standard library and of other modules are not, since a file of the same
/// name would be shown in their place.
#[must_use]
pub fn excerpt(root: Option<&Path>, file: &str, line: u32, around: u32) -> Option<SourceExcerpt> {
    let path = locate(root, file)?;
    let text = read(&path)?;
    let around = around.min(AROUND_MAX);
    let first = line.saturating_sub(around).max(1);
    let wanted = usize::try_from(line.checked_add(around)? - first + 1).ok()?;
    let lines: Vec<String> = text
        .lines()
        .skip(usize::try_from(first - 1).ok()?)
        .take(wanted)
        .map(harmless)
        .collect();
    // The place itself must be there: line 0 is none.
    (line >= 1 && lines.len() > usize::try_from(line - first).ok()?).then(|| SourceExcerpt {
        file: file.to_owned(),
        line,
        first,
        lines,
    })
}

fn locate(root: Option<&Path>, file: &str) -> Option<PathBuf> {
    let recorded = Path::new(file);
    let extension = recorded.extension()?.to_str()?;
    if !SOURCES.contains(&extension) || file.split('/').any(|part| part == "..") {
        return None;
    }
    if recorded.is_absolute() && recorded.is_file() {
        return Some(recorded.to_owned());
    }
    let root = root?;
    let home = home(root);
    if !recorded.is_absolute() {
        let trimmed = trimmed(root, home.as_ref(), file);
        // A trimmed path begins with its module, so that one which is not ours is another's.
        let is_of_another = file.contains('@') || is_standard(file) || home.is_some();
        if trimmed.is_some() || is_of_another {
            return trimmed;
        }
    }
    let (searched, least) = if recorded.is_absolute() {
        (below_build_folder(file)?, 1)
    } else {
        // One name alone, without its folder, says too little.
        (file, 2)
    };
    let parts: Vec<&str> = searched
        .split('/')
        .filter(|part| !part.is_empty())
        .collect();
    (0..=parts.len().checked_sub(least)?)
        .map(|begin| root.join(parts[begin..].join("/")))
        .find(|path| path.is_file())
}

/// The Go module that the root belongs to.
struct Home {
    folder: PathBuf,
    module: String,
}

fn home(root: &Path) -> Option<Home> {
    root.ancestors().find_map(|folder| {
        let module = module_in(folder)?;
        let folder = folder.to_owned();
        Some(Home { folder, module })
    })
}

/// Resolves the forms that `-trimpath` leaves, and paths below the root.
fn trimmed(root: &Path, home: Option<&Home>, file: &str) -> Option<PathBuf> {
    let of_home = home.and_then(|home| in_module(home, file).or_else(|| vendored(home, file)));
    // The standard library has `internal` and `cmd` too, but hardly the same file within.
    let may_be_ours =
        !is_standard(file) || file.starts_with("internal/") || file.starts_with("cmd/");
    let below_root = may_be_ours.then(|| root.join(file));
    of_home.or_else(|| below_root.filter(|path| path.is_file()))
}

/// `module/path/file.go`, and `module@version/path/file.go` as `go install` leaves it.
fn in_module(home: &Home, file: &str) -> Option<PathBuf> {
    let (version, rest) = file.strip_prefix(&home.module)?.split_once('/')?;
    let path = home.folder.join(rest);
    ((version.is_empty() || version.starts_with('@')) && path.is_file()).then_some(path)
}

fn vendored(home: &Home, file: &str) -> Option<PathBuf> {
    let (module, rest) = file.split_once('@')?;
    let (_, rest) = rest.split_once('/')?;
    let path = home.folder.join("vendor").join(module).join(rest);
    path.is_file().then_some(path)
}

/// What follows the folder of another machine in which the service was built; nothing for a file
/// of the toolchain or of the module cache there.
fn below_build_folder(file: &str) -> Option<&str> {
    if file.contains('@') {
        return None;
    }
    // `/usr/local/go/src/net/http/server.go`, `…/sdk/go1.26.8/src/…`; but `/go/src/app/main.go`
    // is a service in the image's GOPATH.
    let standard = file.match_indices("/src/").any(|(at, src)| {
        let parent = file[..at].rsplit('/').next().unwrap_or_default();
        parent.starts_with("go") && is_standard(&file[at + src.len()..])
    });
    (!standard).then_some(file)
}

fn is_standard(file: &str) -> bool {
    let first = file.split('/').next().unwrap_or_default();
    file.contains('/') && STANDARD.contains(&first)
}

fn read(path: &Path) -> Option<String> {
    // A pipe or a device would block the reader or never end.
    if !path.metadata().ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    let file = File::open(path).ok()?;
    file.take(FILE_MAX + 1).read_to_end(&mut bytes).ok()?;
    let fits = bytes.len() as u64 <= FILE_MAX;
    fits.then(|| String::from_utf8_lossy(&bytes).into_owned())
}

/// Cuts a line and replaces what would move a terminal's cursor or the order of the text.
fn harmless(line: &str) -> String {
    let shown = |char: char| match char {
        '\t' => char,
        _ if char.is_control() || is_invisible(char) => char::REPLACEMENT_CHARACTER,
        _ => char,
    };
    line.chars().take(LINE_CHARS).map(shown).collect()
}

/// Marks that reorder or hide text (CVE-2021-42574).
const fn is_invisible(char: char) -> bool {
    matches!(
        char,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
    )
}

#[cfg(test)]
#[path = "excerpt_tests.rs"]
mod tests;

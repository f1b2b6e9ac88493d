//! Places in Go source, short enough for a line and long enough to be found.

use shakedown_findings::Location;

/// First path elements of Go's standard library. A place in it is named without file and line:
/// nobody mends it there.
const STANDARD: &[&str] = &[
    "archive",
    "bufio",
    "bytes",
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
    "unique",
    "unsafe",
    "vendor",
    "weak",
];

/// The function with the last element of its package's path: `store.(*Store).scan`.
pub(crate) fn short_function(function: &str) -> &str {
    let path_end = function.find(['(', '[']).unwrap_or(function.len());
    let Some(slash) = function[..path_end].rfind('/') else {
        return function;
    };
    let last = &function[slash + 1..];
    if !is_major_version(last) {
        return last;
    }
    // `example.com/store/v2.Open` would read as `v2.Open`.
    let before = function[..slash].rfind('/').map_or(0, |slash| slash + 1);
    &function[before..]
}

/// Whether the function belongs to Go itself.
pub(crate) fn is_standard(function: &str) -> bool {
    let first = function.split(['/', '.']).next().unwrap_or(function);
    // `go.uber.org/zap` begins with the name of a standard folder, but has a dot before a slash.
    let package = package(function);
    let domain = package.split('/').next().unwrap_or(package).contains('.');
    !domain && STANDARD.contains(&first)
}

/// Whether the function belongs to the main module, with or without a version behind it.
pub(crate) fn is_inside(function: &str, module: Option<&str>) -> bool {
    let package = package(function);
    let module = module.and_then(|module| module.split_whitespace().next());
    let below = module.and_then(|module| package.strip_prefix(module));
    package == "main" || below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// `file:line` with the file's last element only.
pub(crate) fn file_line(location: &Location) -> Option<String> {
    let file = location.file.as_deref()?;
    Some(with_line(base(file), location.line))
}

/// `path:line` with the path from the module's root where it is known, else its last two
/// elements. `module` is the main module, with or without a version behind it.
pub(crate) fn source(location: &Location, module: Option<&str>) -> Option<String> {
    let file = location.file.as_deref()?;
    let module = module.and_then(|module| module.split_whitespace().next());
    let function = location.function.as_deref().unwrap_or_default();
    let path = module
        .and_then(|module| inside_module(file, function, module))
        .unwrap_or_else(|| last_two(file).to_owned());
    Some(with_line(&path, location.line))
}

/// A `function file:line` frame in three parts, the last two short: what stands before the
/// function (`created by `), the function, and the place.
pub(crate) fn frame(frame: &str) -> (&str, &str, &str) {
    const CREATED: &str = "created by ";
    let frame = frame.trim();
    let (before, frame) = match frame.strip_prefix(CREATED) {
        Some(rest) => (CREATED, rest),
        None => ("", frame),
    };
    match frame.rsplit_once(char::is_whitespace) {
        Some((function, place)) => (before, short_function(function.trim_end()), last_two(place)),
        None => (before, short_function(frame), ""),
    }
}

fn inside_module(file: &str, function: &str, module: &str) -> Option<String> {
    let below = |path: &str| -> Option<String> {
        let rest = path.strip_prefix(module)?;
        (rest.is_empty() || rest.starts_with('/')).then(|| rest.trim_matches('/').to_owned())
    };
    if let Some(folder) = below(package(function)) {
        let gap = if folder.is_empty() { "" } else { "/" };
        return Some(format!("{folder}{gap}{}", base(file)));
    }
    below(file).filter(|path| !path.is_empty())
}

/// The import path of a function's package; empty where there is none.
fn package(function: &str) -> &str {
    let end = function.find(['(', '[']).unwrap_or(function.len());
    let path = &function[..end];
    let name = path.rfind('/').map_or(0, |slash| slash + 1);
    path[name..].find('.').map_or("", |dot| &path[..name + dot])
}

fn is_major_version(name: &str) -> bool {
    let package = name.split('.').next().unwrap_or(name);
    package
        .strip_prefix('v')
        .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

fn base(file: &str) -> &str {
    file.rsplit('/').next().unwrap_or(file)
}

fn last_two(file: &str) -> &str {
    let mut slashes = file.rmatch_indices('/').map(|(at, _)| at);
    match (slashes.next(), slashes.next()) {
        (Some(_), Some(second)) => &file[second + 1..],
        _ => file,
    }
}

fn with_line(path: &str, line: Option<u32>) -> String {
    line.map_or_else(|| path.to_owned(), |line| format!("{path}:{line}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(function: &str, file: &str) -> Location {
        Location {
            function: Some(function.into()),
            file: Some(file.into()),
            line: Some(57),
        }
    }

    #[test]
    fn functions_keep_one_element_of_their_path() {
        assert_eq!(
            short_function("example.com/orders/store.(*Store).scan"),
            "store.(*Store).scan"
        );
        assert_eq!(short_function("example.com/kv/v2.Open"), "kv/v2.Open");
        assert_eq!(short_function("main.main.func1"), "main.main.func1");
        assert_eq!(
            short_function("example.com/a/set.Map[go.shape.struct { example.com/b.C }]"),
            "set.Map[go.shape.struct { example.com/b.C }]"
        );
        assert_eq!(short_function(""), "");
        assert_eq!(short_function("/"), "");
    }

    #[test]
    fn the_standard_library_is_known() {
        assert!(is_standard("runtime.mallocgc"));
        assert!(is_standard("encoding/json.(*decodeState).literalStore"));
        assert!(!is_standard("go.uber.org/zap.(*Logger).Info"));
        assert!(!is_standard("main.main"));
        assert!(!is_standard("orders/internal/store.Open"));
    }

    #[test]
    fn the_main_module_is_known() {
        let module = Some("example.com/orders v1.2.0");
        assert!(is_inside("example.com/orders/store.(*Store).scan", module));
        assert!(is_inside("example.com/orders.Run", module));
        assert!(is_inside("main.main.func1", None));
        assert!(!is_inside("example.com/orders2.Run", module));
        assert!(!is_inside("google.golang.org/grpc.(*Server).serve", module));
        assert!(!is_inside("time.Sleep", None));
    }

    #[test]
    fn files_are_named_from_the_module_root() {
        let module = Some("example.com/orders v1.2.0");
        let search = at(
            "example.com/orders/internal.(*Server).Search",
            "/home/dev/orders/internal/search.go",
        );
        assert_eq!(
            source(&search, module).as_deref(),
            Some("internal/search.go:57")
        );
        let main = at("main.run", "/home/dev/orders/cmd/orders/main.go");
        assert_eq!(source(&main, module).as_deref(), Some("orders/main.go:57"));
        let trimmed = at("main.run", "example.com/orders/cmd/orders/main.go");
        assert_eq!(
            source(&trimmed, module).as_deref(),
            Some("cmd/orders/main.go:57")
        );
        let root = at("example.com/orders.Run", "/x/run.go");
        assert_eq!(source(&root, module).as_deref(), Some("run.go:57"));
    }

    #[test]
    fn frames_are_split_at_the_place() {
        assert_eq!(
            frame("example.com/orders/internal.(*Server).Search /src/internal/search.go:57"),
            ("", "internal.(*Server).Search", "internal/search.go:57")
        );
        assert_eq!(
            frame("created by example.com/orders.Run run.go:9"),
            ("created by ", "orders.Run", "run.go:9")
        );
        assert_eq!(frame("time.Sleep"), ("", "time.Sleep", ""));
        assert_eq!(frame(""), ("", "", ""));
    }
}

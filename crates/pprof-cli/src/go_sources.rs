//! Where the source files of Go programs are, if they are not where the profile says.
//!
//! A program built with `-trimpath` names files by module and version
//! (`github.com/x/y@v1.2.3/z.go`), one built on another machine by that machine's folders. Both
//! have a place here: the module cache (upper case is written `!x` there), `GOROOT`, the vendor
//! folder and the module that is worked on.
//!
//! Only where the original finds nothing: what it finds, we show.

use std::collections::HashSet;

use crate::World;

/// Where systems install Go whose `go` on the path is a link, or lies apart.
const GOROOTS: [&str; 3] = ["/usr/local/go", "/usr/lib/go", "/usr/lib/golang"];

/// The folders to look in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Places {
    /// Installations of Go.
    goroots: Vec<String>,
    module_cache: Option<String>,
    /// Modules that are worked on: their folder and path.
    modules: Vec<(String, String)>,
}

impl Places {
    /// Looks around: the environment, and `go.mod` in the folders of `search_path` and above.
    pub(crate) fn of(search_path: &str, world: &mut dyn World) -> Self {
        let written = written_environment(world);
        let env = |name: &str, world: &dyn World| {
            let set = world.env(name).filter(|value| !value.is_empty());
            let line = || {
                written
                    .lines()
                    .find_map(|l| l.strip_prefix(name)?.strip_prefix('='))
            };
            set.or_else(|| line().map(str::to_owned))
        };
        let home = || world.env("HOME").map(|home| format!("{home}/go"));
        let path = env("GOPATH", world).or_else(home);
        let first = path.as_deref().and_then(|path| path.split(':').next());
        let module_cache = env("GOMODCACHE", world).or(first.map(|f| format!("{f}/pkg/mod")));
        let mut goroots: Vec<String> = env("GOROOT", world).into_iter().collect();
        let on_path = world.env("PATH").unwrap_or_default();
        for folder in on_path.split(':').filter(|folder| !folder.is_empty()) {
            if world.exists(&format!("{folder}/go")) {
                goroots.extend(folder.strip_suffix("/bin").map(str::to_owned));
                goroots.extend(GOROOTS.map(str::to_owned));
            }
        }
        goroots.retain(|root| world.exists(&format!("{root}/src/runtime/proc.go")));
        let mut seen = HashSet::new();
        goroots.retain(|root| seen.insert(root.clone()));
        let folders = search_path.split(':').filter(|folder| !folder.is_empty());
        let modules = folders
            .filter_map(|folder| module_above(folder, world))
            .collect();
        Places {
            goroots,
            module_cache,
            modules,
        }
    }

    /// Paths that a file may have here, the surest first.
    pub(crate) fn candidates(&self, path: &str) -> Vec<String> {
        // A profile is written by anybody: it leads below the places, and nowhere else.
        if path.split('/').any(|part| part == "..") {
            return Vec::new();
        }
        let mut found = Vec::new();
        // What cgo compiled with -trimpath: C compilers want an absolute path.
        let trimmed = path.strip_prefix("/_/").unwrap_or(path);
        if trimmed.starts_with('/') {
            if let Some((_, rest)) = trimmed.rsplit_once("/pkg/mod/") {
                found.extend(self.cached(rest));
            }
            if let Some(rest) = below_goroot(trimmed) {
                found.extend(self.standard(rest));
            }
            return found;
        }
        if let Some(rest) = trimmed.strip_prefix("GOROOT/src/") {
            return self.standard(rest).collect();
        }
        if let Some((module, version, rest)) = versioned(trimmed) {
            let escaped = format!("{}@{}/{rest}", escaped(module), escaped(version));
            found.extend(self.cached(&escaped));
            found.extend(self.vendored(&format!("{module}/{rest}")));
            return found;
        }
        for (folder, module) in &self.modules {
            let rest = trimmed.strip_prefix(module.as_str());
            if let Some(rest) = rest.and_then(|rest| rest.strip_prefix('/')) {
                found.push(format!("{folder}/{rest}"));
            }
        }
        let in_vendor = trimmed.strip_prefix("vendor/").unwrap_or(trimmed);
        found.extend(self.vendored(in_vendor));
        found.extend(self.standard(trimmed));
        found
    }

    /// True for a file of an installation of Go: it may be another version than the program's.
    pub(crate) fn is_standard(&self, path: &str) -> bool {
        let below = |root: &String| path.strip_prefix(root.as_str());
        self.goroots
            .iter()
            .filter_map(below)
            .any(|rest| rest.starts_with("/src/"))
    }

    fn cached(&self, rest: &str) -> Option<String> {
        Some(format!("{}/{rest}", self.module_cache.as_ref()?))
    }

    fn standard(&self, rest: &str) -> impl Iterator<Item = String> {
        self.goroots
            .iter()
            .map(move |root| format!("{root}/src/{rest}"))
    }

    fn vendored(&self, rest: &str) -> impl Iterator<Item = String> {
        let folders = self.modules.iter();
        folders.map(move |(folder, _)| format!("{folder}/vendor/{rest}"))
    }
}

/// What `go env -w` wrote.
fn written_environment(world: &mut dyn World) -> String {
    let own = world.env("GOENV");
    let file = own.or_else(|| {
        let folder = world
            .env("XDG_CONFIG_HOME")
            .filter(|folder| !folder.is_empty());
        let folder = folder.or_else(|| Some(format!("{}/.config", world.env("HOME")?)));
        Some(format!("{}/go/env", folder?))
    });
    let bytes = file.and_then(|file| world.read(&file).ok());
    String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned()
}

/// The module that a folder belongs to: where its `go.mod` is, and its path.
fn module_above(folder: &str, world: &mut dyn World) -> Option<(String, String)> {
    let folder = match folder.starts_with('/') {
        true => folder.to_owned(),
        false => format!("{}/{folder}", world.working_directory()),
    };
    let folder = shakedown_pprof::clean_path(&folder).into_owned();
    let mut above = folder.as_str();
    loop {
        if let Ok(bytes) = world.read(&format!("{above}/go.mod")) {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let line = text
                .lines()
                .find_map(|line| line.trim().strip_prefix("module "));
            let module = line?
                .split("//")
                .next()?
                .trim()
                .trim_matches('"')
                .to_owned();
            return Some((above.to_owned(), module));
        }
        above = above.rsplit_once('/').map(|(parent, _)| parent)?;
    }
}

/// What follows `src/` in a path through an installation of Go somewhere.
fn below_goroot(path: &str) -> Option<&str> {
    let (root, rest) = path.split_once("/src/")?;
    let name = root.rsplit('/').next()?;
    // go, go1.26.8, golang, toolchain@v0.0.1-go1.26.8.linux-amd64, and what Homebrew makes.
    let is_root = name.starts_with("go") || name.starts_with("toolchain@") || name == "libexec";
    is_root.then_some(rest)
}

/// Module, version, and the file within.
fn versioned(path: &str) -> Option<(&str, &str, &str)> {
    let (module, rest) = path.split_once('@')?;
    let (version, rest) = rest.split_once('/')?;
    Some((module, version, rest))
}

/// As the module cache writes names, for disks that do not tell upper from lower case.
///
/// Source: golang.org/x/mod/module, `EscapePath`.
fn escaped(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            out.push('!');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, candidates: &[&str]) {
        let places = Places {
            goroots: vec!["/usr/local/go".to_owned()],
            module_cache: Some("/home/me/go/pkg/mod".to_owned()),
            modules: vec![(
                "/home/ann/orders".to_owned(),
                "example.org/orders".to_owned(),
            )],
        };
        assert_eq!(places.candidates(path), candidates, "{path}");
    }

    #[test]
    fn versions_lead_to_the_module_cache_and_to_vendor() {
        check(
            "github.com/BurntSushi/toml@v1.4.0-RC1/Decode.go",
            &[
                "/home/me/go/pkg/mod/github.com/!burnt!sushi/toml@v1.4.0-!r!c1/Decode.go",
                "/home/ann/orders/vendor/github.com/BurntSushi/toml/Decode.go",
            ],
        );
        check(
            "/_/github.com/mattn/go-sqlite3@v1.14.0/sqlite3.c",
            &[
                "/home/me/go/pkg/mod/github.com/mattn/go-sqlite3@v1.14.0/sqlite3.c",
                "/home/ann/orders/vendor/github.com/mattn/go-sqlite3/sqlite3.c",
            ],
        );
        check(
            "/ci/go/pkg/mod/github.com/!burnt!sushi/toml@v1.4.0/decode.go",
            &["/home/me/go/pkg/mod/github.com/!burnt!sushi/toml@v1.4.0/decode.go"],
        );
    }

    #[test]
    fn the_standard_library_is_in_goroot() {
        check(
            "net/http/server.go",
            &[
                "/home/ann/orders/vendor/net/http/server.go",
                "/usr/local/go/src/net/http/server.go",
            ],
        );
        for root in [
            "/usr/lib/go-1.22",
            "/home/ann/sdk/go1.21.0",
            "/opt/brew/go/1.2/libexec",
        ] {
            let path = format!("{root}/src/sort/sort.go");
            check(&path, &["/usr/local/go/src/sort/sort.go"]);
        }
        let cgo = "/_/GOROOT/src/runtime/cgo/gcc_util.c";
        check(cgo, &["/usr/local/go/src/runtime/cgo/gcc_util.c"]);
        check("/home/ci/src/sort/sort.go", &[]);
    }

    #[test]
    fn the_module_that_is_worked_on_comes_first() {
        check(
            "example.org/orders/cmd/main.go",
            &[
                "/home/ann/orders/cmd/main.go",
                "/home/ann/orders/vendor/example.org/orders/cmd/main.go",
                "/usr/local/go/src/example.org/orders/cmd/main.go",
            ],
        );
        check(
            "/_/vendor/github.com/x/y.c",
            &[
                "/home/ann/orders/vendor/github.com/x/y.c",
                "/usr/local/go/src/vendor/github.com/x/y.c",
            ],
        );
    }

    #[test]
    fn nothing_leads_out_of_the_places() {
        for path in [
            "a/../../../etc/passwd",
            "x@v1/../../secret",
            "/ci/pkg/mod/../../etc/x",
        ] {
            check(path, &[]);
        }
        check("/etc/passwd", &[]);
    }
}

//! Tasks of Rust services, as shakedown-kit shows them in the form of Go's goroutine dumps.
//!
//! A task that the kit runs for a connection or a request is called so, and has the request's name as a
//! label: `rpc` with its method, or `route` with its method and path, ids taken out. Tasks that the
//! handler spawned have the labels, too, but are called after their function: they may run on after
//! the request, and are not its handler.

use serde::{Deserialize, Serialize};
use shakedown_pprof::goroutine::Label;

use crate::run::path_of;
use crate::{BuildInfo, Evidence, Frame, RequestKind};

/// What the kit calls the tasks in which handlers run: of an HTTP/1 connection, and of an HTTP/2
/// request.
const HANDLERS: [&str; 2] = ["kit::connection", "kit::request"];
/// The longest label that the kit writes; one of this length may have been cut.
const LABEL_MAX: usize = 128;
/// What stands in a route for an id.
const ID: &str = "{}";

/// The request that a task works for, by its label.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Serves {
    /// `package.Service/Method`.
    Rpc(String),
    /// `GET /orders/{}`.
    Route(String),
}

/// The request whose handler this task is, if it is one. Labels of other tasks, and of goroutines,
/// say nothing of that.
pub(crate) fn serves(frames: &[Frame], labels: &[Label]) -> Option<Serves> {
    let root = frames.last()?;
    if !HANDLERS.contains(&root.function.as_str()) {
        return None;
    }
    let label = |key: &str| {
        let found = labels.iter().find(|label| &*label.key == key)?;
        Some(found.value.to_string())
    };
    label("rpc")
        .map(Serves::Rpc)
        .or_else(|| label("route").map(Serves::Route))
}

impl Serves {
    /// Whether this is the request that was asked.
    #[must_use]
    pub fn is(&self, request: &RequestKind) -> bool {
        match (self, request) {
            (Self::Rpc(name), RequestKind::Grpc { method, .. }) => name == method,
            (Self::Route(route), RequestKind::Http { method, target, .. }) => {
                let verb_and_path = route.split_once(' ');
                verb_and_path.is_some_and(|(verb, path)| {
                    verb == method && is_route(path, path_of(target), route.len() >= LABEL_MAX)
                })
            }
            _ => false,
        }
    }
}

/// `/orders/{}` stands for `/orders/7`; what was cut stands for all that begins so.
fn is_route(route: &str, path: &str, is_cut: bool) -> bool {
    let mut parts = path.split('/');
    let mut patterns = route.split('/').peekable();
    while let Some(pattern) = patterns.next() {
        let Some(part) = parts.next() else {
            return false;
        };
        if is_cut && patterns.peek().is_none() {
            return true;
        }
        if pattern != ID && pattern != part {
            return false;
        }
    }
    parts.next().is_none()
}

impl Evidence {
    /// The service is written in Rust: its executable says so or, where nobody could read that, what
    /// its tasks are called.
    #[must_use]
    pub fn is_rust(&self) -> bool {
        match &self.build {
            Some(build) => build.rust.is_some(),
            None => {
                let roots = self.stacks.iter().filter_map(crate::Stack::root);
                let mut roots = roots.map(|frame| frame.function.as_str());
                roots.any(|root| root.starts_with("kit::"))
            }
        }
    }
}

/// A function of Rust: no function of Go has two colons in its name.
#[must_use]
pub fn is_rust(function: &str) -> bool {
    function.contains("::")
}

/// Whether a frame of Rust is the service's own code: in the crate that the executable is called
/// after, or in a file that no registry and no toolchain brought.
#[must_use]
pub fn is_own(frame: &Frame, build: Option<&BuildInfo>) -> bool {
    /// Whatever their files are called: they are inlined everywhere, or part of the kit.
    const NEVER: [&str; 5] = ["core", "std", "alloc", "kit", "shakedown_kit"];
    const BROUGHT: [&str; 4] = [
        "/registry/src/",
        "/git/checkouts/",
        "/rustc/",
        "/rustlib/src/",
    ];
    let name = crate_of(&frame.function);
    if NEVER.contains(&name) || is_generated(&frame.file) {
        return false;
    }
    let program = build.map(|build| build.executable.as_str());
    let program = program.and_then(|path| path.rsplit('/').next());
    if program.is_some_and(|program| program.replace('-', "_") == name) {
        return true;
    }
    let file = frame.file.as_str();
    file.ends_with(".rs") && !BROUGHT.iter().any(|part| file.contains(part))
}

/// Files that prost and tonic generate: called after a package with its version, or made by a build
/// script.
fn is_generated(file: &str) -> bool {
    let base = file.rsplit('/').next().unwrap_or(file);
    base.matches('.').count() > 1 || (file.contains("/build/") && file.contains("/out/"))
}

/// `orders` of `orders::api::find`, of `<orders::api::Orders as tonic::Orders>::get` and of
/// `<&mut orders::api::Orders as Future>::poll`.
fn crate_of(function: &str) -> &str {
    let inside = function.trim_start_matches(['<', '&', '*', '(', '[', ' ']);
    let inside = ["mut ", "dyn ", "const "]
        .iter()
        .fold(inside, |rest, word| rest.strip_prefix(word).unwrap_or(rest));
    let end = inside
        .find(|letter: char| !letter.is_alphanumeric() && letter != '_')
        .unwrap_or(inside.len());
    &inside[..end]
}

/// What a waiting task waits for, by the library's function that parks it: in the words of Go's
/// dumps, where there is one.
#[must_use]
pub fn waits_for(frames: &[Frame]) -> Option<&'static str> {
    /// Part of a function's name, and the word for it.
    const LEAVES: [(&str, &str); 11] = [
        ("kit::running", "a call that does not await"),
        ("kit::runnable", "the queue for a busy worker"),
        ("tokio::time::", "sleep"),
        ("::mpsc::", "chan receive"),
        ("::broadcast::", "chan receive"),
        ("::oneshot::", "chan receive"),
        ("::watch::", "chan receive"),
        ("::notify::", "chan receive"),
        ("::batch_semaphore::", "semacquire"),
        ("::runtime::io::", "IO wait"),
        ("::task::join::", "join"),
    ];
    frames.iter().find_map(|frame| {
        let leaf = LEAVES
            .iter()
            .find(|(part, _)| frame.function.contains(part));
        leaf.map(|(_, word)| *word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(function: &str, file: &str) -> Frame {
        Frame {
            function: function.into(),
            file: file.into(),
            line: 1,
        }
    }

    fn label(key: &str, value: &str) -> Label {
        Label {
            key: key.into(),
            value: value.into(),
        }
    }

    #[test]
    fn a_handler_is_known_by_its_task_and_its_label() {
        let rpc = [label("trace_id", "7"), label("rpc", "a.v1.A/Get")];
        let of = |root: &str| serves(&[frame("orders::get", ""), frame(root, "")], &rpc);
        let get = Some(Serves::Rpc("a.v1.A/Get".into()));
        assert_eq!(of("kit::connection"), get);
        assert_eq!(of("kit::request"), get);
        // What a handler has spawned inherits its labels, and so do goroutines of pprof.Do.
        assert_eq!(of("orders::audit"), None);
        assert_eq!(of("main.handle"), None);
        assert_eq!(serves(&[], &rpc), None);
        assert_eq!(serves(&[frame("kit::request", "")], &[]), None);
    }

    #[test]
    fn a_route_stands_for_the_paths_with_its_ids() {
        let is = |route: &str, target: &str| {
            let asked = RequestKind::Http {
                method: "GET".into(),
                target: target.into(),
                body: String::new(),
            };
            Serves::Route(route.into()).is(&asked)
        };
        assert!(is("GET /orders/{}", "/orders/7"));
        assert!(is(
            "GET /orders/{}",
            "http://127.0.0.1:8080/orders/7?full=1"
        ));
        assert!(is("GET /", "/"));
        assert!(!is("POST /orders/{}", "/orders/7"));
        assert!(!is("GET /orders/{}", "/orders/7/lines"));
        assert!(!is("GET /orders/{}/lines", "/orders/7"));
        assert!(!is("GET", "/orders/7"));
        let long = format!("/{}", "a/".repeat(90));
        let cut: String = format!("GET {long}").chars().take(LABEL_MAX).collect();
        assert!(is(&cut, &long), "{cut}");
        let rpc = RequestKind::Grpc {
            method: "a.v1.A/Get".into(),
            data: String::new(),
        };
        assert!(Serves::Rpc("a.v1.A/Get".into()).is(&rpc));
        assert!(!Serves::Rpc("a.v1.A/List".into()).is(&rpc));
        assert!(!Serves::Route("GET /".into()).is(&rpc));
    }

    #[test]
    fn own_code_is_neither_a_librarys_nor_the_kits() {
        let build = BuildInfo {
            executable: "/app/order-book".into(),
            ..BuildInfo::default()
        };
        let own = |function: &str, file: &str| is_own(&frame(function, file), Some(&build));
        assert!(own("orders::api::find", "/src/orders/src/api.rs"));
        assert!(own("order_book::serve", ""), "by the executable's name");
        let out = "/src/target/debug/build/order-book-1f/out/orders.rs";
        assert!(!own("order_book::pb::Client::get", "src/pb/orders.v1.rs"));
        assert!(!own("order_book::pb::Client::get", out));
        assert!(own("<order_book::Orders as pb::Orders>::get", "?"));
        let registry =
            "/home/ann/.cargo/registry/src/index.crates.io-1/tokio-1.54.1/src/time/sleep.rs";
        assert!(!own("tokio::time::sleep::Sleep::poll", registry));
        assert!(own("order_book::wait", registry), "a macro of a library");
        assert!(!own(
            "<tokio::time::Sleep as core::future::Future>::poll",
            "?"
        ));
        assert!(!own(
            "kit::connection",
            "crates/kit/src/lifecycle/connections.rs"
        ));
        assert!(!own(
            "<&mut core::slice::Iter<T>>::next",
            "/src/orders/src/api.rs"
        ));
        assert!(!own(
            "std::thread::sleep",
            "/rustc/59807616e1/library/std/src/thread/mod.rs"
        ));
    }

    #[test]
    fn what_a_task_waits_for_is_said_in_gos_words() {
        let wait = |functions: &[&str]| {
            let frames: Vec<Frame> = functions.iter().map(|name| frame(name, "")).collect();
            waits_for(&frames)
        };
        let sleep = "<tokio::time::sleep::Sleep as core::future::future::Future>::poll";
        assert_eq!(
            wait(&["x::register", sleep, "orders::audit"]),
            Some("sleep")
        );
        assert_eq!(wait(&["orders::audit"]), None);
        assert_eq!(wait(&["main.main"]), None);
    }
}

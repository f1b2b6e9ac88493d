//! Which goroutines of a snapshot stand in the handler of a request.
//!
//! gRPC handlers are known by the frame that protoc-gen-go-grpc generates,
//! `<package>._<Service>_<Method>_Handler`. HTTP handlers have no such name: every goroutine that
//! net/http has handed a request to counts, except those that serve pprof itself; the audits run
//! while nobody else sends requests.
//!
//! Services in Rust have neither; the tasks of shakedown-kit name their request ([`crate::task`]).

use crate::{BuildInfo, Evidence, Frame, GoroutineGroup, RequestKind, Snapshot, Stack, task};

/// How many goroutines stand in the handler of a request.
#[must_use]
pub fn running(seen: &Evidence, snapshot: &Snapshot, request: &RequestKind) -> u64 {
    groups(seen, snapshot, request)
        .map(|(group, _)| group.count)
        .sum()
}

/// The groups of a snapshot that stand in the handler of a request.
pub fn groups<'a>(
    seen: &'a Evidence,
    snapshot: &'a Snapshot,
    request: &'a RequestKind,
) -> impl Iterator<Item = (&'a GoroutineGroup, &'a Stack)> {
    let known = |group: &'a GoroutineGroup| Some((group, seen.stacks.get(group.stack)?));
    let groups = snapshot.groups.iter().filter_map(known);
    groups.filter(|(_, stack)| stands_in(stack, request))
}

fn stands_in(stack: &Stack, request: &RequestKind) -> bool {
    if let Some(serves) = &stack.serves {
        return serves.is(request);
    }
    match request {
        RequestKind::Grpc { method, .. } => {
            let suffix = grpc_handler(method);
            stack.any(|function| is_generated_handler(function, &suffix))
        }
        RequestKind::Http { .. } => serves_http(stack),
    }
}

/// `_Orders_Search_Handler` for `orders.v1.Orders/Search`.
fn grpc_handler(method: &str) -> String {
    let (service, name) = method.rsplit_once('/').unwrap_or(("", method));
    let service = service.rsplit('.').next().unwrap_or(service);
    format!("_{service}_{name}_Handler")
}

/// The frame itself or a closure in it (interceptors call the method through one).
fn is_generated_handler(function: &str, suffix: &str) -> bool {
    let Some(at) = function.find(suffix) else {
        return false;
    };
    let before_is_package = at > 0 && function.as_bytes()[at - 1] == b'.';
    let rest = &function[at + suffix.len()..];
    before_is_package && (rest.is_empty() || rest.starts_with('.'))
}

fn serves_http(stack: &Stack) -> bool {
    let serving = stack.any(|function| {
        function == "net/http.serverHandler.ServeHTTP"
            || function.ends_with("erverConn).runHandler")
    });
    // gRPC over ServeHTTP is not an HTTP handler of the service's own; pprof is our own request.
    serving
        && !stack.any(|function| {
            function.starts_with("net/http/pprof.") || function.starts_with("runtime/pprof.")
        })
}

/// The frames of the service's own code, leaf first: neither the standard library, nor linked
/// modules, nor generated handlers.
pub fn own_frames<'a>(
    stack: &'a Stack,
    build: Option<&'a BuildInfo>,
) -> impl Iterator<Item = &'a Frame> {
    stack
        .frames
        .iter()
        .filter(move |frame| is_own(frame, build))
}

/// Whether a frame is the service's own code: in package main, or below the main module's path; of
/// Rust, what [`task::is_own`] says.
#[must_use]
pub fn is_own(frame: &Frame, build: Option<&BuildInfo>) -> bool {
    if task::is_rust(&frame.function) {
        return task::is_own(frame, build);
    }
    let package = package_of(&frame.function);
    if package == "main" {
        return true;
    }
    let Some(main) = build.and_then(|build| build.main.as_ref()) else {
        return false;
    };
    let below = package.strip_prefix(main.path.as_str());
    below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) && !is_generated(&frame.file)
}

fn is_generated(file: &str) -> bool {
    file.ends_with(".pb.go") || file.ends_with(".connect.go")
}

/// The import path of a function as the runtime prints it: `a/b.(*T).M` is in `a/b`.
#[must_use]
pub fn package_of(function: &str) -> &str {
    let tail = function.rfind('/').map_or(0, |slash| slash + 1);
    let dot = function[tail..]
        .find('.')
        .map_or(function.len(), |dot| tail + dot);
    &function[..dot]
}

/// The function that handles the request, as far as the stack shows it: the service's own frame
/// nearest to the server that called it.
#[must_use]
pub fn handler_frame<'a>(stack: &'a Stack, build: Option<&'a BuildInfo>) -> Option<&'a Frame> {
    let is_server = |frame: &Frame| {
        matches!(
            frame.function.as_str(),
            "net/http.HandlerFunc.ServeHTTP" | "net/http.(*ServeMux).ServeHTTP"
        ) || frame.function.contains("_Handler")
    };
    let innermost = stack.frames.iter().position(is_server);
    let inside = &stack.frames[..innermost.unwrap_or(stack.frames.len())];
    let own = |frame: &&Frame| is_own(frame, build);
    inside
        .iter()
        .rev()
        .find(own)
        .or_else(|| stack.frames.iter().rev().find(own))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Module;

    fn stack(functions: &[&str]) -> Stack {
        let frame = |function: &&str| Frame {
            function: (*function).into(),
            file: "x.go".into(),
            line: 1,
        };
        Stack {
            frames: functions.iter().map(frame).collect(),
            ..Stack::default()
        }
    }

    fn grpc(method: &str) -> RequestKind {
        RequestKind::Grpc {
            method: method.into(),
            data: String::new(),
        }
    }

    fn http() -> RequestKind {
        RequestKind::Http {
            method: "GET".into(),
            target: "/".into(),
            body: String::new(),
        }
    }

    #[test]
    fn a_generated_handler_and_its_interceptor_closure_count() {
        let search = grpc("orders.v1.Orders/Search");
        for frame in [
            "ex/pb._Orders_Search_Handler",
            "ex/pb._Orders_Search_Handler.func1",
        ] {
            assert!(
                stands_in(&stack(&["time.Sleep", frame]), &search),
                "{frame}"
            );
        }
        for frame in [
            "ex/pb._Orders_SearchAll_Handler",
            "ex/pb.My_Orders_Search_Handler",
            "ex/pb._Orders_Search_Handler2",
        ] {
            assert!(
                !stands_in(&stack(&["time.Sleep", frame]), &search),
                "{frame}"
            );
        }
    }

    #[test]
    fn our_own_profile_request_is_not_a_handler() {
        let serve = "net/http.serverHandler.ServeHTTP";
        assert!(stands_in(
            &stack(&["time.Sleep", "main.get", serve]),
            &http()
        ));
        assert!(!stands_in(
            &stack(&[
                "runtime/pprof.writeGoroutine",
                "net/http/pprof.handler.ServeHTTP",
                serve
            ]),
            &http()
        ));
    }

    #[test]
    fn packages_are_cut_at_the_first_dot_after_the_last_slash() {
        for (function, package) in [
            ("main.main", "main"),
            (
                "shop.test/orders/internal.(*Server).Get.func1",
                "shop.test/orders/internal",
            ),
            ("net/http.HandlerFunc.ServeHTTP", "net/http"),
            ("gopkg.in/yaml%2ev3.Unmarshal", "gopkg.in/yaml%2ev3"),
        ] {
            assert_eq!(package_of(function), package);
        }
    }

    #[test]
    fn own_code_is_the_main_module_and_not_its_neighbours() {
        let main = Some(Module {
            path: "shop.test/orders".into(),
            version: "(devel)".into(),
        });
        let build = BuildInfo {
            main,
            ..BuildInfo::default()
        };
        let of = |function: &str| is_own(&stack(&[function]).frames[0], Some(&build));
        assert!(of("shop.test/orders/internal.Get"));
        assert!(of("main.serve"));
        assert!(!of("shop.test/orders-client.Get"));
        assert!(!of("net/http.ListenAndServe"));
    }

    #[test]
    fn the_handler_is_the_own_frame_below_the_innermost_middleware() {
        let stack = stack(&[
            "time.Sleep",
            "main.wait",
            "main.(*api).getOrder",
            "net/http.HandlerFunc.ServeHTTP",
            "net/http.(*ServeMux).ServeHTTP",
            "main.accessLog.func1",
            "net/http.HandlerFunc.ServeHTTP",
            "net/http.serverHandler.ServeHTTP",
        ]);
        assert_eq!(
            handler_frame(&stack, None).map(|frame| frame.function.as_str()),
            Some("main.(*api).getOrder")
        );
    }
}

//! What a request is: gRPC or plain HTTP, and by which name it is known.
//!
//! A service has few names and many requests, so names are written in place and shared: each thread
//! keeps those it gave last.

use std::cell::RefCell;
use std::sync::Arc;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request};

use crate::labels::Labels;

/// Parts of a path longer than this are ids, not names.
const NAME_MAX: usize = 32;
/// A label that is made of what a client sent has a bound.
const LABEL_MAX: usize = 128;
/// Names that a thread keeps: more than most services have. A power of two.
const KEPT: usize = 64;

thread_local! {
    static NAMES: RefCell<[Option<Arc<str>>; KEPT]> = const { RefCell::new([const { None }; KEPT]) };
}

/// Name and protocol of a request; layers hand it on in its extensions.
#[derive(Debug, Clone)]
pub(crate) struct Described {
    pub(crate) grpc: bool,
    pub(crate) name: Arc<str>,
}

impl Described {
    /// As an earlier layer said, or else from method, path and headers.
    pub(crate) fn of<B>(request: &Request<B>) -> Self {
        Self::by_kind(request, || request.headers().get(CONTENT_TYPE))
    }

    /// The same where the content type may be at hand.
    pub(crate) fn by_kind<'a, B>(
        request: &'a Request<B>,
        kind: impl FnOnce() -> Option<&'a HeaderValue>,
    ) -> Self {
        if let Some(described) = request.extensions().get::<Described>() {
            return described.clone();
        }
        let path = request.uri().path();
        let grpc = is_grpc(kind());
        let name = if grpc {
            let method = path.trim_start_matches('/');
            shared(&method[..whole(method, LABEL_MAX)])
        } else {
            let mut name = Name::new();
            name.push(request.method().as_str());
            name.push(" ");
            push_route(&mut name, path);
            shared(name.as_str())
        };
        Described { grpc, name }
    }

    pub(crate) fn labels(&self, trace_id: u128) -> Labels {
        let name = Some(Arc::clone(&self.name));
        let (rpc, route) = if self.grpc {
            (name, None)
        } else {
            (None, name)
        };
        Labels {
            rpc,
            route,
            trace_id,
        }
    }
}

/// `application/grpc`, with or without an encoding; gRPC-Web is HTTP to us.
fn is_grpc(kind: Option<&HeaderValue>) -> bool {
    let rest = kind.and_then(|kind| kind.as_bytes().strip_prefix(b"application/grpc"));
    rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';' | b' ')))
}

/// The path with `{}` for what looks like an id: it has a digit, or is longer than a name. A label
/// has to have few values, and routers do not say which route they took.
fn push_route(name: &mut Name, path: &str) {
    let versioned = |part: &str| {
        let digits = part.strip_prefix('v').unwrap_or_default();
        (1..=2).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    for (n, part) in path.split('/').enumerate() {
        if n > 0 {
            name.push("/");
        }
        let is_id = part.len() > NAME_MAX || part.bytes().any(|byte| byte.is_ascii_digit());
        name.push(if is_id && !versioned(part) {
            "{}"
        } else {
            part
        });
    }
}

/// How many bytes of a text are at most so many, and whole characters.
fn whole(text: &str, most: usize) -> usize {
    let mut taken = text.len().min(most);
    while !text.is_char_boundary(taken) {
        taken -= 1;
    }
    taken
}

/// A name that is being written.
struct Name {
    bytes: [u8; LABEL_MAX],
    length: usize,
    /// Where it ends: nothing goes behind what was cut off.
    most: usize,
}

impl Name {
    fn new() -> Self {
        Name {
            bytes: [0; LABEL_MAX],
            length: 0,
            most: LABEL_MAX,
        }
    }

    fn push(&mut self, text: &str) {
        let taken = whole(text, self.most - self.length);
        let end = self.length + taken;
        self.bytes[self.length..end].copy_from_slice(&text.as_bytes()[..taken]);
        self.length = end;
        if taken < text.len() {
            self.most = end;
        }
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.length]).expect("it is made of whole characters")
    }
}

/// The same text as somebody asked for before, where this thread still has that.
fn shared(name: &str) -> Arc<str> {
    // Methods of a service differ at the end. A name that shares its place costs an allocation.
    let end = name.as_bytes().last_chunk::<8>();
    let end = end.map_or(0, |end| u64::from_le_bytes(*end));
    let mixed = (end ^ name.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let place = (mixed >> 32) as usize % KEPT;
    let kept = NAMES.try_with(|names| {
        let kept = &mut names.borrow_mut()[place];
        if kept.as_deref() != Some(name) {
            *kept = Some(name.into());
        }
        kept.clone()
    });
    // A thread that ends has none any more.
    kept.ok().flatten().unwrap_or_else(|| name.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, kind: &str) -> (bool, String) {
        let request = Request::get(path).header(CONTENT_TYPE, kind).body(());
        let described = Described::of(&request.expect("it is a request"));
        (described.grpc, described.name.to_string())
    }

    #[test]
    fn grpc_is_known_by_its_method() {
        let rpc = (true, "orders.v1.Orders/Get".to_owned());
        for kind in [
            "application/grpc",
            "application/grpc+proto",
            "application/grpc;x",
        ] {
            assert_eq!(check("/orders.v1.Orders/Get", kind), rpc);
        }
        assert!(!check("/orders.v1.Orders/Get", "application/grpc-web").0);
        assert!(!check("/", "application/json").0);
    }

    #[test]
    fn a_route_has_few_values() {
        let route = |path: &str| check(path, "text/plain").1;
        assert_eq!(route("/"), "GET /");
        assert_eq!(route("/v1/orders/17/lines"), "GET /v1/orders/{}/lines");
        assert_eq!(route("/orders/3f2a-77"), "GET /orders/{}");
        assert_eq!(
            route(&format!("/orders/{}", "x".repeat(33))),
            "GET /orders/{}"
        );
        assert_eq!(route(&format!("/{}", "a/".repeat(500))).len(), LABEL_MAX);
    }

    #[test]
    fn a_name_is_cut_between_characters_and_ends_there() {
        let mut name = Name::new();
        name.push(&"x".repeat(LABEL_MAX - 1));
        name.push("\u{e9}");
        name.push("y");
        assert_eq!(name.as_str(), "x".repeat(LABEL_MAX - 1));
    }

    #[test]
    fn a_name_is_shared_and_never_mistaken() {
        for n in 0..4 * KEPT {
            let name = format!("orders.v1.Orders/Get{n}");
            let (one, other) = (shared(&name), shared(&name));
            assert_eq!(*one, *name);
            assert!(Arc::ptr_eq(&one, &other));
        }
        // The same end and length, and so the same place.
        assert_eq!(*shared("a.Orders/GetOrder"), *"a.Orders/GetOrder");
        assert_eq!(*shared("b.Orders/GetOrder"), *"b.Orders/GetOrder");
    }
}

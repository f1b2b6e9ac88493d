//! What a request is: gRPC or plain HTTP, and by which name it is known.

use std::sync::Arc;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, Request};

use crate::labels::Labels;

/// Parts of a path longer than this are ids, not names.
const NAME_MAX: usize = 32;
/// A label that is made of what a client sent has a bound.
const LABEL_MAX: usize = 128;

/// Name and protocol of a request; layers hand it on in its extensions.
#[derive(Debug, Clone)]
pub(crate) struct Described {
    pub(crate) grpc: bool,
    pub(crate) name: Arc<str>,
}

impl Described {
    /// As an earlier layer said, or else from method, path and headers.
    pub(crate) fn of<B>(request: &Request<B>) -> Self {
        if let Some(described) = request.extensions().get::<Described>() {
            return described.clone();
        }
        let path = request.uri().path();
        let grpc = is_grpc(request.headers());
        let mut name = if grpc {
            path.trim_start_matches('/').to_owned()
        } else {
            format!("{} {}", request.method(), route(path))
        };
        while name.len() > LABEL_MAX {
            name.pop();
        }
        Described {
            grpc,
            name: name.into(),
        }
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
fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map(|kind| kind.as_bytes());
    let rest = kind.and_then(|kind| kind.strip_prefix(b"application/grpc"));
    rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';' | b' ')))
}

/// The path with `{}` for what looks like an id: it has a digit, or is longer than a name. A label
/// has to have few values, and routers do not say which route they took.
fn route(path: &str) -> String {
    let versioned = |part: &str| {
        let digits = part.strip_prefix('v').unwrap_or_default();
        (1..=2).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    let parts = path.split('/').map(|part| {
        let is_id = part.len() > NAME_MAX || part.bytes().any(|byte| byte.is_ascii_digit());
        if is_id && !versioned(part) {
            "{}"
        } else {
            part
        }
    });
    parts.collect::<Vec<_>>().join("/")
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
        assert!(route(&format!("/{}", "a/".repeat(500))).len() <= LABEL_MAX);
    }
}

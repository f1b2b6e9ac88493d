//! One HTTP/1.1 request of the run.

use std::convert::Infallible;
use std::future::pending;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use http_body_util::Full;
use hyper::body::Body;
use shakedown_evidence::CallEnd;
use tokio::time::{Instant, sleep_until};

use super::connect;
use super::grpc::Stay;
use super::h1::{Ask, Bounds, exchange_body};
use super::half::{HalfBody, Rest};
use super::tls::TLS;

/// Answers are drained, not kept.
const DRAIN: Bounds = Bounds {
    keep: 0,
    read: 64 << 20,
};

/// Where a target leads: address and path. A relative one leads to the listener.
pub(crate) fn resolve(target: &str, listener: &str) -> Result<(String, String), String> {
    let (before, rest, port) = match target.split_once("://") {
        Some(("http", rest)) => ("", rest, 80),
        Some(("https", rest)) => (TLS, rest, 443),
        _ => {
            let slash = if target.starts_with('/') { "" } else { "/" };
            return Ok((listener.to_owned(), format!("{slash}{target}")));
        }
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if authority.is_empty() {
        return Err(format!("`{target}` has no host"));
    }
    let slash = if path.starts_with('/') { "" } else { "/" };
    let reach = format!("{before}{}", with_port(authority, port));
    Ok((reach, format!("{slash}{path}")))
}

pub(super) fn with_port(authority: &str, port: u16) -> String {
    let host_end = authority.rfind(']').unwrap_or(0);
    if authority
        .get(host_end..)
        .is_some_and(|rest| rest.contains(':'))
    {
        authority.to_owned()
    } else {
        format!("{authority}:{port}")
    }
}

/// What goes out for a method, a path and a body of JSON.
pub(crate) fn request(
    method: &str,
    path: String,
    body: &str,
    mut headers: HeaderMap,
) -> Result<Ask, String> {
    let method = Method::from_bytes(method.as_bytes())
        .map_err(|_| format!("`{method}` is not an HTTP method"))?;
    if !body.is_empty() {
        let json = HeaderValue::from_static("application/json");
        headers.entry("content-type").or_insert(json);
    }
    Ok(Ask {
        method,
        path,
        headers,
        body: Bytes::copy_from_slice(body.as_bytes()),
    })
}

/// Sends one request on a connection of its own. `sent` runs when it goes out.
pub(crate) async fn call(reach: &str, ask: Ask, stay: Stay, sent: impl FnOnce()) -> CallEnd {
    let body = Full::new(ask.body.clone());
    carry(reach, ask, body, stay, sent).await
}

/// The same, but `rest` of the body follows only when it is let go.
pub(super) async fn call_half(
    reach: &str,
    ask: Ask,
    rest: Rest,
    stay: Stay,
    sent: impl FnOnce(),
) -> CallEnd {
    let body = HalfBody::new(ask.body.clone(), rest);
    carry(reach, ask, body, stay, sent).await
}

async fn carry<B>(reach: &str, ask: Ask, body: B, stay: Stay, sent: impl FnOnce()) -> CallEnd
where
    B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    let give_up = Instant::now() + stay.patience;
    let stream = match connect::dial(reach).await {
        Ok(stream) => stream,
        Err(why) => return CallEnd::Failed { why },
    };
    sent();
    let leave = stay.cancel_after.map(|after| Instant::now() + after);
    let left = async {
        match leave {
            Some(leave) => sleep_until(leave).await,
            None => pending().await,
        }
    };
    let mut got = None;
    tokio::select! {
        // An answer that is there counts, even if it is time to go.
        biased;
        answer = exchange_body(stream, connect::authority(reach), ask, body, DRAIN, &mut got) => match answer {
            Ok(answer) if answer.more => CallEnd::Failed {
                why: format!("answered {}, longer than {} MiB; we left it", answer.status, DRAIN.read >> 20),
            },
            Ok(answer) => end(answer.status, &answer.headers),
            Err(failure) => CallEnd::Failed { why: failure.to_string() },
        },
        () = left => CallEnd::Left,
        () = sleep_until(give_up) => CallEnd::TimedOut,
    }
}

/// How an answer ended a request. A gRPC server over plain routers, as tonic's is, answers every path
/// with 200 and says in `grpc-status` that it knows no such method.
fn end(status: StatusCode, headers: &HeaderMap) -> CallEnd {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let is_grpc = text("content-type").is_some_and(|kind| kind.starts_with("application/grpc"));
    let code = text("grpc-status").and_then(|code| code.parse().ok());
    match code.filter(|_| is_grpc) {
        Some(code) => CallEnd::Status {
            code,
            message: "an answer of gRPC to a request of HTTP".into(),
        },
        None => CallEnd::Http {
            status: status.as_u16(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grpc_server_that_answers_every_path_does_not_know_this_one() {
        let check = |headers: &[(&'static str, &'static str)]| {
            let headers = headers.iter().map(|(name, value)| {
                let name = http::HeaderName::from_static(name);
                (name, HeaderValue::from_static(value))
            });
            end(StatusCode::OK, &headers.collect())
        };
        let grpc = ("content-type", "application/grpc");
        let unknown = check(&[grpc, ("grpc-status", "12")]);
        assert!(unknown.is_unknown() && !unknown.is_ok(), "{unknown:?}");
        let plain = CallEnd::Http { status: 200 };
        assert_eq!(
            check(&[("content-type", "text/plain"), ("grpc-status", "12")]),
            plain
        );
        assert_eq!(check(&[grpc]), plain);
        assert_eq!(check(&[grpc, ("grpc-status", "soon")]), plain);
    }

    #[test]
    fn a_target_leads_to_the_listener_or_to_its_own_host() {
        let check = |target| resolve(target, "127.0.0.1:8080").expect("a target");
        let to = |reach: &str, path: &str| (reach.to_owned(), path.to_owned());
        assert_eq!(check("/x?y=1"), to("127.0.0.1:8080", "/x?y=1"));
        assert_eq!(check("x"), to("127.0.0.1:8080", "/x"));
        assert_eq!(check("http://shop.test/x"), to("shop.test:80", "/x"));
        assert_eq!(check("http://[::1]:9/x"), to("[::1]:9", "/x"));
        assert_eq!(check("http://[::1]?q"), to("[::1]:80", "/?q"));
        assert_eq!(check("https://shop.test/x"), to("tls:shop.test:443", "/x"));
        assert_eq!(check("/x://y"), to("127.0.0.1:8080", "/x://y"));
        assert!(resolve("http:///x", "x").is_err());
    }
}

//! One plain GET or POST, for commands that read what a server serves without checking it.
//!
//! | URL | reached by |
//! |---|---|
//! | `http://HOST:PORT/PATH` | TCP |
//! | `https://HOST:PORT/PATH` | TLS, where an authority signed for the host |
//! | `https+insecure://HOST:PORT/PATH` | TLS, whoever answers |
//! | `unix:///SOCKET:/PATH` | a Unix socket, in plain HTTP |

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use http_body_util::Full;
use tokio::time::{Instant, timeout_at};

use super::AGENT;
use super::connect::{self, CONNECT};
use super::h1::{self, Answer, Ask, Bounds, Failure};
use super::stream::Stream;
use super::tls::{self, Credentials, TrustError};

/// What is fetched, and how.
#[derive(Debug, Clone, Copy)]
pub struct Fetch<'a> {
    /// As the table above says.
    pub url: &'a str,
    /// What is posted; nothing is a GET.
    pub body: Option<&'a str>,
    /// From the first byte out to the last byte in.
    pub within: Duration,
    /// The longest answer that is taken.
    pub limit: usize,
    /// What TLS is spoken with.
    pub credentials: &'a Credentials,
}

/// What the server answers, if that is 200.
///
/// # Errors
/// One line for a person, without the URL: what came instead.
pub async fn fetch(fetch: Fetch<'_>) -> Result<Vec<u8>, String> {
    let place = Place::of(fetch.url)?;
    let give_up = Instant::now() + fetch.within;
    let asked = async {
        let stream = place.enter(fetch.credentials).await?;
        let mut headers = HeaderMap::new();
        headers.insert("user-agent", HeaderValue::from_static(AGENT));
        let ask = Ask {
            method: if fetch.body.is_some() {
                Method::POST
            } else {
                Method::GET
            },
            path: place.target.clone(),
            headers,
            body: Bytes::copy_from_slice(fetch.body.unwrap_or("").as_bytes()),
        };
        let mut got = None;
        let bounds = Bounds::whole(fetch.limit);
        let authority = connect::authority(&place.reach);
        let body = Full::new(ask.body.clone());
        let exchange = h1::exchange_body(stream, authority, ask, body, bounds, &mut got);
        match timeout_at(give_up, exchange).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(failure)) => Err(said(&failure, &place)),
            Err(_) => Err(match got {
                None => Failure::Silent(fetch.within).to_string(),
                Some(got) => Failure::Slow {
                    got,
                    within: fetch.within,
                }
                .to_string(),
            }),
        }
    };
    let answer = asked.await?;
    if answer.more {
        return Err(format!("the answer has more than {} bytes", fetch.limit));
    }
    if answer.status != StatusCode::OK {
        return Err(refusal(&answer));
    }
    Ok(answer.body.to_vec())
}

/// What is spoken under HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Under {
    Plain,
    Tls,
    TlsOfAnybody,
}

/// Where a URL leads.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    under: Under,
    /// `host:port`, or `unix:` and a path.
    reach: String,
    /// Path and query.
    target: String,
}

impl Place {
    fn of(url: &str) -> Result<Self, String> {
        let unspoken = || "http, https, https+insecure and unix are spoken".to_owned();
        let (scheme, rest) = url.split_once(':').ok_or_else(unspoken)?;
        if scheme == "unix" {
            let rest = rest.strip_prefix("//").unwrap_or(rest);
            let (socket, target) = rest.split_once(":/").unwrap_or((rest, ""));
            return Ok(Place {
                under: Under::Plain,
                reach: format!("{}{socket}", connect::UNIX),
                target: format!("/{target}"),
            });
        }
        let (under, port) = match scheme {
            "http" => (Under::Plain, 80),
            "https" => (Under::Tls, 443),
            "https+insecure" => (Under::TlsOfAnybody, 443),
            _ => return Err(unspoken()),
        };
        let rest = rest.strip_prefix("//").ok_or_else(unspoken)?;
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        let slash = if target.starts_with('/') { "" } else { "/" };
        Ok(Place {
            under,
            reach: super::http::with_port(authority, port),
            target: format!("{slash}{target}"),
        })
    }

    async fn enter(&self, credentials: &Credentials) -> Result<Stream, String> {
        if self.under == Under::Plain {
            return connect::dial(&self.reach).await;
        }
        let anybody = self.under == Under::TlsOfAnybody;
        let config = tls::config_of(credentials, anybody).map_err(|error| unusable(&error))?;
        let entering = connect::dial_tls(&self.reach, config);
        let late = |_| format!("no connection within {CONNECT:?}");
        let entered = tokio::time::timeout(CONNECT, entering);
        entered.await.map_err(late)?
    }
}

/// A file of TLS, by the flag that names another.
fn unusable(error: &TrustError) -> String {
    match error {
        TrustError::File { path, why } => {
            let path = path.display();
            format!("cannot read the authorities in {path}: {why}; -tls_ca names another file")
        }
        TrustError::Empty { path } => {
            let path = path.display();
            format!("no certificate of an authority is in {path}; -tls_ca names a file of PEM")
        }
        TrustError::Shown { .. } => format!("{error} (-tls_cert and -tls_key)"),
        TrustError::Setup(_) => error.to_string(),
    }
}

/// Why nothing whole came, and what that port may be.
fn said(failure: &Failure, place: &Place) -> String {
    let hint = match (failure, place.under) {
        (Failure::NotHttp(_) | Failure::Empty, Under::Plain) => {
            "; does it speak TLS (https://) or gRPC alone? pprof is served over HTTP/1.1, often on a port of its own"
        }
        (Failure::NotHttp(_) | Failure::Empty, _) => {
            "; pprof is served over HTTP/1.1, often on a port of its own"
        }
        _ => "",
    };
    format!("{failure}{hint}")
}

/// The status, and what the server said of it: pprof's handlers give their reason as text.
fn refusal(answer: &Answer) -> String {
    let mut said = format!("server response: {}", answer.status);
    if let Some(to) = answer.headers.get("location") {
        let to = String::from_utf8_lossy(to.as_bytes());
        return format!("{said}; it leads to {to}, which was not followed");
    }
    if !answer.content_type().starts_with("text/html") {
        let text = answer.text();
        let line = text.lines().next().unwrap_or("").chars();
        let line: String = line.filter(|c| !c.is_control()).take(200).collect();
        if !line.is_empty() {
            said = format!("{said} - {line}");
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, under: Under, reach: &str, target: &str) {
        let place = Place {
            under,
            reach: reach.to_owned(),
            target: target.to_owned(),
        };
        assert_eq!(Place::of(url), Ok(place), "{url}");
    }

    #[test]
    fn a_url_leads_to_a_place() {
        check("http://h:1/p?a=b", Under::Plain, "h:1", "/p?a=b");
        check("http://h", Under::Plain, "h:80", "/");
        check("https://[::1]/p", Under::Tls, "[::1]:443", "/p");
        check("https+insecure://h?q", Under::TlsOfAnybody, "h:443", "/?q");
        check("unix:///run/s:/p", Under::Plain, "unix:/run/s", "/p");
        check("unix:/run/s", Under::Plain, "unix:/run/s", "/");
    }

    #[test]
    fn other_schemes_are_refused_by_name() {
        for url in ["ftp://h/p", "h", "http:h", ""] {
            let refused = Place::of(url).expect_err("no place");
            assert!(refused.contains("are spoken"), "{refused}");
        }
    }
}

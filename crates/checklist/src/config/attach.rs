//! `attach = { … }`: a service that runs already, and the words that say where it is.

use std::path::PathBuf;

use serde::{Deserialize, Deserializer};
use shakedown_acquire::follow::LogSource;
use shakedown_evidence::Consent;

/// `attach = { … }`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct AttachTable {
    /// Its process.
    pub pid: Option<u32>,
    /// Where it speaks HTTP.
    #[serde(default, deserialize_with = "an_address")]
    pub http: Option<String>,
    /// Where it speaks gRPC.
    #[serde(default, deserialize_with = "an_address")]
    pub grpc: Option<String>,
    /// Where it serves pprof.
    #[serde(default, deserialize_with = "a_pprof_place")]
    pub pprof: Option<PprofPlace>,
    /// Its log.
    #[serde(default, deserialize_with = "a_log")]
    pub logs: Option<LogSource>,
    /// Where it sends its spans.
    #[serde(default, deserialize_with = "an_otlp_port")]
    pub otlp: Option<u16>,
    /// What may be done to it.
    #[serde(default, deserialize_with = "consents")]
    pub consent: Vec<Consent>,
}

/// Where net/http/pprof answers: an address, a path below which it is mounted, or both.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PprofPlace {
    /// `host:port` or `unix:PATH`.
    pub address: Option<String>,
    /// Begins and ends with a slash.
    pub prefix: Option<String>,
}

/// Reads an address: `host:port`, `unix:PATH`, or a URL of which only that counts; `https://` says
/// that TLS is spoken there, which becomes `tls:host:port`.
///
/// # Errors
/// It is none, as a sentence.
pub fn address(text: &str) -> Result<String, String> {
    let text = text.trim();
    let wrong = || {
        format!(
            "{text:?} is not an address; it is written HOST:PORT, http://HOST:PORT or unix:/PATH"
        )
    };
    if let Some(path) = text.strip_prefix("unix:") {
        return match path.strip_prefix("//").unwrap_or(path) {
            path if path.starts_with('/') => Ok(format!("unix:{path}")),
            _ => Err(wrong()),
        };
    }
    let (default, rest) = match text.split_once("://") {
        None => (None, text),
        Some(("http", rest)) => (Some(80), rest),
        Some(("https", rest)) => (Some(443), rest),
        Some(("grpc", rest)) => (None, rest),
        Some(_) => return Err(wrong()),
    };
    let authority = rest.split(['/', '?']).next().unwrap_or(rest);
    let (host, port) = match authority.rsplit_once(':') {
        // The colons of [::1] are not before a port.
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()),
        _ => (authority, default),
    };
    let bare = |letter: char| letter.is_alphanumeric() || "-_.:[]".contains(letter);
    match port {
        Some(port @ 1_u16..) if !host.is_empty() && host.chars().all(bare) => {
            let before = if text.starts_with("https://") {
                "tls:"
            } else {
                ""
            };
            Ok(format!("{before}{host}:{port}"))
        }
        _ => Err(wrong()),
    }
}

/// Reads where pprof is: `/prefix/`, `unix:PATH`, `host:port`, or a URL with a path.
///
/// # Errors
/// It is none of these, as a sentence.
pub fn pprof_place(text: &str) -> Result<PprofPlace, String> {
    let text = text.trim();
    if text.starts_with('/') {
        return Ok(PprofPlace {
            address: None,
            prefix: Some(prefix(text)),
        });
    }
    let path = text
        .split_once("://")
        .and_then(|(_, rest)| Some(rest.split_once('/')?.1))
        .filter(|path| !path.is_empty() && !text.starts_with("unix:"));
    Ok(PprofPlace {
        address: Some(address(text)?),
        prefix: path.map(|path| prefix(&format!("/{path}"))),
    })
}

fn prefix(path: &str) -> String {
    let path = path.split('?').next().unwrap_or(path);
    format!("{}/", path.trim_end_matches('/'))
}

/// Reads where a running service sends its spans: a port of loopback, with or without its host.
///
/// # Errors
/// It leads to another machine, or is no port, as a sentence.
pub fn otlp_port(text: &str) -> Result<u16, String> {
    let text = text.trim();
    let (host, port) = text.rsplit_once(':').unwrap_or(("127.0.0.1", text));
    let host = host.strip_prefix("http://").unwrap_or(host);
    let port = port.parse().ok().filter(|port| *port > 0);
    port.filter(|_| matches!(host, "127.0.0.1" | "localhost"))
        .ok_or_else(|| {
            format!("{text:?}: spans are received on loopback only, at 127.0.0.1:PORT; forward them from elsewhere, as with ssh -R")
        })
}

fn an_otlp_port<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u16>, D::Error> {
    let text = String::deserialize(from)?;
    otlp_port(&text).map(Some).map_err(serde::de::Error::custom)
}

/// Reads words of consent.
///
/// # Errors
/// One of them names nothing, as a sentence.
pub fn consent(word: &str) -> Result<Consent, String> {
    Consent::named(word).ok_or_else(|| {
        let known = Consent::ALL.map(Consent::name).join(", ");
        format!("{word:?} is nothing that can be allowed; known: {known}")
    })
}

/// A log as it stands in the configuration: `stdout` is what is read anyway.
pub(super) fn log(text: &str) -> Result<Option<LogSource>, String> {
    match text {
        "stdout" => Ok(None),
        _ => LogSource::parse(text).map(Some),
    }
}

/// A file in a configuration is relative to its folder.
#[must_use]
pub fn placed_log(source: LogSource, base: &std::path::Path) -> LogSource {
    match source {
        LogSource::File(path) => LogSource::File(base.join::<PathBuf>(path)),
        other => other,
    }
}

fn an_address<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(from)?;
    address(&text).map(Some).map_err(serde::de::Error::custom)
}

pub(super) fn a_pprof_place<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<PprofPlace>, D::Error> {
    let text = String::deserialize(from)?;
    pprof_place(&text)
        .map(Some)
        .map_err(serde::de::Error::custom)
}

pub(super) fn a_log<'de, D: Deserializer<'de>>(from: D) -> Result<Option<LogSource>, D::Error> {
    let text = String::deserialize(from)?;
    log(&text).map_err(serde::de::Error::custom)
}

fn consents<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Consent>, D::Error> {
    let words = Vec::<String>::deserialize(from)?;
    let consents = words.iter().map(|word| consent(word));
    consents
        .collect::<Result<_, _>>()
        .map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_in_their_spellings() {
        for (text, wanted) in [
            ("127.0.0.1:8080", "127.0.0.1:8080"),
            ("http://orders:8080/healthz?x", "orders:8080"),
            ("http://orders", "orders:80"),
            ("http://[::1]", "[::1]:80"),
            ("[::1]:9", "[::1]:9"),
            ("grpc://127.0.0.1:7000", "127.0.0.1:7000"),
            ("unix:/run/orders.sock", "unix:/run/orders.sock"),
            ("unix:///run/orders.sock", "unix:/run/orders.sock"),
        ] {
            assert_eq!(address(text).as_deref(), Ok(wanted), "{text}");
        }
        for text in [
            "",
            "orders",
            "orders:",
            ":80",
            "a:0",
            "a:99999",
            "a b:1",
            "ftp://a:1",
            "unix:x",
            "u:p@a:1",
        ] {
            assert!(address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn pprof_is_at_an_address_or_below_a_path_or_both() {
        let check = |text: &str| {
            let place = pprof_place(text).expect(text);
            (
                place.address.unwrap_or_default(),
                place.prefix.unwrap_or_default(),
            )
        };
        let is = |address: &str, prefix: &str| (address.to_owned(), prefix.to_owned());
        assert_eq!(check("/internal/pprof"), is("", "/internal/pprof/"));
        assert_eq!(check("/debug/pprof/"), is("", "/debug/pprof/"));
        assert_eq!(check("127.0.0.1:6060"), is("127.0.0.1:6060", ""));
        assert_eq!(check("http://h:1/"), is("h:1", ""));
        assert_eq!(check("http://h:1/x/pprof?debug=1"), is("h:1", "/x/pprof/"));
        assert_eq!(check("unix:/run/x.sock"), is("unix:/run/x.sock", ""));
        assert_eq!(check("unix:///run/x.sock"), is("unix:/run/x.sock", ""));
        assert_eq!(check("https://h/x"), is("tls:h:443", "/x/"));
        assert!(pprof_place("ftp://h").is_err());
    }

    #[test]
    fn spans_are_received_on_loopback_only() {
        for text in [
            "5317",
            "127.0.0.1:5317",
            "localhost:5317",
            "http://127.0.0.1:5317",
        ] {
            assert_eq!(otlp_port(text), Ok(5317), "{text}");
        }
        for text in ["", "0", "0.0.0.0:5317", "10.0.0.1:5317", "[::]:5317", "x"] {
            assert!(otlp_port(text).is_err(), "{text}");
        }
    }

    #[test]
    fn consent_is_by_name() {
        assert_eq!(consent("stop"), Ok(Consent::Stop));
        let error = consent("all").expect_err("no name");
        assert!(error.contains("load, audits, stop"), "{error}");
    }
}

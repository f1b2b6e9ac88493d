//! Sources that are URLs, with Go's defaults.
//!
//! A Unix socket is `unix:///run/orders.sock`, and what is asked of it stands behind a
//! colon: `unix:///run/orders.sock:/debug/pprof/heap`. The original has none.
//!
//! Source: Go, cmd/pprof/pprof.go `adjustURL`.

use std::time::Duration;

/// What a server serves where the URL names no path.
const CPU_PROFILE: &str = "/debug/pprof/profile";
/// How long a server that does not measure may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// What is added to every wait, for the way there and back.
const WAY: Duration = Duration::from_secs(5);

/// The URL to fetch and how long to wait; `None` if `source` is not a URL.
pub(crate) fn adjust(
    source: &str,
    seconds: Option<u64>,
    timeout: Option<Duration>,
) -> Option<(String, Duration)> {
    if let Some(rest) = source.strip_prefix("unix:") {
        return unix(rest.strip_prefix("//").unwrap_or(rest), seconds, timeout);
    }
    let (scheme, rest) = match source.split_once("://") {
        Some((scheme, rest)) if !scheme.contains('/') => (scheme, rest),
        _ => {
            let host = source.split('/').next().unwrap_or("");
            if !host.contains(':') {
                return None;
            }
            ("http", source)
        }
    };
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (host, path) = match place.find('/') {
        Some(slash) => place.split_at(slash),
        None => (place, ""),
    };
    if host.is_empty() {
        return None;
    }
    let (path, patience) = path_and_patience(path, query, seconds, timeout);
    Some((format!("{scheme}://{host}{path}"), patience))
}

/// `/run/orders.sock:/debug/pprof/heap?seconds=5`: the socket, and what is asked of it.
fn unix(
    source: &str,
    seconds: Option<u64>,
    timeout: Option<Duration>,
) -> Option<(String, Duration)> {
    let (place, query) = source.split_once('?').unwrap_or((source, ""));
    let (socket, path) = match place.find(":/") {
        Some(colon) => (place.get(..colon)?, place.get(colon + 1..)?),
        None => (place, ""),
    };
    if socket.is_empty() {
        return None;
    }
    let (path, patience) = path_and_patience(path, query, seconds, timeout);
    Some((format!("unix://{socket}:{path}"), patience))
}

/// Path with query, and how long to wait for the answer.
fn path_and_patience(
    path: &str,
    query: &str,
    seconds: Option<u64>,
    timeout: Option<Duration>,
) -> (String, Duration) {
    let path = if matches!(path, "" | "/") {
        CPU_PROFILE
    } else {
        path
    };
    let mut query: Vec<(&str, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(key, value)| (key, value.to_owned()))
        .collect();
    let mut measured = seconds;
    match seconds {
        Some(seconds) => {
            query.retain(|(key, _)| *key != "seconds");
            query.push(("seconds", seconds.to_string()));
        }
        None => {
            let said = query.iter().find(|(key, _)| *key == "seconds");
            measured = said.and_then(|(_, value)| value.parse().ok());
        }
    }
    query.sort_by(|a, b| a.0.cmp(b.0));
    let query: Vec<String> = query.iter().map(|(k, v)| format!("{k}={v}")).collect();
    let mark = if query.is_empty() { "" } else { "?" };
    let patience = match (timeout, measured) {
        (Some(timeout), _) => timeout,
        (None, Some(seconds)) if seconds > 0 => {
            let measured = Duration::from_secs(seconds);
            measured.saturating_add(measured / 2)
        }
        _ => PATIENCE,
    };
    let target = format!("{path}{mark}{}", query.join("&"));
    (target, patience.saturating_add(WAY))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: &str, seconds: Option<u64>, url: &str, wait: u64) {
        let wanted = Some((url.to_owned(), Duration::from_secs(wait)));
        assert_eq!(adjust(source, seconds, None), wanted);
    }

    #[test]
    fn hosts_get_a_scheme_and_the_cpu_profile() {
        check(
            "localhost:6060",
            None,
            "http://localhost:6060/debug/pprof/profile",
            65,
        );
        check("http://h/", None, "http://h/debug/pprof/profile", 65);
        check(
            ":6060/debug/pprof/heap",
            None,
            "http://:6060/debug/pprof/heap",
            65,
        );
    }

    #[test]
    fn seconds_go_into_the_query_and_the_wait() {
        check(
            "h:1/p?b=2&a=1",
            Some(10),
            "http://h:1/p?a=1&b=2&seconds=10",
            20,
        );
        check("http://h/p?seconds=4", None, "http://h/p?seconds=4", 11);
    }

    #[test]
    fn a_unix_socket_has_a_path_behind_it() {
        check(
            "unix:///run/o.sock",
            Some(4),
            "unix:///run/o.sock:/debug/pprof/profile?seconds=4",
            11,
        );
        check(
            "unix:/run/o.sock:/debug/pprof/heap",
            None,
            "unix:///run/o.sock:/debug/pprof/heap",
            65,
        );
    }

    #[test]
    fn files_are_no_urls() {
        for file in ["cpu.pb.gz", "a/b.pb.gz", "/tmp/x:y"] {
            assert_eq!(adjust(file, None, None), None);
        }
    }
}

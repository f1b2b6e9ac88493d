//! Who may ask.

use http::header::{AUTHORIZATION, HOST};
use http::{HeaderMap, StatusCode};

use super::Access;
use super::answer::Answer;

/// Refuses a request that must not be answered.
pub(super) fn check(access: &Access, headers: &HeaderMap) -> Result<(), Answer> {
    match access {
        Access::Unix(_) => Ok(()),
        Access::Loopback(_) if is_this_machine(headers) => Ok(()),
        Access::Loopback(_) => Err(Answer::Refused(
            StatusCode::FORBIDDEN,
            "the Host of this request is no name of this machine: ask for localhost, 127.0.0.1 or [::1]".to_owned(),
        )),
        Access::Token { token, .. } if has_token(headers, token) => Ok(()),
        Access::Token { .. } => Err(Answer::Refused(
            StatusCode::UNAUTHORIZED,
            "this listener wants the header Authorization: Bearer TOKEN".to_owned(),
        )),
    }
}

/// A browser sends the name that it resolved; a page of another site cannot make it say this one.
fn is_this_machine(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return false;
    };
    let Ok(host) = host.to_str() else {
        return false;
    };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || address
            .parse()
            .is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

fn has_token(headers: &HeaderMap, token: &str) -> bool {
    let given = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    given.is_some_and(|given| same(given, token.as_bytes()))
}

/// Compares in a time that depends on the lengths only: what an attacker can measure says nothing of
/// how much of a guess was right.
fn same(given: &[u8], wanted: &[u8]) -> bool {
    let different = given.iter().zip(wanted).fold(0u8, |different, (a, b)| {
        std::hint::black_box(different | (a ^ b))
    });
    given.len() == wanted.len() && different == 0
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn check_host(host: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_str(host).expect("it is a value"));
        let access = Access::Loopback(([127, 0, 0, 1], 6060).into());
        check(&access, &headers).is_ok()
    }

    #[test]
    fn only_names_of_this_machine_are_answered() {
        for host in [
            "localhost",
            "LOCALHOST:6060",
            "127.0.0.1:6060",
            "127.3.2.1",
            "[::1]:6060",
            "[::1]",
        ] {
            assert!(check_host(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:6060",
            "localhost.evil.example",
            "10.0.0.1:6060",
            "127.0.0.1.evil.example",
        ] {
            assert!(!check_host(host), "{host}");
        }
        let access = Access::Loopback(([127, 0, 0, 1], 6060).into());
        assert!(check(&access, &HeaderMap::new()).is_err(), "no Host at all");
    }

    #[test]
    fn the_token_is_wanted_whole() {
        let token = "0123456789abcdef0123456789abcdef";
        let access = Access::Token {
            address: ([0, 0, 0, 0], 6060).into(),
            token: token.to_owned(),
        };
        let with = |value: String| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, value.parse().expect("it is a value"));
            check(&access, &headers).is_ok()
        };
        assert!(with(format!("Bearer {token}")));
        for wrong in [
            "",
            token,
            "Bearer",
            "Bearer ",
            &format!("Bearer {token}0"),
            &format!("Bearer {}", &token[1..]),
            &format!("Basic {token}"),
        ] {
            assert!(!with((*wrong).to_owned()), "{wrong}");
        }
        assert!(check(&access, &HeaderMap::new()).is_err());
        assert!(!format!("{access:?}").contains(token), "it is not printed");
    }
}

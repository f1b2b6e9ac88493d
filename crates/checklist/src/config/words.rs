//! Words that stand in flags and in the configuration alike: methods, requests, durations.

use std::time::Duration;

use shakedown_evidence::RequestKind;

/// Reads `pkg.Service/Method`.
///
/// # Errors
/// It has another form, as a sentence.
pub fn grpc(method: &str, data: String) -> Result<RequestKind, String> {
    let method = method.trim().trim_start_matches('/');
    // grpcurl takes pkg.Service.Method too.
    let method = if method.contains('/') {
        method.to_owned()
    } else {
        method
            .rsplit_once('.')
            .map_or(String::new(), |(service, name)| format!("{service}/{name}"))
    };
    let ok = method.split_once('/').is_some_and(|(service, name)| {
        let word = |text: &str| {
            !text.is_empty()
                && text
                    .chars()
                    .all(|letter| letter.is_alphanumeric() || matches!(letter, '_' | '.'))
        };
        word(service) && word(name)
    });
    if !ok {
        return Err(format!(
            "{method:?} is not a gRPC method; it is written pkg.Service/Method"
        ));
    }
    if !data.is_empty() {
        serde_json::from_str::<serde::de::IgnoredAny>(&data)
            .map_err(|error| format!("the data of {method} is not JSON: {error}"))?;
    }
    Ok(RequestKind::Grpc { method, data })
}

/// Reads `GET /path`, `/path` or `GET http://host:port/path`.
///
/// # Errors
/// It has another form, as a sentence.
pub fn http(line: &str, body: String) -> Result<RequestKind, String> {
    let line = line.trim();
    let (method, target) = line
        .split_once(char::is_whitespace)
        .unwrap_or(("GET", line));
    let target = target.trim();
    let method_ok = !method.is_empty() && method.chars().all(|letter| letter.is_ascii_uppercase());
    let target_ok = (target.starts_with('/') || target.starts_with("http://"))
        && !target.contains(char::is_whitespace);
    if target.starts_with("https://") {
        return Err(format!(
            "{target}: TLS listeners cannot be asked yet; give the plain one"
        ));
    }
    if !method_ok || !target_ok {
        return Err(format!(
            "{line:?} is not a request; it is written 'GET /path' or 'GET http://host:port/path'"
        ));
    }
    Ok(RequestKind::Http {
        method: method.into(),
        target: target.into(),
        body,
    })
}

/// Reads `500ms`, `10s`, `2m`.
///
/// # Errors
/// It has another form, as a sentence.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let split = text
        .find(|letter: char| !letter.is_ascii_digit() && letter != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let factor = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        _ => {
            return Err(format!(
                "{text:?} is not a duration; write 500ms, 10s or 2m"
            ));
        }
    };
    let number: f64 = number
        .parse()
        .map_err(|_| format!("{text:?} is not a duration; write 500ms, 10s or 2m"))?;
    let seconds = number * factor;
    if seconds > 3600.0 {
        return Err(format!("{text:?} is longer than an hour"));
    }
    Ok(Duration::from_secs_f64(seconds))
}

pub(super) fn header_value(name: &str, value: &str) -> Result<(), String> {
    let name_ok = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    let value_ok = value.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    if name_ok && value_ok {
        Ok(())
    } else {
        Err(format!(
            "header {name:?} has letters that no header may have"
        ))
    }
}

pub(super) fn json(value: &toml::Value) -> Result<String, String> {
    if let toml::Value::String(text) = value {
        return Ok(text.clone());
    }
    serde_json::to_string(value).map_err(|error| format!("data cannot be written as JSON: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_read_in_both_spellings() {
        for text in ["a.v1.B/C", "/a.v1.B/C", "a.v1.B.C"] {
            assert_eq!(
                grpc(text, String::new()),
                Ok(RequestKind::Grpc {
                    method: "a.v1.B/C".into(),
                    data: String::new()
                })
            );
        }
        for text in ["", "C", "a b/C", "a/b/c"] {
            assert!(grpc(text, String::new()).is_err(), "{text}");
        }
        assert!(
            grpc("a.B/C", "{".into())
                .expect_err("not JSON")
                .contains("not JSON")
        );
    }
}

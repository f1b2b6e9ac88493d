//! Words that stand in flags and in the configuration alike: methods, requests, durations.

use std::time::Duration;

use serde::{Deserialize, Deserializer};
use shakedown_evidence::RequestKind;

/// Reads `pkg.Service/Method`.
///
/// # Errors
/// It has another form, as a sentence.
pub fn grpc(method: &str, data: String) -> Result<RequestKind, String> {
    let given = method.trim();
    let method = given.trim_start_matches('/');
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
            "{given:?} is not a gRPC method; it is written pkg.Service/Method"
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
    let target_ok = ["/", "http://", "https://"]
        .iter()
        .any(|begin| target.starts_with(begin))
        && !target.contains(char::is_whitespace);
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

/// Checks the URL that says whether a service is ready; a placeholder may stand for all of it.
///
/// # Errors
/// It is of another kind, as a sentence.
pub fn ready_url(text: &str) -> Result<(), String> {
    if ["http://", "https://", "grpc://", "{"]
        .iter()
        .any(|begin| text.starts_with(begin))
    {
        return Ok(());
    }
    Err(format!(
        "{text:?} cannot be asked; ready is written http://host:port/path or grpc://host:port; without it, a listener is enough"
    ))
}

/// The data of a request as JSON: as it stands if it is a text, else the table in JSON's spelling.
pub(super) fn json(value: &toml::Value) -> Result<String, String> {
    match value {
        toml::Value::String(text) => Ok(text.clone()),
        value => Ok(spelled(value)?.to_string()),
    }
}

fn spelled(value: &toml::Value) -> Result<serde_json::Value, String> {
    use serde_json::Value;
    Ok(match value {
        toml::Value::String(text) => Value::from(text.as_str()),
        toml::Value::Integer(number) => Value::from(*number),
        toml::Value::Float(number) => serde_json::Number::from_f64(*number)
            .map(Value::Number)
            .ok_or_else(|| format!("JSON has no number {number}; write it as a text"))?,
        toml::Value::Boolean(yes) => Value::from(*yes),
        toml::Value::Datetime(time) => Value::from(time.to_string()),
        toml::Value::Array(values) => Value::Array(
            values
                .iter()
                .map(spelled)
                .collect::<Result<Vec<_>, String>>()?,
        ),
        toml::Value::Table(table) => Value::Object(
            table
                .iter()
                .map(|(name, value)| Ok((name.clone(), spelled(value)?)))
                .collect::<Result<_, String>>()?,
        ),
    })
}

pub(super) fn duration<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(from)?;
    parse_duration(&text)
        .map(Some)
        .map_err(serde::de::Error::custom)
}

pub(super) fn command<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let words = Vec::<String>::deserialize(from)?;
    if words.first().is_none_or(String::is_empty) {
        return Err(serde::de::Error::custom(
            "a command names at least its program: cmd = [\"./service\"]",
        ));
    }
    Ok(words)
}

pub(super) fn ready<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(from)?;
    ready_url(&text).map_err(serde::de::Error::custom)?;
    Ok(Some(text))
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
        let error = grpc("/Get", String::new()).expect_err("no service");
        assert!(error.contains("\"/Get\""), "{error}");
        assert!(
            grpc("a.B/C", "{".into())
                .expect_err("not JSON")
                .contains("not JSON")
        );
    }

    #[test]
    fn a_table_is_spelled_as_json() {
        let table = "a = 1\nb = [1.5, true, 'x']\nc = 1979-05-27T07:32:00Z\nd = { e = '' }";
        let value = toml::Value::Table(table.parse().expect("a table"));
        assert_eq!(
            json(&value).as_deref(),
            Ok(r#"{"a":1,"b":[1.5,true,"x"],"c":"1979-05-27T07:32:00Z","d":{"e":""}}"#)
        );
    }

    #[test]
    fn only_what_can_be_asked_says_ready() {
        for url in [
            "http://h:1/z",
            "grpc://h:1",
            "{port.a}",
            "http://{otlp.addr}/",
        ] {
            assert_eq!(ready_url(url), Ok(()), "{url}");
        }
        for url in ["", "h:1", "tcp://h:1"] {
            assert!(ready_url(url).is_err(), "{url}");
        }
    }
}

//! `{otlp.addr}` and its like in commands and environments.

use std::collections::BTreeMap;

/// A placeholder that stands for nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{{{name}}} stands for nothing here; known: {known}")]
pub struct Unknown {
    name: String,
    known: String,
}

/// What the names stand for.
pub(crate) type Values = BTreeMap<String, String>;

/// Replaces `{name.part}` by its value. Braces around anything else (JSON, Go templates, shell)
/// stay as they are: a placeholder is lower-case words joined by dots.
pub(crate) fn fill(text: &str, values: &Values) -> Result<String, Unknown> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        out.push_str(&rest[..open]);
        let inner = &rest[open + 1..];
        match inner.split_once('}') {
            Some((name, after)) if is_name(name) => {
                let value = values.get(name).ok_or_else(|| Unknown {
                    name: name.to_owned(),
                    known: values
                        .keys()
                        .map(|known| format!("{{{known}}}"))
                        .collect::<Vec<_>>()
                        .join(", "),
                })?;
                out.push_str(value);
                rest = after;
            }
            _ => {
                out.push('{');
                rest = inner;
            }
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// The placeholders of a text that begin with `prefix`.
pub(crate) fn names(text: &str, prefix: &str) -> Vec<String> {
    let inner = text
        .split('{')
        .skip(1)
        .filter_map(|rest| rest.split_once('}'));
    inner
        .map(|(name, _)| name)
        .filter(|name| is_name(name) && name.starts_with(prefix))
        .map(str::to_owned)
        .collect()
}

fn is_name(name: &str) -> bool {
    let letter = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_')
    };
    name.contains('.')
        && name
            .split('.')
            .all(|part| !part.is_empty() && part.bytes().all(letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<String, Unknown> {
        fill(
            text,
            &[("otlp.addr".to_owned(), "127.0.0.1:9".to_owned())].into(),
        )
    }

    #[test]
    fn known_names_are_replaced_and_other_braces_stay() {
        assert_eq!(
            check("http://{otlp.addr}/v1"),
            Ok("http://127.0.0.1:9/v1".into())
        );
        for text in [r#"{"id":"1"}"#, "{{.Name}}", "${HOME}", "{", "}{", "{a b}"] {
            assert_eq!(check(text).as_deref(), Ok(text));
        }
    }

    #[test]
    fn an_unknown_name_is_an_error_that_lists_the_known_ones() {
        let error = check("{otlp.adr}")
            .expect_err("a typing mistake")
            .to_string();
        assert!(
            error.contains("{otlp.adr}") && error.contains("{otlp.addr}"),
            "{error}"
        );
    }
}

//! `[[service.stall]]` and `--stall`: a forwarder before something that the service needs.

use serde::Deserialize;
use shakedown_evidence::{Answers, Stall};

use super::words::parse_duration;

/// `[[service.stall]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct StallTable {
    name: String,
    to: String,
    answers: Option<String>,
}

impl StallTable {
    pub(super) fn to_stall(&self) -> Result<Stall, String> {
        let answers = match self.answers.as_deref() {
            None => Answers::default(),
            Some(text) => answers(text).map_err(|why| format!("stall {}: {why}", self.name))?,
        };
        Ok(Stall {
            answers,
            ..stall(&self.name, &self.to)?
        })
    }
}

/// A stall that holds answers. A placeholder may stand for the address it leads to, or its port.
///
/// # Errors
/// Name or address have another form, as a sentence.
pub fn stall(name: &str, to: &str) -> Result<Stall, String> {
    let letter = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_')
    };
    if name.is_empty() || !name.bytes().all(letter) {
        return Err(format!(
            "{name:?} cannot be a stall's name: it becomes part of {{stall.NAME.addr}}, so use a-z, 0-9, - and _"
        ));
    }
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
    let is_placeholder = |text: &str| text.starts_with('{') && text.ends_with('}');
    let is_address = to.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && !host.contains('/') && (is_port(port) || is_placeholder(port))
    });
    if !is_address && !is_placeholder(to) {
        return Err(format!(
            "stall {name}: {to:?} is not an address; it is written host:port, without a scheme"
        ));
    }
    Ok(Stall {
        name: name.to_owned(),
        to: to.to_owned(),
        answers: Answers::default(),
    })
}

/// Reads `NAME=HOST:PORT`.
///
/// # Errors
/// It has another form, as a sentence.
pub fn stall_flag(word: &str) -> Result<Stall, String> {
    let (name, to) = word
        .split_once('=')
        .ok_or_else(|| format!("--stall {word}: it is written NAME=HOST:PORT"))?;
    stall(name, to).map_err(|why| format!("--stall {word}: {why}"))
}

fn answers(text: &str) -> Result<Answers, String> {
    match text {
        "held" => Ok(Answers::Held),
        "never" => Ok(Answers::Never),
        _ => {
            let late_by = parse_duration(text).map_err(|_| {
                format!("{text:?} cannot become of answers; write \"held\", \"never\" or a delay such as \"300ms\"")
            })?;
            let ms = u64::try_from(late_by.as_millis()).unwrap_or(u64::MAX);
            Ok(Answers::LateByMs(ms))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_names_a_dependency_and_its_address() {
        for (word, name, to) in [
            ("db=127.0.0.1:5432", "db", "127.0.0.1:5432"),
            ("my-db=[::1]:5432", "my-db", "[::1]:5432"),
            ("db=localhost:{port.db}", "db", "localhost:{port.db}"),
            ("db={port.db}", "db", "{port.db}"),
        ] {
            let stall = stall_flag(word).expect(word);
            assert_eq!((stall.name.as_str(), stall.to.as_str()), (name, to));
        }
    }

    #[test]
    fn what_cannot_be_forwarded_to_is_refused() {
        for (word, wanted) in [
            ("127.0.0.1:5432", "NAME=HOST:PORT"),
            ("db=5432", "host:port"),
            ("db=http://h:80", "without a scheme"),
            ("db=h:0", "host:port"),
            ("db=h:70000", "host:port"),
            ("=h:1", "cannot be a stall's name"),
            ("Db=h:1", "{stall.NAME.addr}"),
        ] {
            let error = stall_flag(word).expect_err(word);
            assert!(error.contains(wanted), "{word}: {error}");
        }
    }

    #[test]
    fn answers_are_held_late_or_never_come() {
        assert_eq!(answers("held"), Ok(Answers::Held));
        assert_eq!(answers("never"), Ok(Answers::Never));
        assert_eq!(answers("1s"), Ok(Answers::LateByMs(1000)));
        assert!(answers("lost").is_err_and(|why| why.contains("300ms")));
    }
}

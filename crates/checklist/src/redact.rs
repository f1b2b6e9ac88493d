//! What of a run's settings must not be written down: secrets in the command line and in requests,
//! and the values that are cut wherever they appear later.

use shakedown_evidence::command_line;
use shakedown_evidence::secret::{CUT, Known, cut, is_secret_name};
use shakedown_evidence::{Request, RequestKind};

use crate::Settings;
use crate::attach::Found;

/// The values of headers and variables whose names say that they are secret, and of every header
/// that was taken from the environment.
pub(crate) fn known(settings: &Settings, found: Option<&Found>) -> Known {
    let starts = std::iter::once(&settings.start).chain(
        settings
            .dependencies
            .iter()
            .map(|dependency| &dependency.start),
    );
    let words = starts.clone().flat_map(|start| values(&start.command));
    let variables = starts.flat_map(|start| &start.env);
    let given = variables.chain(&settings.headers);
    let secret = given.filter(|(name, _)| is_secret_name(name));
    let secret = secret.map(|(_, value)| value.clone());
    let of_process = found.map(|found| {
        let command = found.command();
        found
            .secrets()
            .into_iter()
            .chain(values(&command))
            .collect()
    });
    let of_process: Vec<String> = of_process.unwrap_or_default();
    Known::of(
        secret
            .chain(settings.secrets.iter().cloned())
            .chain(words)
            .chain(of_process),
    )
}

/// The values of flags and settings in a command whose names say that they are secret.
fn values(words: &[String]) -> Vec<String> {
    let inline = words.iter().filter_map(|word| {
        let (name, value) = word.split_once('=')?;
        is_secret_name(name).then(|| value.to_owned())
    });
    let next = words.windows(2).filter_map(|pair| {
        let [flag, value] = pair else { return None };
        let is_pair = flag.starts_with('-') && is_secret_name(flag) && !value.starts_with('-');
        is_pair.then(|| value.clone())
    });
    inline.chain(next).collect()
}

/// Requests without what looks like a secret in their URLs and data.
pub(crate) fn requests(mut requests: Vec<Request>) -> Vec<Request> {
    let clean = |text: &mut String| *text = cut(text).into_owned();
    for request in &mut requests {
        match &mut request.kind {
            RequestKind::Grpc { data, .. } => clean(data),
            RequestKind::Http { target, body, .. } => {
                clean(target);
                clean(body);
            }
        }
    }
    requests
}

/// The command with the values of secret flags and the credentials of URLs cut.
#[must_use]
pub(crate) fn command(words: &[String]) -> Vec<String> {
    // What a rule may call a secret is cut in any case, and more: nobody is blamed for a cut.
    let words = command_line::cut(words);
    let mut cut_next = false;
    let mut out = Vec::with_capacity(words.len());
    for word in &words {
        if cut_next && !word.starts_with('-') {
            out.push(CUT.to_owned());
            cut_next = false;
            continue;
        }
        cut_next = false;
        if out.last().is_some_and(|flag| flag == "--header") {
            out.push(header(word));
            continue;
        }
        match word.split_once('=') {
            Some((name, _)) if is_secret(name) => out.push(format!("{name}={CUT}")),
            _ => {
                cut_next = word.starts_with('-') && is_secret(word);
                out.push(cut(word).into_owned());
            }
        }
    }
    out
}

/// A header keeps its name; a value that is taken from the environment is no secret.
fn header(word: &str) -> String {
    match word.split_once(':') {
        Some((_, value)) if value.trim_start().starts_with("env:") => word.to_owned(),
        Some((name, _)) => format!("{name}: {CUT}"),
        None => CUT.to_owned(),
    }
}

/// A name with a secret's name in it: `--db-password-file` has none in its value, but nobody misses
/// a path that was cut.
fn is_secret(name: &str) -> bool {
    const INNER: &[&str] = &[
        "password",
        "passwd",
        "secret",
        "token",
        "apikey",
        "api-key",
        "api_key",
        "credential",
        "private-key",
        "private_key",
    ];
    let lower = name.to_ascii_lowercase();
    is_secret_name(name) || INNER.iter().any(|word| lower.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_secret_words_are_known() {
        let words = [
            "./orders",
            "--db-password=x1",
            "-token",
            "y1",
            "--token-url=z",
            "API_KEY=k1",
            "--secret",
            "-v",
        ];
        let words = words.map(str::to_owned);
        assert_eq!(values(&words), ["x1", "k1", "y1"]);
    }

    fn check(words: &[&str]) -> String {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        command(&words).join(" ")
    }

    #[test]
    fn values_of_secret_flags_are_cut() {
        assert_eq!(
            check(&["./orders", "--db-password=x", "-token", "y", "-v", "1"]),
            "./orders --db-password=[cut] -token [cut] -v 1"
        );
        assert_eq!(
            check(&["env", "API_KEY=z", "./orders"]),
            "env API_KEY=[cut] ./orders"
        );
    }

    #[test]
    fn values_of_headers_are_cut() {
        assert_eq!(
            check(&["--header", "x-key: 1", "--header", "a: env:TOKEN"]),
            "--header x-key: [cut] --header a: env:TOKEN"
        );
    }

    #[test]
    fn passwords_in_urls_are_cut() {
        assert_eq!(
            check(&["--dsn", "postgres://u:p@h:5432/db?x=1"]),
            "--dsn postgres://u:[cut]@h:5432/db?x=1"
        );
        assert_eq!(
            check(&["--dsn", "postgres://h:5432/db"]),
            "--dsn postgres://h:5432/db"
        );
    }
}

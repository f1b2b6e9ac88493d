//! Cuts secrets out of a command line before it is written down.

use shakedown_evidence::secret;

/// Words in a flag's or variable's name that make its value a secret.
const SECRET: &[&str] = &[
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
/// What stands in its place.
const CUT: &str = "[cut]";

/// The command with the values of secret flags and the credentials of URLs cut.
#[must_use]
pub(crate) fn command(words: &[String]) -> Vec<String> {
    // What a rule may call a secret is cut in any case, and more: nobody is blamed for a cut.
    let words = secret::cut(words);
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
                out.push(without_credentials(word));
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

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET.iter().any(|word| name.contains(word))
}

/// `postgres://user:secret@host` loses its password.
fn without_credentials(word: &str) -> String {
    let Some((scheme, rest)) = word.split_once("://") else {
        return word.to_owned();
    };
    let authority = rest.split(['/', '?']).next().unwrap_or(rest);
    match authority
        .rsplit_once('@')
        .and_then(|(user, host)| Some((user.split_once(':')?.0, host)))
    {
        Some((user, host)) => format!("{scheme}://{user}:{CUT}@{host}{}", &rest[authority.len()..]),
        None => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

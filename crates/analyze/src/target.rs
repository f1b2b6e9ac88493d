//! What was checked, for the head of the report.

use shakedown_evidence::{Evidence, Listener, Method, Speaks};
use shakedown_findings::TargetRow;

/// Libraries that decide how the four items behave.
const LIBRARIES: &[(&str, &str)] = &[
    ("google.golang.org/grpc", "grpc-go"),
    ("go.opentelemetry.io/otel", "otel"),
    ("go.uber.org/zap", "zap"),
    ("github.com/rs/zerolog", "zerolog"),
    ("github.com/sirupsen/logrus", "logrus"),
];

/// Puts the facts of the target together.
#[must_use]
pub fn target(seen: &Evidence) -> TargetRow {
    let build = seen.build.as_ref();
    let version = |(path, name): &(&str, &str)| {
        let version = build?.module(path)?;
        Some(format!("{name} {}", version.trim_start_matches('v')))
    };
    let rustc = build.and_then(|build| build.rust.as_ref());
    let rustc = rustc.map(|version| format!("rustc {version}"));
    let main = build.and_then(|build| build.main.as_ref());
    let dirty = build.and_then(|build| build.modified) == Some(true);
    TargetRow {
        name: seen.run.name.clone(),
        command: seen.run.command.clone(),
        pid: seen.target_pid(),
        go: build.and_then(|build| build.go.clone()),
        module: main.map(|main| {
            format!("{} {}", main.path, main.version)
                .trim_end()
                .to_owned()
        }),
        revision: build
            .and_then(|build| build.revision.clone())
            .map(|revision| {
                if dirty {
                    format!("{revision}+dirty")
                } else {
                    revision
                }
            }),
        libraries: rustc
            .into_iter()
            .chain(LIBRARIES.iter().filter_map(version))
            .collect(),
        listeners: seen
            .listeners
            .iter()
            .map(|listener| describe(seen, listener))
            .collect(),
    }
}

/// `127.0.0.1:7000 grpc`.
fn describe(seen: &Evidence, listener: &Listener) -> String {
    let speaks = seen
        .facts_of(&listener.reach)
        .map_or(&[][..], |facts| &facts.speaks);
    let has = |what| speaks.contains(&what);
    let mut words = Vec::new();
    if has(Speaks::Grpc) {
        words.push("grpc");
    } else if has(Speaks::Http1) && !has(Speaks::Pprof) || serves_requests(seen, &listener.reach) {
        words.push("http");
    } else if has(Speaks::H2c) {
        words.push("h2c");
    }
    if has(Speaks::Tls) || listener.reach.starts_with("tls:") {
        words.push("tls");
    }
    if has(Speaks::Pprof) {
        words.push("pprof");
    }
    if has(Speaks::Prometheus) {
        words.push("metrics");
    }
    if words.is_empty() {
        words.push("?");
    }
    format!("{} {}", listener.bound, words.join("+"))
}

/// Requests that were given are served there.
pub(crate) fn serves_requests(seen: &Evidence, reach: &str) -> bool {
    let given = |request: &usize| seen.request(*request).is_some_and(|request| request.given);
    let mut located = (0..seen.run.requests.len()).filter(given);
    located.any(|request| seen.reach_of(request) == Some(reach))
}

/// The flags of a request that could be given: a method that the service was found to have, with a
/// message made up from its type. One that reads comes first: nobody knows what the others do.
fn example_request(seen: &Evidence) -> Option<String> {
    const READS: [&str; 8] = [
        "Get", "List", "Find", "Search", "Read", "Query", "Fetch", "Lookup",
    ];
    let methods = seen.methods.iter().flat_map(|methods| &methods.methods);
    let reads = |method: &&Method| {
        let name = method.name.rsplit('/').next().unwrap_or_default();
        READS.iter().any(|begin| name.starts_with(begin))
    };
    let best = methods
        .clone()
        .find(reads)
        .or_else(|| methods.clone().next())?;
    let data = if best.sample == "{}" {
        String::new()
    } else {
        format!(" --data {}", quoted(&best.sample))
    };
    Some(format!("--grpc {}{data}", best.name))
}

/// What is to be given: an example made up for this service, else the flags in general.
pub(crate) fn request_to_give(seen: &Evidence, flags: &str) -> String {
    example_request(seen).map_or(flags.to_owned(), |example| {
        format!("{example} (made up from the message's type: see whether it may be sent)")
    })
}

/// The command that shows one rule's finding again.
pub(crate) fn repeat(seen: &Evidence, rule: &str) -> String {
    let words = seen.run.again.iter().map(|word| quoted(word));
    let first = format!("shakedown check --only {rule}");
    std::iter::once(first)
        .chain(words)
        .collect::<Vec<_>>()
        .join(" ")
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:=,@%+".contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use shakedown_evidence::{At, Event, Methods};

    use super::*;

    #[test]
    fn the_example_is_a_method_that_reads() {
        let mut seen = Evidence::default();
        assert_eq!(example_request(&seen), None);
        let method = |(name, sample): (&str, &str)| Method {
            name: name.into(),
            sample: sample.into(),
        };
        let methods = [
            ("a.Orders/DeleteAll", "{}"),
            ("a.Orders/GetOne", r#"{"id":"1"}"#),
        ];
        seen.apply(Event::Methods(Methods {
            at: At(1),
            reach: "h:1".into(),
            from: "reflection".into(),
            methods: methods.map(method).into(),
        }));
        assert_eq!(
            example_request(&seen).as_deref(),
            Some(r#"--grpc a.Orders/GetOne --data '{"id":"1"}'"#)
        );
        seen.methods[0].methods.pop();
        assert_eq!(
            example_request(&seen).as_deref(),
            Some("--grpc a.Orders/DeleteAll")
        );
    }

    #[test]
    fn words_are_quoted_as_a_shell_takes_them() {
        for (word, shell) in [
            ("./orders", "./orders"),
            ("", "''"),
            ("GET /x", "'GET /x'"),
            (r#"{"id":"1"}"#, r#"'{"id":"1"}'"#),
            ("it's", r"'it'\''s'"),
            ("$HOME", "'$HOME'"),
        ] {
            assert_eq!(quoted(word), shell);
        }
    }
}

//! PRF007: the command line shows a secret.

use std::collections::BTreeSet;

use shakedown_evidence::command_line::{Secret, SecretForm};
use shakedown_evidence::{CommandLine, Evidence, ProbeKind, curl_at, url_at};
use shakedown_findings::{Certainty, Exhibit, Finding, Item, RuleMeta, Severity};

use crate::judgement::Found;
use crate::{Judgement, Rule};

pub(crate) const RULE: Rule = Rule {
    meta: RuleMeta {
        code: "PRF007",
        name: "secret-in-cmdline",
        item: Item::Profile,
        severity: Severity::Error,
        required: false,
        page: include_str!("secret_in_cmdline.md"),
    },
    judge,
};

fn judge(seen: &Evidence) -> Judgement {
    let read = of_target(seen);
    if read.is_empty() {
        let mut failures = seen.failures.iter();
        let failure = failures.find(|failure| failure.kind == ProbeKind::CommandLine);
        let why = failure.map_or_else(
            || "no command line was read".to_owned(),
            |failure| format!("{}: {}", failure.subject, failure.why),
        );
        return Judgement::inconclusive(why, "a run as the user whose service it is");
    }
    // The same secret is seen in each place where the command line can be read.
    let mut known = BTreeSet::new();
    let secrets = read.iter().flat_map(|read| &read.secrets);
    let findings: Vec<Finding> = secrets
        .filter(|secret| known.insert(secret.shown.as_str()))
        .map(|secret| finding(secret, &read))
        .collect();
    if !findings.is_empty() {
        return Judgement::failed(findings);
    }
    let words = read.iter().map(|read| read.words).max().unwrap_or(0);
    let places: Vec<&str> = read.iter().map(|read| place(read)).collect();
    Judgement::passed(format!(
        "{words} words in {}: no secret",
        places.join(" and ")
    ))
}

/// Command lines of the process that is checked: a wrapper's and a dependency's are others'.
fn of_target(seen: &Evidence) -> Vec<&CommandLine> {
    let target = seen.target_pid();
    let is_target = |read: &&CommandLine| match pid(read) {
        Some(pid) => Some(pid) == target,
        None => {
            seen.listeners.iter().any(|listener| {
                Some(listener.pid) == target && read.from.starts_with(&url_at(&listener.reach, "/"))
            }) || target.is_none()
        }
    };
    let mut read: Vec<&CommandLine> = seen.command_lines.iter().filter(is_target).collect();
    let mut known = BTreeSet::new();
    read.retain(|read| known.insert(read.from.as_str()));
    read
}

/// The process, if it was read in /proc.
fn pid(read: &CommandLine) -> Option<u32> {
    let rest = read.from.strip_prefix("/proc/")?;
    rest.split('/').next()?.parse().ok()
}

fn place(read: &CommandLine) -> &str {
    if pid(read).is_some() {
        "/proc"
    } else {
        "/debug/pprof/cmdline"
    }
}

fn finding(secret: &Secret, read: &[&CommandLine]) -> Finding {
    let shows = |read: &&&CommandLine| read.secrets.iter().any(|other| other.shown == secret.shown);
    let readers: Vec<String> = read
        .iter()
        .filter(shows)
        .map(|read| match pid(read) {
            Some(_) => format!("every user of the machine (ps, {})", read.from),
            None => format!("everybody who reaches {}", read.from),
        })
        .collect();
    let what = match secret.form {
        SecretForm::Named => "The value of a flag that is called a secret",
        SecretForm::Credentials => "A password",
        SecretForm::Token => "A token, known by its prefix,",
    };
    let found = Found {
        certainty: Certainty::Proven,
        subject: secret.shown.clone(),
        location: None,
        message: format!(
            "{what} stands in the command line, for others to read: {}.",
            readers.join(", ")
        ),
        exhibits: vec![Exhibit::Quote {
            title: "in the command line, the value cut".into(),
            lines: vec![secret.shown.clone()],
        }],
        fix: "take it from a file that only the service can read (-token-file), or from the environment, and change the secret: what was on a command line is in process lists, in shell histories and in crash reports".into(),
        repeat: repeat(read),
    };
    found.by(&RULE.meta)
}

/// Shows the names only.
fn repeat(read: &[&CommandLine]) -> String {
    let Some(first) = read.first() else {
        return String::new();
    };
    let source = if pid(first).is_some() {
        format!("cat {}", first.from)
    } else {
        curl(&first.from)
    };
    format!("{source} | tr '\\0' '\\n' | grep -o '^-[^=]*'")
}

/// What asks for a page that is shown so.
fn curl(url: &str) -> String {
    match url.strip_prefix("unix:").and_then(|of| of.rsplit_once(':')) {
        Some((socket, path)) => curl_at(&format!("unix:{socket}"), path, ""),
        None if url.starts_with("https://") => format!("curl -sk {url}"),
        None => format!("curl -s {url}"),
    }
}

#[cfg(test)]
mod tests {
    use shakedown_evidence::{At, Event, Listener, ProbeFailure, ProcessStarted, Role};

    use super::*;

    /// Process 10 listens on 127.0.0.1:6060; these command lines were read.
    fn check(read: &[(&str, &[u8])]) -> Judgement {
        let mut seen = Evidence::default();
        seen.apply(Event::Process(ProcessStarted {
            at: At(1),
            role: Role::Target,
            pid: 10,
        }));
        seen.apply(Event::Listener(Listener {
            at: At(2),
            bound: "127.0.0.1:6060".into(),
            reach: "127.0.0.1:6060".into(),
            pid: 10,
            private: true,
        }));
        for (from, bytes) in read {
            let read = CommandLine::read(At(3), (*from).into(), bytes);
            seen.apply(Event::CommandLine(read));
        }
        judge(&seen)
    }

    const URL: &str = "http://127.0.0.1:6060/debug/pprof/cmdline";

    #[test]
    fn one_secret_in_two_places_is_one_finding_without_its_value() {
        let line: &[u8] = b"./orders\0-inventory-token=hunter2\0";
        let judgement = check(&[("/proc/10/cmdline", line), (URL, line)]);
        let [finding] = judgement.findings.as_slice() else {
            panic!("{judgement:?}")
        };
        assert_eq!(finding.subject, "-inventory-token=[cut]");
        assert!(
            finding.message.contains("ps, /proc/10/cmdline"),
            "{}",
            finding.message
        );
        assert!(finding.message.contains(URL), "{}", finding.message);
        assert!(!format!("{finding:?}").contains("hunter2"));
    }

    #[test]
    fn a_command_line_without_secrets_passes() {
        let judgement = check(&[("/proc/10/cmdline", b"./orders\0-token-file=/run/token\0")]);
        assert_eq!(judgement.outcome.name(), "passed");
    }

    #[test]
    fn somebody_elses_command_line_is_neither_blamed_nor_a_proof() {
        let judgement = check(&[
            ("/proc/9/cmdline", b"env\0-token=hunter2\0"),
            (
                "http://127.0.0.1:7070/debug/pprof/cmdline",
                b"./inventory\0-token=hunter2\0",
            ),
        ]);
        assert_eq!(judgement.outcome.name(), "inconclusive");
    }

    #[test]
    fn a_command_line_that_cannot_be_read_is_told() {
        let mut seen = Evidence::default();
        seen.apply(Event::ProbeFailed(ProbeFailure {
            at: At(1),
            kind: ProbeKind::CommandLine,
            subject: "/proc/10/cmdline".into(),
            why: "permission denied".into(),
            status: None,
        }));
        let outcome = judge(&seen).outcome;
        assert_eq!(outcome.reason(), "/proc/10/cmdline: permission denied");
        assert_eq!(outcome.name(), "inconclusive");
    }
}

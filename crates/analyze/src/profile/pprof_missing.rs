//! PRF001: nobody can take a profile of this service.

use shakedown_evidence::{Evidence, Listener, ProbeFailure, ProbeKind};
use shakedown_findings::{Certainty, Exhibit, Item, RuleMeta, Severity};

use super::closed;
use crate::judgement::Found;
use crate::{Judgement, Rule};

pub(crate) const RULE: Rule = Rule {
    meta: RuleMeta {
        code: "PRF001",
        name: "pprof-missing",
        item: Item::Profile,
        severity: Severity::Error,
        required: true,
        page: include_str!("pprof_missing.md"),
    },
    judge,
};

fn judge(seen: &Evidence) -> Judgement {
    let silent = unclear(seen);
    if let Some(found) = seen.pprof.first() {
        let lists = |name: &str| found.profiles.iter().any(|profile| profile == name);
        let taken: Vec<&str> = seen
            .profiles
            .iter()
            .map(|profile| profile.url.as_str())
            .collect();
        let count = found.profiles.len();
        if !lists("goroutine") && seen.snapshots.is_empty() && taken.is_empty() {
            return Judgement::inconclusive(
                format!(
                    "{}{} answers, but neither a profile nor goroutines could be taken",
                    found.reach, found.prefix
                ),
                "look at the probes in the log book (--format json, marks)",
            );
        }
        return Judgement::passed(format!("pprof on {} ({count} profiles)", found.reach));
    }
    if seen.ready.as_ref().is_none_or(|ready| !ready.ready) {
        return Judgement::inconclusive(
            "the service never became ready",
            "start = { ready = \"http://…\" } in shakedown.toml, or a longer --ready-timeout",
        );
    }
    if !seen.run.access.has_process() {
        let asked: Vec<&str> = seen
            .listeners
            .iter()
            .map(|listener| listener.bound.as_str())
            .collect();
        return Judgement::inconclusive(
            format!(
                "no pprof endpoint at {}; which other listeners the service has cannot be seen from here",
                asked.join(", ")
            ),
            "--pprof HOST:PORT, or --pid PID on the machine of the service",
        );
    }
    if seen.is_rust() {
        return Judgement::inconclusive(
            "no pprof endpoint, and Rust's runtime has no profiler of its own, so another one is not known",
            "shakedown-kit: Kit::builder(NAME).admin(\"127.0.0.1:6060\"); or --pprof HOST:PORT",
        );
    }
    let is_go = seen.build.as_ref().is_some_and(|build| build.go.is_some());
    if !is_go {
        return Judgement::inconclusive(
            "no pprof endpoint, and the executable is not Go's (no build info), so another profiler is not known",
            "a Go service, or a Rust service with shakedown-kit",
        );
    }
    if let Some(listener) = silent {
        return Judgement::inconclusive(
            format!("{} did not say what it speaks", listener.reach),
            format!(
                "is it TLS, or another protocol? pprof on a plain private listener answers GET http://{}/debug/pprof/",
                listener.reach
            ),
        );
    }
    if let Some(judgement) = closed(seen) {
        return judgement;
    }
    if let Some(failure) = hidden(seen) {
        return Judgement::inconclusive(
            format!("{}: {}", failure.subject, failure.why),
            format!("an answer to curl -s {}", failure.subject),
        );
    }
    let asked: Vec<String> = seen
        .listeners
        .iter()
        .map(|listener| listener.bound.clone())
        .collect();
    let message = if asked.is_empty() {
        "The service has no listener at all, so no profile can be taken from it.".to_owned()
    } else {
        format!(
            "None of its {} listeners serves net/http/pprof.",
            asked.len()
        )
    };
    let found = Found {
        certainty: Certainty::Proven,
        subject: "no pprof endpoint on any listener".into(),
        location: None,
        message,
        exhibits: vec![Exhibit::Quote { title: "listeners asked for /debug/pprof/".into(), lines: asked }],
        fix: "a mux of its own on a private listener: mux.HandleFunc(\"/debug/pprof/\", pprof.Index) and Cmdline, Profile, Symbol, Trace; go http.ListenAndServe(\"127.0.0.1:6060\", mux)".into(),
        repeat: "curl -s http://ADDRESS/debug/pprof/ for each listener".into(),
    };
    Judgement::failed(vec![found.by(&RULE.meta)])
}

/// A listener on which pprof may be, although it was not found there: no answer came, or none
/// without credentials.
pub(super) fn hidden(seen: &Evidence) -> Option<&ProbeFailure> {
    let mut failures = seen.failures.iter();
    failures.find(|failure| failure.kind == ProbeKind::Pprof)
}

/// A listener that could not be asked.
fn unclear(seen: &Evidence) -> Option<&Listener> {
    let silent = |listener: &&Listener| {
        let facts = seen.facts_of(&listener.reach);
        facts.is_none_or(|facts| facts.speaks.is_empty())
    };
    seen.listeners.iter().find(silent)
}

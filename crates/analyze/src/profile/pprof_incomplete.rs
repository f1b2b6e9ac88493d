//! PRF003: pprof is there, and some of its profiles are not.

use shakedown_evidence::{
    EndpointAnswer, EndpointAsked, Evidence, PprofEndpoint, Window, WindowKind, curl_at,
};
use shakedown_findings::{Certainty, Exhibit, Finding, Item, RuleMeta, Severity};

use super::{is_absent, is_kit, is_other_language, last_window, subject_of, without_pprof};
use crate::judgement::Found;
use crate::{Judgement, Rule};

pub(crate) const RULE: Rule = Rule {
    meta: RuleMeta {
        code: "PRF003",
        name: "pprof-incomplete",
        item: Item::Profile,
        severity: Severity::Warning,
        required: false,
        page: include_str!("pprof_incomplete.md"),
    },
    judge,
};

/// Nobody needs these for a Go service: profiles name their functions themselves, and the command
/// line is often kept back on purpose.
const OPTIONAL: [&str; 2] = ["cmdline", "symbol"];

fn judge(seen: &Evidence) -> Judgement {
    if seen.pprof.is_empty() {
        return without_pprof();
    }
    if is_kit(seen) {
        return judge_kit(seen);
    }
    if is_other_language(seen) {
        return Judgement::not_applicable(
            "the executable is not Go's, and these are the endpoints of net/http/pprof",
        );
    }
    let mut findings: Vec<Finding> = seen.pprof.iter().filter_map(incomplete).collect();
    let absent: Vec<&Window> = [WindowKind::Cpu, WindowKind::Trace]
        .into_iter()
        .filter_map(|kind| last_window(seen, kind))
        .filter(|window| is_absent(window))
        .collect();
    if !absent.is_empty() {
        findings.push(without_windows(&absent));
    }
    if !findings.is_empty() {
        return Judgement::failed(findings);
    }
    if let Some((endpoint, asked, why)) = unseen(seen) {
        let url = url(endpoint, asked);
        return Judgement::inconclusive(
            format!("{url}: {why}"),
            format!("an answer to curl -s '{url}'"),
        );
    }
    if seen.pprof.iter().any(|endpoint| endpoint.asked.is_empty()) {
        return Judgement::inconclusive(
            "not every endpoint of pprof was asked",
            "a new run: this one was recorded by an earlier version",
        );
    }
    if last_window(seen, WindowKind::Cpu).is_none()
        || last_window(seen, WindowKind::Trace).is_none()
    {
        return Judgement::inconclusive(
            "no CPU profile and no execution trace was asked for",
            "a run that comes to its window",
        );
    }
    let asked = seen.pprof.iter().flat_map(|endpoint| &endpoint.asked);
    let left_out: Vec<&str> = asked
        .filter(|asked| asked.answer != EndpointAnswer::Works)
        .map(|asked| asked.name.as_str())
        .collect();
    let works = seen.pprof.iter().flat_map(|endpoint| &endpoint.asked);
    let works = works
        .filter(|asked| asked.answer == EndpointAnswer::Works)
        .count();
    Judgement::passed(if left_out.is_empty() {
        format!("{works} endpoints answered, profile and trace beside them")
    } else {
        format!(
            "{works} endpoints answered, profile and trace beside them; {} left out, which no Go profile needs",
            left_out.join(" and ")
        )
    })
}

/// What shakedown-kit serves. It answers 501 with the reason where it does not measure.
fn judge_kit(seen: &Evidence) -> Judgement {
    /// Locks of Rust have no hook, and there is no execution trace: neither can be there.
    const NEVER: [&str; 2] = ["mutex", "trace"];
    let wanted = |asked: &&EndpointAsked| {
        let name = asked.name.as_str();
        !NEVER.contains(&name) && !OPTIONAL.contains(&name)
    };
    let endpoints: Vec<PprofEndpoint> = seen
        .pprof
        .iter()
        .map(|endpoint| PprofEndpoint {
            asked: endpoint.asked.iter().filter(wanted).cloned().collect(),
            ..endpoint.clone()
        })
        .collect();
    let findings: Vec<Finding> = endpoints.iter().filter_map(incomplete).collect();
    if !findings.is_empty() {
        return Judgement::failed(findings);
    }
    let unseen = |asked: &&EndpointAsked| matches!(asked.answer, EndpointAnswer::Unseen { .. });
    let mut asked = endpoints.iter().flat_map(|endpoint| &endpoint.asked);
    if asked.clone().next().is_none() || asked.clone().any(|asked| unseen(&asked)) {
        return Judgement::inconclusive(
            "not every endpoint of pprof was asked, or answered",
            "run again; credentials with `headers`, if they are wanted",
        );
    }
    match last_window(seen, WindowKind::Cpu) {
        None => Judgement::inconclusive(
            "no CPU profile was asked for",
            "a run that comes to its window",
        ),
        Some(window) if is_absent(window) => Judgement::failed(vec![without_windows(&[window])]),
        Some(_) => Judgement::passed(format!(
            "{} endpoints of shakedown-kit answered, profile beside them; mutex and trace are not measured in Rust",
            asked.by_ref().count()
        )),
    }
}

/// The endpoints of one index that are absent or broken.
fn incomplete(endpoint: &PprofEndpoint) -> Option<Finding> {
    let is_missing = |asked: &&EndpointAsked| match asked.answer {
        EndpointAnswer::Works | EndpointAnswer::Unseen { .. } => false,
        EndpointAnswer::Absent { .. } => !OPTIONAL.contains(&asked.name.as_str()),
        EndpointAnswer::Broken { .. } => true,
    };
    let missing: Vec<&EndpointAsked> = endpoint.asked.iter().filter(is_missing).collect();
    let first = missing.first()?;
    let names: Vec<&str> = missing.iter().map(|asked| asked.name.as_str()).collect();
    let lines = missing.iter().map(|asked| {
        let what = match &asked.answer {
            EndpointAnswer::Absent { status } => format!("answered {status}"),
            EndpointAnswer::Broken { what } => what.clone(),
            EndpointAnswer::Works | EndpointAnswer::Unseen { .. } => String::new(),
        };
        format!("{}: {what}", url(endpoint, asked))
    });
    let found = Found {
        certainty: Certainty::Proven,
        subject: format!("{}{}: {}", endpoint.reach, endpoint.prefix, names.join(", ")),
        location: None,
        message: format!(
            "pprof answers on {}, but without {}{}.",
            endpoint.reach,
            names.join(", "),
            missed(&names)
        ),
        exhibits: vec![Exhibit::Quote {
            title: "asked one by one".into(),
            lines: lines.collect(),
        }],
        fix: "mux.HandleFunc(\"/debug/pprof/\", pprof.Index) with the slash at its end serves all profiles by name; a router that wants one route each needs pprof.Handler(\"allocs\") and so on".into(),
        repeat: curl_at(
            &endpoint.reach,
            &format!("{}{}", endpoint.prefix, path(first)),
            " -o /dev/null -w '%{http_code}\\n'",
        ),
    };
    Some(found.by(&RULE.meta))
}

/// What cannot be seen without them.
fn missed(names: &[&str]) -> String {
    let of = |name: &str| match name {
        "goroutine" => Some("who hangs where"),
        "heap" => Some("what fills the memory"),
        "allocs" => Some("who allocates"),
        "block" | "mutex" => Some("who waits for whom"),
        "threadcreate" => Some("who makes threads"),
        _ => None,
    };
    let mut shows: Vec<&str> = names.iter().filter_map(|name| of(name)).collect();
    shows.dedup();
    if shows.is_empty() {
        String::new()
    } else {
        format!(": no way to see {}", shows.join(", "))
    }
}

/// The endpoints with a window that the service does not know.
fn without_windows(absent: &[&Window]) -> Finding {
    let names: Vec<&str> = absent.iter().map(|window| window.kind.endpoint()).collect();
    let handlers: Vec<String> = absent
        .iter()
        .map(|window| match window.kind {
            WindowKind::Cpu => "mux.HandleFunc(\"/debug/pprof/profile\", pprof.Profile)".to_owned(),
            WindowKind::Trace => "mux.HandleFunc(\"/debug/pprof/trace\", pprof.Trace)".to_owned(),
        })
        .collect();
    let found = Found {
        certainty: Certainty::Proven,
        subject: subject_of(absent),
        location: None,
        message: format!(
            "{} is not mounted: pprof.Index does not serve it.",
            names.join(" and ")
        ),
        exhibits: vec![],
        fix: handlers.join("; "),
        repeat: repeat(absent),
    };
    found.by(&RULE.meta)
}

fn repeat(absent: &[&Window]) -> String {
    let first = absent.first();
    first.map_or_else(String::new, |window| {
        curl_at(&window.reach, &window.path, "")
    })
}

/// An endpoint of which nobody could see whether it works.
fn unseen(seen: &Evidence) -> Option<(&PprofEndpoint, &EndpointAsked, &str)> {
    seen.pprof.iter().find_map(|endpoint| {
        endpoint.asked.iter().find_map(|asked| match &asked.answer {
            EndpointAnswer::Unseen { why } if !OPTIONAL.contains(&asked.name.as_str()) => {
                Some((endpoint, asked, why.as_str()))
            }
            _ => None,
        })
    })
}

fn url(endpoint: &PprofEndpoint, asked: &EndpointAsked) -> String {
    endpoint.url(&path(asked))
}

/// The page, below the prefix of all.
fn path(asked: &EndpointAsked) -> String {
    match asked.name.as_str() {
        "index" => String::new(),
        name if OPTIONAL.contains(&name) => name.to_owned(),
        name => format!("{name}?debug=1"),
    }
}

#[cfg(test)]
mod tests {
    use shakedown_evidence::{At, BuildInfo, Event, WindowEnd};

    use super::*;
    use crate::profile::tests::{kit_task, pprof, window};

    const NAMES: [&str; 9] = [
        "index",
        "goroutine",
        "heap",
        "allocs",
        "block",
        "mutex",
        "threadcreate",
        "cmdline",
        "symbol",
    ];

    /// Every endpoint works, but those.
    fn check(but: &[(&str, EndpointAnswer)], trace: WindowEnd) -> Judgement {
        judge(&evidence(but, trace))
    }

    fn evidence(but: &[(&str, EndpointAnswer)], trace: WindowEnd) -> Evidence {
        let mut seen = Evidence::default();
        let asked = NAMES.iter().map(|name| EndpointAsked {
            name: (*name).into(),
            answer: but
                .iter()
                .find(|(other, _)| other == name)
                .map_or(EndpointAnswer::Works, |(_, answer)| answer.clone()),
        });
        seen.apply(Event::Pprof(PprofEndpoint {
            at: At(1),
            reach: "127.0.0.1:6060".into(),
            prefix: "/debug/pprof/".into(),
            profiles: vec!["goroutine".into()],
            asked: asked.collect(),
        }));
        seen.windows = vec![
            window(WindowKind::Cpu, WindowEnd::Whole),
            window(WindowKind::Trace, trace),
        ];
        seen
    }

    #[test]
    fn what_rust_cannot_measure_is_not_missed_and_what_it_can_is() {
        let refused = || WindowEnd::Refused {
            status: 501,
            said: String::new(),
        };
        let check = |but: &[(&str, EndpointAnswer)]| {
            let mut seen = evidence(but, refused());
            seen.apply(Event::Stack(kit_task()));
            judge(&seen)
        };
        let unmeasured = || EndpointAnswer::Absent { status: 501 };
        let healthy = check(&[("mutex", unmeasured())]);
        assert_eq!(healthy.outcome.name(), "passed", "{healthy:?}");
        let without_sampler = check(&[
            ("mutex", unmeasured()),
            ("heap", unmeasured()),
            ("allocs", unmeasured()),
        ]);
        assert_eq!(
            subjects(&without_sampler),
            ["127.0.0.1:6060/debug/pprof/: heap, allocs"]
        );
        let why = "answered 403".to_owned();
        let unseen = check(&[("heap", EndpointAnswer::Unseen { why })]);
        assert_eq!(unseen.outcome.name(), "inconclusive");
        let mut seen = evidence(&[], refused());
        seen.apply(Event::Stack(kit_task()));
        seen.windows.clear();
        assert_eq!(judge(&seen).outcome.name(), "inconclusive");
    }

    const ABSENT: EndpointAnswer = EndpointAnswer::Absent { status: 404 };

    fn subjects(judgement: &Judgement) -> Vec<&str> {
        let findings = judgement.findings.iter();
        findings.map(|finding| finding.subject.as_str()).collect()
    }

    #[test]
    fn every_endpoint_that_works_is_a_pass() {
        let judgement = check(&[], WindowEnd::Whole);
        assert_eq!(judgement.outcome.name(), "passed");
    }

    #[test]
    fn missing_endpoints_of_one_index_are_one_finding() {
        let judgement = check(&[("block", ABSENT), ("mutex", ABSENT)], WindowEnd::Whole);
        assert_eq!(
            subjects(&judgement),
            ["127.0.0.1:6060/debug/pprof/: block, mutex"]
        );
        let message = &judgement.findings[0].message;
        assert!(
            message.ends_with("no way to see who waits for whom."),
            "{message}"
        );
    }

    #[test]
    fn a_command_line_kept_back_is_no_fault_and_is_said() {
        let judgement = check(&[("cmdline", ABSENT), ("symbol", ABSENT)], WindowEnd::Whole);
        assert_eq!(judgement.outcome.name(), "passed");
        assert!(
            judgement
                .outcome
                .reason()
                .contains("cmdline and symbol left out")
        );
    }

    #[test]
    fn an_endpoint_that_breaks_is_found_whichever_it_is() {
        let broken = EndpointAnswer::Broken {
            what: "answered `<h1>`".into(),
        };
        let judgement = check(&[("symbol", broken)], WindowEnd::Whole);
        assert_eq!(
            subjects(&judgement),
            ["127.0.0.1:6060/debug/pprof/: symbol"]
        );
    }

    #[test]
    fn what_nobody_could_see_does_not_pass() {
        let unseen = EndpointAnswer::Unseen {
            why: "no answer within 2s".into(),
        };
        assert_eq!(
            check(&[("allocs", unseen)], WindowEnd::Whole)
                .outcome
                .name(),
            "inconclusive"
        );
    }

    #[test]
    fn an_absent_trace_is_a_finding_of_its_own() {
        let absent = WindowEnd::Refused {
            status: 404,
            said: "Unknown profile".into(),
        };
        let judgement = check(&[], absent);
        assert_eq!(subjects(&judgement), ["127.0.0.1:6060/debug/pprof/trace"]);
        let refused = WindowEnd::Refused {
            status: 503,
            said: String::new(),
        };
        assert_eq!(check(&[], refused).outcome.name(), "passed", "it is there");
    }

    #[test]
    fn a_run_without_its_window_and_an_earlier_bundle_do_not_pass() {
        let mut seen = Evidence::default();
        seen.apply(pprof());
        assert_eq!(judge(&seen).outcome.name(), "inconclusive");
        seen.build = Some(BuildInfo::default());
        assert_eq!(judge(&seen).outcome.name(), "not applicable");
    }
}

//! PRF004: a profile over a window long enough cannot be taken.

use shakedown_evidence::{Evidence, Window, WindowEnd, WindowKind, curl_at};
use shakedown_findings::{Certainty, Exhibit, Finding, Item, RuleMeta, Severity};

use super::{is_other_language, last_window, subject_of, without_pprof};
use crate::judgement::Found;
use crate::{Judgement, Rule};

pub(crate) const RULE: Rule = Rule {
    meta: RuleMeta {
        code: "PRF004",
        name: "profile-window-refused",
        item: Item::Profile,
        severity: Severity::Error,
        required: true,
        page: include_str!("profile_window_refused.md"),
    },
    judge,
};

/// Of the window asked for, so much must have been recorded. The clocks of profile and service
/// differ by less than a hundredth; what cuts windows cuts far more.
const RECORDED_PERCENT: u64 = 95;

/// What came of one window.
#[derive(Debug, PartialEq)]
enum Came {
    Whole,
    /// It was cut, and this is how.
    Cut(Cut),
    /// Nobody could see, and this is why, with what would prove it.
    Unseen(String, String),
}

/// In which way a window was not had; two windows that ended in the same way have one cause.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Cut {
    /// Its recording ended early, without an error.
    Short,
    /// A status, and what was said with it.
    Refused(u16, String),
    /// The connection was closed without an answer, or within it.
    Broken,
    /// Something else answered.
    Foreign,
}

fn judge(seen: &Evidence) -> Judgement {
    if seen.pprof.is_empty() {
        return without_pprof();
    }
    let kinds: &[WindowKind] = if is_other_language(seen) {
        &[WindowKind::Cpu]
    } else {
        &[WindowKind::Cpu, WindowKind::Trace]
    };
    let mut cut: Vec<(&Window, Cut)> = Vec::new();
    let mut unseen = None;
    for kind in kinds {
        match last_window(seen, *kind).map(|window| (window, came(seen, window))) {
            None => {
                unseen.get_or_insert_with(|| never_asked(*kind));
            }
            Some((_, Came::Whole)) => {}
            Some((window, Came::Cut(how))) => cut.push((window, how)),
            Some((_, Came::Unseen(why, to_prove))) => {
                unseen.get_or_insert((why, to_prove));
            }
        }
    }
    let findings: Vec<Finding> = match cut.as_slice() {
        [] => match unseen {
            Some((why, to_prove)) => return Judgement::inconclusive(why, to_prove),
            None => return Judgement::passed(said(seen, kinds)),
        },
        // One cause, one finding.
        [(cpu, how), (trace, other)] if how == other => vec![finding(&[cpu, trace], how)],
        several => several
            .iter()
            .map(|(window, how)| finding(&[window], how))
            .collect(),
    };
    Judgement::failed(findings)
}

fn never_asked(kind: WindowKind) -> (String, String) {
    (
        format!("no {} was asked for", name(kind)),
        "a run that comes to its window, of this version".into(),
    )
}

fn came(seen: &Evidence, window: &Window) -> Came {
    let credentials = || "give credentials with `headers`".to_owned();
    let again = || "run again when the machine is quiet".to_owned();
    match &window.end {
        WindowEnd::Whole if is_short(window) => Came::Cut(Cut::Short),
        WindowEnd::Whole => Came::Whole,
        WindowEnd::Refused { said, .. } if said.contains("already in use") => Came::Unseen(
            format!("another profiler was taking a {}", name(window.kind)),
            "stop the continuous profiler or the other `go tool pprof` for the length of the window".into(),
        ),
        WindowEnd::Refused { status: status @ (401 | 403), .. } => {
            Came::Unseen(format!("{} answered {status}", window.path), credentials())
        }
        WindowEnd::Refused { status: 429, .. } => Came::Unseen(
            format!("{} answered 429: somebody counts requests", window.path),
            "an endpoint without a limit for this run".into(),
        ),
        WindowEnd::Unseen { why } => Came::Unseen(format!("{}: {why}", window.path), again()),
        WindowEnd::Empty | WindowEnd::Cut { .. } if ended_meanwhile(seen, window) => Came::Unseen(
            format!("the service ended while its {} was taken", name(window.kind)),
            "a service that lives for the whole window".into(),
        ),
        WindowEnd::Refused { status, said } => Came::Cut(Cut::Refused(*status, said.clone())),
        WindowEnd::Empty | WindowEnd::Cut { .. } => Came::Cut(Cut::Broken),
        WindowEnd::Foreign { .. } => Came::Cut(Cut::Foreign),
    }
}

fn is_short(window: &Window) -> bool {
    window.recorded_ms().saturating_mul(100) < window.asked_ms.saturating_mul(RECORDED_PERCENT)
}

/// The end of the process cuts every answer.
fn ended_meanwhile(seen: &Evidence, window: &Window) -> bool {
    let slack = std::time::Duration::from_secs(2);
    seen.target_exit()
        .is_some_and(|exit| exit.at >= window.at && exit.at <= window.until + slack)
}

fn said(seen: &Evidence, kinds: &[WindowKind]) -> String {
    let windows = kinds.iter().filter_map(|kind| last_window(seen, *kind));
    let recorded: Vec<String> = windows
        .map(|window| {
            let by = if window.recorded_ms.is_some() {
                ""
            } else {
                " by the answer's time"
            };
            format!(
                "{} {}{by}",
                name(window.kind),
                seconds(window.recorded_ms())
            )
        })
        .collect();
    let asked = last_window(seen, WindowKind::Cpu).map_or(0, |window| window.asked_ms);
    format!("of {} asked: {}", seconds(asked), recorded.join(", "))
}

fn finding(windows: &[&Window], how: &Cut) -> Finding {
    let names: Vec<&str> = windows.iter().map(|window| a_name(window.kind)).collect();
    let names = names.join(" and ");
    let window = windows[0];
    let asked = seconds(window.asked_ms);
    let message = match how {
        Cut::Short => format!(
            "Asked for {names} over {asked}, and {} came, without any error: something ends the request's context early.",
            seconds(window.recorded_ms())
        ),
        Cut::Refused(status, said) if said.is_empty() => {
            format!("Asked for {names} over {asked}, it answered {status}.")
        }
        Cut::Refused(status, said) => {
            format!("Asked for {names} over {asked}, it answered {status}: {said}.")
        }
        Cut::Broken => format!(
            "Asked for {names} over {asked}, it closed the connection after {}.",
            seconds(window.took_ms())
        ),
        Cut::Foreign => format!("Asked for {names} over {asked}, it answered something else."),
    };
    let found = Found {
        certainty: Certainty::Proven,
        subject: subject_of(windows),
        location: None,
        message,
        exhibits: vec![Exhibit::Quote {
            title: "asked for".into(),
            lines: windows.iter().map(|window| line(window)).collect(),
        }],
        fix: fix(window, how).into(),
        repeat: curl_at(
            &window.reach,
            &window.path,
            " -o window -w '%{http_code} %{time_total} s %{size_download} bytes\\n'",
        ),
    };
    found.by(&RULE.meta)
}

/// One window in one line.
fn line(window: &Window) -> String {
    let came = match &window.end {
        WindowEnd::Whole => "200".to_owned(),
        WindowEnd::Refused { status, .. } => status.to_string(),
        WindowEnd::Empty => "closed without an answer".to_owned(),
        WindowEnd::Cut { why } | WindowEnd::Foreign { why } | WindowEnd::Unseen { why } => {
            why.clone()
        }
    };
    let recorded = window
        .recorded_ms
        .map(|recorded| format!(", {} recorded", seconds(recorded)));
    format!(
        "GET {}: {came}, {} bytes after {}{}",
        window.path,
        window.bytes,
        seconds(window.took_ms()),
        recorded.unwrap_or_default()
    )
}

/// What usually mends it.
const fn fix(window: &Window, how: &Cut) -> &'static str {
    match how {
        Cut::Short => {
            "serve pprof from a mux of its own, without the middleware that gives requests a time limit (context.WithTimeout around next.ServeHTTP)"
        }
        Cut::Refused(404 | 405 | 501, _) => match window.kind {
            WindowKind::Cpu => {
                "mux.HandleFunc(\"/debug/pprof/profile\", pprof.Profile): pprof.Index does not serve it"
            }
            WindowKind::Trace => {
                "mux.HandleFunc(\"/debug/pprof/trace\", pprof.Trace): pprof.Index does not serve it"
            }
        },
        Cut::Refused(400, _) => {
            "raise http.Server.WriteTimeout above the window on the private listener, or build with Go 1.23 or later, whose handlers extend it"
        }
        Cut::Refused(503, _) => {
            "keep http.TimeoutHandler off the pprof handlers: a mux of their own"
        }
        Cut::Refused(..) => "look into the service's log: the handler itself refused",
        Cut::Broken => {
            "serve pprof from a server of its own without WriteTimeout; where a middleware wraps the ResponseWriter, give the wrapper an Unwrap method, so that the handler can extend the deadline"
        }
        Cut::Foreign => {
            "something else answers at this path: give the prefix of net/http/pprof, or route it to pprof.Profile and pprof.Trace"
        }
    }
}

const fn a_name(kind: WindowKind) -> &'static str {
    match kind {
        WindowKind::Cpu => "a CPU profile",
        WindowKind::Trace => "an execution trace",
    }
}

const fn name(kind: WindowKind) -> &'static str {
    match kind {
        WindowKind::Cpu => "CPU profile",
        WindowKind::Trace => "execution trace",
    }
}

/// `29.9 s`.
fn seconds(ms: u64) -> String {
    format!("{}.{} s", ms / 1000, ms % 1000 / 100)
}

#[cfg(test)]
mod tests {
    use shakedown_evidence::{At, BuildInfo, Event, Exit, Role};

    use super::*;
    use crate::profile::tests::{pprof, window};

    fn evidence(cpu: Window, trace: Option<Window>) -> Evidence {
        let mut seen = Evidence::default();
        seen.apply(pprof());
        seen.apply(Event::Window(cpu));
        if let Some(trace) = trace {
            seen.apply(Event::Window(trace));
        }
        seen
    }

    /// Both windows end like that.
    fn check(end: &WindowEnd) -> Judgement {
        judge(&evidence(
            window(WindowKind::Cpu, end.clone()),
            Some(window(WindowKind::Trace, end.clone())),
        ))
    }

    fn refused(status: u16, said: &str) -> WindowEnd {
        WindowEnd::Refused {
            status,
            said: said.into(),
        }
    }

    #[test]
    fn two_whole_windows_pass_with_their_figures() {
        let judgement = check(&WindowEnd::Whole);
        assert_eq!(
            judgement.outcome.reason(),
            "of 30.0 s asked: CPU profile 30.0 s, execution trace 30.0 s"
        );
        assert_eq!(judgement.outcome.name(), "passed");
    }

    #[test]
    fn a_window_that_is_silently_shorter_is_found() {
        for (recorded, outcome) in [(28_500, "passed"), (28_499, "failed"), (2_000, "failed")] {
            let mut cpu = window(WindowKind::Cpu, WindowEnd::Whole);
            cpu.recorded_ms = Some(recorded);
            let seen = evidence(cpu, Some(window(WindowKind::Trace, WindowEnd::Whole)));
            assert_eq!(judge(&seen).outcome.name(), outcome, "{recorded}");
        }
    }

    #[test]
    fn without_a_clock_of_its_own_a_profile_is_as_long_as_its_answer_took() {
        for (took, outcome) in [(30_100, "passed"), (2_000, "failed")] {
            let mut cpu = window(WindowKind::Cpu, WindowEnd::Whole);
            cpu.recorded_ms = None;
            cpu.until = cpu.at + std::time::Duration::from_millis(took);
            let seen = evidence(cpu, Some(window(WindowKind::Trace, WindowEnd::Whole)));
            assert_eq!(judge(&seen).outcome.name(), outcome, "{took}");
        }
    }

    #[test]
    fn what_refuses_or_breaks_both_is_one_finding() {
        for end in [
            refused(400, "profile duration exceeds server's WriteTimeout"),
            refused(503, ""),
            refused(404, "404 page not found"),
            WindowEnd::Empty,
            WindowEnd::Cut {
                why: "broke off".into(),
            },
            WindowEnd::Foreign {
                why: "an HTML page".into(),
            },
        ] {
            let judgement = check(&end);
            let [finding] = judgement.findings.as_slice() else {
                panic!("{end:?}: {judgement:?}")
            };
            assert_eq!(
                finding.subject,
                "127.0.0.1:6060/debug/pprof/{profile,trace}"
            );
            assert!(
                finding
                    .message
                    .contains("a CPU profile and an execution trace")
            );
        }
    }

    #[test]
    fn two_causes_are_two_findings() {
        let seen = evidence(
            window(WindowKind::Cpu, WindowEnd::Empty),
            Some(window(WindowKind::Trace, refused(404, ""))),
        );
        let judgement = judge(&seen);
        let subjects: Vec<&str> = judgement
            .findings
            .iter()
            .map(|found| found.subject.as_str())
            .collect();
        assert_eq!(
            subjects,
            [
                "127.0.0.1:6060/debug/pprof/profile",
                "127.0.0.1:6060/debug/pprof/trace"
            ]
        );
    }

    #[test]
    fn what_is_not_the_services_doing_is_no_finding() {
        for end in [
            refused(
                500,
                "Could not enable CPU profiling: cpu profiling already in use",
            ),
            refused(401, ""),
            refused(429, ""),
            WindowEnd::Unseen {
                why: "no answer within 40s".into(),
            },
        ] {
            let outcome = check(&end).outcome;
            assert_eq!(outcome.name(), "inconclusive", "{end:?}");
        }
        let mut seen = evidence(window(WindowKind::Cpu, WindowEnd::Empty), None);
        seen.apply(Event::Exit(Exit {
            at: At(5_000_000),
            role: Role::Target,
            code: Some(2),
            signal: None,
            expected: false,
        }));
        assert_eq!(judge(&seen).outcome.name(), "inconclusive", "it crashed");
    }

    #[test]
    fn half_of_the_proof_does_not_pass() {
        let mut seen = evidence(window(WindowKind::Cpu, WindowEnd::Whole), None);
        assert_eq!(judge(&seen).outcome.name(), "inconclusive");
        seen.build = Some(BuildInfo::default());
        assert_eq!(
            judge(&seen).outcome.name(),
            "passed",
            "only Go has such traces"
        );
    }
}

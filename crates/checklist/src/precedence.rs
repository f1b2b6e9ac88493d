//! Of two findings of which one explains the other, the deeper one is reported and the other is
//! attached to it.

use std::cmp::Reverse;

use shakedown_analyze::RULES;
use shakedown_findings::{BecauseOf, Exhibit, Finding};

/// The deeper rule, the shallower rule, and whether this pair has the same cause.
struct Precedence {
    deeper: &'static str,
    shallower: &'static str,
    same: fn(&Finding, &Finding) -> bool,
}

/// The flat table: one line a precedence (design, 3).
const TABLE: &[Precedence] = &[
    Precedence {
        deeper: "profile-window-refused",
        shallower: "pprof-incomplete",
        same: same_subject,
    },
    Precedence {
        deeper: "span-id-without-trace-id",
        shallower: "log-without-trace",
        same: same_subject,
    },
    Precedence {
        deeper: "jitter-burst",
        shallower: "profile-window-too-short",
        // Both speak of the bursts of one run.
        same: |_, _| true,
    },
    Precedence {
        deeper: "request-without-span",
        shallower: "log-without-trace",
        same: only_in_its_requests,
    },
    Precedence {
        deeper: "request-without-span",
        shallower: "context-not-forwarded",
        same: only_in_its_requests,
    },
    Precedence {
        deeper: "incoming-context-ignored",
        shallower: "log-without-trace",
        same: only_in_its_requests,
    },
    Precedence {
        deeper: "incoming-context-ignored",
        shallower: "context-not-forwarded",
        same: only_in_its_requests,
    },
    Precedence {
        deeper: "deadline-ignored",
        shallower: "cancel-ignored",
        same: same_subject,
    },
    Precedence {
        deeper: "deadline-ignored",
        shallower: "wrong-status",
        same: same_subject,
    },
    Precedence {
        deeper: "deadline-ignored",
        shallower: "leak-per-request",
        same: stands_in_handler,
    },
    Precedence {
        deeper: "cancel-ignored",
        shallower: "leak-per-request",
        same: stands_in_handler,
    },
    Precedence {
        deeper: "sigterm-ignored",
        shallower: "in-flight-dropped",
        same: same_stop,
    },
    Precedence {
        deeper: "leak-per-request",
        shallower: "fd-leak",
        same: in_step,
    },
    Precedence {
        deeper: "leak-per-request",
        shallower: "heap-growth",
        same: holds_it,
    },
    Precedence {
        deeper: "fd-leak",
        shallower: "heap-growth",
        same: holds_it,
    },
];

/// Of the steps of two series that belong together, each has the same ratio, give or take so much.
const RATIO: f64 = 0.25;
/// What one goroutine or descriptor that stays may hold, in megabytes: buffers of a connection, a
/// request with its answer. More is a leak of its own.
const HOLDS_MAX_MB: f64 = 0.25;

fn same_subject(deeper: &Finding, shallower: &Finding) -> bool {
    deeper.subject == shallower.subject
}

/// It happens in requests alone that no span of our trace entered, and those are among them.
fn only_in_its_requests(deeper: &Finding, shallower: &Finding) -> bool {
    shallower.only_without_span.contains(&deeper.subject)
}

/// The steps of the series that a finding shows.
fn steps(finding: &Finding) -> Option<Vec<f64>> {
    let points = finding.exhibits.iter().find_map(|exhibit| match exhibit {
        Exhibit::Series { points, .. } => Some(points),
        _ => None,
    })?;
    let steps = points.windows(2).map(|pair| pair[1].value - pair[0].value);
    Some(steps.collect())
}

/// How much of the second grows for one of the first, if that is the same in every step.
fn ratio(deeper: &Finding, shallower: &Finding) -> Option<f64> {
    let (deep, shallow) = (steps(deeper)?, steps(shallower)?);
    let (all, of): (f64, f64) = (shallow.iter().sum(), deep.iter().sum());
    let mean = all / of;
    let same = |(deep, shallow): (&f64, &f64)| (shallow / deep - mean).abs() <= mean * RATIO;
    let alike = deep.len() == shallow.len() && deep.iter().zip(&shallow).all(same);
    (alike && mean > 0.0).then_some(mean)
}

/// One to two goroutines hold one descriptor: each as many as the other, or half of it. More
/// descriptors than goroutines are not all held by them.
fn in_step(deeper: &Finding, shallower: &Finding) -> bool {
    ratio(deeper, shallower).is_some_and(|ratio| (0.4..=1.1).contains(&ratio))
}

/// The memory is what the goroutines or the descriptors hold.
fn holds_it(deeper: &Finding, shallower: &Finding) -> bool {
    ratio(deeper, shallower).is_some_and(|megabytes| megabytes <= HOLDS_MAX_MB)
}

/// A run stops its service once.
const fn same_stop(_: &Finding, _: &Finding) -> bool {
    true
}

/// The goroutines that were counted are the handlers that go on.
fn stands_in_handler(deeper: &Finding, shallower: &Finding) -> bool {
    let Some((service, method)) = deeper.subject.split_once('/') else {
        return false;
    };
    let service = service.rsplit('.').next().unwrap_or(service);
    let frame = format!("_{service}_{method}_Handler");
    shallower.exhibits.iter().any(|exhibit| match exhibit {
        Exhibit::Stack { frames, .. } => frames.iter().any(|line| line.contains(&frame)),
        _ => false,
    })
}

/// Attaches what is explained to what explains it.
pub(crate) fn apply(findings: Vec<Finding>) -> Vec<Finding> {
    let explains = |deeper: &Finding, shallower: &Finding| {
        TABLE.iter().any(|row| {
            row.deeper == deeper.rule
                && row.shallower == shallower.rule
                && (row.same)(deeper, shallower)
        })
    };
    let parents: Vec<Option<usize>> = findings
        .iter()
        .map(|shallower| {
            findings
                .iter()
                .position(|deeper| explains(deeper, shallower))
        })
        .collect();
    let mut kept: Vec<(usize, Finding)> = Vec::new();
    let mut explained: Vec<(usize, BecauseOf)> = Vec::new();
    for (position, (finding, parent)) in findings.into_iter().zip(&parents).enumerate() {
        match parent {
            Some(parent) => {
                // The root of a chain carries all of it; the table has no cycles.
                let root = std::iter::successors(Some(*parent), |at| parents[*at])
                    .last()
                    .unwrap_or(*parent);
                explained.push((
                    root,
                    BecauseOf {
                        code: finding.code,
                        rule: finding.rule,
                        message: finding.message,
                    },
                ));
            }
            None => kept.push((position, finding)),
        }
    }
    for (root, because) in explained {
        if let Some((_, finding)) = kept.iter_mut().find(|(position, _)| *position == root) {
            finding.because_of.push(because);
        }
    }
    let mut findings: Vec<Finding> = kept.into_iter().map(|(_, finding)| finding).collect();
    // Most severe first, then in the order of the rule table.
    let place = |finding: &Finding| RULES.iter().position(|rule| rule.meta.code == finding.code);
    findings.sort_by_key(|finding| {
        (
            Reverse(finding.severity),
            place(finding),
            finding.subject.clone(),
        )
    });
    findings
}

#[cfg(test)]
mod tests {
    use shakedown_findings::{Certainty, Point, Severity};

    use super::*;

    fn finding(rule: &str, subject: &str) -> Finding {
        Finding {
            code: format!("X-{rule}"),
            rule: rule.into(),
            severity: Severity::Error,
            certainty: Certainty::Proven,
            subject: subject.into(),
            location: None,
            message: format!("{rule} on {subject}"),
            exhibits: vec![],
            only_without_span: vec![],
            because_of: vec![],
            fix: String::new(),
            repeat: String::new(),
        }
    }

    fn check(findings: &[(&str, &str)]) -> Vec<(String, usize)> {
        let findings = findings
            .iter()
            .map(|(rule, subject)| finding(rule, subject))
            .collect();
        apply(findings)
            .into_iter()
            .map(|finding| (finding.rule, finding.because_of.len()))
            .collect()
    }

    #[test]
    fn the_deeper_finding_carries_the_other() {
        assert_eq!(
            check(&[("deadline-ignored", "a.B/C"), ("cancel-ignored", "a.B/C")]),
            [("deadline-ignored".to_owned(), 1)]
        );
    }

    fn series(rule: &str, values: [f64; 5]) -> Finding {
        let point = |value| Point {
            label: String::new(),
            value,
        };
        Finding {
            exhibits: vec![Exhibit::Series {
                title: String::new(),
                points: values.map(point).into(),
            }],
            ..finding(rule, rule)
        }
    }

    /// Whether of two findings with such series one is left.
    fn explains(deeper: (&str, [f64; 5]), shallower: (&str, [f64; 5])) -> bool {
        let findings = vec![series(shallower.0, shallower.1), series(deeper.0, deeper.1)];
        apply(findings).len() == 1
    }

    #[test]
    fn goroutines_explain_what_they_hold_and_no_more() {
        const LEAK: (&str, [f64; 5]) = ("leak-per-request", [10.0, 40.0, 70.0, 100.0, 130.0]);
        for (fds, explained) in [
            ([3.0, 33.0, 63.0, 93.0, 123.0], true),
            ([3.0, 18.0, 33.0, 48.0, 63.0], true),
            // Three a goroutine, one in thirty, and not in step.
            ([3.0, 93.0, 183.0, 273.0, 363.0], false),
            ([3.0, 4.0, 5.0, 6.0, 7.0], false),
            ([3.0, 4.0, 63.0, 64.0, 123.0], false),
        ] {
            assert_eq!(explains(LEAK, ("fd-leak", fds)), explained, "{fds:?}");
        }
        for (megabytes, explained) in [
            ([8.0, 8.7, 9.4, 10.0, 10.7], true),
            ([8.0, 38.0, 68.0, 98.0, 128.0], false),
        ] {
            let heap = ("heap-growth", megabytes);
            assert_eq!(explains(LEAK, heap), explained, "{megabytes:?}");
        }
    }

    #[test]
    fn a_process_that_stays_explains_what_it_dropped() {
        assert_eq!(
            check(&[("in-flight-dropped", "GET /x"), ("sigterm-ignored", "4 s")]),
            [("sigterm-ignored".to_owned(), 1)]
        );
    }

    #[test]
    fn what_only_happens_without_a_span_is_explained_by_that() {
        let explained = |only: &[&str]| {
            let mut shallower = finding("log-without-trace", "\"order found\"");
            shallower.only_without_span = only.iter().map(|&subject| subject.to_owned()).collect();
            apply(vec![
                finding("request-without-span", "GET /orders/7"),
                shallower,
            ])
            .len()
                == 1
        };
        assert!(explained(&["GET /orders/7"]));
        assert!(explained(&["GET /carts/1", "GET /orders/7"]));
        assert!(!explained(&["GET /orders/77"]));
        assert!(!explained(&["GET /carts/1"]));
        assert!(!explained(&[]));
    }

    #[test]
    fn another_subject_stays_on_its_own() {
        assert_eq!(
            check(&[("deadline-ignored", "a.B/C"), ("cancel-ignored", "a.B/D")]).len(),
            2
        );
    }
}

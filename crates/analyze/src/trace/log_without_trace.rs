//! TRC001: log lines that a request wrote and that do not name its trace.
//!
//! A line belongs to requests if its template falls inside them far more often than chance allows.
//! Start-up lines stand before the first request, background lines fall outside as well, access
//! logs and libraries have no context to take ids from: none of them is a fault of the service's.

use std::collections::{HashMap, HashSet};

use shakedown_evidence::Evidence;
use shakedown_evidence::log::{
    Caller, Format, Group, LineClass, ParsedLine, RawLine, Templates, classify, template,
};
use shakedown_findings::{Certainty, Exhibit, Finding, Item, Location, RuleMeta, Severity};

use super::{entries, log_seen, probe_spans};
use crate::chance::{Coincidence, Windows};
use crate::exhibits;
use crate::judgement::Found;
use crate::target::repeat;
use crate::{Judgement, Rule};

pub(crate) const RULE: Rule = Rule {
    meta: RuleMeta {
        code: "TRC001",
        name: "log-without-trace",
        item: Item::Trace,
        severity: Severity::Error,
        required: true,
        page: include_str!("log_without_trace.md"),
    },
    judge,
};

/// Fewer lines with our ids do not show that the logger carries them.
const CARRIED_MIN: usize = 5;
/// Sample lines shown with a finding.
const SAMPLES: usize = 3;
/// Length of a sample line.
const SAMPLE_LENGTH: usize = 220;

fn judge(seen: &Evidence) -> Judgement {
    if let Err(judgement) = probe_spans::look(seen) {
        return judgement;
    }
    let windows = Windows::of(seen);
    let sorted = Sorted::of(seen, &windows);
    let findings: Vec<Finding> = sorted
        .guilty(&windows)
        .map(|(group, chance)| finding(seen, &sorted, group, chance))
        .collect();
    if !findings.is_empty() {
        return Judgement::failed(findings);
    }
    if let Some(judgement) = log_seen::missing(seen) {
        return judgement;
    }
    if let Some(dropped) = seen.lines_dropped() {
        return Judgement::inconclusive(
            format!("{dropped} log lines were dropped: the service writes more than can be kept"),
            "a higher log level, such as info instead of debug",
        );
    }
    if sorted.carried < CARRIED_MIN {
        return Judgement::not_exercised(
            format!(
                "{} log lines carry a trace id of ours, and none without one is tied to requests",
                sorted.carried
            ),
            if seen.run.access.is_ours() {
                "a request that writes a log line, or a lower log level: --env LOG_LEVEL=debug"
            } else {
                "a request that writes a log line, or the whole log of the service: --logs"
            },
        );
    }
    Judgement::passed(format!(
        "{} of {} request log lines carry our trace",
        sorted.carried, sorted.carried
    ))
}

/// Templates whose place in the source is not in the line itself.
pub(crate) fn wanted_literals(seen: &Evidence) -> Vec<String> {
    if probe_spans::look(seen).is_err() {
        return Vec::new();
    }
    let windows = Windows::of(seen);
    let sorted = Sorted::of(seen, &windows);
    let mut texts: Vec<String> = sorted
        .guilty(&windows)
        .filter(|(group, _)| group.caller.is_none())
        .map(|(group, _)| group.template.clone())
        .collect();
    texts.sort_unstable();
    texts.dedup();
    texts
}

/// The log of the run, sorted by what its lines say of traces.
struct Sorted<'a> {
    /// Lines with a trace id that we sent.
    carried: usize,
    /// Application lines without any trace id.
    bare: Vec<&'a RawLine>,
    /// The same by template; members are positions in `bare`.
    groups: Vec<Group>,
}

impl<'a> Sorted<'a> {
    fn of(seen: &'a Evidence, windows: &Windows) -> Self {
        let low = |trace: &str| {
            trace
                .get(16..)
                .and_then(|low| u64::from_str_radix(low, 16).ok())
        };
        let ours: HashMap<u64, &str> = probe_spans::traces(seen)
            .into_iter()
            .filter_map(|trace| Some((low(trace)?, trace)))
            .collect();
        let mut carried = 0;
        let mut exported = HashSet::new();
        let mut bare = Vec::new();
        let mut templates = Templates::default();
        for raw in probe_spans::lines(seen).filter(|line| windows.in_run(line.at)) {
            let line = ParsedLine::of(raw);
            if let Some(trace) = &line.ids.trace {
                let known = trace.low().and_then(|low| ours.get(&low));
                let is_ours = known.is_some_and(|full| trace.is_hex(full));
                carried += usize::from(is_ours);
                if is_ours && line.format == Format::Otlp {
                    exported.insert(template(&line));
                }
                continue;
            }
            // What a cut object lacks may have stood in the part that is missing.
            let is_whole = line.format != Format::BrokenJson;
            if is_whole && classify(&line) == LineClass::Application {
                templates.add(bare.len(), &line);
                bare.push(raw);
            }
        }
        // A bridge may stand beside a console: the record has the ids, the copy for the eye has not.
        let is_copy =
            |group: &Group| group.format != Format::Otlp && exported.contains(&group.template);
        let mut groups = templates.groups();
        groups.retain(|group| !is_copy(group));
        Self {
            carried,
            bare,
            groups,
        }
    }

    fn lines<'s>(&'s self, group: &'s Group) -> impl Iterator<Item = &'a RawLine> + 's {
        group
            .members
            .iter()
            .filter_map(|member| self.bare.get(*member).copied())
    }

    /// Groups that are tied to requests.
    fn guilty<'s>(
        &'s self,
        windows: &'s Windows,
    ) -> impl Iterator<Item = (&'s Group, Coincidence)> {
        self.groups.iter().filter_map(|group| {
            let chance = windows.judge(self.lines(group).map(|line| line.at));
            chance.is_ruled_out().then_some((group, chance))
        })
    }
}

fn finding(seen: &Evidence, sorted: &Sorted<'_>, group: &Group, chance: Coincidence) -> Finding {
    let place = group
        .caller
        .as_ref()
        .map(written_at)
        .or_else(|| literal(seen, &group.template));
    let count = group.count;
    let others = match sorted.carried {
        0 => "No other line carries one either.".to_owned(),
        carried => format!("Other templates carry theirs: {carried} lines."),
    };
    let only = entries::only_without_span(seen, sorted.lines(group).map(|line| line.at));
    let said = entries::only_sentence(&only).map_or(String::new(), |said| format!("{said} "));
    let mut exhibits: Vec<Exhibit> = exhibits::source(seen, place.as_ref()).into_iter().collect();
    exhibits.push(Exhibit::Quote {
        title: "lines".into(),
        lines: sorted
            .lines(group)
            .take(SAMPLES)
            .map(|line| line.text.chars().take(SAMPLE_LENGTH).collect())
            .collect(),
    });
    let found = Found {
        certainty: Certainty::Probable { p: chance.p },
        subject: format!("\"{}\"", group.template),
        message: format!(
            "\"{}\" ({}): {count} lines without a trace id. {}. {said}{others}",
            group.template,
            name(group.format),
            chance.sentence("times it was written")
        ),
        location: place,
        exhibits,
        fix: fix(group.format).into(),
        repeat: repeat(seen, RULE.meta.name),
    };
    Finding {
        only_without_span: only,
        ..found.by(&RULE.meta)
    }
}

/// The only place of a text in the source, where the run looked for it.
fn literal(seen: &Evidence, text: &str) -> Option<Location> {
    let found = seen.literals.iter().find(|literal| literal.text == text)?;
    match found.places.as_slice() {
        [(file, line)] => Some(Location {
            function: None,
            file: Some(file.clone()),
            line: Some(*line),
        }),
        _ => None,
    }
}

fn written_at(caller: &Caller) -> Location {
    Location {
        function: caller.function.clone(),
        file: Some(caller.file.clone()),
        line: Some(caller.line),
    }
}

/// The logger's name in sentences.
const fn name(format: Format) -> &'static str {
    match format {
        Format::Zap | Format::ZapConsole => "zap",
        Format::Zerolog => "zerolog",
        Format::Slog => "slog",
        Format::Logrus => "logrus",
        Format::Json => "JSON",
        Format::BrokenJson => "broken JSON",
        Format::Logfmt => "key=value",
        Format::StdLog => "std log",
        Format::Glog => "glog",
        Format::Tracing | Format::TracingText => "tracing",
        Format::Otlp => "over OTLP",
        Format::Text => "text",
    }
}

/// How this logger is given the ids.
const fn fix(format: Format) -> &'static str {
    match format {
        Format::StdLog => {
            "the standard logger has no context: slog.InfoContext(ctx, …) with a handler that adds the ids of trace.SpanContextFromContext(ctx)"
        }
        Format::Zap | Format::ZapConsole => {
            "logger.With(zap.Stringer(\"trace_id\", sc.TraceID()), zap.Stringer(\"span_id\", sc.SpanID())) from trace.SpanContextFromContext(ctx), or a wrapper that takes ctx"
        }
        Format::Zerolog => "log.Ctx(ctx) or e.Ctx(ctx), with a hook that adds trace_id and span_id",
        Format::Slog => {
            "slog.InfoContext(ctx, …) instead of slog.Info, with a handler that adds trace_id and span_id from ctx"
        }
        Format::Logrus => "entry.WithContext(ctx), with a hook that adds trace_id and span_id",
        Format::Otlp => {
            "give the bridge the request's ctx: slog.InfoContext(ctx, …), a zap.Any(\"ctx\", ctx) field for otelzap, entry.WithContext(ctx) for otellogrus"
        }
        Format::Tracing | Format::TracingText => {
            "an event formatter that adds both ids of the current OpenTelemetry context, and a span around the request that has it for a parent"
        }
        _ => {
            "give the logger the request's ctx, and add trace_id and span_id from trace.SpanContextFromContext(ctx)"
        }
    }
}

#[cfg(test)]
mod tests {
    use shakedown_evidence::log::{ExportedLine, Stream};
    use shakedown_evidence::{At, BuildInfo, ProcessStarted, Role, Span};

    use super::super::cases::{Case, Told, add, joined, line, span};
    use super::*;

    const STORED: &str = "order stored";

    fn check(seen: &Evidence, outcome: &str) -> Judgement {
        let judged = judge(seen);
        assert_eq!(judged.outcome.name(), outcome, "{judged:?}");
        judged
    }

    /// A record that came over OTLP, of a service and a process.
    fn exported(seen: &mut Evidence, told: &Told, service: &str, ids: bool) {
        let ids = if ids {
            format!(
                r#","trace_id":"{}","span_id":"{}""#,
                told.trace,
                told.span_id(1)
            )
        } else {
            String::new()
        };
        seen.exported.push(ExportedLine {
            service: service.into(),
            pid: None,
            line: RawLine {
                at: At(told.from.0 + 1000),
                stream: Stream::Otlp,
                text: format!(r#"{{"level":"INFO","msg":"{STORED}"{ids}}}"#),
                cut: 0,
            },
        });
    }

    fn run(brings: impl Fn(&mut Evidence, &Told)) -> Evidence {
        let case = Case::of(&["GET /a"]).calls(0, 20, |seen, told| {
            joined(seen, told);
            brings(seen, told);
        });
        case.alive()
    }

    #[test]
    fn records_over_otlp_are_lines_like_others() {
        let with = run(|seen, told| exported(seen, told, "orders", true));
        check(&with, "passed");
        let without = run(|seen, told| exported(seen, told, "orders", false));
        let judged = check(&without, "failed");
        assert!(
            judged.findings[0].message.contains("over OTLP"),
            "{judged:?}"
        );
    }

    #[test]
    fn records_of_another_service_are_not_its_own() {
        // Known by its spans.
        let seen = run(|seen, told| {
            exported(seen, told, "inventory", false);
            let downstream = span(&told.trace, &told.span_id(3), &told.span_id(1));
            let service = "inventory".into();
            add(
                seen,
                told,
                Span {
                    service,
                    ..downstream
                },
            );
        });
        check(&seen, "not exercised");
        // Or possible, since another process was started.
        let mut seen = run(|seen, told| exported(seen, told, "inventory", false));
        seen.processes.push(ProcessStarted {
            at: At(0),
            role: Role::Dependency("inventory".into()),
            pid: 7,
        });
        check(&seen, "not exercised");
    }

    #[test]
    fn records_may_go_by_the_name_that_the_sdk_gives() {
        let mut seen = run(|seen, told| exported(seen, told, "unknown_service:orders", true));
        check(&seen, "passed");
        seen.processes.push(ProcessStarted {
            at: At(0),
            role: Role::Dependency("inventory".into()),
            pid: 7,
        });
        seen.build = Some(BuildInfo {
            executable: "/srv/bin/orders".into(),
            ..BuildInfo::default()
        });
        check(&seen, "passed");
    }

    #[test]
    fn the_copy_of_a_record_on_the_console_needs_no_ids() {
        let console = |seen: &mut Evidence, told: &Told| {
            line(seen, told, format!("2026/11/23 07:59:33 {STORED}"));
        };
        let both = run(|seen, told| {
            exported(seen, told, "orders", true);
            console(seen, told);
        });
        check(&both, "passed");
        check(&run(console), "failed");
    }
}

//! TRC002: log lines with half of the pair.
//!
//! Both ids come from one span context, so a line with one of them was written by a logger that
//! knew both. A span id alone is a finding if it belongs to a span that arrived, which also says
//! which trace id is missing; any other word of 16 digits may be something else. A trace id alone
//! is a finding only where the same logger writes pairs elsewhere: otherwise it is a convention.

use std::collections::{BTreeMap, HashMap};

use shakedown_evidence::Evidence;
use shakedown_evidence::log::{Caller, Format, LineClass, ParsedLine, RawLine, classify, template};
use shakedown_findings::{Certainty, Exhibit, Finding, Item, Location, RuleMeta, Severity};

use super::{log_seen, probe_spans};
use crate::chance::Windows;
use crate::exhibits;
use crate::judgement::Found;
use crate::target::repeat;
use crate::{Judgement, Rule};

pub(crate) const RULE: Rule = Rule {
    meta: RuleMeta {
        code: "TRC002",
        name: "span-id-without-trace-id",
        item: Item::Trace,
        severity: Severity::Error,
        required: true,
        page: include_str!("span_id_without_trace_id.md"),
    },
    judge,
};

/// Fewer lines with ids do not show how the logger writes them.
const CARRIED_MIN: usize = 5;
/// Templates that are kept apart; a service has hundreds of log statements.
const GROUPS_MAX: usize = 1000;
const SAMPLES: usize = 3;
/// What is shown of a line before and after its id, which mostly stands at the end.
const BEFORE_ID: usize = 56;
const AFTER_ID: usize = 8;

/// Which half a line has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Half {
    SpanOnly,
    TraceOnly,
}

/// One log statement: its template and, where the line says it, its place. Loggers cut paths in
/// their own ways, so only the last folder counts.
type Statement = (String, Option<(String, u32)>);

#[derive(Debug, Default)]
struct Group<'a> {
    count: usize,
    /// Lines of the same statement with both ids.
    whole: usize,
    samples: Vec<&'a RawLine>,
    /// Span id of a sample, and the trace that it belongs to.
    span: Option<(&'a str, &'a str)>,
    /// Where it was written, with the longest path that was given.
    caller: Option<Caller>,
    format: Option<Format>,
}

fn judge(seen: &Evidence) -> Judgement {
    let pairs = Pairs::of(seen);
    let findings: Vec<Finding> = pairs
        .broken()
        .map(|(half, statement, group)| finding(seen, half, statement, group))
        .collect();
    if !findings.is_empty() {
        return Judgement::failed(findings);
    }
    if let Err(judgement) = probe_spans::look(seen) {
        return judgement;
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
    let carried = pairs.whole + pairs.trace_only;
    if carried < CARRIED_MIN {
        return Judgement::not_exercised(
            format!("{carried} log lines carry ids of a span of ours"),
            "a request that writes a log line, or a lower log level: --env LOG_LEVEL=debug",
        );
    }
    Judgement::passed(if pairs.whole == 0 {
        format!("{carried} log lines have a trace id, and by the service's convention no span id")
    } else if pairs.trace_only == 0 {
        format!(
            "{0} of {0} log lines with ids have both of them",
            pairs.whole
        )
    } else {
        format!(
            "{} log lines have both ids, {} a trace id alone where their logger writes no span ids",
            pairs.whole, pairs.trace_only
        )
    })
}

/// Lines with ids, sorted by what they have of the pair.
struct Pairs<'a> {
    /// Lines with both, of a trace of ours.
    whole: usize,
    /// Lines with a trace id of ours alone.
    trace_only: usize,
    /// Loggers that write pairs.
    paired: Vec<Format>,
    groups: BTreeMap<(Half, Statement), Group<'a>>,
}

impl<'a> Pairs<'a> {
    fn of(seen: &'a Evidence) -> Self {
        let windows = Windows::of(seen);
        let spans: HashMap<u64, (&str, &str)> = seen
            .spans
            .iter()
            .filter_map(|span| {
                let ids = (span.span_id.as_str(), span.trace_id.as_str());
                Some((u64::from_str_radix(ids.0, 16).ok()?, ids))
            })
            .collect();
        let ours = probe_spans::traces(seen);
        let mut pairs = Self {
            whole: 0,
            trace_only: 0,
            paired: Vec::new(),
            groups: BTreeMap::new(),
        };
        let mut whole: HashMap<Statement, usize> = HashMap::new();
        for raw in probe_spans::lines(seen).filter(|line| windows.in_run(line.at)) {
            let line = ParsedLine::of(raw);
            // What a cut line lacks may have stood in the part that is missing.
            let is_whole = raw.cut == 0 && line.format != Format::BrokenJson;
            let class = classify(&line);
            let is_own = matches!(class, LineClass::Application | LineClass::AccessLog { .. });
            if line.ids.is_empty() || !is_whole || !is_own {
                continue;
            }
            let is_ours = || {
                let trace = line.ids.trace.as_ref();
                trace.is_some_and(|trace| ours.contains(trace.to_string().as_str()))
            };
            match (&line.ids.trace, &line.ids.span) {
                (None, Some(span)) => {
                    let found = span.low().and_then(|low| spans.get(&low));
                    // The trace id may stand there under a name that nobody knows.
                    let known = found.filter(|(_, trace)| !raw.text.contains(trace));
                    if let Some(ids) = known {
                        pairs.add(Half::SpanOnly, raw, &line, Some(*ids));
                    }
                }
                // An access log that names the trace is joined by it well enough.
                (Some(_), None) if class == LineClass::Application && is_ours() => {
                    pairs.trace_only += 1;
                    pairs.add(Half::TraceOnly, raw, &line, None);
                }
                (Some(_), Some(_)) if is_ours() => {
                    pairs.whole += 1;
                    *whole.entry(statement(&line)).or_default() += 1;
                    if !pairs.paired.contains(&line.format) {
                        pairs.paired.push(line.format);
                    }
                }
                _ => {}
            }
        }
        for ((_, statement), group) in &mut pairs.groups {
            group.whole = whole.get(statement).copied().unwrap_or(0);
        }
        pairs
    }

    fn add(
        &mut self,
        half: Half,
        raw: &'a RawLine,
        line: &ParsedLine,
        span: Option<(&'a str, &'a str)>,
    ) {
        let key = (half, statement(line));
        if self.groups.len() >= GROUPS_MAX && !self.groups.contains_key(&key) {
            return;
        }
        let group = self.groups.entry(key).or_default();
        group.count += 1;
        group.format.get_or_insert(line.format);
        if group.samples.len() < SAMPLES {
            group.samples.push(raw);
        }
        group.span = group.span.or(span);
        let length = |caller: &Option<Caller>| caller.as_ref().map(|caller| caller.file.len());
        if length(&line.caller) > length(&group.caller) {
            group.caller.clone_from(&line.caller);
        }
    }

    /// Statements of which a half is missing by mistake.
    fn broken(&self) -> impl Iterator<Item = (Half, &Statement, &Group<'a>)> {
        let groups = self.groups.iter();
        groups.filter_map(|((half, statement), group)| {
            let by_mistake = match half {
                Half::SpanOnly => true,
                Half::TraceOnly => {
                    let pairs = |format| self.paired.contains(&format);
                    group.whole == 0
                        && group.count >= CARRIED_MIN
                        && self.whole >= CARRIED_MIN
                        && group.format.is_some_and(pairs)
                }
            };
            by_mistake.then_some((*half, statement, group))
        })
    }
}

fn statement(line: &ParsedLine) -> Statement {
    let caller = line.caller.as_ref();
    let place = caller.map(|caller| (last_folder(&caller.file).to_owned(), caller.line));
    (template(line), place)
}

/// A line cut so that its id is seen: the first run of at least 16 hex digits after a sign.
fn around_id(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let is_hex = |letter: &char| letter.is_ascii_hexdigit();
    let mut at = 0;
    while at < letters.len() {
        let length = letters[at..]
            .iter()
            .take_while(|letter| is_hex(letter))
            .count();
        if matches!(length, 16 | 32) {
            let from = at.saturating_sub(BEFORE_ID);
            let until = (at + length + AFTER_ID).min(letters.len());
            let cut = |is_cut| if is_cut { "…" } else { "" };
            let shown: String = letters[from..until].iter().collect();
            return format!("{}{shown}{}", cut(from > 0), cut(until < letters.len()));
        }
        at += length.max(1);
    }
    letters.into_iter().take(BEFORE_ID * 2).collect()
}

/// `orders/audit.go` of `/build/internal/orders/audit.go`.
fn last_folder(file: &str) -> &str {
    let slashes = file.rmatch_indices('/');
    slashes
        .map(|(at, _)| &file[at + 1..])
        .nth(1)
        .unwrap_or(file)
}

fn finding(seen: &Evidence, half: Half, statement: &Statement, group: &Group<'_>) -> Finding {
    let (template, _) = statement;
    let location = group.caller.as_ref().map(|caller| Location {
        function: caller.function.clone(),
        file: Some(caller.file.clone()),
        line: Some(caller.line),
    });
    let count = match group.count {
        1 => "1 line".to_owned(),
        count => format!("{count} lines"),
    };
    let message = match (half, group.span) {
        (Half::SpanOnly, Some((span, trace))) => format!(
            "\"{template}\": {count} with a span id and no trace id. Span {span} belongs to trace {trace}: the logger had both ids and wrote one."
        ),
        (Half::SpanOnly, None) => {
            format!("\"{template}\": {count} with a span id and no trace id.")
        }
        (Half::TraceOnly, _) => format!(
            "\"{template}\": {count} with a trace id and no span id, where the same logger writes both elsewhere. The request is found by them, the step within it is not."
        ),
    };
    let mut exhibits: Vec<Exhibit> = exhibits::source(seen, location.as_ref())
        .into_iter()
        .collect();
    exhibits.push(Exhibit::Quote {
        title: "lines".into(),
        lines: group
            .samples
            .iter()
            .map(|line| around_id(&line.text))
            .collect(),
    });
    let found = Found {
        certainty: Certainty::Proven,
        subject: format!("\"{template}\""),
        location,
        message,
        exhibits,
        fix: "take both ids from one trace.SpanContextFromContext(ctx), in the handler or hook that every line goes through, and write neither by hand".into(),
        repeat: repeat(seen, RULE.meta.name),
    };
    let severity = match half {
        Half::SpanOnly => Severity::Error,
        Half::TraceOnly => Severity::Warning,
    };
    Finding {
        severity,
        ..found.by(&RULE.meta)
    }
}

#[cfg(test)]
mod tests {
    use super::super::cases::{Case, Told, joined, line};
    use super::*;

    fn check(seen: &Evidence, outcome: &str) -> Judgement {
        let judged = judge(seen);
        assert_eq!(judged.outcome.name(), outcome, "{judged:?}");
        judged
    }

    /// A request with its span and a line; `ids` is what the line has of them.
    fn run(ids: impl Fn(&Told) -> String) -> Evidence {
        let case = Case::of(&["GET /a"]).calls(0, 10, |seen, told| {
            joined(seen, told);
            let message = r#""level":"info","msg":"order stored""#;
            line(seen, told, format!("{{{message}{}}}", ids(told)));
        });
        case.alive()
    }

    /// Beside another statement of the same logger that writes both.
    fn beside_pairs(ids: impl Fn(&Told) -> String) -> Evidence {
        run(ids_of)
            .lines
            .into_iter()
            .fold(run(ids), |mut seen, mut line| {
                line.text = line.text.replace("order stored", "order found");
                seen.lines.push(line);
                seen
            })
    }

    fn ids_of(told: &Told) -> String {
        format!(
            r#","trace_id":"{}","span_id":"{}""#,
            told.trace,
            told.span_id(1)
        )
    }

    fn span_only(told: &Told) -> String {
        format!(r#","span_id":"{}""#, told.span_id(1))
    }

    fn trace_only(told: &Told) -> String {
        format!(r#","trace_id":"{}""#, told.trace)
    }

    #[test]
    fn pairs_pass() {
        check(&run(ids_of), "passed");
    }

    #[test]
    fn a_span_id_alone_is_proven_by_its_span() {
        let judged = check(&run(span_only), "failed");
        let found = &judged.findings[0];
        assert_eq!(
            (found.certainty, found.severity),
            (Certainty::Proven, Severity::Error)
        );
        assert_eq!(found.subject, "\"order stored\"");
        assert!(found.message.contains("10 lines"), "{}", found.message);
    }

    #[test]
    fn the_id_of_a_long_line_is_seen() {
        let long = "x".repeat(500) + "\",\"span_id\":\"00f067aa0ba902b7\"}";
        let shown = around_id(&long);
        assert!(shown.starts_with('…') && shown.ends_with(r#""span_id":"00f067aa0ba902b7"}"#));
        assert!(shown.chars().count() < 90, "{shown}");
        assert_eq!(around_id("short"), "short");
        assert_eq!(around_id(&"é".repeat(300)).chars().count(), BEFORE_ID * 2);
    }

    #[test]
    fn an_invalid_trace_id_is_none() {
        let zeros = |told: &Told| {
            format!(
                r#","trace_id":"{:032x}","span_id":"{}""#,
                0,
                told.span_id(1)
            )
        };
        check(&run(zeros), "failed");
    }

    #[test]
    fn sixteen_digits_that_are_no_span_are_something_else() {
        let payment = |told: &Told| {
            format!(
                r#"{},"transaction_id":"4929000000000{:03}""#,
                "", told.number
            )
        };
        check(&run(payment), "not exercised");
    }

    #[test]
    fn a_trace_id_under_another_name_is_still_one() {
        let named = |told: &Told| format!(r#","correlation":"{}"{}"#, told.trace, span_only(told));
        check(&run(named), "not exercised");
    }

    #[test]
    fn a_trace_id_alone_is_a_convention_or_a_slip() {
        check(&run(trace_only), "passed");
        let judged = check(&beside_pairs(trace_only), "failed");
        assert_eq!(judged.findings[0].severity, Severity::Warning);
        assert_eq!(judged.findings[0].subject, "\"order stored\"");
    }

    #[test]
    fn a_line_that_was_cut_may_have_had_the_other_half() {
        let mut seen = run(span_only);
        for line in &mut seen.lines {
            line.cut = 10;
        }
        check(&seen, "not exercised");
        let mut seen = run(span_only);
        for line in &mut seen.lines {
            line.text.truncate(line.text.len() - 1);
        }
        check(&seen, "not exercised");
    }
}

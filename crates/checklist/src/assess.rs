//! Evidence becomes a report. Pure: a replay of a bundle gives the same bytes.

use std::time::Duration;

use shakedown_analyze::{Judgement, RULES, Rule};
use shakedown_evidence::{
    CallEnd, Evidence, ProbeFailure, ProbeKind, ProfileKind, ProfileRecord, Purpose, Window,
    WindowKind, check_profile,
};
use shakedown_findings::{
    Finding, Gate, MarkRow, Outcome, RuleRow, RunReport, SCHEMA, Severity, verdict,
};

use crate::precedence;

/// A shorter CPU window cannot make a service READY: five seconds hold 500 samples at most, and
/// whatever happens every ten seconds is not in them.
const WINDOW_MIN_MS: u64 = 6_000;

/// Judges the evidence by every rule.
#[must_use]
pub fn assess(seen: &Evidence) -> RunReport {
    let mut rows = Vec::new();
    let mut judged = Vec::new();
    let mut findings: Vec<Finding> = Vec::new();
    for rule in RULES {
        let Judgement {
            outcome,
            findings: found,
        } = judge(seen, rule);
        findings.extend(found);
        rows.push(RuleRow::new(&rule.meta, &outcome));
        judged.push((&rule.meta, outcome));
    }
    let findings = precedence::apply(findings);
    let not_ready_because = shortened(seen);
    let gate = Gate {
        fail_on: fail_on(seen),
        may_be_ready: not_ready_because.is_none(),
    };
    let verdict = verdict(
        gate,
        judged.iter().map(|(meta, outcome)| (*meta, outcome)),
        &findings,
    );
    RunReport {
        schema: SCHEMA,
        tool: seen.run.tool.clone(),
        verdict,
        not_ready_because,
        target: shakedown_analyze::target(seen),
        started_unix_ms: seen.run.started_unix_ns / 1_000_000,
        took_ms: seen.last.0 / 1000,
        rules: rows,
        findings,
        hot_spots: shakedown_analyze::hot_spots(seen),
        marks: seen
            .marks
            .iter()
            .map(|mark| MarkRow {
                at_us: mark.at.0,
                name: mark.name.clone(),
            })
            .collect(),
        troubles: troubles(seen),
        bundle: seen.run.bundle.clone(),
    }
}

fn judge(seen: &Evidence, rule: &Rule) -> Judgement {
    if is_wanted(seen, rule) {
        return rule.judged(seen);
    }
    Judgement {
        outcome: Outcome::NotExercised {
            reason: "left out by --only".into(),
            to_prove: "run without --only".into(),
        },
        findings: Vec::new(),
    }
}

fn is_wanted(seen: &Evidence, rule: &Rule) -> bool {
    let only = &seen.run.only;
    only.is_empty() || only.iter().any(|word| names(word, rule))
}

/// A word of `--only` names the rule: its item, its name or its code.
pub(crate) fn names(word: &str, rule: &Rule) -> bool {
    word == rule.meta.name
        || word.eq_ignore_ascii_case(rule.meta.code)
        || word == rule.meta.item.name()
}

/// The rules that a word of `--only` or `explain` names: an item, a name or a code.
#[must_use]
pub fn rules_named(word: &str) -> Vec<&'static Rule> {
    RULES.iter().filter(|rule| names(word, rule)).collect()
}

fn fail_on(seen: &Evidence) -> Severity {
    match seen.run.fail_on.as_str() {
        "warning" => Severity::Warning,
        "info" => Severity::Info,
        _ => Severity::Error,
    }
}

/// Why a run that left something out cannot be READY.
fn shortened(seen: &Evidence) -> Option<String> {
    if seen.finished.is_none() {
        return Some("the run was cut short".into());
    }
    if seen.run.quick {
        return Some("--quick shortens the windows: run without it".into());
    }
    if !seen.run.only.is_empty() {
        return Some("--only left rules out: run without it".into());
    }
    if seen.run.window_ms < WINDOW_MIN_MS {
        return Some(format!(
            "a window of {} ms is too short: --window {}s at least",
            seen.run.window_ms,
            WINDOW_MIN_MS / 1000
        ));
    }
    // Without pprof there is a finding that says more.
    (!seen.pprof.is_empty() && !has_window(seen)).then(|| {
        let why = seen
            .failures
            .iter()
            .find(|failure| failure.kind == ProbeKind::Cpu);
        let why = why.map_or_else(|| cut_short(seen), |failure| failure.why.clone());
        format!("the CPU window could not be taken whole: {why}")
    })
}

/// A CPU profile that came without an error, and is too short.
fn cut_short(seen: &Evidence) -> String {
    let cpu = |window: &&Window| window.kind == WindowKind::Cpu;
    let window = seen.windows.iter().rev().find(cpu);
    window.map_or("no answer came".to_owned(), |window| {
        let (recorded, asked) = (window.recorded_ms(), window.asked_ms);
        format!("{recorded} ms of {asked} ms were recorded")
    })
}

/// A CPU window was taken, and a handler that was cut off did not make it shorter.
fn has_window(seen: &Evidence) -> bool {
    let enough = Duration::from_millis(WINDOW_MIN_MS);
    seen.profiles
        .iter()
        .filter(|profile| profile.kind == ProfileKind::Cpu && !profile.short)
        .any(|profile| profile.until - profile.at >= enough)
}

/// What a reader must know about the run before believing the rest.
fn troubles(seen: &Evidence) -> Vec<String> {
    let mut troubles: Vec<String> = seen
        .troubles
        .iter()
        .map(|trouble| trouble.what.clone())
        .collect();
    for (position, request) in seen
        .run
        .requests
        .iter()
        .enumerate()
        .filter(|(_, request)| request.given)
    {
        let mut asked = seen.calls_for(position, Purpose::Locate).peekable();
        if asked.peek().is_some() && seen.reach_of(position).is_none() {
            troubles.push(format!(
                "{}: no listener knows it{}",
                request.subject(),
                asked
                    .last()
                    .and_then(|call| call.end())
                    .map(ending)
                    .unwrap_or_default()
            ));
        }
        let sent = seen.calls_for(position, Purpose::Traffic).count();
        let ok = seen
            .calls_for(position, Purpose::Traffic)
            .filter(|call| call.is_ok())
            .count();
        if sent > 0 && ok == 0 {
            let end = seen
                .calls_for(position, Purpose::Traffic)
                .last()
                .and_then(|call| call.end());
            troubles.push(format!(
                "{}: none of {sent} requests was answered well{}",
                request.subject(),
                end.map(ending).unwrap_or_default()
            ));
        }
    }
    let broken = (0..seen.run.requests.len())
        .filter_map(|request| Some((seen.request(request)?, seen.unrecovered(request)?)));
    troubles.extend(broken.map(|(request, end)| {
        format!(
            "{}: no good answer any more after a dependency was stalled{}",
            request.subject(),
            ending(end)
        )
    }));
    troubles.extend(
        seen.profiles
            .iter()
            .filter_map(|profile| lost(seen, profile)),
    );
    for failure in seen
        .failures
        .iter()
        .filter(|failure| !is_said(seen, failure))
    {
        let line = format!("{}: {}", failure.subject, failure.why);
        if !troubles.contains(&line) {
            troubles.push(line);
        }
    }
    const MOST: usize = 12;
    if troubles.len() > MOST {
        let more = troubles.len() - MOST;
        troubles.truncate(MOST);
        troubles.push(format!("and {more} more in the bundle"));
    }
    troubles
}

/// A service in Rust has said that it does not measure what Go does: rules tell what follows.
fn is_said(seen: &Evidence, failure: &ProbeFailure) -> bool {
    seen.is_rust() && failure.status == Some(501)
}

/// A profile that was taken and is not there any more: somebody took it out of the bundle, or
/// damaged it. One that came damaged was never recorded.
fn lost(seen: &Evidence, profile: &ProfileRecord) -> Option<String> {
    let name = &profile.blob;
    match seen.blobs.get(name).map(Vec::as_slice) {
        None | Some([]) => Some(format!("blobs/{name} is missing from the bundle")),
        Some(bytes) => check_profile(profile.kind, bytes)
            .err()
            .map(|why| format!("blobs/{name} cannot be read: {why}")),
    }
}

fn ending(end: &CallEnd) -> String {
    match end {
        CallEnd::Status { code, message } => format!(": gRPC status {code} {message}"),
        CallEnd::Http { status } => format!(": HTTP {status}"),
        CallEnd::Reset { reason } => format!(": stream reset, {reason}"),
        CallEnd::TimedOut => ": no answer in time".into(),
        CallEnd::Failed { why } => format!(": {why}"),
        CallEnd::Left => String::new(),
    }
}

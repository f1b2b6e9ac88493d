//! Rules: what the evidence means.
//!
//! They are pure and synchronous: no socket, no file, no clock. They see only what a run
//! recorded, so a replay judges exactly as the live run did.
//!
//! To add one: `<item>/<name>.rs` with a [`Rule`], `<item>/<name>.md` with its page, one line in
//! [`RULES`].

mod chance;
mod deadline;
mod exhibits;
mod hot_spots;
mod judgement;
mod lifecycle;
mod profile;
mod rust;
mod target;
mod trace;

use shakedown_evidence::Evidence;
use shakedown_findings::RuleMeta;

pub use hot_spots::hot_spots;
pub use judgement::Judgement;
pub use target::target;

/// A rule: what it is, and how it judges a run.
#[derive(Debug)]
pub struct Rule {
    /// What it is.
    pub meta: RuleMeta,
    /// How it judges.
    pub judge: fn(&Evidence) -> Judgement,
}

impl Rule {
    /// Judges a run, and tells it in the words of the service's language.
    #[must_use]
    pub fn judged(&self, seen: &Evidence) -> Judgement {
        let mut judgement = (self.judge)(seen);
        if seen.is_rust() {
            rust::tell(&mut judgement, self.meta.code);
        }
        judgement
    }
}

/// The flat table: one line a rule, in the order of every report.
pub static RULES: &[Rule] = &[
    profile::pprof_missing::RULE,
    profile::pprof_public::RULE,
    profile::pprof_incomplete::RULE,
    profile::profile_window_refused::RULE,
    profile::profile_window_too_short::RULE,
    profile::contention_profile_off::RULE,
    profile::secret_in_cmdline::RULE,
    profile::jitter_burst::RULE,
    trace::log_without_trace::RULE,
    trace::span_id_without_trace_id::RULE,
    trace::context_not_forwarded::RULE,
    trace::request_without_span::RULE,
    trace::incoming_context_ignored::RULE,
    trace::tracing_missing::RULE,
    deadline::deadline_ignored::RULE,
    deadline::cancel_ignored::RULE,
    deadline::wrong_status::RULE,
    lifecycle::leak_per_request::RULE,
    lifecycle::sigterm_ignored::RULE,
    lifecycle::in_flight_dropped::RULE,
    lifecycle::drain_too_slow::RULE,
    lifecycle::fd_leak::RULE,
    lifecycle::heap_growth::RULE,
];

/// Texts whose place in the source would help a finding: the acquiring side looks for them, and
/// the run is judged again.
#[must_use]
pub fn wanted_literals(seen: &Evidence) -> Vec<String> {
    trace::log_without_trace::wanted_literals(seen)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_code_and_no_name_stands_twice() {
        let codes: HashSet<_> = RULES.iter().map(|rule| rule.meta.code).collect();
        let names: HashSet<_> = RULES.iter().map(|rule| rule.meta.name).collect();
        assert_eq!((codes.len(), names.len()), (RULES.len(), RULES.len()));
    }

    #[test]
    fn every_page_names_its_rule() {
        for rule in RULES {
            let title = format!("# {} ({})", rule.meta.name, rule.meta.code);
            assert_eq!(rule.meta.page.lines().next(), Some(title.as_str()));
        }
    }

    #[test]
    fn nothing_seen_never_passes() {
        for rule in RULES {
            let outcome = (rule.judge)(&Evidence::default()).outcome;
            let name = outcome.name();
            assert!(
                matches!(name, "inconclusive" | "not exercised"),
                "{}: {outcome:?}",
                rule.meta.name
            );
        }
    }
}

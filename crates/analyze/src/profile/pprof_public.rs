//! PRF002: pprof answers where the application's callers can reach it.

use shakedown_evidence::{Evidence, Listener, PprofEndpoint};
use shakedown_findings::{Certainty, Exhibit, Finding, Item, RuleMeta, Severity};

use super::closed;
use super::pprof_missing::hidden;
use crate::judgement::Found;
use crate::target::serves_requests;
use crate::{Judgement, Rule};

pub(crate) const RULE: Rule = Rule {
    meta: RuleMeta {
        code: "PRF002",
        name: "pprof-public",
        item: Item::Profile,
        severity: Severity::Error,
        required: true,
        page: include_str!("pprof_public.md"),
    },
    judge,
};

fn judge(seen: &Evidence) -> Judgement {
    if seen.pprof.is_empty() {
        return Judgement::inconclusive(
            "no pprof endpoint was found",
            "mount pprof first: shakedown explain pprof-missing",
        );
    }
    let findings: Vec<Finding> = seen
        .pprof
        .iter()
        .filter_map(|endpoint| exposed(seen, endpoint))
        .collect();
    if !findings.is_empty() {
        return Judgement::failed(findings);
    }
    if let Some(failure) = hidden(seen) {
        return Judgement::inconclusive(
            format!("{}: {}", failure.subject, failure.why),
            format!("an answer to curl -s {}", failure.subject),
        );
    }
    if let Some(judgement) = unsaid(seen) {
        return judgement;
    }
    let unknown = |endpoint: &&PprofEndpoint| listener_of(seen, endpoint).is_none();
    if let Some(endpoint) = seen.pprof.iter().find(unknown) {
        return Judgement::inconclusive(
            format!("whose listener {} is was not seen", endpoint.reach),
            "run again, as the user whose service it is",
        );
    }
    if let Some(judgement) = closed(seen) {
        return judgement;
    }
    let application = (0..seen.run.requests.len()).any(|request| {
        seen.request(request).is_some_and(|request| request.given)
            && seen.reach_of(request).is_some()
    });
    if !application {
        return Judgement::not_exercised(
            "which listener is the application's is not known: no request was given, or none was answered",
            "--http 'GET /path' or --grpc pkg.Service/Method",
        );
    }
    let where_: Vec<&str> = seen
        .pprof
        .iter()
        .map(|endpoint| endpoint.reach.as_str())
        .collect();
    Judgement::passed(format!(
        "on {} only, apart from the application",
        where_.join(", ")
    ))
}

/// An endpoint at an address that was given, of which nobody has said that it is private: what is
/// loopback here may be a forwarded port, and what is not may be behind a firewall.
fn unsaid(seen: &Evidence) -> Option<Judgement> {
    let unsaid = |endpoint: &&PprofEndpoint| {
        listener_of(seen, endpoint).is_some_and(|listener| listener.is_given() && !listener.private)
    };
    let endpoint = seen.pprof.iter().find(unsaid)?;
    let address = &endpoint.reach;
    Some(Judgement::inconclusive(
        format!("who can reach {address} cannot be seen from an address"),
        format!(
            "--private {address}, if only operators can reach that listener; or --pid PID on the machine of the service"
        ),
    ))
}

fn exposed(seen: &Evidence, endpoint: &PprofEndpoint) -> Option<Finding> {
    let listener = listener_of(seen, endpoint)?;
    let shared = shares_application(seen, &endpoint.reach);
    // Of an address that was given nobody knows who else can reach it.
    if !shared && (listener.private || listener.is_given()) {
        return None;
    }
    let (severity, message) = if shared {
        (
            Severity::Error,
            format!(
                "pprof answers on {}, the listener that also serves the application: whoever can call the service can take its profiles, read its command line and slow it down.",
                listener.bound
            ),
        )
    } else {
        (
            Severity::Warning,
            format!(
                "pprof answers on {}, which is not a loopback address.",
                listener.bound
            ),
        )
    };
    let found = Found {
        certainty: Certainty::Proven,
        subject: format!("{}{}", endpoint.reach, endpoint.prefix),
        location: None,
        message,
        exhibits: vec![Exhibit::Quote {
            title: format!("GET {} lists", endpoint.url("")),
            lines: vec![endpoint.profiles.join(", ")],
        }],
        fix: "mount pprof on a mux and a loopback listener of its own; a blank or named import of net/http/pprof registers on http.DefaultServeMux, so do not serve that one publicly".into(),
        repeat: endpoint.curl(""),
    };
    Some(Finding {
        severity,
        ..found.by(&RULE.meta)
    })
}

fn listener_of<'a>(seen: &'a Evidence, endpoint: &PprofEndpoint) -> Option<&'a Listener> {
    let mut listeners = seen.listeners.iter();
    listeners.find(|listener| listener.reach == endpoint.reach)
}

/// The listener answers requests that were given, or offers gRPC services of the application.
fn shares_application(seen: &Evidence, reach: &str) -> bool {
    let own_services = seen.facts_of(reach).is_some_and(|facts| {
        facts
            .services
            .iter()
            .any(|service| !service.starts_with("grpc."))
    });
    own_services || serves_requests(seen, reach)
}

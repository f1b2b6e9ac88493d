//! Which listener serves which request?

use std::time::Duration;

use shakedown_evidence::{At, Evidence, Purpose, RequestKind, Speaks};

use crate::{Action, CallPlan, Experiment, Step};

/// How long a request of ordinary traffic may take before we stop waiting for it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

/// Sends each request once to each listener that may serve it, until one knows it.
#[derive(Debug)]
pub struct Locate {
    queue: Vec<(usize, String)>,
    planned: bool,
}

impl Locate {
    /// Plans when it is first asked, from what the listeners speak.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            queue: Vec::new(),
            planned: false,
        }
    }
}

impl Default for Locate {
    fn default() -> Self {
        Self::new()
    }
}

impl Experiment for Locate {
    fn name(&self) -> String {
        "finding the listener of each request".into()
    }

    fn next(&mut self, seen: &Evidence, now: At) -> Step {
        if !self.planned {
            self.planned = true;
            self.queue = (0..seen.run.requests.len())
                .flat_map(|request| {
                    candidates(seen, request)
                        .into_iter()
                        .map(move |reach| (request, reach))
                })
                .rev()
                .collect();
        }
        if seen.calls.iter().any(|call| call.ended.is_none()) {
            return Step::Wait(now + Duration::from_millis(20));
        }
        while let Some((request, reach)) = self.queue.pop() {
            if seen.reach_of(request).is_none() {
                return Step::Do(Action::Call(CallPlan {
                    request,
                    purpose: Purpose::Locate,
                    reach,
                    deadline: None,
                    cancel_after: None,
                    patience: PATIENCE,
                }));
            }
        }
        let found = (0..seen.run.requests.len())
            .filter(|request| seen.reach_of(*request).is_some())
            .count();
        Step::Done(format!(
            "{found} of {} requests have a listener",
            seen.run.requests.len()
        ))
    }
}

/// Listeners that may serve a request, likeliest first.
fn candidates(seen: &Evidence, request: usize) -> Vec<String> {
    let Some(request) = seen.request(request) else {
        return Vec::new();
    };
    let speaking = |what| seen.speaking(what).map(|listener| listener.reach.clone());
    match &request.kind {
        RequestKind::Grpc { method, .. } => {
            let service = method.split('/').next().unwrap_or(method);
            let lists = |reach: &String| {
                let facts = seen.facts_of(reach);
                facts.is_some_and(|facts| facts.services.iter().any(|known| known == service))
            };
            let (mut first, others): (Vec<_>, Vec<_>) = speaking(Speaks::Grpc).partition(lists);
            first.extend(others);
            first
        }
        RequestKind::Http { target, .. } => {
            if let Some(authority) = absolute_authority(target) {
                return vec![authority];
            }
            // A request may be served beside pprof, but its own listener comes first.
            let has_pprof =
                |reach: &String| seen.pprof.iter().any(|endpoint| endpoint.reach == *reach);
            let (last, mut first): (Vec<_>, Vec<_>) = speaking(Speaks::Http1).partition(has_pprof);
            first.extend(last);
            first
        }
    }
}

/// The listener that an absolute URL names, as [`Listener::reach`](shakedown_evidence::Listener)
/// has it.
fn absolute_authority(target: &str) -> Option<String> {
    let (scheme, rest) = target.split_once("://")?;
    let authority = rest.split(['/', '?']).next().unwrap_or(rest);
    let has_port = authority
        .rsplit_once(':')
        .is_some_and(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    let (before, port) = match scheme {
        "http" => ("", ":80"),
        "https" => ("tls:", ":443"),
        _ => return None,
    };
    let port = if has_port { "" } else { port };
    Some(format!("{before}{authority}{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absolute_target_names_its_listener() {
        for (target, reach) in [
            ("http://127.0.0.1:80/x", Some("127.0.0.1:80")),
            ("http://h:1?x=/", Some("h:1")),
            ("http://h/x", Some("h:80")),
            ("http://[::1]/x", Some("[::1]:80")),
            ("https://h/x", Some("tls:h:443")),
            ("https://h:8443/x", Some("tls:h:8443")),
            ("/x", None),
            ("/x?to=http://h", None),
        ] {
            assert_eq!(absolute_authority(target).as_deref(), reach, "{target}");
        }
    }
}

//! When may the probing begin?
//!
//! Ready is what the configured URL says; without one, listeners that have not changed for a
//! while; without any listener (a worker), having lived for five seconds.

use std::time::Duration;

use shakedown_evidence::{At, Evidence, Request, RequestKind, Speaks};

use crate::{Action, Experiment, Step};

/// Between two looks.
const PACE: Duration = Duration::from_millis(150);
/// Listeners that were the same for so long are taken to be all: services open theirs in one go,
/// and a later one is still found by the scan before the audits.
const STABLE: Duration = Duration::from_millis(800);
/// A process without any listener that lived so long is taken for a worker (issue tracker, item 2).
const WORKER: Duration = Duration::from_secs(5);

/// Watches a service that was just started.
#[derive(Debug)]
pub struct Watch {
    began: Option<At>,
    looked: Option<At>,
    known: Vec<String>,
    known_since: At,
    url: Option<String>,
    patience: Duration,
}

/// What the watch came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Ready, and how that was seen.
    Ready(String),
    /// Not ready within its time, and what was missing.
    NotReady(String),
}

/// A look at the service, or an end.
#[derive(Debug, Clone, PartialEq)]
pub enum Look {
    /// Perform this, then ask again.
    Do(Action),
    /// Ask again then.
    Wait(At),
    /// It is decided.
    Decided(Decision),
}

impl Watch {
    /// Watches for at most `patience`; `url` is asked if it is given.
    #[must_use]
    pub fn new(url: Option<String>, patience: Duration) -> Self {
        Self {
            began: None,
            looked: None,
            known: Vec::new(),
            known_since: At::default(),
            url,
            patience,
        }
    }

    /// The next look. `answer` is what the URL said last, if it was asked since.
    pub fn next(
        &mut self,
        seen: &Evidence,
        now: At,
        answer: Option<&Result<String, String>>,
    ) -> Look {
        let began = *self.began.get_or_insert(now);
        if let Some(Ok(how)) = answer {
            return Look::Decided(Decision::Ready(how.clone()));
        }
        let late = now - began >= self.patience;
        if let Some(url) = &self.url {
            if late {
                let said = answer.map_or_else(String::new, |answer| match answer {
                    Ok(how) | Err(how) => format!(": {how}"),
                });
                return Look::Decided(Decision::NotReady(format!(
                    "{url} did not say ready within {:?}{said}",
                    self.patience
                )));
            }
            return self.paced(now, Action::AskReady(url.clone()));
        }
        let listeners: Vec<String> = seen
            .listeners
            .iter()
            .map(|listener| listener.reach.clone())
            .collect();
        if listeners != self.known {
            self.known = listeners;
            self.known_since = now;
        }
        let same_for = now - self.known_since.max(began);
        if !self.known.is_empty() && same_for >= STABLE {
            return Look::Decided(Decision::Ready(format!(
                "{} listeners, unchanged for {} ms",
                self.known.len(),
                same_for.as_millis()
            )));
        }
        if self.known.is_empty() && now - began >= WORKER {
            return Look::Decided(Decision::Ready(format!(
                "no listener: a worker that lived {} s",
                WORKER.as_secs()
            )));
        }
        self.paced(now, Action::ScanListeners)
    }

    fn paced(&mut self, now: At, action: Action) -> Look {
        match self.looked {
            Some(looked) if now - looked < PACE => Look::Wait(looked + PACE),
            _ => {
                self.looked = Some(now);
                Look::Do(action)
            }
        }
    }
}

/// Asks every listener what it speaks, once. Where no gRPC request was given, those that speak gRPC
/// are asked for their methods, so that the report can show one that could be given.
#[derive(Debug, Default)]
pub struct Identify {
    scanned: bool,
    asked: Vec<String>,
    listed: Vec<String>,
}

impl Experiment for Identify {
    fn name(&self) -> String {
        "asking the listeners what they speak".into()
    }

    fn next(&mut self, seen: &Evidence, _now: At) -> Step {
        if !self.scanned {
            self.scanned = true;
            return Step::Do(Action::ScanListeners);
        }
        let new = seen
            .listeners
            .iter()
            .find(|listener| !self.asked.contains(&listener.reach));
        match new {
            Some(listener) => {
                self.asked.push(listener.reach.clone());
                Step::Do(Action::Identify {
                    reach: listener.reach.clone(),
                })
            }
            None => self.list(seen),
        }
    }
}

impl Identify {
    fn list(&mut self, seen: &Evidence) -> Step {
        let is_given =
            |request: &Request| request.given && matches!(request.kind, RequestKind::Grpc { .. });
        let given = seen.run.requests.iter().any(is_given);
        let mut speaking = seen.speaking(Speaks::Grpc).filter(|_| !given);
        let next = speaking.find(|listener| !self.listed.contains(&listener.reach));
        match next {
            Some(listener) => {
                self.listed.push(listener.reach.clone());
                Step::Do(Action::ListMethods {
                    reach: listener.reach.clone(),
                })
            }
            None => Step::Done(format!("{} listeners asked", self.asked.len())),
        }
    }
}

#[cfg(test)]
mod tests {
    use shakedown_evidence::{Event, Listener, ListenerFacts};

    use super::*;

    fn listener(reach: &str) -> Event {
        Event::Listener(Listener {
            at: At::default(),
            bound: reach.into(),
            reach: reach.into(),
            pid: 1,
            private: true,
        })
    }

    /// Runs a watch against a service whose listeners appear at the given times.
    fn check(
        opens: &[(u64, &str)],
        url: Option<(&str, u64)>,
        patience: Duration,
    ) -> (Decision, At) {
        let mut seen = Evidence::default();
        let mut watch = Watch::new(url.map(|(url, _)| url.into()), patience);
        let (mut now, mut answer) = (At::default(), None);
        for _ in 0..10_000 {
            match watch.next(&seen, now, answer.as_ref()) {
                Look::Decided(decision) => return (decision, now),
                Look::Wait(until) => now = until,
                Look::Do(Action::AskReady(_)) => {
                    let ready = url.is_some_and(|(_, at)| now >= At(at * 1000));
                    answer = Some(if ready {
                        Ok("answered 200".into())
                    } else {
                        Err("answered 503".into())
                    });
                }
                Look::Do(_) => {
                    for (at, reach) in opens.iter().filter(|(at, _)| now >= At(at * 1000)) {
                        let known = seen.listeners.iter().any(|known| known.reach == *reach);
                        if !known {
                            seen.apply(listener(reach));
                        }
                        let _ = at;
                    }
                }
            }
        }
        panic!("the watch never ends");
    }

    const LONG: Duration = Duration::from_secs(30);

    #[test]
    fn listeners_that_stay_the_same_are_ready() {
        let (decision, at) = check(&[(300, "a:1"), (700, "a:2")], None, LONG);
        assert!(matches!(decision, Decision::Ready(how) if how.starts_with("2 listeners")));
        assert!(at >= At(1_500_000) && at < At(2_500_000), "{at}");
    }

    #[test]
    fn a_process_without_listener_is_a_worker_after_five_seconds() {
        let (decision, at) = check(&[], None, LONG);
        assert!(matches!(decision, Decision::Ready(how) if how.contains("worker")));
        assert!(at >= At(5_000_000));
    }

    /// What is asked of a service with a gRPC and an HTTP listener, when this request was given.
    fn asked(request: Option<RequestKind>) -> Vec<Action> {
        let mut seen = Evidence::default();
        seen.run.requests = request
            .map(|kind| Request {
                kind,
                deadline_ms: None,
                repeat_safe: true,
                given: true,
            })
            .into_iter()
            .collect();
        for (reach, speaks) in [("a:1", Speaks::Grpc), ("a:2", Speaks::Http1)] {
            seen.apply(listener(reach));
            seen.apply(Event::ListenerFacts(ListenerFacts {
                at: At(1),
                reach: reach.into(),
                speaks: vec![speaks],
                services: vec![],
                probe_traces: vec![],
                unclear: None,
            }));
        }
        let mut identify = Identify::default();
        let mut asked = Vec::new();
        while let Step::Do(action) = identify.next(&seen, At(2)) {
            asked.push(action);
        }
        asked
    }

    #[test]
    fn methods_are_listed_where_none_was_given_and_only_by_grpc() {
        let list = Action::ListMethods {
            reach: "a:1".into(),
        };
        let http = RequestKind::Http {
            method: "GET".into(),
            target: "/".into(),
            body: String::new(),
        };
        for request in [None, Some(http)] {
            let asked = asked(request);
            assert_eq!(asked.iter().filter(|action| **action == list).count(), 1);
            assert_eq!(asked.len(), 4, "{asked:?}");
        }
        let grpc = RequestKind::Grpc {
            method: "a.B/C".into(),
            data: String::new(),
        };
        assert!(!asked(Some(grpc)).contains(&list));
    }

    #[test]
    fn the_configured_url_decides_alone() {
        let (decision, at) = check(&[(0, "a:1")], Some(("http://a:1/healthz", 2000)), LONG);
        assert_eq!(decision, Decision::Ready("answered 200".into()));
        assert!(at >= At(2_000_000));
        let (decision, _) = check(
            &[(0, "a:1")],
            Some(("http://a:1/healthz", 90_000)),
            Duration::from_secs(3),
        );
        assert!(matches!(decision, Decision::NotReady(why) if why.contains("503")));
    }
}

//! Services that nobody prepared: HTTP over PostgreSQL with zap, no tracing, its settings and a
//! secret from the environment; and a worker that listens nowhere.

use shakedown_testkit::{Ended, LEDGER_SECRETS, Run, Service, ledger};

use crate::live::PROGRAM;
use crate::table::{Case, ERROR, Found, HTTP_WITHOUT_TRACING, NOT_READY};

const NO_TRACING: Found = Found {
    rule: "tracing-missing",
    subject: "no tracing SDK is linked",
    ..ERROR
};

/// Nobody switched them on: said, and no more.
const NEVER_SWITCHED_ON: Found = Found {
    rule: "contention-profile-off",
    severity: "info",
    subject: "block and mutex profiles",
    ..ERROR
};

fn check(case: &Case, stalled: bool) -> Ended {
    let service = ledger(case.faults, stalled).grace("4s");
    let (file, secrets) = LEDGER_SECRETS;
    let ended = Run::of(PROGRAM)
        .config(&service)
        .file(file, secrets.as_bytes())
        .flags(["check", "--window", "6s", "--format", "json"])
        .end();
    case.check(&ended.report());
    assert_eq!(ended.code, Some(case.code), "{}", ended.stderr);
    let (_, value) = secrets.split_once('=').expect("a variable");
    ended.bundle_lacks(value.trim().trim_matches('\''));
    ended
}

#[test]
fn without_a_stall_a_quick_query_is_not_exercised() {
    let case = Case {
        name: "ledger",
        but: &[
            ("contention-profile-off", "failed"),
            ("cancel-ignored", "not exercised"),
            ("in-flight-dropped", "not exercised"),
        ],
        alike: &[HTTP_WITHOUT_TRACING],
        findings: &[NO_TRACING, NEVER_SWITCHED_ON],
        ..NOT_READY
    };
    check(&case, false);
}

#[test]
fn behind_a_stall_a_query_that_ends_with_its_client_is_proven() {
    let case = Case {
        name: "ledger, stalled",
        but: &[("contention-profile-off", "failed")],
        alike: &[HTTP_WITHOUT_TRACING],
        findings: &[NO_TRACING, NEVER_SWITCHED_ON],
        ..NOT_READY
    };
    check(&case, true);
}

#[test]
fn behind_a_stall_a_query_that_goes_on_is_found_at_its_line() {
    let case = Case {
        name: "query-without-context, stalled",
        faults: &["query-without-context"],
        but: &[
            ("contention-profile-off", "failed"),
            ("cancel-ignored", "failed"),
        ],
        alike: &[HTTP_WITHOUT_TRACING],
        findings: &[
            NO_TRACING,
            Found {
                rule: "cancel-ignored",
                subject: "GET /accounts/alice",
                at: Some(("internal/ledger/sum_query_without_context.go", "QueryRow(")),
                ..ERROR
            },
            NEVER_SWITCHED_ON,
        ],
        ..NOT_READY
    };
    check(&case, true);
}

/// What nobody asks cannot be proven; how it ends can.
#[test]
fn a_worker_without_a_listener_is_not_proven_by_its_silence() {
    let case = Case {
        name: "worker",
        but: &[
            ("pprof-missing", "failed"),
            ("pprof-public", "inconclusive"),
            ("pprof-incomplete", "inconclusive"),
            ("profile-window-refused", "inconclusive"),
            ("profile-window-too-short", "inconclusive"),
            ("contention-profile-off", "inconclusive"),
            ("jitter-burst", "inconclusive"),
            ("log-without-trace", "not exercised"),
            ("span-id-without-trace-id", "not exercised"),
            ("context-not-forwarded", "not exercised"),
            ("request-without-span", "not exercised"),
            ("incoming-context-ignored", "not exercised"),
            ("tracing-missing", "not exercised"),
            ("deadline-ignored", "not exercised"),
            ("cancel-ignored", "not exercised"),
            ("wrong-status", "not exercised"),
            ("leak-per-request", "not exercised"),
            ("in-flight-dropped", "not exercised"),
            ("fd-leak", "not exercised"),
            ("heap-growth", "not exercised"),
        ],
        findings: &[Found {
            rule: "pprof-missing",
            subject: "no pprof endpoint on any listener",
            ..ERROR
        }],
        ..NOT_READY
    };
    let ended = Run::of(PROGRAM)
        .config(&Service::new("worker", ["bin/worker"]))
        .flags(["check", "--window", "6s", "--format", "json"])
        .end();
    case.check(&ended.report());
    assert_eq!(ended.code, Some(case.code), "{}", ended.stderr);
}

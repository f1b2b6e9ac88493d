//! Services in Rust: the example of shakedown-kit, and the same with a part of the kit switched off or
//! misused, each with exactly the findings and outcomes that are said here.

use shakedown_testkit::{Ended, Run, Service, rust_orders, template_source};

use crate::live::PROGRAM;
use crate::table::{Case, ERROR, Found, HEALTHY, NOT_READY};

/// What Rust has no counterpart of.
const GO_ONLY: (&str, &str) = ("contention-profile-off", "not applicable");

const KIT: Case = Case {
    name: "kit",
    service: orders,
    but: &[GO_ONLY],
    ..HEALTHY
};

const FAULTY: Case = Case {
    service: orders,
    ..NOT_READY
};

fn orders(faults: &[&str]) -> Service {
    rust_orders(faults.first().copied(), "400ms")
}

/// A blocked worker is told from a slow inventory only if that is fast.
fn orders_of_a_fast_inventory(faults: &[&str]) -> Service {
    rust_orders(faults.first().copied(), "30ms")
}

fn check(case: &Case) -> Ended {
    // A service that does not end is waited for that long; a healthy one needs half a second.
    let service = (case.service)(case.faults).grace("4s");
    let ended = Run::of(PROGRAM)
        .with_rust()
        .config(&service)
        .flags(["check", "--window", "6s", "--format", "json"])
        .end();
    let report = ended.report();
    case.check(&report);
    assert_eq!(ended.code, Some(case.code), "{}", ended.stderr);
    let target = report["target"]["libraries"].to_string();
    assert!(target.contains("rustc 1."), "{target}");
    // Advice is for Rust, and says so of every rule that has found something.
    for finding in report["findings"].as_array().expect("a list") {
        let fix = finding["fix"].as_str().expect("a text");
        assert!(!fix.contains("ctx") && !fix.contains("http."), "{fix}");
    }
    let text = ended.bundled("report.txt");
    assert!(!text.contains("goroutines"), "{text}");
    ended
}

#[test]
fn the_example_of_the_kit_is_ready_with_every_rule_exercised() {
    let ended = check(&KIT);
    assert_eq!(ended.report()["troubles"], serde_json::json!([]));
}

#[test]
fn profiles_on_the_applications_router() {
    let _ = check(&Case {
        name: "kit, pprof-public",
        faults: &["pprof-public"],
        but: &[
            GO_ONLY,
            ("pprof-public", "failed"),
            // What is mounted there by hand is what the finding is about, and not all that the kit has.
            ("pprof-incomplete", "failed"),
            ("heap-growth", "inconclusive"),
        ],
        findings: &[
            Found {
                rule: "pprof-public",
                subject: "127.0.0.1:PORT/debug/pprof/",
                ..ERROR
            },
            Found {
                rule: "pprof-incomplete",
                severity: "warning",
                subject: "127.0.0.1:PORT/debug/pprof/: heap, allocs, block, threadcreate",
                ..ERROR
            },
        ],
        ..FAULTY
    });
}

#[test]
fn a_logger_without_the_layer() {
    let _ = check(&Case {
        name: "kit, log-without-trace",
        service: |faults| orders(faults).source(&template_source()),
        faults: &["log-without-trace"],
        but: &[
            GO_ONLY,
            ("log-without-trace", "failed"),
            ("span-id-without-trace-id", "not exercised"),
        ],
        findings: &[
            Found {
                rule: "log-without-trace",
                subject: "\"order asked\"",
                at: Some(("src/api.rs", "order asked")),
                ..ERROR
            },
            Found {
                rule: "log-without-trace",
                subject: "\"order audited\"",
                at: Some(("src/api.rs", "order audited")),
                ..ERROR
            },
        ],
        ..FAULTY
    });
}

#[test]
fn a_call_past_the_layer() {
    let _ = check(&Case {
        name: "kit, context-not-forwarded",
        faults: &["context-not-forwarded"],
        but: &[GO_ONLY, ("context-not-forwarded", "failed")],
        findings: &[Found {
            rule: "context-not-forwarded",
            subject: "inventory.v1.Inventory/Check",
            ..ERROR
        }],
        ..FAULTY
    });
}

#[test]
fn requests_without_the_trace_layer() {
    let _ = check(&Case {
        name: "kit, request-without-span",
        faults: &["request-without-span"],
        but: &[
            GO_ONLY,
            ("log-without-trace", "inconclusive"),
            ("span-id-without-trace-id", "inconclusive"),
            ("context-not-forwarded", "inconclusive"),
            ("request-without-span", "failed"),
            ("incoming-context-ignored", "inconclusive"),
            ("tracing-missing", "inconclusive"),
        ],
        findings: &[
            Found {
                rule: "request-without-span",
                subject: "GET /orders/7",
                ..ERROR
            },
            Found {
                rule: "request-without-span",
                subject: "orders.v1.Orders/Get",
                ..ERROR
            },
        ],
        ..FAULTY
    });
}

#[test]
fn ids_in_the_log_and_no_span_anywhere() {
    let ended = check(&Case {
        name: "kit, spans-not-exported",
        faults: &["spans-not-exported"],
        verdict: "NOT PROVEN",
        code: 3,
        but: &[
            GO_ONLY,
            ("log-without-trace", "inconclusive"),
            ("span-id-without-trace-id", "inconclusive"),
            ("context-not-forwarded", "inconclusive"),
            ("request-without-span", "inconclusive"),
            ("incoming-context-ignored", "inconclusive"),
            ("tracing-missing", "inconclusive"),
        ],
        ..KIT
    });
    let text = ended.bundled("report.txt");
    assert!(text.contains("feature otel"), "{text}");
}

#[test]
fn a_service_without_the_deadline_layer() {
    let _ = check(&Case {
        name: "kit, deadline-ignored",
        faults: &["deadline-ignored"],
        but: &[
            GO_ONLY,
            ("deadline-ignored", "failed"),
            ("wrong-status", "not exercised"),
        ],
        findings: &[Found {
            rule: "deadline-ignored",
            subject: "orders.v1.Orders/Get",
            at: Some(("src/inventory.rs", "client.clone().check(request).await")),
            ..ERROR
        }],
        ..FAULTY
    });
}

#[test]
fn a_call_that_blocks_its_worker() {
    let _ = check(&Case {
        name: "kit, blocking-call",
        service: orders_of_a_fast_inventory,
        faults: &["blocking-call"],
        but: &[
            GO_ONLY,
            ("deadline-ignored", "failed"),
            ("cancel-ignored", "failed"),
            ("wrong-status", "passed or not exercised or inconclusive"),
            // With all workers blocked, some requests of a batch are answered too late.
            ("leak-per-request", "passed or not exercised"),
            ("fd-leak", "passed or not exercised"),
            ("heap-growth", "passed or not exercised"),
        ],
        findings: &[
            Found {
                rule: "deadline-ignored",
                subject: "orders.v1.Orders/Get",
                because_of: &["cancel-ignored"],
                ..ERROR
            },
            Found {
                rule: "cancel-ignored",
                subject: "GET /orders/7",
                ..ERROR
            },
        ],
        ..FAULTY
    });
}

#[test]
fn a_task_left_behind_by_each_request() {
    let _ = check(&Case {
        name: "kit, leak-per-request",
        faults: &["leak-per-request"],
        but: &[GO_ONLY, ("leak-per-request", "failed")],
        findings: &[Found {
            rule: "leak-per-request",
            subject: "rust_orders::handlers::follow [chan receive]",
            at: Some(("src/handlers.rs", "prices.recv().await")),
            ..ERROR
        }],
        ..FAULTY
    });
}

#[test]
fn a_process_that_outlives_its_drain() {
    let _ = check(&Case {
        name: "kit, sigterm-ignored",
        faults: &["sigterm-ignored"],
        but: &[
            GO_ONLY,
            ("sigterm-ignored", "failed"),
            ("in-flight-dropped", "inconclusive"),
            ("drain-too-slow", "inconclusive"),
        ],
        findings: &[Found {
            rule: "sigterm-ignored",
            subject: "still there 8.0 s after SIGTERM",
            ..ERROR
        }],
        ..FAULTY
    });
}

#[test]
fn a_second_owner_of_sigterm() {
    let _ = check(&Case {
        name: "kit, sigterm-not-owned",
        faults: &["sigterm-not-owned"],
        but: &[GO_ONLY, ("in-flight-dropped", "failed")],
        findings: &[Found {
            rule: "in-flight-dropped",
            subject: "GET /orders/7, orders.v1.Orders/Get",
            ..ERROR
        }],
        ..FAULTY
    });
}

//! The matrix: each fault of the fixture services, and all that a run on it must say.

use shakedown_testkit::{Service, orders, plain};

/// Rules with their outcomes.
pub(crate) type Outcomes = &'static [(&'static str, &'static str)];

/// One fault of a fixture service, mostly of `orders`.
pub(crate) struct Case {
    /// Name of the test and of the frozen bundle.
    pub(crate) name: &'static str,
    /// The service with its faults.
    pub(crate) service: fn(&[&str]) -> Service,
    /// What follows `-fault`.
    pub(crate) faults: &'static [&'static str],
    /// The word at the top.
    pub(crate) verdict: &'static str,
    /// The exit code.
    pub(crate) code: i32,
    /// Outcomes of the rules that did not pass.
    pub(crate) but: Outcomes,
    /// The same, for what several cases have alike.
    pub(crate) alike: &'static [Outcomes],
    /// The findings, in the order of the report.
    pub(crate) findings: &'static [Found],
}

/// One finding.
pub(crate) struct Found {
    pub(crate) rule: &'static str,
    pub(crate) severity: &'static str,
    pub(crate) subject: &'static str,
    /// The culprit: its file in fixtures/go, and what its line says. Nothing where no evidence
    /// names a place.
    pub(crate) at: Option<(&'static str, &'static str)>,
    /// Rules whose findings this one explains.
    pub(crate) because_of: &'static [&'static str],
}

pub(crate) const HEALTHY: Case = Case {
    name: "healthy",
    service: orders,
    faults: &[],
    verdict: "READY",
    code: 0,
    but: &[],
    alike: &[],
    findings: &[],
};

const NOT_PROVEN: Case = Case {
    verdict: "NOT PROVEN",
    code: 3,
    ..HEALTHY
};

pub(crate) const NOT_READY: Case = Case {
    verdict: "NOT READY",
    code: 1,
    ..HEALTHY
};

pub(crate) const ERROR: Found = Found {
    rule: "",
    severity: "error",
    subject: "",
    at: None,
    because_of: &[],
};

/// Without a span of the call only the answer has the handler's status, and grpc-go's own reset at
/// the deadline may come before it.
const STATUS_UNSEEN: (&str, &str) = ("wrong-status", "passed or inconclusive");

/// Of an HTTP service that links no tracing SDK.
pub(crate) const HTTP_WITHOUT_TRACING: Outcomes = &[
    ("log-without-trace", "inconclusive"),
    ("span-id-without-trace-id", "inconclusive"),
    ("context-not-forwarded", "inconclusive"),
    ("request-without-span", "inconclusive"),
    ("incoming-context-ignored", "inconclusive"),
    ("tracing-missing", "failed"),
    ("deadline-ignored", "not applicable"),
    ("wrong-status", "not applicable"),
];

/// Of a service without pprof, whose goroutines are seen in other ways.
const WITHOUT_PPROF: Outcomes = &[
    ("pprof-missing", "failed"),
    ("pprof-public", "inconclusive"),
    ("pprof-incomplete", "inconclusive"),
    ("profile-window-refused", "inconclusive"),
    ("profile-window-too-short", "inconclusive"),
    ("contention-profile-off", "inconclusive"),
    ("jitter-burst", "inconclusive"),
    ("wrong-status", "inconclusive"),
    ("heap-growth", "inconclusive"),
];

/// Healthy, and each fault alone.
pub(crate) const CASES: &[Case] = &[
    HEALTHY,
    Case {
        name: "pprof-missing",
        faults: &["pprof-missing"],
        alike: &[WITHOUT_PPROF],
        findings: &[Found {
            rule: "pprof-missing",
            subject: "no pprof endpoint on any listener",
            ..ERROR
        }],
        ..NOT_READY
    },
    Case {
        name: "cancel-without-pprof",
        faults: &["pprof-missing", "http-cancel-ignored"],
        but: &[("cancel-ignored", "failed")],
        alike: &[WITHOUT_PPROF],
        findings: &[
            Found {
                rule: "pprof-missing",
                subject: "no pprof endpoint on any listener",
                ..ERROR
            },
            Found {
                rule: "cancel-ignored",
                // By the stacks of a further start, ended by SIGQUIT.
                subject: "GET /orders/7",
                at: Some((
                    "internal/orders/settle_http_cancel_ignored.go",
                    "time.Sleep",
                )),
                ..ERROR
            },
        ],
        ..NOT_READY
    },
    Case {
        name: "leak-without-pprof",
        faults: &["pprof-missing", "leak-per-request"],
        but: &[("leak-per-request", "failed")],
        alike: &[WITHOUT_PPROF],
        findings: &[
            Found {
                rule: "pprof-missing",
                subject: "no pprof endpoint on any listener",
                ..ERROR
            },
            Found {
                rule: "leak-per-request",
                // By the stacks of further starts, ended by SIGQUIT.
                subject: "orders.firstPriceLeaking.func1 [chan send]",
                at: Some(("internal/orders/price_leak_per_request.go", "<-")),
                ..ERROR
            },
        ],
        ..NOT_READY
    },
    Case {
        name: "pprof-public",
        faults: &["pprof-public"],
        but: &[("pprof-public", "failed")],
        findings: &[Found {
            rule: "pprof-public",
            subject: "127.0.0.1:PORT/debug/pprof/",
            ..ERROR
        }],
        ..NOT_READY
    },
    Case {
        name: "pprof-incomplete",
        faults: &["pprof-incomplete"],
        but: &[("pprof-incomplete", "failed")],
        findings: &[Found {
            rule: "pprof-incomplete",
            severity: "warning",
            subject: "127.0.0.1:PORT/debug/pprof/: allocs, threadcreate",
            ..ERROR
        }],
        ..HEALTHY
    },
    Case {
        name: "profile-window-refused",
        faults: &["profile-window-refused"],
        but: &[("profile-window-refused", "failed")],
        findings: &[Found {
            rule: "profile-window-refused",
            subject: "127.0.0.1:PORT/debug/pprof/{profile,trace}",
            ..ERROR
        }],
        ..NOT_READY
    },
    Case {
        name: "contention-profile-off",
        faults: &["contention-profile-off"],
        but: &[("contention-profile-off", "failed")],
        findings: &[Found {
            rule: "contention-profile-off",
            severity: "info",
            subject: "block and mutex profiles",
            ..ERROR
        }],
        ..HEALTHY
    },
    Case {
        name: "secret-in-cmdline",
        faults: &["secret-in-cmdline"],
        but: &[("secret-in-cmdline", "failed")],
        findings: &[Found {
            rule: "secret-in-cmdline",
            subject: "-inventory-token [cut]",
            ..ERROR
        }],
        ..NOT_READY
    },
    Case {
        name: "log-without-trace",
        faults: &["log-without-trace"],
        but: &[("log-without-trace", "failed")],
        findings: &[Found {
            rule: "log-without-trace",
            subject: "\"order audited id=* checksum=*\"",
            at: Some((
                "internal/orders/audit_log_without_trace.go",
                "order audited",
            )),
            ..ERROR
        }],
        ..NOT_READY
    },
    Case {
        name: "span-id-without-trace-id",
        faults: &["span-id-without-trace-id"],
        but: &[
            ("span-id-without-trace-id", "failed"),
            ("log-without-trace", "failed"),
        ],
        findings: &[Found {
            rule: "span-id-without-trace-id",
            subject: "\"order audited\"",
            at: Some((
                "internal/orders/audit_span_id_without_trace_id.go",
                "order audited",
            )),
            // The gRPC side logs with zap, the HTTP side with slog.
            because_of: &["log-without-trace", "log-without-trace"],
            ..ERROR
        }],
        ..NOT_READY
    },
    Case {
        name: "context-not-forwarded",
        faults: &["context-not-forwarded"],
        but: &[("context-not-forwarded", "failed")],
        findings: &[Found {
            rule: "context-not-forwarded",
            subject: "inventory.v1.Inventory/Check",
            at: Some(("internal/orders/stock_context_not_forwarded.go", "Check(")),
            ..ERROR
        }],
        ..NOT_READY
    },
    Case {
        name: "request-without-span",
        faults: &["request-without-span"],
        but: &[
            ("log-without-trace", "failed"),
            ("context-not-forwarded", "failed"),
            ("request-without-span", "failed"),
        ],
        findings: &[Found {
            rule: "request-without-span",
            subject: "GET /orders/7",
            because_of: &[
                "log-without-trace",
                "log-without-trace",
                "context-not-forwarded",
            ],
            ..ERROR
        }],
        ..NOT_READY
    },
    Case {
        name: "incoming-context-ignored",
        faults: &["incoming-context-ignored"],
        but: &[
            ("log-without-trace", "inconclusive"),
            ("span-id-without-trace-id", "inconclusive"),
            ("context-not-forwarded", "inconclusive"),
            ("incoming-context-ignored", "failed"),
            STATUS_UNSEEN,
        ],
        findings: &[Found {
            rule: "incoming-context-ignored",
            subject: "orders",
            ..ERROR
        }],
        ..NOT_READY
    },
    Case {
        name: "tracing-missing",
        service: plain,
        alike: &[HTTP_WITHOUT_TRACING],
        findings: &[Found {
            rule: "tracing-missing",
            subject: "no tracing SDK is linked",
            ..ERROR
        }],
        ..NOT_READY
    },
    Case {
        name: "sampled-away",
        faults: &["sampled-away"],
        but: &[
            ("log-without-trace", "inconclusive"),
            ("span-id-without-trace-id", "inconclusive"),
            ("context-not-forwarded", "inconclusive"),
            ("request-without-span", "inconclusive"),
            ("incoming-context-ignored", "inconclusive"),
            STATUS_UNSEEN,
        ],
        ..NOT_PROVEN
    },
    Case {
        name: "deadline-ignored",
        faults: &["deadline-ignored"],
        but: &[
            ("deadline-ignored", "failed"),
            ("cancel-ignored", "failed"),
            ("wrong-status", "not exercised"),
        ],
        findings: &[Found {
            rule: "deadline-ignored",
            subject: "orders.v1.Orders/Search",
            at: Some(("internal/orders/shards_deadline_ignored.go", "time.Sleep(")),
            because_of: &["cancel-ignored"],
            ..ERROR
        }],
        ..NOT_READY
    },
    Case {
        name: "cancel-ignored",
        faults: &["cancel-ignored"],
        but: &[("cancel-ignored", "failed")],
        findings: &[Found {
            rule: "cancel-ignored",
            subject: "orders.v1.Orders/Search",
            // Where it waits; who called that without the caller's cancellation is in the stack.
            at: Some(("internal/orders/shards.go", "select {")),
            ..ERROR
        }],
        ..NOT_READY
    },
    Case {
        name: "wrong-status",
        faults: &["wrong-status"],
        but: &[("wrong-status", "failed")],
        findings: &[Found {
            rule: "wrong-status",
            severity: "warning",
            subject: "orders.v1.Orders/Search",
            ..ERROR
        }],
        ..HEALTHY
    },
    Case {
        name: "http-cancel-ignored",
        faults: &["http-cancel-ignored"],
        but: &[("cancel-ignored", "failed")],
        findings: &[Found {
            rule: "cancel-ignored",
            subject: "GET /orders/7",
            at: Some((
                "internal/orders/settle_http_cancel_ignored.go",
                "time.Sleep(",
            )),
            ..ERROR
        }],
        ..NOT_READY
    },
    Case {
        name: "leak-per-request",
        faults: &["leak-per-request"],
        but: &[("leak-per-request", "failed")],
        findings: &[Found {
            rule: "leak-per-request",
            subject: "orders.firstPriceLeaking.func1 [chan send]",
            at: Some(("internal/orders/price_leak_per_request.go", "<-")),
            ..ERROR
        }],
        ..NOT_READY
    },
    Case {
        name: "sigterm-ignored",
        faults: &["sigterm-ignored"],
        but: &[
            ("sigterm-ignored", "failed"),
            ("in-flight-dropped", "inconclusive"),
            ("drain-too-slow", "inconclusive"),
        ],
        findings: &[Found {
            rule: "sigterm-ignored",
            subject: "still there 4.0 s after SIGTERM",
            at: Some(("internal/orders/stop_sigterm_ignored.go", "select {")),
            ..ERROR
        }],
        ..NOT_READY
    },
    Case {
        name: "in-flight-dropped",
        faults: &["in-flight-dropped"],
        but: &[("in-flight-dropped", "failed")],
        findings: &[Found {
            rule: "in-flight-dropped",
            subject: "GET /orders/7, orders.v1.Orders/Get and 1 more",
            ..ERROR
        }],
        ..NOT_READY
    },
    Case {
        name: "drain-too-slow",
        faults: &["drain-too-slow"],
        but: &[("drain-too-slow", "failed")],
        findings: &[Found {
            rule: "drain-too-slow",
            severity: "warning",
            subject: "longer than 4.0 s after SIGTERM",
            at: Some(("internal/orders/notice_drain_too_slow.go", "time.Sleep(")),
            ..ERROR
        }],
        ..HEALTHY
    },
    Case {
        name: "fd-leak",
        faults: &["fd-leak"],
        but: &[("fd-leak", "failed")],
        findings: &[Found {
            rule: "fd-leak",
            subject: "file /etc/hosts",
            ..ERROR
        }],
        ..NOT_READY
    },
    Case {
        name: "heap-growth",
        faults: &["heap-growth"],
        but: &[("heap-growth", "failed")],
        findings: &[Found {
            rule: "heap-growth",
            severity: "warning",
            subject: "orders.rememberEverything",
            at: Some(("internal/orders/remember_heap_growth.go", "make([]byte")),
            ..ERROR
        }],
        ..HEALTHY
    },
];

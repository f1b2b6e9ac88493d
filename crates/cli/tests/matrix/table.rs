//! The matrix: each fault of the fixture services, and all that a run on it must say.

/// One fault of the fixture service `orders`.
pub(crate) struct Case {
    /// Name of the test and of the frozen bundle.
    pub(crate) name: &'static str,
    /// What follows `-fault`.
    pub(crate) faults: &'static [&'static str],
    /// The word at the top.
    pub(crate) verdict: &'static str,
    /// The exit code.
    pub(crate) code: i32,
    /// Outcomes of the rules that did not pass.
    pub(crate) but: &'static [(&'static str, &'static str)],
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

const HEALTHY: Case = Case {
    name: "healthy",
    faults: &[],
    verdict: "READY",
    code: 0,
    but: &[],
    findings: &[],
};

const NOT_READY: Case = Case {
    verdict: "NOT READY",
    code: 1,
    ..HEALTHY
};

const ERROR: Found = Found {
    rule: "",
    severity: "error",
    subject: "",
    at: None,
    because_of: &[],
};

/// Healthy, and each fault alone.
pub(crate) const CASES: &[Case] = &[
    HEALTHY,
    Case {
        name: "pprof-missing",
        faults: &["pprof-missing"],
        but: &[
            ("pprof-missing", "failed"),
            ("pprof-public", "inconclusive"),
            ("pprof-incomplete", "inconclusive"),
            ("profile-window-refused", "inconclusive"),
            ("contention-profile-off", "inconclusive"),
            ("deadline-ignored", "inconclusive"),
            ("cancel-ignored", "inconclusive"),
        ],
        findings: &[Found {
            rule: "pprof-missing",
            subject: "no pprof endpoint on any listener",
            ..ERROR
        }],
        ..NOT_READY
    },
    Case {
        name: "leak-without-pprof",
        faults: &["pprof-missing", "leak-per-request"],
        but: &[
            ("pprof-missing", "failed"),
            ("pprof-public", "inconclusive"),
            ("pprof-incomplete", "inconclusive"),
            ("profile-window-refused", "inconclusive"),
            ("contention-profile-off", "inconclusive"),
            ("deadline-ignored", "inconclusive"),
            ("cancel-ignored", "inconclusive"),
            ("leak-per-request", "failed"),
        ],
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
        verdict: "READY",
        code: 0,
        but: &[("pprof-incomplete", "failed")],
        findings: &[Found {
            rule: "pprof-incomplete",
            severity: "warning",
            subject: "127.0.0.1:PORT/debug/pprof/: allocs, threadcreate",
            ..ERROR
        }],
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
        verdict: "READY",
        code: 0,
        but: &[("contention-profile-off", "failed")],
        findings: &[Found {
            rule: "contention-profile-off",
            severity: "info",
            subject: "block and mutex profiles",
            ..ERROR
        }],
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
        name: "deadline-ignored",
        faults: &["deadline-ignored"],
        but: &[("deadline-ignored", "failed"), ("cancel-ignored", "failed")],
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
        but: &[("sigterm-ignored", "failed")],
        findings: &[Found {
            rule: "sigterm-ignored",
            subject: "still there 4.0 s after SIGTERM",
            at: Some(("internal/orders/stop_sigterm_ignored.go", "select {")),
            ..ERROR
        }],
        ..NOT_READY
    },
];

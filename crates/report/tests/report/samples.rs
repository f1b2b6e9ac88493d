//! Reports of the situations that people meet; every figure is invented.

use shakedown_findings::{
    Certainty, Exhibit, HotSpot, HotSpotTable, HotSpots, Item, Location, MarkRow, RuleRow,
    RunReport, SCHEMA, Severity, TargetRow, Verdict,
};

use crate::sample_findings::{audit_without_trace, leak, pprof_on_public, quote, search_runs_on};

const RULES: [(&str, &str, Item); 8] = [
    ("PRF001", "pprof-missing", Item::Profile),
    ("PRF002", "pprof-public", Item::Profile),
    ("TRC001", "log-without-trace", Item::Trace),
    ("TRC004", "context-not-forwarded", Item::Trace),
    ("DLN001", "deadline-ignored", Item::Deadline),
    ("DLN002", "cancel-ignored", Item::Deadline),
    ("LIF001", "leak-per-request", Item::Lifecycle),
    ("LIF005", "sigterm-ignored", Item::Lifecycle),
];

/// Everything proven.
pub(crate) fn healthy() -> RunReport {
    RunReport {
        schema: SCHEMA,
        tool: "0.1.0".into(),
        verdict: Verdict::Ready,
        not_ready_because: None,
        target: TargetRow {
            name: "orders".into(),
            command: vec!["./orders".into()],
            pid: Some(4242),
            go: Some("go1.26.8".into()),
            module: Some("example.com/orders v1.4.0".into()),
            revision: Some("3f2a91c07be1d0a4".into()),
            libraries: vec!["grpc-go 1.85.0".into(), "otel 1.47.0".into()],
            listeners: vec![
                "127.0.0.1:8080 http".into(),
                "127.0.0.1:7000 grpc".into(),
                "127.0.0.1:6060 pprof".into(),
            ],
        },
        started_unix_ms: 1_795_415_460_000,
        took_ms: 42_300,
        rules: vec![
            passed(
                0,
                "pprof on 127.0.0.1:6060: 30 s CPU window taken whole, heap and goroutine dumps read",
            ),
            passed(1, "no pprof on 127.0.0.1:8080 and 127.0.0.1:7000"),
            passed(
                2,
                "812 of 812 request log lines carry our trace (14 templates)",
            ),
            passed(3, "3 of 3 downstream calls joined it"),
            passed(
                4,
                "Orders/Get, Orders/Search: 12 calls caught at their deadline, gone within 9 ms",
            ),
            passed(
                5,
                "Orders/Get, GET /orders/{id}: 12 cancels, gone within 7 ms",
            ),
            passed(
                6,
                "480 requests in 4 batches: 14 goroutines before and after",
            ),
            passed(7, "SIGTERM: drained and gone in 0.4 s"),
        ],
        findings: vec![],
        hot_spots: hot_spots(),
        marks: vec![
            mark(900_000, "ready on 127.0.0.1:8080"),
            mark(1_100_000, "lane look"),
            mark(
                1_250_000,
                "asking the listeners what they speak: 3 listeners asked",
            ),
            mark(2_100_000, "lane window"),
            mark(2_100_400, "CPU window of 30 s: begin"),
            mark(32_104_000, "CPU window of 30 s: taken"),
            mark(32_200_000, "lane stop"),
            mark(41_900_000, "SIGTERM sent to process 4242"),
            mark(42_300_000, "SIGTERM: stopped"),
        ],
        troubles: vec![],
        bundle: Some(".shakedown/runs/2026-11-23T06-31-00-orders".into()),
    }
}

/// One finding in each item.
pub(crate) fn faulty() -> RunReport {
    let mut report = healthy();
    report.verdict = Verdict::NotReady;
    report.took_ms = 47_000;
    report.findings = vec![
        search_runs_on(),
        pprof_on_public(),
        audit_without_trace(),
        leak(),
    ];
    for finding in &report.findings {
        let code = &finding.code;
        let rule = report.rules.iter_mut().find(|rule| &rule.code == code);
        let rule = rule.expect("every finding has a rule");
        rule.outcome = "failed".into();
        rule.reason = finding.message.clone();
    }
    report
}

/// Nothing wrong that could be seen, and little that could be seen.
pub(crate) fn little_known() -> RunReport {
    let mut report = healthy();
    report.verdict = Verdict::NotProven;
    report.not_ready_because = Some("--quick takes windows too short to prove a service".into());
    report.took_ms = 38_000;
    report.hot_spots = HotSpots::default();
    report.target.revision = None;
    let own_endpoint = "no span of our probes arrived: the code sets its own endpoint (WithEndpoint), or samples them away";
    let collector = "--env COLLECTOR_SERVICE_ADDR={otlp.addr}";
    report.rules[2] = open(2, "inconclusive", own_endpoint, collector);
    report.rules[3] = open(3, "inconclusive", own_endpoint, collector);
    report.rules[4] = open(
        4,
        "not exercised",
        "no handler was running at its deadline (slowest call 3 ms)",
        "--stall db=127.0.0.1:5432  (and point the service's DB at {stall.db.addr})",
    );
    report.rules[6] = open(
        6,
        "not exercised",
        "no request was given",
        "--http 'GET /orders/1' or --grpc orders.v1.Orders/Get --data '{\"id\":\"1\"}'",
    );
    report
}

/// The service ended before anything could be asked.
pub(crate) fn early_exit() -> RunReport {
    let mut report = little_known();
    report.not_ready_because = None;
    report.took_ms = 400;
    report.target.pid = None;
    report.target.listeners.clear();
    report.marks.clear();
    for (position, rule) in report.rules.iter_mut().enumerate() {
        *rule = open(
            position,
            "inconclusive",
            "the service ended before it was ready",
            "a service that stays up",
        );
    }
    report.troubles = vec![
        "the service ended by itself after 0.3 s with exit code 2: set INVENTORY_ADDR\n\
         panic: environment variable INVENTORY_ADDR not set\n\
         \n\
         goroutine 1 [running]:\n\
         main.mustMapEnv(0xc0001a2000, {0x9c1e3c, 0xe})\n\
         \t/src/orders/main.go:171 +0x9c"
            .into(),
    ];
    report
}

/// A service that says the worst things it can.
pub(crate) fn hostile() -> RunReport {
    let mut report = faulty();
    let evil = "\x1b]0;owned\x07\x1b[2J\u{202e}drowssap\u{202c}\u{9b}31m\r\nnext\u{200b}";
    report.target.name = evil.into();
    report.target.listeners = vec![evil.into()];
    report.rules[7].reason = evil.into();
    report.troubles = vec![evil.into()];
    report.bundle = Some(evil.into());
    let finding = &mut report.findings[0];
    finding.subject = evil.into();
    finding.message = format!("{evil} in 5 of 5 calls. Then more.");
    finding.fix = evil.into();
    finding.repeat = format!("shakedown grpc audit '{evil}'");
    finding.because_of[0].message = evil.into();
    finding.location = Some(at(evil, evil, 1));
    finding.exhibits = vec![
        quote(evil, &[evil, "{\"msg\":\"\x1b[31mred\"}"]),
        Exhibit::Stack {
            title: evil.into(),
            frames: vec![evil.into(), format!("main.{evil} /x/{evil}:1")],
        },
    ];
    report
}

/// One of everything that the layout knows, so that nothing in the schema is left untried.
pub(crate) fn everything() -> RunReport {
    let mut report = faulty();
    report.not_ready_because = Some("--only profile".into());
    report.troubles = vec!["interrupted".into()];
    report.rules[5] = open(5, "inconclusive", "the endpoint hung", "--timeout 30s");
    report.rules[3] = open(3, "not exercised", "no downstream call", "--http 'GET /'");
    report.rules[7].outcome = "not applicable".into();
    report.rules[1].outcome = "waived".into();
    let mut warning = leak();
    warning.severity = Severity::Warning;
    warning.certainty = Certainty::Static;
    report.findings.push(warning);
    let mut info = leak();
    info.severity = Severity::Info;
    report.findings.push(info);
    report
}

fn hot_spots() -> HotSpots {
    let store = "/home/dev/orders/store/store.go";
    HotSpots {
        cpu: Some(HotSpotTable {
            total: 2_100_000_000,
            window_ms: Some(30_000),
            rows: vec![
                spot(
                    "runtime.mallocgc",
                    "/usr/local/go/src/runtime/malloc.go",
                    1_100,
                    378_000_000,
                ),
                spot(
                    "example.com/orders/store.(*Store).scan",
                    store,
                    88,
                    231_000_000,
                ),
                spot(
                    "internal/runtime/syscall.Syscall6",
                    "/usr/local/go/src/internal/runtime/syscall/asm.s",
                    36,
                    190_000_000,
                ),
                spot(
                    "encoding/json.(*decodeState).object",
                    "/usr/local/go/src/encoding/json/decode.go",
                    600,
                    105_000_000,
                ),
                spot(
                    "example.com/orders/rank.Rank",
                    "/home/dev/orders/rank/rank.go",
                    21,
                    42_000_000,
                ),
            ],
        }),
        inuse_space: Some(HotSpotTable {
            total: 41 << 20,
            window_ms: None,
            rows: vec![
                spot(
                    "example.com/orders/store.(*Cache).put",
                    "/home/dev/orders/store/cache.go",
                    31,
                    26 << 20,
                ),
                spot(
                    "bufio.NewReaderSize",
                    "/usr/local/go/src/bufio/bufio.go",
                    57,
                    5 << 20,
                ),
                spot(
                    "bufio.NewWriterSize",
                    "/usr/local/go/src/bufio/bufio.go",
                    596,
                    4 << 20,
                ),
                spot(
                    "google.golang.org/grpc/internal/transport.newBufWriter",
                    "/go/pkg/mod/google.golang.org/grpc@v1.85.0/internal/transport/http_util.go",
                    330,
                    1 << 20,
                ),
                spot(
                    "runtime.allocm",
                    "/usr/local/go/src/runtime/proc.go",
                    2_270,
                    1 << 19,
                ),
            ],
        }),
        alloc_objects: Some(HotSpotTable {
            total: 9_213_000,
            window_ms: None,
            rows: vec![
                spot(
                    "encoding/json.(*decodeState).literalStore",
                    "/usr/local/go/src/encoding/json/decode.go",
                    950,
                    2_030_000,
                ),
                HotSpot {
                    cum: 2_300_000,
                    ..spot(
                        "example.com/orders/store.(*Store).scan",
                        store,
                        91,
                        1_100_000,
                    )
                },
            ],
        }),
    }
}

fn row(position: usize, outcome: &str, reason: &str, to_prove: Option<&str>) -> RuleRow {
    let (code, name, item) = RULES[position];
    RuleRow {
        code: code.into(),
        name: name.into(),
        item,
        required: true,
        outcome: outcome.into(),
        reason: reason.into(),
        to_prove: to_prove.map(Into::into),
    }
}

fn passed(position: usize, reason: &str) -> RuleRow {
    row(position, "passed", reason, None)
}

fn open(position: usize, outcome: &str, reason: &str, to_prove: &str) -> RuleRow {
    row(position, outcome, reason, Some(to_prove))
}

pub(crate) fn at(function: &str, file: &str, line: u32) -> Location {
    Location {
        function: Some(function.into()),
        file: Some(file.into()),
        line: Some(line),
    }
}

fn spot(function: &str, file: &str, line: u32, flat: i64) -> HotSpot {
    HotSpot {
        location: at(function, file, line),
        flat,
        cum: flat,
    }
}

fn mark(at_us: u64, name: &str) -> MarkRow {
    MarkRow {
        at_us,
        name: name.into(),
    }
}

//! The exporters of OpenTelemetry's own Go SDK, with nothing but our environment.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use shakedown_evidence::log::{Format, Id, ParsedLine};
use shakedown_evidence::{At, Span};
use tokio::process::Command;

use crate::{Bench, PATIENCE};

/// A span as the SDK made it.
#[derive(Debug, Deserialize)]
struct Made {
    trace: String,
    span: String,
    parent: String,
    name: String,
    kind: String,
    remote_parent: bool,
    links: Vec<(String, String)>,
    start: u64,
    end: u64,
}

/// Builds the peer once; without Go the test fails.
fn peer() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/otlp_peer");
        let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("otlp_peer");
        let built = std::process::Command::new("go")
            .args(["build", "-o"])
            .arg(&program)
            .arg(".")
            .current_dir(folder)
            .output()
            .expect("Go is needed for this test; see the README");
        assert!(
            built.status.success(),
            "{}",
            String::from_utf8_lossy(&built.stderr)
        );
        program
    })
}

/// What a developer's shell may hold; each of these would send the spans elsewhere or nowhere.
const INHERITED: [(&str, &str); 8] = [
    (
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        "https://127.0.0.1:1/elsewhere",
    ),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://127.0.0.1:1"),
    ("OTEL_EXPORTER_OTLP_TRACES_INSECURE", "false"),
    ("OTEL_EXPORTER_OTLP_INSECURE", "false"),
    ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
    ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "1"),
    ("OTEL_TRACES_SAMPLER", "always_off"),
    ("OTEL_BSP_SCHEDULE_DELAY", "60000"),
];

async fn check(exporter: &str, compression: &str) {
    let bench = Bench::new().await;
    let made: Vec<Made> = run(&bench, &[exporter, compression]).await;
    compare(&made, &bench.spans());
    assert_eq!(bench.losses(), [""; 0]);
    assert_ne!(made.len(), 0);
}

/// What the peer says that it made.
async fn run<T: DeserializeOwned>(bench: &Bench, words: &[&str]) -> Vec<T> {
    let mut command = Command::new(peer());
    command
        .args(words)
        .envs(INHERITED)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    for name in bench.receiver.environment_removed() {
        command.env_remove(name);
    }
    command.envs(bench.receiver.environment());
    let output = tokio::time::timeout(3 * PATIENCE, command.output());
    let output = output.await.expect("it ends").expect("it runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    assert_eq!(errors, "", "the exporter had nothing to complain of");
    serde_json::from_slice(&output.stdout).expect("what it made")
}

/// A record as the program wrote it.
#[derive(Debug, Deserialize)]
struct Written {
    trace: String,
    span: String,
    level: String,
    message: String,
}

async fn check_logs(exporter: &str) {
    let bench = Bench::new().await;
    let written: Vec<Written> = run(&bench, &[exporter]).await;
    let received = bench.recorder.read(|seen| seen.exported.clone());
    assert_eq!((received.len(), written.len()), (300, 300));
    assert_eq!(bench.losses(), [""; 0]);
    let mut lines: Vec<_> = received
        .iter()
        .map(|exported| ParsedLine::of(&exported.line))
        .collect();
    // Batches may overtake each other.
    lines.sort_by_key(|line| line.unix_ns);
    for (line, written) in lines.iter().zip(&written) {
        assert_eq!(line.format, Format::Otlp);
        assert_eq!(line.message, written.message);
        let level = format!("{:?}", line.level.expect("a level")).to_uppercase();
        assert_eq!(level, written.level);
        let id = |id: &Option<Id>| id.as_ref().map(Id::to_string).unwrap_or_default();
        let ids = (id(&line.ids.trace), id(&line.ids.span));
        assert_eq!(ids, (written.trace.clone(), written.span.clone()));
        let caller = line.caller.as_ref().expect("the bridge names the place");
        assert!(caller.file.ends_with("logs.go"), "{caller:?}");
        assert_eq!(line.logger.as_deref(), Some("example.com/peer"));
    }
    let now = bench.recorder.now();
    for exported in &received {
        assert_eq!(exported.service, "peer");
        assert!(exported.pid.is_some());
        assert!(exported.line.at > At(0) && exported.line.at <= now);
    }
}

#[tokio::test]
async fn logs_grpc() {
    check_logs("logs-grpc").await;
}

#[tokio::test]
async fn logs_http() {
    check_logs("logs-http").await;
}

fn compare(made: &[Made], received: &[Span]) {
    let received: BTreeMap<_, _> = received
        .iter()
        .map(|span| (span.span_id.clone(), span))
        .collect();
    assert_eq!(received.len(), made.len(), "{received:#?}");
    for made in made {
        let span = received[&made.span];
        assert_eq!(span.trace_id, made.trace);
        assert_eq!(span.parent_id, made.parent);
        assert_eq!(span.name, made.name);
        assert_eq!(span.kind.name(), made.kind);
        assert_eq!(
            (span.start_unix_ns, span.end_unix_ns),
            (made.start, made.end)
        );
        let links = span.links.iter();
        let links: Vec<_> = links
            .map(|link| (link.trace_id.clone(), link.span_id.clone()))
            .collect();
        assert_eq!(links, made.links);
        assert_eq!(span.service, "peer");
        assert!(span.pid.is_some());
        assert_eq!(span.scope, "example.com/peer");
        assert_ne!(span.flags & 0x100, 0, "the SDK says where the parent was");
        assert_eq!(span.flags & 0x200 != 0, made.remote_parent, "{}", made.name);
        let attribute = |name: &str| {
            let mut found = span.attributes.iter();
            found
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.as_str())
        };
        assert_eq!(attribute("text"), Some("größe"));
        assert_eq!(attribute("number"), Some("-7"));
        assert_eq!(attribute("flag"), Some("true"));
        assert_eq!(attribute("list"), None);
        assert_eq!(attribute("long").map(str::len), Some(256));
    }
}

#[tokio::test]
async fn grpc_plain() {
    check("grpc", "none").await;
}

#[tokio::test]
async fn grpc_gzip() {
    check("grpc", "gzip").await;
}

#[tokio::test]
async fn http_plain() {
    check("http", "none").await;
}

#[tokio::test]
async fn http_gzip() {
    check("http", "gzip").await;
}

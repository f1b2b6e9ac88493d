//! The Go service of `peer/`, built once and run for each test.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

/// Far more than any of it takes, for a machine that is busy with something else.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running peer; it is stopped when this is dropped, and ends by itself when we do.
pub(crate) struct Peer {
    child: Child,
    _stdin: ChildStdin,
    addresses: Value,
    events: UnboundedReceiver<Value>,
}

impl Peer {
    pub(crate) async fn start() -> Self {
        let mut child = Command::new(executable())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the peer starts");
        let stdin = child.stdin.take().expect("a pipe");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        let (sender, mut events) = unbounded_channel();
        // Ends with the peer.
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let event = serde_json::from_str(&line).expect("the peer prints JSON");
                if sender.send(event).is_err() {
                    break;
                }
            }
        });
        let addresses = timeout(PATIENCE, events.recv()).await;
        Self {
            child,
            _stdin: stdin,
            addresses: addresses
                .expect("the peer is ready in time")
                .expect("the peer prints its addresses"),
            events,
        }
    }

    /// Address of one of its listeners.
    pub(crate) fn at(&self, listener: &str) -> String {
        let address = self.addresses.get(listener).and_then(Value::as_str);
        address
            .unwrap_or_else(|| panic!("the peer has a listener {listener}"))
            .to_owned()
    }

    /// The next event of this name; others are passed over.
    pub(crate) async fn event(&mut self, name: &str) -> Value {
        let found = async {
            while let Some(event) = self.events.recv().await {
                if event["event"] == name {
                    return event;
                }
            }
            panic!("the peer ended before it said {name}");
        };
        let found = timeout(PATIENCE, found).await;
        found.unwrap_or_else(|_| panic!("the peer did not say {name} in time"))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn executable() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/probe/peer");
        let built = Path::new(env!("CARGO_TARGET_TMPDIR")).join("probe-peer");
        let build = Command::new("go")
            .args(["build", "-o"])
            .arg(&built)
            .arg(".")
            .current_dir(source)
            .status();
        let status = build.expect("these tests need Go: `go` was not found");
        assert!(status.success(), "the peer builds");
        built
    })
}

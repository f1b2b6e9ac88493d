//! The example services, started by the test and not by shakedown, as somebody else's would be.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;
use shakedown_testkit::Run;

/// A service starts within a second; a loaded machine takes longer.
const PATIENCE: Duration = Duration::from_secs(30);
const PACE: Duration = Duration::from_millis(20);

/// `orders` and its `inventory`, running. Dropping it ends them.
pub(crate) struct Outside {
    orders: Child,
    others: Vec<Child>,
    folder: PathBuf,
    /// Words that lead into its network namespace.
    enter: Vec<String>,
    /// Where it sends its spans.
    pub(crate) collector: String,
    pub(crate) http: String,
    pub(crate) grpc: String,
    pub(crate) admin: String,
}

impl Outside {
    /// Starts both in the folder of a run, with words for `orders`.
    pub(crate) fn start(run: &Run, words: &[&str]) -> Self {
        Self::behind(run, &[], &[], words)
    }

    /// The same, with a command before `orders`.
    pub(crate) fn with(run: &Run, before: &[&str]) -> Self {
        Self::behind(run, &[], before, &[])
    }

    /// The same, in a network namespace of their own whose loopback is up.
    pub(crate) fn apart(run: &Run) -> Self {
        let folder = run.folder().to_owned();
        let mut holder = Command::new("unshare");
        let up = "ip link set lo up && echo listening && exec sleep 600";
        holder.args(["--map-root-user", "--net", "sh", "-c", up]);
        let holder = start(&mut holder, &folder, "holder.log");
        until(|| says(&folder.join("holder.log"), "listening"));
        let of = holder.id().to_string();
        let enter = [
            "nsenter",
            "-t",
            &of,
            "--user",
            "--net",
            "--preserve-credentials",
        ];
        let mut outside = Self::behind(run, &enter, &enter, &[]);
        outside.others.push(holder);
        outside.enter = enter.map(str::to_owned).to_vec();
        outside
    }

    /// With commands before both.
    fn behind(run: &Run, before_inventory: &[&str], before: &[&str], words: &[&str]) -> Self {
        let folder = run.folder().to_owned();
        let mut inventory = command(&folder, before_inventory, "inventory");
        let inventory = inventory.args(["-grpc", "127.0.0.1:0"]);
        let inventory = start(inventory, &folder, "inventory.log");
        let stock = said(&folder.join("inventory.log"), "inventory is listening");
        let mut orders = command(&folder, before, "orders");
        let any = "127.0.0.1:0";
        orders.args(["-http", any, "-grpc", any, "-admin", any]);
        orders
            .args(["-inventory", text(&stock, "grpc")])
            .args(words);
        // Nobody listens there until a run does.
        let collector = free_port();
        let endpoint = format!("http://127.0.0.1:{collector}");
        orders.env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint);
        let orders = start(&mut orders, &folder, "orders.log");
        let listening = said(&folder.join("orders.log"), "orders is listening");
        Self {
            orders,
            others: vec![inventory],
            enter: Vec::new(),
            collector: format!("127.0.0.1:{collector}"),
            http: text(&listening, "http").to_owned(),
            grpc: text(&listening, "grpc").to_owned(),
            admin: text(&listening, "admin").to_owned(),
            folder,
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.orders.id()
    }

    /// It runs, and answers as it did.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.orders.try_wait().expect("our child").is_none()
    }

    /// It has ended by itself, with this code.
    pub(crate) fn ended(&mut self) -> Option<i32> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if let Some(status) = self.orders.try_wait().expect("our child") {
                return status.code();
            }
            sleep(PACE);
        }
        panic!("it still runs");
    }

    /// Ends the service without a word.
    pub(crate) fn kill(&mut self) {
        self.orders.kill().expect("our child");
    }

    /// Forwards an address of ours to one of its namespace, and gives ours.
    pub(crate) fn forwarded(&mut self, to: &str) -> String {
        let ours = format!("127.0.0.1:{}", free_port());
        self.forward(false, &ours, to);
        ours
    }

    /// Forwards an address of its namespace to one of ours.
    pub(crate) fn forward_back(&mut self, from: &str, to: &str) {
        self.forward(true, from, to);
    }

    /// Two forwarders, with a Unix socket between them that leads from one namespace to the other.
    fn forward(&mut self, back: bool, from: &str, to: &str) {
        let socket = format!(
            "unix:{}",
            self.folder
                .join(format!("{}.sock", self.others.len()))
                .display()
        );
        let enter: Vec<String> = self.enter.clone();
        let enter: Vec<&str> = enter.iter().map(String::as_str).collect();
        let (first, last): (&[&str], &[&str]) = if back { (&enter, &[]) } else { (&[], &enter) };
        self.beside(last, &["-from", &socket, "-to", &format!("tcp:{to}")]);
        self.beside(first, &["-from", &format!("tcp:{from}"), "-to", &socket]);
    }

    fn beside(&mut self, before: &[&str], words: &[&str]) {
        let log = format!("forward-{}.log", self.others.len());
        let mut command = command(&self.folder, before, "forward");
        self.others
            .push(start(command.args(words), &self.folder, &log));
        until(|| says(&self.folder.join(&log), "listening"));
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        for child in self.others.iter_mut().chain([&mut self.orders]) {
            // It may have ended, which is what some tests are about.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn command(folder: &Path, before: &[&str], program: &str) -> Command {
    let program = folder.join("bin").join(program);
    match before {
        [] => Command::new(program),
        [first, rest @ ..] => {
            let mut command = Command::new(first);
            command.args(rest).arg(program);
            command
        }
    }
}

fn start(command: &mut Command, folder: &Path, log: &str) -> Child {
    let out = File::create(folder.join(log)).expect("a log");
    let err = out.try_clone().expect("a descriptor");
    let command = command.current_dir(folder).stdin(Stdio::null());
    command.stdout(out).stderr(err).spawn().expect("it starts")
}

/// The line of a log that has a message, once it is there.
fn said(log: &Path, message: &str) -> Value {
    let mut found = None;
    until(|| {
        let log = fs::read_to_string(log).unwrap_or_default();
        let line = log.lines().find(|line| line.contains(message));
        found = line.and_then(|line| serde_json::from_str(line).ok());
        found.is_some()
    });
    found.expect("it was found")
}

fn says(log: &Path, text: &str) -> bool {
    fs::read_to_string(log).is_ok_and(|log| log.contains(text))
}

fn text<'a>(line: &'a Value, field: &str) -> &'a str {
    line[field]
        .as_str()
        .unwrap_or_else(|| panic!("no {field} in {line}"))
}

fn until(mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "not within {PATIENCE:?}");
        sleep(PACE);
    }
}

pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("it is bound").port()
}

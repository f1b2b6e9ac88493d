//! `shakedown.toml` of a run.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// One service of a configuration, with what it needs and what may be asked of it.
#[derive(Debug, Clone, Default)]
pub struct Service {
    name: String,
    command: Vec<String>,
    /// What else `start` says.
    start: String,
    tables: String,
    source: Option<PathBuf>,
}

impl Service {
    /// `command` runs in the run's folder, where `bin/` has the fixture services and `src/` their
    /// sources.
    #[must_use]
    pub fn new<'a>(name: &str, command: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            name: name.to_owned(),
            command: command.into_iter().map(str::to_owned).collect(),
            ..Self::default()
        }
    }

    /// Adds a dependency, ready when it says so at a URL, or without one when it listens.
    #[must_use]
    pub fn needs(mut self, name: &str, command: &[&str], ready: Option<&str>) -> Self {
        let _ = write!(
            self.tables,
            "[[service.dependency]]\nname = {name:?}\ncmd = {command:?}\n"
        );
        if let Some(ready) = ready {
            let _ = writeln!(self.tables, "ready = {ready:?}");
        }
        self
    }

    /// Adds a gRPC request.
    #[must_use]
    pub fn grpc(mut self, method: &str, data: &str) -> Self {
        let _ = write!(
            self.tables,
            "[[service.request]]\ngrpc = {method:?}\ndata = '{data}'\n"
        );
        self
    }

    /// Adds an HTTP request, `GET /path`.
    #[must_use]
    pub fn http(mut self, line: &str) -> Self {
        let _ = write!(self.tables, "[[service.request]]\nhttp = {line:?}\n");
        self
    }

    /// The service's process may take so long to end, e.g. `3s`.
    #[must_use]
    pub fn grace(mut self, grace: &str) -> Self {
        let _ = write!(self.tables, "[service.stop]\ngrace = {grace:?}\n");
        self
    }

    /// Its sources are there, and not in `src/`.
    #[must_use]
    pub fn source(mut self, folder: &Path) -> Self {
        self.source = Some(folder.to_owned());
        self
    }

    /// Adds words to the command.
    #[must_use]
    pub fn with(mut self, words: &[&str]) -> Self {
        self.command
            .extend(words.iter().map(|word| (*word).to_owned()));
        self
    }

    /// Adds what `start` may say beside the command, such as `env-file = "secrets.env"`.
    #[must_use]
    pub fn starting(mut self, setting: &str) -> Self {
        let _ = write!(self.start, ", {setting}");
        self
    }

    /// Puts a stall before an address.
    #[must_use]
    pub fn stall(mut self, name: &str, to: &str) -> Self {
        let _ = write!(
            self.tables,
            "[[service.stall]]\nname = {name:?}\nto = {to:?}\n"
        );
        self
    }

    /// Takes another program for the same words.
    #[must_use]
    pub fn program(mut self, program: &str) -> Self {
        self.command[0] = program.to_owned();
        self
    }

    /// Puts words before the command, such as `env NAME=value`.
    #[must_use]
    pub fn behind(mut self, words: &[&str]) -> Self {
        let words = words.iter().map(|word| (*word).to_owned());
        self.command.splice(0..0, words);
        self
    }

    /// The configuration as text.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let source = self.source.as_deref().unwrap_or(Path::new("src"));
        format!(
            "schema = 1\n[[service]]\nname = {:?}\nsource = {source:?}\nstart = {{ cmd = {:?}{} }}\n{}",
            self.name, self.command, self.start, self.tables
        )
    }
}

/// The example service `orders` with faults, its dependency `inventory`, and no request yet.
#[must_use]
pub fn orders_alone(faults: &[&str]) -> Service {
    let inventory = "127.0.0.1:{port.inventory}";
    let mut command = vec![
        "bin/orders",
        "-http",
        "127.0.0.1:0",
        "-grpc",
        "127.0.0.1:0",
        "-admin",
        "127.0.0.1:0",
        "-inventory",
        inventory,
    ];
    let faults = faults.join(",");
    if !faults.is_empty() {
        command.extend(["-fault", &faults]);
    }
    Service::new("orders", command).needs(
        "inventory",
        &["bin/inventory", "-grpc", inventory],
        Some(&format!("grpc://{inventory}")),
    )
}

/// The example service `orders` with faults behind an inventory that answers in 3 ms, so that no
/// handler can be caught unless that is stalled; two requests that wait for it.
#[must_use]
pub fn fast_orders(faults: &[&str], stalled: bool) -> Service {
    let mut service = orders_alone(faults);
    let reach = "127.0.0.1:{port.inventory}";
    if stalled {
        let words = service.command.iter_mut();
        words
            .filter(|word| *word == reach)
            .for_each(|word| *word = "{stall.inventory.addr}".into());
        service = service.stall("inventory", reach);
    }
    service.tables = service.tables.replace(
        "\"bin/inventory\"",
        "\"bin/inventory\", \"-delay\", \"3ms\"",
    );
    service
        .grpc("orders.v1.Orders/Get", r#"{"id":"7"}"#)
        .http("GET /orders/7")
}

/// The example service `orders` with faults, its dependency, and requests to all that it serves.
#[must_use]
pub fn orders(faults: &[&str]) -> Service {
    orders_alone(faults)
        .grpc("orders.v1.Orders/Get", r#"{"id":"7"}"#)
        .grpc("orders.v1.Orders/Search", r#"{"query":"bolt"}"#)
        .http("GET /orders/7")
}

/// The example service of shakedown-kit, or that with a fault, behind an inventory that takes so
/// long, with a request to each that it serves. For a run [`with_rust`](crate::Run::with_rust).
#[must_use]
pub fn rust_orders(fault: Option<&str>, inventory_takes: &str) -> Service {
    let inventory = "127.0.0.1:{port.inventory}";
    let mut command = vec![
        "env",
        "HTTP_ADDR=127.0.0.1:0",
        "GRPC_ADDR=127.0.0.1:0",
        "ADMIN_ADDR=127.0.0.1:0",
        "INVENTORY_ADDR=127.0.0.1:{port.inventory}",
    ];
    match fault {
        None => command.push("bin/kit-orders"),
        Some(fault) => command.extend(["bin/rust-orders", "-fault", fault]),
    }
    let needs = [
        "bin/inventory",
        "-grpc",
        inventory,
        "-delay",
        inventory_takes,
    ];
    Service::new("orders", command)
        .needs("inventory", &needs, Some(&format!("grpc://{inventory}")))
        .source(&crate::rust_source())
        .grpc("orders.v1.Orders/Get", r#"{"id":"7"}"#)
        .http("GET /orders/7")
}

/// The example service `plain`, which has no tracing SDK, and a request.
#[must_use]
pub fn plain(_: &[&str]) -> Service {
    let command = ["bin/plain", "-http", "127.0.0.1:0", "-admin", "127.0.0.1:0"];
    Service::new("plain", command).http("GET /greetings/ann")
}

/// Variables of `ledger` that nobody else may see: `ledger` takes them from a file of this name.
pub const LEDGER_SECRETS: (&str, &str) = (
    "secrets.env",
    "export LEDGER_SIGNING_KEY='quay-0815-of-the-ledger'\n",
);

/// The example service `ledger` over a PostgreSQL of its own, without tracing; its settings are
/// variables, one of them in [`LEDGER_SECRETS`]. With a stall before the database, or without.
#[must_use]
pub fn ledger(faults: &[&str], stalled: bool) -> Service {
    let reach = "127.0.0.1:{port.postgres}";
    let database = if stalled {
        "{stall.postgres.addr}"
    } else {
        reach
    };
    let mut command = vec!["bin/ledger"];
    let faults = faults.join(",");
    if !faults.is_empty() {
        command.extend(["-fault", &faults]);
    }
    let (secrets, _) = LEDGER_SECRETS;
    let variables = format!(
        "env = {{ LEDGER_DATABASE_URL = \"postgres://test@{database}/postgres\", \
         LEDGER_ADDR = \"127.0.0.1:0\", LEDGER_ADMIN_ADDR = \"127.0.0.1:0\", \
         LEDGER_CURRENCY = \"EUR\" }}"
    );
    let postgres = ["bin/postgres.sh", "{port.postgres}", "database"];
    let service = Service::new("ledger", command)
        .starting(&variables)
        .starting(&format!("env-file = {secrets:?}"))
        .needs("postgres", &postgres, None)
        .http("GET /accounts/alice");
    if stalled {
        service.stall("postgres", reach)
    } else {
        service
    }
}

//! `shakedown.toml` of a run.

use std::fmt::Write as _;

/// One service of a configuration, with what it needs and what may be asked of it.
#[derive(Debug, Clone, Default)]
pub struct Service {
    name: String,
    command: Vec<String>,
    tables: String,
}

impl Service {
    /// `command` runs in the run's folder, where `bin/` has the fixture services and `src/` their
    /// sources.
    #[must_use]
    pub fn new<'a>(name: &str, command: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            name: name.to_owned(),
            command: command.into_iter().map(str::to_owned).collect(),
            tables: String::new(),
        }
    }

    /// Adds a dependency.
    #[must_use]
    pub fn needs(mut self, name: &str, command: &[&str], ready: &str) -> Self {
        let _ = write!(
            self.tables,
            "[[service.dependency]]\nname = {name:?}\ncmd = {command:?}\nready = {ready:?}\n"
        );
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

    /// Adds words to the command.
    #[must_use]
    pub fn with(mut self, words: &[&str]) -> Self {
        self.command
            .extend(words.iter().map(|word| (*word).to_owned()));
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
        format!(
            "schema = 1\n[[service]]\nname = {:?}\nsource = \"src\"\nstart = {{ cmd = {:?} }}\n{}",
            self.name, self.command, self.tables
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
        &format!("grpc://{inventory}"),
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
        let _ = write!(
            service.tables,
            "[[service.stall]]\nname = \"inventory\"\nto = {reach:?}\n"
        );
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

/// The example service `plain`, which has no tracing SDK, and a request.
#[must_use]
pub fn plain(_: &[&str]) -> Service {
    let command = ["bin/plain", "-http", "127.0.0.1:0", "-admin", "127.0.0.1:0"];
    Service::new("plain", command).http("GET /greetings/ann")
}

//! What the environment says of how to run.

/// Addresses, and what is logged.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) http: String,
    pub(crate) grpc: String,
    /// Profiles are here and nowhere else.
    pub(crate) admin: String,
    /// The service that is asked what is on stock.
    pub(crate) inventory: String,
    /// `LEVEL` or `TARGET=LEVEL`, set apart by commas.
    pub(crate) log: String,
}

impl Settings {
    /// Each setting is a variable, with a default for a laptop.
    pub(crate) fn read() -> Self {
        let variable =
            |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
        Settings {
            http: variable("HTTP_ADDR", "127.0.0.1:8080"),
            grpc: variable("GRPC_ADDR", "127.0.0.1:7000"),
            admin: variable("ADMIN_ADDR", "127.0.0.1:6060"),
            inventory: variable("INVENTORY_ADDR", "127.0.0.1:7001"),
            log: variable("LOG", "info"),
        }
    }
}

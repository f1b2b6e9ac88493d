//! A service that runs already: what can be proven of it by its process and by its addresses, with
//! and without consent, and that it is left as it was. Besides: logs that are followed, Unix sockets,
//! several services in one run, and secrets, which are cut whichever way they come.
//!
//! `outside` has the service, which no run of ours has started. One module a way in.

mod address;
mod callers;
mod expected;
mod log;
mod namespace;
mod outside;
mod process;
mod secret;
mod several;
mod socket;
mod tls;

/// The built program.
const PROGRAM: &str = env!("CARGO_BIN_EXE_shakedown");

//! Hermetic runs of `shakedown` on the fixture services.
//!
//! A test describes a [`Run`], and either lets it end ([`Run::end`]) or keeps it under way
//! ([`Run::start`]) to do something to it. Each run has a folder, an environment and ports of its
//! own; a few at a time run side by side, and none may leave a process behind.
//!
//! ```no_run
//! use shakedown_testkit::{Run, orders};
//!
//! let ended = Run::of("target/debug/shakedown") // in a test: env!("CARGO_BIN_EXE_shakedown")
//!     .config(&orders(&["pprof-public"]))
//!     .flags(["check", "--window", "6s", "--format", "json"])
//!     .end();
//! assert_eq!(ended.code, Some(1));
//! assert_eq!(ended.report()["verdict"], "NOT READY");
//! ```
//!
//! It knows no crate of the workspace: what it starts is the built program, and what it reads is
//! what the program wrote.

mod config;
mod ended;
mod fixtures;
mod frozen;
mod live;
mod run;
mod sockets;
mod survivors;
mod turn;

pub use config::{
    LEDGER_SECRETS, Service, fast_orders, ledger, orders, orders_alone, plain, rust_orders,
};
pub use ended::{BY_FLAG, Ended};
pub use fixtures::{Fixtures, rust_source, source, template_source};
pub use frozen::{freeze, thaw, thawed_events};
pub use live::{Live, Signal};
pub use run::Run;
pub use survivors::Marker;

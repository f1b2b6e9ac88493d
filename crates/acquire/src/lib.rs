//! The only crate with sockets and child processes: it carries out actions and records what came.
//!
//! Nothing is judged here. Every read has a deadline and a bound; every task has an owner that
//! awaits or aborts it.

mod discretion;
pub mod executable;
pub mod follow;
mod hands;
pub mod listeners;
pub mod otlp;
pub mod probe;
pub mod process;
mod recorder;
mod resources;
pub mod source;
mod stall;
mod stop;

pub use hands::Hands;
pub use recorder::{Recorder, Why};
pub use stall::Stalls;

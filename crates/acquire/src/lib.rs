//! The only crate with sockets and child processes: it carries out actions and records what came.
//!
//! Nothing is judged here. Every read has a deadline and a bound; every task has an owner that
//! awaits or aborts it.

mod recorder;

pub use recorder::Recorder;

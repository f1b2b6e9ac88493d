//! One owner for signals, readiness, drain and exit.
//!
//! [`Builder::run`](crate::Builder::run) goes through these: set up, ready, told to stop, lame duck
//! (not ready, but still answering, so that load balancers can learn it), draining (no new
//! connections; those that are there finish what they have), ended. A drain has a limit, always.
//! Feature `swap` has another way out, in which a new process takes over.

mod connections;
mod drain;
pub mod generations;
mod owner;
mod signals;

pub(crate) use connections::{Server, serve};
pub(crate) use drain::{Drain, drain, leave};
pub(crate) use owner::{Charge, Owner};
pub(crate) use signals::{Signal, Signals};

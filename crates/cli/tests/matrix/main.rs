//! The matrix: the healthy fixture service and each of its faults, with exactly the findings and
//! outcomes that `table` says, nothing more and nothing less.
//!
//! `collector` and `otlp_logs` are services whose spans and log go other ways.
//!
//! `live` runs them; `frozen` judges the bundles of such runs again.

mod collector;
mod expected;
mod frozen;
mod live;
mod otlp_logs;
mod table;

//! The matrix: the healthy fixture service and each of its faults, with exactly the findings and
//! outcomes that `table` says, nothing more and nothing less.
//!
//! `live` runs them; `frozen` judges the bundles of such runs again. Beside the table: `stalled`,
//! handlers too fast to be caught unless a dependency is stalled; `described`, a service that does
//! not say what its methods are; `grpc171`, an older grpc-go; `ordinary`, services that
//! nobody prepared; `collector` and `otlp_logs`, spans and logs that go other
//! ways; `only`, one rule alone; `jitter`, bursts
//! that only a flag looks for.

mod collector;
mod described;
mod expected;
mod frozen;
mod grpc171;
mod jitter;
mod live;
mod only;
mod ordinary;
mod otlp_logs;
mod rust;
mod stalled;
mod table;

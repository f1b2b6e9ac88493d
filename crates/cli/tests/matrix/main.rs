//! The matrix: the healthy fixture service and each of its faults, with exactly the findings and
//! outcomes that `table` says, nothing more and nothing less.
//!
//! `described` runs a service that does not say what its methods are; `stalled` runs a service whose handlers are too fast to be caught unless a dependency is stalled.
//!
//! `live` runs them; `frozen` judges the bundles of such runs again.

mod described;
mod expected;
mod frozen;
mod live;
mod stalled;
mod table;

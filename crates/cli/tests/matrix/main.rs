//! The matrix: the healthy fixture service and each of its faults, with exactly the findings and
//! outcomes that `table` says, nothing more and nothing less.
//!
//! `live` runs them; `frozen` judges the bundles of such runs again.

mod collector;
mod expected;
mod frozen;
mod live;
mod table;

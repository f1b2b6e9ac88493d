//! The profiles of a Go service for Rust services: CPU, heap, threads, and who blocks a worker.

pub mod labels;
pub mod profile;

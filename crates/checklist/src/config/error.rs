//! What can be wrong with a configuration, with its place.

use std::path::PathBuf;

/// A mistake in the configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path} cannot be read: {source}; name another with --config FILE")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is no configuration.
    #[error(
        "{path} is longer than {limit} bytes, which no configuration is; name another with --config FILE"
    )]
    TooLong {
        /// Which file.
        path: PathBuf,
        /// The bound.
        limit: u64,
    },
    /// Something in it is wrong.
    #[error("{path}:{line}:{column}: {message}")]
    Invalid {
        /// Which file.
        path: PathBuf,
        /// Line, counted from 1.
        line: usize,
        /// Column, counted from 1, in characters.
        column: usize,
        /// What is wrong and what would be right.
        message: String,
    },
}

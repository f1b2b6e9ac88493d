//! Log lines: as they came, and what can be read from them.

mod line;

pub use line::{RawLine, Stream};

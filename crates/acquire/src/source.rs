//! Looking into the service's source: which folder it is, the lines around a place that an
//! executable or a stack names, and where a log message's text stands.
//!
//! Nothing is parsed beyond strings and comments, nothing is built, and nothing is written. The
//! walk is bounded, leaves tests and vendored code aside and follows no symbolic link.

mod escape;
mod excerpt;
mod go_mod;
mod literal;
mod root;
mod scan;
mod walk;

pub use excerpt::excerpt;
pub use literal::find_literals;
pub use root::find_root;
pub use walk::WalkLimits;

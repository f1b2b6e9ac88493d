//! The log reader on lines of real libraries, on the forms of ids, and on hostile input.
#![expect(
    clippy::unwrap_used,
    reason = "clippy excuses tests, but not the functions that they call"
)]

mod classes;
mod frozen;
mod groups;
mod hostile;
mod ids;
mod lines;
mod templates;
mod wrapped;

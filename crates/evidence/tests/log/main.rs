//! The log reader on lines of real libraries, on the forms of ids, and on hostile input.

mod classes;
mod frozen;
mod groups;
mod hostile;
mod ids;
mod lines;
mod templates;
